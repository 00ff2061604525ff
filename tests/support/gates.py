"""Scenes at a gate: calls that come, are granted, answered and refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from arena_hard.calling.gate import Gate, Slot
from arena_hard.calling.providers.base import CallError


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A scene on a loop of its own; one that stands still fails instead of hanging."""

    async def limited() -> None:
        await asyncio.wait_for(scene(), 30)

    asyncio.run(limited())


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(10):
        await asyncio.sleep(0)


async def proven(gate: Gate) -> Gate:
    """The gate after its first reply."""
    gate.succeeded(await gate.enter(1.0), 1, {})
    return gate


def queue(gate: Gate, number: int) -> list[asyncio.Task[Slot]]:
    return [asyncio.create_task(gate.enter(1.0)) for _ in range(number)]


def granted(tasks: list[asyncio.Task[Slot]]) -> int:
    return sum(task.done() for task in tasks)


def too_many(retry_after: float | None) -> CallError:
    return CallError("rate limit", "slow down", retry_after)


async def through(gate: Gate, number: int, call: Callable[[], Awaitable[None]], tokens: float = 1.0) -> list[Slot]:
    """So many calls side by side, each answered. Returns their slots in the order in which they were granted."""
    slots: list[Slot] = []

    async def one() -> None:
        slot = await gate.enter(tokens)
        slots.append(slot)
        await call()
        gate.succeeded(slot, None, {})

    await asyncio.gather(*(one() for _ in range(number)))
    return sorted(slots)
