"""Why a reply ended, in one set of words: 'stop', 'length', 'content_filter'; all others are kept as they came."""

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
        "no_error",
        "noerror",
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
    r"(?<![a-z])(?<!no_)(?<!without_)(?:error|abort|cancel|fail|malformed|unexpected|timeout|timed_?out|insufficient|exhausted|overload"
    r"|unavailable|interrupt|disconnect|exception|preempt|evict|rate_?limit|too_many_tool"
    r"|shut_?down|kill|crash|out_of_memory|time_?limit)"
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
    plain = _plain(reason)
    first = plain.partition(":")[0].strip("_")
    member = _PREFIX.sub("", plain).partition(":")[0].strip("_")
    forms = (plain, first, member, _REACHED.sub("", member))
    return next((_MEANING[form] for form in forms if form in _MEANING), reason)


def is_known(reason: str) -> bool:
    """Whether it is one of the three words above."""
    return reason in _WORDS


@functools.lru_cache
def tells_failure(reason: str | None) -> bool:
    """Whether a reply broke off, so that what came of it is no answer."""
    return reason is not None and in_our_words(reason) not in _WORDS and bool(_FAILURE.search(_plain(reason)))


def _plain(reason: str) -> str:
    """In small letters with underscores: 'content-filter', 'maxTokens' and 'MAX_TOKENS' are written alike."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|[-\s]+", "_", reason.strip(" \t\r\n<>'\""))
    return apart.lower()
