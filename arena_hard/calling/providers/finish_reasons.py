"""Why a reply ended, in one set of words: 'stop', 'length', 'content_filter'; all others are kept as received."""

from __future__ import annotations

import functools
import re

_WORDS = {
    "stop": (
        "stop",
        "end_turn",
        "stop_sequence",
        "eos",
        "eos_token",
        "eos_found",
        "eos_token_found",
        "endoftext",
        "end_of_text",
        "end_of_sequence",
        "stopped",
        "stop_token",
        "stop_word",
        "complete",
        "completed",
        "finish",
        "finished",
        "done",
        "success",
        "succeeded",
        "ok",
        "normal",
        "none",
        "null",
    ),
    "length": (
        "length",
        "max_tokens",
        "max_length",
        "model_length",
        "max_output_tokens",
        "max_new_tokens",
        "max_completion_tokens",
        "max_token",
        "token_limit",
        "length_limit",
        "token_budget",
        "output_limit",
        "truncated",
        "model_context_window_exceeded",
        "context_length_exceeded",
    ),
    "content_filter": (
        "content_filter",
        "content_filtered",
        "refusal",
        "safety",
        "sensitive",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "guardrail_intervened",
    ),
}
_MEANING = {word: meaning for meaning, words in _WORDS.items() for word in words}
# What servers say of replies that broke off: DeepSeek's insufficient_system_resource, GLM's network_error, Gemini's
# MALFORMED_FUNCTION_CALL (with "function_call_filter: " before it), vLLM's and SGLang's abort, OpenRouter's error.
_FAILURE = re.compile(
    r"(?<![a-z])(?:error|abort|cancel|fail|malformed|unexpected|timeout|timed_?out|insufficient|exhausted|overload"
    r"|unavailable|interrupt|disconnect|exception|preempt|evict|rate_?limit|too_many|throttl"
    r"|shut_?down|kill|crash|out_of_memory|oom(?![a-z])|time_?limit|deadline|connection|(?:bad_)?gateway"
    r"|terminated(?!_?(?:by_)?eos)|quota|budget_exceeded|internal(?![a-z])|incomplete|unfinished|dropped|broken?(?![a-z])"
    r"|busy|panic)|\A[45]\d\d(?!\d)"
)
# what says that there was none
_NO_FAILURE = re.compile(
    r"(?<![a-z])(?:(?:no|without)_?(?:errors?|failures?|exceptions?)(?![a-z])"
    r"|(?:error|failure|exception)s?[_:]*(?:none|no|null|free|false|ok|0)\Z)"
)
_PREFIX = re.compile(r"(?:[a-z_]*reason[._:\s]+|[a-z_]\w*\.)+(?=\w)")  # of a member of an enum
_REACHED = re.compile(r"(?<=.)_(?:reached|exceeded|hit)$")


@functools.lru_cache
def in_our_words(reason: str | None) -> str:
    """The reason in the words above, whatever its case and hyphens; 'stop' where a server gives none.

    Words with a detail behind them ('content_filter: PROHIBITED_CONTENT') mean what the first one means, and so do
    members of an enum ('FinishReason.STOP', 'FINISH_REASON_STOP').
    """
    if reason is None:
        return "stop"
    plain = _NO_FAILURE.sub("", _plain(reason)).strip("_: ") or "stop"
    first, _, detail = plain.partition(":")
    member = _PREFIX.sub("", plain).partition(":")[0].strip("_")
    forms = (plain, first.strip("_"), member, _REACHED.sub("", member))
    meaning = next((_MEANING[form] for form in forms if form in _MEANING), None)
    if meaning is None or meaning == "stop" and detail:  # what it adds may say otherwise
        detail = detail.strip("_")
        meaning = None if _FAILURE.search(detail) else _MEANING.get(detail, meaning)
    return meaning or reason


def is_known(reason: str) -> bool:
    """Whether it is one of the three words above."""
    return reason in _WORDS


@functools.lru_cache
def tells_failure(reason: str | None) -> bool:
    """Whether a reply broke off, so that what came of it is no answer."""
    return (
        reason is not None
        and in_our_words(reason) not in _WORDS
        and bool(_FAILURE.search(_NO_FAILURE.sub("", _plain(reason))))
    )


def _plain(reason: str) -> str:
    """In small letters with underscores: 'content-filter', 'maxTokens' and 'MAX_TOKENS' are written alike."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|[-\s]+", "_", reason.strip(" \t\r\n<>'\""))
    return apart.lower()
