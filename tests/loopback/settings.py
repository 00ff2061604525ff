"""Everything the loopback server can be told: one frozen record, checked when it is made."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .faults import fault_from, fault_rates

REASONING = (None, "reasoning_content", "reasoning", "think")
CONTEXT_TOLD = (None, "models", "props")
RETRY_AFTER_FORMS = ("seconds", "date", "ms", "none")

# What a reasoning model of OpenAI refuses; use as models={"reasoner-1": REASONER}.
REASONER: Mapping[str, Any] = {
    "refuses": ["max_tokens", "temperature", "system"],
    "reasoning": "reasoning_content",
}


@dataclass(frozen=True)
class Settings:
    """Times are seconds, rates are shares from 0 to 1."""

    seed: int = 0
    latency: float = 0.0  # before every reply with status 200
    jitter: float = 0.0  # share of the latency by which it varies, seeded
    error_latency: float = 0.0  # before every error

    reply: str = "text"  # text, echo, verdict or size=BYTES
    auto_verdict: bool = True  # text and size become a judgment when the prompt shows a [[A>B]] label
    unreadable: float = 0.0  # share of judgments without a label, or with two
    markdown: bool = False
    reasoning: str | None = None  # reasoning_content or reasoning (a field), or think (tags in the content)
    obey_max_tokens: bool = True
    served_suffix: str = ""
    system_fingerprint: str | None = "fp_loopback"
    constraints: tuple[str, ...] = ()  # forms of constraint.py that replies keep to; others are ignored
    refuses_constraints: bool = False  # those others are refused
    logprobs: int = 0  # the most alternatives of a token that are given; 0: none
    prefix_cache: Any = None  # true, or {size, ttl, minimum}; see prefix_cache.py

    faults: Mapping[str, Any] = field(default_factory=dict)  # name -> rate, or {rate, ...}
    fault: Any = None  # the same for every request: a name or {fault, ...}
    refuses: tuple[str, ...] = ()  # parameters refused for as long as a request carries them
    retry_after: float | None = 1.0  # what a 429 tells when its own entry says nothing
    retry_after_form: str = "seconds"  # seconds, date, ms (retry-after-ms) or none

    keys: tuple[str, ...] | None = None  # any other key: 401
    rpm: float | None = None  # requests per minute for a key and model
    burst: float | None = None  # size of that bucket; default: what a second brings, at least 1
    max_concurrency: int | None = None  # more in flight: 429
    context_window: int | None = None  # tokens of prompt; more: 400
    context_told: str | None = None  # where the window is told: models (as vLLM does) or props (as llama.cpp)
    served_models: tuple[str, ...] | None = None  # any other model: 404
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # settings of single models

    keep_requests: int = 2000
    early_grace: float = 0.05  # requests already on their way when a Retry-After is sent are not early

    def __post_init__(self) -> None:
        for name in ("refuses", "keys", "served_models", "constraints"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        _check(self)

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some replaced. Raises ValueError for an unknown name or a bad value."""
        known = [each.name for each in fields(self)]
        for name in changes:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"unknown setting {name!r}{hint}")
        return replace(self, **changes)

    def of_model(self, model: str) -> Settings:
        """The settings which hold for one model."""
        own = self.models.get(model)
        return self.changed(own) if own else self


def _check(settings: Settings) -> None:
    fault_rates(settings.faults)
    fault_from(settings.fault)
    size_of(settings.reply)
    if settings.reasoning not in REASONING:
        raise ValueError(f"reasoning: {settings.reasoning!r} is none of {REASONING}")
    if settings.retry_after_form not in RETRY_AFTER_FORMS:
        raise ValueError(f"retry_after_form: {settings.retry_after_form!r} is none of {RETRY_AFTER_FORMS}")
    if settings.context_told not in CONTEXT_TOLD:
        raise ValueError(f"context_told: {settings.context_told!r} is none of {CONTEXT_TOLD}")
    for name, own in settings.models.items():
        if "models" in own:
            raise ValueError(f"models: {name!r} may not have models of its own")
        replace(settings, models={}).changed(own)


def size_of(reply: str) -> int | None:
    """The bytes that `size=BYTES` asks for, None for the other kinds of reply. Raises ValueError."""
    if reply.startswith("size=") and reply[5:].isdigit():
        return int(reply[5:])
    if reply not in ("text", "echo", "verdict"):
        raise ValueError(f"reply: {reply!r} is none of text, echo, verdict, size=BYTES")
    return None
