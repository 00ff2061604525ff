"""Vectors of texts by the one call: with its retries, limits, time-outs and purses."""

from __future__ import annotations

from collections.abc import Sequence

from arena_hard.calling.calls import persistently
from arena_hard.calling.models import Clock, Model
from arena_hard.calling.providers.base import Reply, Request


async def vectors_of(model: Model, texts: Sequence[str], clock: Clock) -> Reply:
    """A reply with the vector of each text, in their order. The model was opened with `embeds`.

    Raises CallError of kind 'final' when none could be had, NoRoom when the clock's purse has none for a try.
    """
    messages = [{"role": "user", "content": text} for text in texts]
    extra = model.settings.extra_body or {}
    return await persistently(model, Request(model.settings.model_name, messages, None, 0, extra, embeds=True), clock)
