"""How many tokens a reply cost, as servers count them: None where they counted none, or none that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from arena_hard.calling.providers.fields import Fields
from arena_hard.data.records import Usage


def openai_usage(usage: Fields) -> Usage | None:
    """The prompt's tokens hold the cached ones, those of the reply its thought."""
    odd = len(usage.notes)
    prompt = usage.count("prompt_tokens", "input_tokens")
    completion = usage.count("completion_tokens", "output_tokens")
    if len(usage.notes) > odd or prompt is None and completion is None:
        return None
    cached = usage.inner("prompt_tokens_details").count("cached_tokens") or usage.count("prompt_cache_hit_tokens") or 0
    thought = usage.inner("completion_tokens_details").count("reasoning_tokens") or 0
    told = Usage(prompt or 0, completion or 0, cached, reasoning_tokens=thought).whole()
    beside = (usage.count("total_tokens") or 0) - told.prompt_tokens - told.completion_tokens
    if beside <= 0 or beside == cached:
        return told
    # thoughts that count in the total alone, as at Gemini and xAI, are paid for as output
    thought = max(thought, beside) if completion else thought
    return msgspec.structs.replace(told, completion_tokens=told.completion_tokens + beside, reasoning_tokens=thought)


def anthropic_usage(usage: Fields) -> Usage | None:
    """Cached tokens are counted beside the others; here the prompt holds them all."""
    return _beside(usage, ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"))


def bedrock_usage(usage: Fields) -> Usage | None:
    """As Anthropic counts."""
    return _beside(usage, ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"))


def _beside(usage: Fields, names: tuple[str, str, str, str]) -> Usage | None:
    odd = len(usage.notes)
    prompt, completion, cached, written = map(usage.count, names)
    if len(usage.notes) > odd or prompt is None and completion is None:
        return None
    return Usage(
        prompt_tokens=(prompt or 0) + (cached or 0) + (written or 0),
        completion_tokens=completion or 0,
        cached_tokens=cached or 0,
        cache_write_tokens=written or 0,
    )


def any_usage(values: Any, notes: list[Any]) -> Usage | None:
    """What an adapter of the user's handed on: a Usage, or the object of a server or of an SDK; odd ones are noted."""
    if isinstance(values, Usage):
        usage = Fields(msgspec.structs.asdict(values), "usage", notes)
        odd = len(notes)
        counts = [usage.count(name) or 0 for name in Usage.__struct_fields__]
        return None if len(notes) > odd else Usage(*counts)
    usage = Fields(_as_mapping(values), "usage", notes)
    if "inputTokens" in usage or "outputTokens" in usage:
        return bedrock_usage(usage)
    beside = "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage
    return anthropic_usage(usage) if beside else openai_usage(usage)


def _as_mapping(values: Any) -> Any:
    """An SDK's object as the JSON that it was made of."""
    if isinstance(values, Mapping) or not hasattr(values, "model_dump"):
        return values
    return values.model_dump()
