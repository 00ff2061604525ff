"""Scenes at a gate and the line before it: calls that come, are granted, answered and refused."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from arena_hard.calling.gate import Gate, Slot
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.waiting_line import Line, next_place


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A scene on a loop of its own; one that stands still fails instead of hanging."""

    async def limited() -> None:
        await asyncio.wait_for(scene(), 30)

    asyncio.run(limited())


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(10):
        await asyncio.sleep(0)


def line_of(gate: Gate) -> Line:
    """The line before a gate."""
    return next((each for each in gate.queues if isinstance(each, Line)), None) or Line([gate])


async def enter(gate: Gate, tokens: float = 1.0, patience: float = math.inf) -> Slot:
    """A slot, when there is one."""
    _, slot = await line_of(gate).enter(next_place(), tokens, patience)
    return slot


async def proven(gate: Gate) -> Gate:
    """The gate after its first reply."""
    gate.succeeded(await enter(gate), 1, {})
    return gate


def queue(gate: Gate, number: int) -> list[asyncio.Task[Slot]]:
    return [asyncio.create_task(enter(gate)) for _ in range(number)]


def granted(tasks: list[asyncio.Task[Slot]]) -> int:
    return sum(task.done() for task in tasks)


def too_many(retry_after: float | None) -> CallError:
    return CallError("rate limit", "slow down", retry_after)


async def through(gate: Gate, number: int, call: Callable[[], Awaitable[None]], tokens: float = 1.0) -> list[Slot]:
    """So many calls side by side, each answered. Returns their slots in the order in which they were granted."""
    slots: list[Slot] = []

    async def one() -> None:
        slot = await enter(gate, tokens)
        slots.append(slot)
        await call()
        gate.succeeded(slot, None, {})

    await asyncio.gather(*(one() for _ in range(number)))
    return sorted(slots)
