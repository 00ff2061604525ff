"""The probabilities of tokens that a server gives with a reply, as far as they may be of use for a label.

A reply has thousands of tokens with twenty alternatives each. Only those that a label may be made of are kept, with
the brackets that open it; what stands between them is one blank. What is odd among them costs no reply, and no more
than the token that it stands in.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from arena_hard.calling.providers.base import Token

MOST, FEW = 20, 5  # alternatives of each token: what OpenAI and vLLM give at most, and what everybody gives
_MAY_BE = re.compile(r"(?=[^AB<>=1-5[]*[AB<>=1-5[])[\s\[\](){}<>=AB1-5\"'`*:,.;!?\\|$_#-]+")
_BETWEEN = Token(" ", 0.0)
_ROUNDING = 1e-3  # by which a logarithm may be above 0
_LEAST = -100.0  # what is said of a token that has no probability
_Row = tuple[str, float, dict[str, float]]  # a token, its logarithm, and those of its alternatives


def tokens_in(logprobs: Any) -> tuple[Token, ...] | None:
    """The tokens of a choice's `logprobs`; None where it holds none that can be read."""
    rows = list(_rows(logprobs)) if isinstance(logprobs, Mapping) else []
    if all(math.isnan(own) for _, own, _ in rows):
        return None
    found = [_kept(*each) for each in rows]
    return tuple(each for number, each in enumerate(found) if each is not _BETWEEN or found[number - 1] is not _BETWEEN)


def holds_odds(logprobs: Any) -> bool:
    """Whether anything stands there: many servers send an empty object or list to a request for none."""
    return any(logprobs.values()) if isinstance(logprobs, Mapping) else bool(logprobs)


def _rows(logprobs: Mapping[str, Any]) -> Iterator[_Row]:
    """Each token with its logarithm and its alternatives, in either shape of the protocol; NaN for what is odd."""
    for each in _list(logprobs.get("content")):
        row = each if isinstance(each, Mapping) else {}
        yield _row(row.get("token"), row.get("logprob"), row.get("top_logprobs"))
    # of the older completions
    texts, values, alternatives = (_list(logprobs.get(key)) for key in ("tokens", "token_logprobs", "top_logprobs"))
    for text, value, tops in zip_longest(texts, values[: len(texts)], alternatives[: len(texts)]):
        yield _row(text, value, tops)


def _row(text: Any, value: Any, tops: Any) -> _Row:
    """A token is among its alternatives too, at most servers."""
    text, own, alternatives = _text(text), _log(value), _alternatives(tops)
    return text, alternatives.get(text, own) if math.isnan(own) else own, alternatives


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _alternatives(tops: Any) -> dict[str, float]:
    """The tokens in a place, as a list of objects or as one object."""
    if isinstance(tops, Mapping):
        return {str(text): _log(value) for text, value in tops.items()}
    return {_text(top.get("token")): _log(top.get("logprob")) for top in _list(tops) if isinstance(top, Mapping)}


def _log(value: Any) -> float:
    """The logarithm of a probability, also in a text; NaN for anything else."""
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
    return math.nan if math.isnan(number) or number > _ROUNDING else max(min(number, 0.0), _LEAST)


def _kept(text: str, own: float, tops: Mapping[str, float]) -> Token:
    """A token of which only the alternatives that can be read are known; nothing is, where it cannot be itself."""
    if not _MAY_BE.fullmatch(text):
        return _BETWEEN
    if math.isnan(own):
        return Token(text, _LEAST, (), 1.0)
    others = {other: value for other, value in tops.items() if other != text and not math.isnan(value)}
    rest = max(0.0, 1.0 - math.exp(own) - sum(map(math.exp, others.values())))
    all_are_read = others and not any(map(math.isnan, tops.values()))
    least = min(rest, math.exp(min(others.values()))) if all_are_read else rest
    may_be = tuple((other, value) for other, value in others.items() if _MAY_BE.fullmatch(other))
    return Token(text, own, may_be, least)


def tokens_row(tokens: tuple[Token, ...] | None) -> list[Any] | None:
    """Tokens as they stand in a file."""
    return None if tokens is None else [list(token) for token in tokens]


def tokens_from_row(row: Any) -> tuple[Token, ...] | None:
    """The tokens of a file."""
    if row is None:
        return None
    return tuple(
        Token(text, logprob, tuple((other, odds) for other, odds in others), least)
        for text, logprob, others, least in row
    )
