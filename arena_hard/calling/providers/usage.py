"""How many tokens a reply cost, as servers count them: None where they counted none, or none that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from arena_hard.calling.providers.fields import Fields
from arena_hard.data.usage import Usage

_OPENAI = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"), "total_tokens")
_ANTHROPIC = (("input_tokens",), ("output_tokens",), "total_tokens")
_BEDROCK = (("inputTokens",), ("outputTokens",), "totalTokens")
Names = tuple[tuple[str, ...], tuple[str, ...], str]


def openai_usage(usage: Fields, has_text: bool) -> Usage | None:
    """The prompt's tokens hold the cached ones, those of the reply its thought.

    has_text: whether a text came, which is never had for nothing.
    """
    counted = _counted(usage, _OPENAI, has_text)
    if counted is None:
        return None
    prompt, completion, total = counted
    cached = usage.inner("prompt_tokens_details").count("cached_tokens") or usage.count("prompt_cache_hit_tokens") or 0
    thought = usage.inner("completion_tokens_details").count("reasoning_tokens") or 0
    told = Usage(prompt, completion, cached, reasoning_tokens=thought).whole()
    beside = total - told.prompt_tokens - told.completion_tokens
    if beside <= 0 or beside == cached:
        return told
    # thoughts that count in the total alone, as at Gemini and xAI, are paid for as output
    thought = max(thought, beside) if completion else thought
    return msgspec.structs.replace(told, completion_tokens=told.completion_tokens + beside, reasoning_tokens=thought)


def anthropic_usage(usage: Fields, has_text: bool) -> Usage | None:
    """Cached tokens are counted beside the others; here the prompt holds them all."""
    return _beside(usage, _ANTHROPIC, ("cache_read_input_tokens", "cache_creation_input_tokens"), has_text)


def usage_told(refusal: Any) -> Usage | None:
    """What a refusal cost, by its own words: the work may have been done before it."""
    usage = refusal.get("usage") if isinstance(refusal, Mapping) else None
    if not isinstance(usage, Mapping):
        return None
    of = anthropic_usage if "input_tokens" in usage else openai_usage
    return of(Fields(usage), False)


def bedrock_usage(usage: Fields, has_text: bool) -> Usage | None:
    """As Anthropic counts."""
    return _beside(usage, _BEDROCK, ("cacheReadInputTokens", "cacheWriteInputTokens"), has_text)


def _beside(usage: Fields, names: Names, cache: tuple[str, str], has_text: bool) -> Usage | None:
    odd = len(usage.notes)
    cached, written = (usage.count(name) or 0 for name in cache)
    counted = _counted(usage, names, has_text, cached + written) if len(usage.notes) == odd else None
    if counted is None:
        return None
    prompt, completion, _ = counted
    return Usage(prompt + cached + written, completion, cached, written)


def _counted(usage: Fields, names: Names, has_text: bool, beside: int = 0) -> tuple[int, int, int] | None:
    """The tokens of prompt, completion and both; a missing one of the three is the difference of the others.

    None where nothing is told, or too little of what a text cost: no count is taken for zero in silence.
    beside: tokens of the prompt that are counted apart.
    """
    odd = len(usage.notes)
    prompt, completion = (usage.count(*each) for each in names[:2])
    if len(usage.notes) > odd or prompt is None and completion is None:
        return None
    total = usage.count(names[2]) or 0
    left = max(0, total - beside - (prompt or 0) - (completion or 0))
    if completion and not prompt:
        prompt = left or prompt
    elif prompt and not completion:
        completion = left or completion
    if has_text and not prompt and not completion and not beside:
        return None
    if has_text and (prompt is None or not completion):
        usage.note(next((name for name in names[prompt is not None] if name in usage), names[prompt is not None][0]))
        return None
    return prompt or 0, completion or 0, total


def any_usage(values: Any, notes: list[Any], has_text: bool) -> Usage | None:
    """What an adapter of the user's handed on: a Usage, or the object of a server or of an SDK; odd ones are noted."""
    if isinstance(values, Usage):
        return _own_usage(Fields(msgspec.structs.asdict(values), "usage", notes), has_text)
    usage = Fields(_as_mapping(values), "usage", notes)
    if "inputTokens" in usage or "outputTokens" in usage:
        return bedrock_usage(usage, has_text)
    beside = "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage
    return anthropic_usage(usage, has_text) if beside else openai_usage(usage, has_text)


def _own_usage(usage: Fields, has_text: bool) -> Usage | None:
    odd = len(usage.notes)
    counts = [usage.count(name) or 0 for name in Usage.__struct_fields__]
    known = len(usage.notes) == odd and _counted(usage, _OPENAI, has_text) is not None
    return Usage(*counts) if known else None


def _as_mapping(values: Any) -> Any:
    """An SDK's object as the JSON that it was made of."""
    if isinstance(values, Mapping) or not hasattr(values, "model_dump"):
        return values
    return values.model_dump()
