"""The gate's paces: rates that are given, quotas that are announced, and `auto`."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from arena_hard.calling.gate import Gate
from arena_hard.calling.providers.quotas import Quota
from tests.support.gates import enter, granted, proven, queue, run, settle, through, too_many
from tests.support.imagined_time import run_imagined


def test_requests_per_minute_are_kept() -> None:
    async def scene() -> None:
        slots = await through(Gate(16, requests_per_minute=6000), 25, settle)
        assert len(slots) == 25
        assert min(later.granted - earlier.granted for earlier, later in pairwise(slots)) >= 0.01 - 1e-6

    run(scene)


def test_tokens_per_minute_are_kept() -> None:
    async def scene() -> None:
        slots = await through(Gate(16, tokens_per_minute=60_000), 10, settle, tokens=20.0)  # 1000 a second
        assert min(later.granted - earlier.granted for earlier, later in pairwise(slots)) >= 0.02 - 1e-6

    run(scene)


def test_tokens_that_were_not_used_are_given_back() -> None:
    async def scene() -> None:
        gate = Gate(4, tokens_per_minute=600)
        slot = await enter(gate, 10_000.0)  # a thousand seconds' worth
        gate.succeeded(slot, 1, {})
        await asyncio.wait_for(enter(gate, 1.0), 20)

    run(scene)


def test_an_announced_quota_holds_the_gate_back() -> None:
    async def scene() -> None:
        gate = Gate(50)
        slot = await enter(gate, 1.0)
        gate.succeeded(slot, 1, {"requests": Quota(limit=100, remaining=6, reset=9400)})  # one in a hundred seconds
        tasks = queue(gate, 20)
        await asyncio.sleep(0.1)
        assert granted(tasks) == 5  # one stays in hand for what is rounded off
        for task in tasks:
            task.cancel()

    run(scene)


# ----------------------------------------------------------------------------------------- auto


def test_auto_grows_while_more_in_flight_brings_more() -> None:
    async def scene() -> None:
        gate = Gate("auto")
        assert gate.width.limit == 8
        await through(gate, 400, lambda: asyncio.sleep(0.05))
        assert gate.width.limit >= 32

    run(scene)


def test_auto_stops_growing_where_more_brings_nothing() -> None:
    async def scene() -> None:
        gate, server = Gate("auto"), asyncio.Semaphore(4)

        async def call() -> None:
            async with server:
                await asyncio.sleep(0.004)

        await through(gate, 800, call)
        assert gate.width.limit <= 64  # without a look at the throughput it would be 512

    run_imagined(scene)


def test_auto_does_not_grow_fast_any_more_after_a_429() -> None:
    async def scene() -> None:
        gate = await proven(Gate("auto"))
        slots = [await enter(gate) for _ in range(8)]
        gate.failed(slots[7], too_many(None))
        assert gate.width.limit == 7
        await asyncio.sleep(0)
        for slot in slots[:7]:
            gate.succeeded(slot, 1, {})
        await through(gate, 60, settle)
        assert gate.width.limit <= 8

    run(scene)
