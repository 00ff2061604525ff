"""Calls of a model within the test's process, as the stages make them."""

from __future__ import annotations

import asyncio
from typing import Any

from arena_hard.calling.calls import chat_completion
from arena_hard.calling.models import Clock, Models
from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.data.settings import ModelSettings


def outcomes(settings: ModelSettings, prompts: int = 1, one_by_one: bool = False, system: str = "") -> list[Any]:
    """What came of `Prompt 1` …: a Reply or a CallError each."""

    async def run() -> list[Any]:
        models = Models()
        try:
            model = models.open(settings)

            async def one(number: int) -> Reply | CallError:
                head = [{"role": "system", "content": system}] if system else []
                messages = [*head, {"role": "user", "content": f"Prompt {number}"}]
                try:
                    return await chat_completion(model, messages, 0.0, 100, Clock(str(number)))
                except CallError as problem:
                    return problem

            if one_by_one:
                return [await one(number) for number in range(1, prompts + 1)]
            return list(await asyncio.gather(*(one(number) for number in range(1, prompts + 1))))
        finally:
            await models.close()

    return asyncio.run(asyncio.wait_for(run(), 60))
