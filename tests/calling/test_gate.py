"""The gate before an endpoint: who goes, who waits, who hears of an error."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from arena_hard.calling.gate import Gate, Slot
from arena_hard.calling.providers.base import CallError
from tests.support.gates import granted, proven, queue, run, settle, through, too_many

# ------------------------------------------------------------------------------------ the first one


def test_the_first_request_goes_alone_until_its_reply() -> None:
    async def scene() -> None:
        gate = Gate(4)
        tasks = queue(gate, 6)
        await settle()
        assert (granted(tasks), gate.waiting) == (1, 5)
        gate.succeeded(tasks[0].result(), 1, {})
        await settle()
        assert granted(tasks) == 5
        assert (gate.in_flight, gate.waiting) == (4, 1)

    run(scene)


def test_a_slow_first_reply_is_not_waited_for() -> None:
    async def scene() -> None:
        gate = Gate(512)
        tasks = queue(gate, 600)
        await asyncio.wait(tasks[1:2])  # nothing answers the first
        await settle()
        assert granted(tasks) == 4
        await asyncio.wait(tasks[4:512])
        first, *_, last = sorted(task.result().granted for task in tasks if task.done())
        assert 1.0 <= last - first <= 2.0  # that is all which a slow model loses at its start
        assert granted(tasks) == 512

    run(scene)


def test_a_refusal_that_takes_a_second_comes_before_most_have_gone() -> None:
    async def scene() -> None:
        gate = Gate(200)
        tasks = queue(gate, 300)
        await asyncio.sleep(1.0)
        gate.failed(CallError("final", "wrong key", endpoint_wide=True))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(each, Slot) for each in outcomes) <= 4

    run(scene)


def test_a_refusal_reaches_those_whose_slots_were_just_granted() -> None:
    async def scene() -> None:
        gate = Gate(50)
        tasks = queue(gate, 50)
        await settle()
        gate.succeeded(tasks[0].result(), 1, {})  # grants slots to the others ...
        gate.shut(CallError("final", "no quota", endpoint_wide=True))  # ... who have not heard of it yet
        outcomes = await asyncio.gather(*tasks[1:], return_exceptions=True)
        assert {str(each) for each in outcomes} == {"no quota"}
        assert gate.in_flight == 0

    run(scene)


# ------------------------------------------------------------------------------ what waits too long


def test_those_who_cannot_wait_as_long_as_the_server_asks_hear_it_at_once() -> None:
    async def scene() -> None:
        gate = await proven(Gate(1))
        await gate.enter(1.0)
        hurried = asyncio.create_task(gate.enter(1.0, patience=5.0))
        patient = asyncio.create_task(gate.enter(1.0, patience=10_000.0))
        await settle()
        gate.failed(too_many(7200.0))
        with pytest.raises(CallError, match="asks to wait 2 h, longer than the deadline"):
            await asyncio.wait_for(hurried, 1)
        with pytest.raises(CallError, match="asks to wait 2 h"):
            await gate.enter(1.0, patience=5.0)
        assert (granted([patient]), gate.waiting, gate.dead) == (0, 1, None)
        patient.cancel()

    run(scene)


# --------------------------------------------------------------------- several entries, one endpoint


@pytest.mark.parametrize("order", [1, -1])
def test_the_strictest_bounds_of_all_entries_hold(order: int) -> None:
    bounds: list[Any] = [(8, None, 900.0), ("auto", 60.0, None), (4, 600.0, 1000.0)]
    first, *others = bounds[::order]
    gate = Gate(*first)
    for each in others:
        gate.tighten(*each)
    assert (gate.limit, gate.ceiling, gate.auto) == (4.0, 4, False)
    assert gate._per_minute == (60.0, 900.0)


def test_auto_is_no_bound_beside_a_number() -> None:
    gate = Gate("auto")
    gate.tighten("auto", None, None)
    assert (gate.auto, gate.ceiling) == (True, 512)
    gate.tighten(100, None, None)
    assert (gate.auto, gate.limit) == (False, 100.0)


def test_a_passing_error_of_the_first_request_lets_the_others_go() -> None:
    async def scene() -> None:
        gate = Gate(4)
        tasks = queue(gate, 6)
        await settle()
        gate.failed(CallError("transient", "502"))
        await settle()
        assert granted(tasks) == 5

    run(scene)


@pytest.mark.parametrize("early", [True, False])
def test_an_error_of_the_whole_endpoint_reaches_all_who_wait_and_all_who_come(early: bool) -> None:
    async def scene() -> None:
        gate = Gate(2) if early else await proven(Gate(2))
        tasks = queue(gate, 30)
        await settle()
        sent = granted(tasks)
        assert sent == (1 if early else 2)
        gate.failed(CallError("final", "wrong key", endpoint_wide=True))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(each) for each in outcomes[sent:]] == ["wrong key"] * (30 - sent)
        with pytest.raises(CallError, match="wrong key"):
            await gate.enter(1.0)
        assert (gate.in_flight, gate.waiting) == (sent - 1, 0)

    run(scene)


# ------------------------------------------------------------------------------- rate limits met


def test_a_429_halves_once_for_its_burst_and_successes_bring_it_back() -> None:
    async def scene() -> None:
        gate = await proven(Gate(8))
        tasks = queue(gate, 8)
        await settle()
        assert granted(tasks) == 8
        for _ in range(3):  # one burst
            gate.failed(too_many(0.0))
        assert (gate.limit, gate.rate_limits) == (4.0, 3)
        for _ in range(5):
            gate.abandoned()
        waiting = queue(gate, 8)
        await settle()
        assert granted(waiting) == 4
        for task in waiting:
            gate.succeeded(await task, 1, {})
        assert 5 <= gate.limit < 8  # one slot for each full round
        await through(gate, 40, settle)
        assert int(gate.limit) == 8

    run(scene)


def test_the_limit_never_falls_below_one() -> None:
    async def scene() -> None:
        gate = Gate(1)
        await gate.enter(1.0)
        gate.failed(too_many(0.0))
        assert gate.limit == 1.0
        await gate.enter(1.0)

    run(scene)


@pytest.mark.parametrize("kind", ["rate limit", "transient"])
def test_nothing_goes_out_before_retry_after_is_over(kind: Any) -> None:
    async def scene() -> None:
        gate = await proven(Gate(4))
        waiting = queue(gate, 8)
        await settle()
        gate.failed(CallError(kind, "wait", 0.3))
        closed_until = gate.closed_until
        gate.failed(too_many(0.01))  # a shorter wait does not undo the longer one
        assert gate.closed_until == closed_until
        for _ in range(2):
            gate.abandoned()
        await settle()
        assert granted(waiting) == 4
        slot = await waiting[4]
        assert slot.granted >= closed_until

    run(scene)


def test_a_429_that_names_no_time_closes_the_gate_for_some_seconds() -> None:
    async def scene() -> None:
        gate = await proven(Gate(4))
        await gate.enter(1.0)
        gate.failed(too_many(None))
        waiting = queue(gate, 1)
        await asyncio.sleep(0.2)
        assert granted(waiting) == 0
        waiting[0].cancel()

    run(scene)


# ---------------------------------------------------------------------------------- cancellation


def test_cancelled_waiters_keep_no_slot() -> None:
    async def scene() -> None:
        gate = await proven(Gate(1))
        await gate.enter(1.0)
        first, second, third = queue(gate, 3)
        await settle()
        first.cancel()
        await settle()
        gate.abandoned()  # grants the slot to the second ...
        second.cancel()  # ... which is gone before it hears of it
        await third
        gate.abandoned()
        assert (gate.in_flight, gate.waiting) == (0, 0)

    run(scene)


@pytest.mark.parametrize("seed", range(5))
def test_however_requests_come_and_go_no_slot_is_lost(seed: int) -> None:
    async def scene() -> None:
        rng = random.Random(seed)
        gate, most = await proven(Gate(5)), 0

        async def one() -> None:
            nonlocal most
            slot = await gate.enter(1.0)
            most = max(most, gate.in_flight)
            try:
                await asyncio.sleep(rng.uniform(0, 0.004))
            except asyncio.CancelledError:
                gate.abandoned()
                raise
            if rng.random() < 0.2:
                gate.failed(CallError("transient", "x"))
            else:
                gate.succeeded(slot, 1, {})

        tasks = [asyncio.create_task(one()) for _ in range(300)]
        while not all(task.done() for task in tasks):
            rng.choice(tasks).cancel()
            await asyncio.sleep(0.001)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (gate.in_flight, most) == (0, 5)
        assert len({task.cancelled() for task in tasks}) == 2  # some were cancelled and some were not
        await asyncio.gather(*queue(gate, 5))

    run(scene)
