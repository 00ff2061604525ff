"""How many requests a gate has in flight: what lowers it, when more is tried, and how far `auto` goes unseen."""

from __future__ import annotations

import asyncio
import random

import pytest

from arena_hard.calling.gate import Gate
from arena_hard.calling.width import COST, FIRST_PROBE, Width
from tests.support.gates import granted, queue, through, too_many
from tests.support.imagined_time import run_imagined


def burst(width: Width, sent: int, refused: int, wait: float = 0.0) -> None:
    """So many at once at 10.0, of which so many are refused."""
    for number in range(sent):
        width.sent(number, 10.0)
    for number in range(refused):
        width.refused(10.0, sent - number, 10.01, wait)


@pytest.mark.parametrize("places", [1, 2, 3, 4, 7])
def test_a_burst_leaves_what_was_taken_however_few(places: int) -> None:
    width = Width(8, 8, growing=False)
    burst(width, 8, 8 - places)
    assert width.limit == places


@pytest.mark.parametrize(("reply_seconds", "until"), [(0.05, COST * 1.0), (5.0, FIRST_PROBE)])
def test_one_more_is_tried_late_where_its_refusal_would_cost_more_than_replies_take(
    reply_seconds: float, until: float
) -> None:
    width = Width(8, 8, growing=False)
    width.sent(0, 1.0)
    width.taken(1, 1, 1.0, 1.0 + reply_seconds)
    burst(width, 8, 4, wait=1.0)
    assert width.delay(4, 10.01 + 1.0) == pytest.approx(until)


@pytest.mark.parametrize(("older", "limit"), [(0.005, 1), (0.5, 2)])
def test_what_is_in_flight_longer_than_a_refusal_takes_was_taken(older: float, limit: int) -> None:
    width = Width(2, 2, growing=False)
    burst(width, 2, 1)
    width.sent(1, 11.0)  # one more is tried beside the first
    width.taken(1, 2, 10.0, 11.0 + older)  # the first comes back
    width.sent(1, 12.0)
    width.refused(12.0, 2, 12.01, 0.0)  # if two were there before, it is not for the width
    assert width.limit == limit


# ----------------------------------------------------------------------------------------- auto


def test_auto_takes_four_times_as_many_while_nothing_comes_back_and_no_more() -> None:
    async def scene() -> None:
        gate = Gate("auto")
        tasks = queue(gate, 200)
        await asyncio.sleep(2.6)  # few go until most servers would have refused a key
        assert granted(tasks) == 8
        await asyncio.sleep(0.5)
        assert granted(tasks) == 32
        await asyncio.sleep(60.0)
        assert granted(tasks) == 32
        for task in tasks:
            task.cancel()

    run_imagined(scene)


def test_auto_does_not_grow_unseen_after_a_refusal() -> None:
    async def scene() -> None:
        gate = Gate("auto")
        tasks = queue(gate, 200)
        await asyncio.sleep(2.6)
        gate.succeeded(tasks[0].result(), 1, {})
        gate.failed(tasks[7].result(), too_many(None))
        await asyncio.sleep(0.5)
        assert gate.width.limit < 16  # one more is tried at a time
        for task in tasks:
            task.cancel()

    run_imagined(scene)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("slots", "least", "most"), [(1, 8, 32), (4, 8, 32), (40, 64, 512)])
def test_auto_finds_how_many_a_server_works_on_however_long_its_replies(
    slots: int, least: int, most: int, seed: int
) -> None:
    """What is beyond the slots waits in the server's queue; the quick replies alone would tell another throughput."""

    async def scene() -> None:
        rng, server, gate = random.Random(seed), asyncio.Semaphore(slots), Gate("auto")
        in_flight = list[int]()

        async def call() -> None:
            in_flight.append(gate.in_flight)
            async with server:
                await asyncio.sleep(60.0 * rng.uniform(0.2, 1.8))

        await through(gate, 400, call)
        assert least <= max(in_flight) <= most
        assert least <= gate.width.limit <= most

    run_imagined(scene)
