"""A model's context: asked of its server before a run, learnt from the first refusal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from arena_hard.calling.context import LISTING, Context, Prompts, fit_line, refusal_line, stated
from arena_hard.calling.models import Endpoint, Model, Models
from arena_hard.calling.providers import context_length
from arena_hard.calling.providers.addresses import looked_at
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.providers.context_length import Listed
from arena_hard.calling.trust import trust
from arena_hard.data.records import UserError
from arena_hard.data.settings import ModelSettings


async def look(model: Model, shortens: bool = False) -> Context | None:
    """What is known of a model's context: the config's word, else the least of its servers'.

    shortens: whether prompts may be shortened, for which the servers are asked all the same: some refuse none.
    """
    if shortens or stated(model.settings) is None:
        await asyncio.gather(*(_ask(endpoint, model.settings.model_name) for endpoint in model.endpoints))
    return known(model)


def known(model: Model) -> Context | None:
    """The same without asking."""
    found = [endpoint.context for endpoint in model.endpoints if endpoint.context]
    context = stated(model.settings) or min(found, key=lambda each: each.length, default=None)
    is_silent = any(endpoint.engine == context_length.OLLAMA for endpoint in model.endpoints)
    return context and replace(context, is_silent=is_silent)


async def _ask(endpoint: Endpoint, model_name: str) -> None:
    there = endpoint.connection
    if not hasattr(endpoint.client, "get") or not (
        there.api_type in LISTING or (there.api_type == "openai" and there.base_url)
    ):
        return
    found = await _told(endpoint, model_name)
    endpoint.engine = found.engine if found else ""
    if found and found.length:
        silent = found.engine == context_length.OLLAMA
        endpoint.context = Context(found.length, f"{found.field} of {endpoint.host}", found.engine, counts=silent)


async def _told(endpoint: Endpoint, model_name: str) -> Listed | None:
    listing = await endpoint.once("models", partial(looked_at, endpoint.client, endpoint.listing))
    endpoint.lists_model = context_length.lists(listing, model_name)
    found = context_length.listed(listing, model_name)
    place = context_length.PLACES.get(found.engine) if found and not found.length else None
    if found is None or place is None:
        return found
    parts = urlsplit(endpoint.listing)
    root = f"{parts.scheme}://{parts.netloc}{re.sub(r'(/v1)?/models$', '', parts.path)}"
    told = await endpoint.once(place, partial(looked_at, endpoint.client, root + place))
    return context_length.told_by(found.engine, told, model_name)


def planned_lines(asked: Iterable[tuple[ModelSettings, Prompts]]) -> list[str]:
    """What is to be said of a run that is only planned. A server of one's own that runs is asked for its length."""
    sending = [(settings, prompts) for settings, prompts in asked if next(iter(prompts.each()), None) is not None]
    contexts = asyncio.run(_looked([settings for settings, _ in sending]))
    known = ((*each, context) for each, context in zip(sending, contexts) if context)
    return list(filter(None, (fit_line(settings, context, prompts) for settings, prompts, context in known)))


def print_contexts(asked: Iterable[tuple[ModelSettings, Prompts]]) -> None:
    """Print it."""
    for line in planned_lines(asked):
        print(f"note: {line}")


async def _looked(planned: Sequence[ModelSettings]) -> list[Context | None]:
    models = Models()

    async def context_of(settings: ModelSettings) -> Context | None:
        is_ours = settings.api_type == "openai" and settings.endpoints and not settings.serve
        if stated(settings) or not is_ours:
            return stated(settings)
        try:
            return await look(models.open(settings))
        except UserError:  # the run itself will say what is wrong
            return None

    try:
        return await asyncio.gather(*map(context_of, planned))
    finally:
        await models.close()


class ContextCheck(msgspec.Struct):
    """What a run says of one model's context: before it begins, and when a refusal tells more."""

    model: Model
    prompts: Prompts
    said: bool = False
    learning: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)

    async def begin(self) -> str | None:
        """A line before the run, where prompts will not fit."""
        context = await look(self.model, bool(self.prompts.shortens))
        return await self._line(context) if context else None

    async def learn(self, error: CallError) -> str | None:
        """A line after the first refusal, where none was said before."""
        told = error.too_long
        if told is None:
            return None
        async with self.learning:
            if self.said:
                return None
            self.said = True
            context = known(self.model)
            if told.limit and not (context and context.length <= told.limit):
                context = Context(told.limit, "so it says in a refusal", context.engine if context else "")
            line = await self._line(context) if context else None
            return line or refusal_line(self.model.settings, told, context, self.prompts)

    async def _line(self, context: Context) -> str | None:
        line = await asyncio.to_thread(fit_line, self.model.settings, context, self.prompts)
        self.said = self.said or line is not None
        return line


class ContextChecks:
    """The checks of a run's models, by the record files that their records are for."""

    def __init__(self) -> None:
        self._checks: dict[Path, ContextCheck] = {}

    async def begin(self, groups: Iterable[tuple[Model, Prompts | None, Iterable[Path]]]) -> list[str]:
        """Lines before the run, for models whose prompts will not fit; of each its prompts and record files.

        All servers are asked side by side: one that is slow to answer holds up the start once.
        """
        checks: list[ContextCheck] = []
        for model, prompts, files in groups:
            if prompts is not None:
                checks.append(ContextCheck(model, prompts))
                self._checks.update(dict.fromkeys(files, checks[-1]))
        lines = await asyncio.gather(*(check.begin() for check in checks))
        await trust(endpoint for check in checks for endpoint in check.model.endpoints)
        return list(filter(None, lines))

    async def learn(self, error: CallError, file: Path) -> str | None:
        """A line after the first refusal of a prompt's length, where none was said before."""
        check = self._checks.get(file) if error.too_long else None
        return await check.learn(error) if check else None
