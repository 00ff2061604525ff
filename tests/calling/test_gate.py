"""The gate before an endpoint: who goes, who waits, who hears of an error."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from arena_hard.calling.gate import Gate, Slot
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.waiting_line import NoSlot
from tests.support.gates import enter, granted, line_of, proven, queue, run, settle, too_many
from tests.support.imagined_servers import Server, seconds_for
from tests.support.imagined_time import run_imagined
from tests.support.server_limits import Places, Whatever

# ------------------------------------------------------------------------------------ the first one


def test_the_first_request_goes_alone_until_its_reply() -> None:
    async def scene() -> None:
        gate = Gate(4)
        tasks = queue(gate, 6)
        await settle()
        assert (granted(tasks), line_of(gate).waiting) == (1, 5)
        gate.succeeded(tasks[0].result(), 1, {})
        await settle()
        assert granted(tasks) == 5
        assert (gate.in_flight, line_of(gate).waiting) == (4, 1)

    run(scene)


def test_a_slow_first_reply_is_not_waited_for() -> None:
    async def scene() -> None:
        gate = Gate(512)
        tasks = queue(gate, 600)
        await asyncio.wait(tasks[1:2])  # nothing answers the first
        await settle()
        assert granted(tasks) == 2
        await asyncio.sleep(2.0)
        assert granted(tasks) == 4
        await asyncio.wait(tasks[4:512])
        first, *_, last = sorted(task.result().granted for task in tasks if task.done())
        assert last - first <= 4.0  # that is all which a slow model loses at its start
        assert granted(tasks) == 512
        for task in tasks:
            task.cancel()

    run_imagined(scene)


def test_slow_replies_lose_little_to_the_opening() -> None:
    server = Server(Places(1000), 30.0)
    assert seconds_for(500, server, parallel=64) <= 1.05 * 8 * 30.0
    assert server.refused == 0


@pytest.mark.parametrize("seconds", [0.1, 1.0, 2.0, 2.4])
def test_a_refusal_that_takes_seconds_comes_before_most_have_gone(seconds: float) -> None:
    async def scene() -> None:
        gate = Gate(200)
        tasks = queue(gate, 300)
        await asyncio.sleep(seconds)
        gate.failed(tasks[0].result(), CallError("final", "wrong key", endpoint_wide=True))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(each, Slot) for each in outcomes) <= 4

    run_imagined(scene)


def test_after_a_429_the_opening_begins_anew() -> None:
    async def scene() -> None:
        gate = Gate(50)
        tasks = queue(gate, 100)
        await asyncio.sleep(2.0)
        for task in tasks[:4]:
            gate.failed(task.result(), too_many(1.0))
        await asyncio.sleep(1.1)
        assert granted(tasks) == 5
        for task in tasks:
            task.cancel()

    run_imagined(scene)


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
        slot = await enter(gate)
        hurried = asyncio.create_task(enter(gate, patience=5.0))
        patient = asyncio.create_task(enter(gate, patience=10_000.0))
        await settle()
        gate.failed(slot, too_many(7200.0))
        with pytest.raises(NoSlot, match="asks to wait 2 h, longer than the deadline"):
            await asyncio.wait_for(hurried, 1)
        with pytest.raises(NoSlot, match="asks to wait 2 h"):
            await enter(gate, patience=5.0)
        assert (granted([patient]), line_of(gate).waiting, gate.dead) == (0, 1, None)
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
    assert (gate.width.limit, gate.width.ceiling, gate.auto) == (4, 4, False)
    assert [gate.given[kind].per_minute for kind in ("requests", "tokens")] == [60.0, 900.0]


def test_auto_is_no_bound_beside_a_number() -> None:
    gate = Gate("auto")
    gate.tighten("auto", None, None)
    assert (gate.auto, gate.width.ceiling) == (True, 512)
    gate.tighten(100, None, None)
    assert (gate.auto, gate.width.limit) == (False, 100)


def test_a_passing_error_of_the_first_request_lets_the_others_go() -> None:
    async def scene() -> None:
        gate = Gate(4)
        tasks = queue(gate, 6)
        await settle()
        gate.failed(tasks[0].result(), CallError("transient", "502"))
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
        gate.failed(tasks[0].result(), CallError("final", "wrong key", endpoint_wide=True))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(each) for each in outcomes[sent:]] == ["wrong key"] * (30 - sent)
        with pytest.raises(NoSlot, match="wrong key"):
            await enter(gate)
        assert (gate.in_flight, line_of(gate).waiting) == (sent - 1, 0)

    run(scene)


# ------------------------------------------------------------------------------- rate limits met


def test_a_burst_of_429s_leaves_what_was_taken_at_once() -> None:
    async def scene() -> None:
        gate = await proven(Gate(8))
        slots = [await enter(gate) for _ in range(8)]
        for slot in (slots[0], slots[4], slots[6]):  # in whichever order they came
            gate.failed(slot, too_many(None))
        assert (gate.width.limit, gate.in_flight) == (5, 5)
        more = queue(gate, 8)
        await settle()
        assert granted(more) == 0
        await asyncio.sleep(0.3)
        assert granted(more) == 1  # one more is tried
        for task in more:
            task.cancel()

    run_imagined(scene)


def test_the_limit_never_falls_below_one() -> None:
    async def scene() -> None:
        gate = Gate(1)
        gate.failed(await enter(gate), too_many(0.0))
        assert gate.width.limit == 1
        await enter(gate)

    run(scene)


@pytest.mark.parametrize("kind", ["rate limit", "transient"])
def test_nothing_goes_out_before_retry_after_is_over(kind: Any) -> None:
    async def scene() -> None:
        gate = await proven(Gate(4))
        waiting = queue(gate, 8)
        await settle()
        gate.failed(waiting[0].result(), CallError(kind, "wait", 0.3))
        closed_until = gate.closed_until
        gate.failed(waiting[1].result(), too_many(0.01))  # a shorter wait does not undo the longer one
        assert gate.closed_until == closed_until
        for _ in range(2):
            gate.abandoned()
        await settle()
        assert granted(waiting) == 4
        slot = await waiting[4]
        assert slot.granted >= closed_until

    run(scene)


def test_a_429_that_names_no_time_closes_the_gate_for_a_moment() -> None:
    async def scene() -> None:
        gate = await proven(Gate(4))
        gate.failed(await enter(gate), too_many(None))
        waiting = queue(gate, 3)
        await asyncio.sleep(0.2)
        assert granted(waiting) == 0
        await asyncio.sleep(0.1)
        assert granted(waiting) == 1  # then one goes alone
        await asyncio.sleep(0.3)
        assert granted(waiting) == 3

    run_imagined(scene)


def test_pauses_grow_while_nothing_is_taken() -> None:
    server = Server(Whatever(1), 1.0)
    assert 600.0 <= seconds_for(64, server, give_up_after=600.0) <= 616.0
    assert server.taken == 0
    assert server.requests <= 60


# ---------------------------------------------------------------------------------- cancellation


def test_cancelled_waiters_keep_no_slot() -> None:
    async def scene() -> None:
        gate = await proven(Gate(1))
        await enter(gate)
        first, second, third = queue(gate, 3)
        await settle()
        first.cancel()
        await settle()
        gate.abandoned()  # grants the slot to the second ...
        second.cancel()  # ... which is gone before it hears of it
        await third
        gate.abandoned()
        assert (gate.in_flight, line_of(gate).waiting) == (0, 0)

    run(scene)


@pytest.mark.parametrize("seed", range(5))
def test_however_requests_come_and_go_no_slot_is_lost(seed: int) -> None:
    async def scene() -> None:
        rng = random.Random(seed)
        gate, most = await proven(Gate(5)), 0

        async def one() -> None:
            nonlocal most
            slot = await enter(gate)
            most = max(most, gate.in_flight)
            try:
                await asyncio.sleep(rng.uniform(0, 0.004))
            except asyncio.CancelledError:
                gate.abandoned()
                raise
            if rng.random() < 0.2:
                gate.failed(slot, CallError("transient", "x"))
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
