"""The gate before an endpoint, and the paces that it keeps."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest

from arena_hard.calling.gate import Gate, Slot
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.providers.quotas import Quota, _seconds, quota_from
from arena_hard.calling.rate_limits import AnnouncedQuota, LearntPace


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


# ---------------------------------------------------------------------------------- rates given


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
        slot = await gate.enter(10_000.0)  # a thousand seconds' worth
        gate.succeeded(slot, 1, {})
        await asyncio.wait_for(gate.enter(1.0), 20)

    run(scene)


def test_an_announced_quota_holds_the_gate_back() -> None:
    async def scene() -> None:
        gate = Gate(50)
        slot = await gate.enter(1.0)
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
        assert gate.limit == 8
        await through(gate, 400, lambda: asyncio.sleep(0.05))
        assert gate.limit >= 32

    run(scene)


def test_auto_stops_growing_where_more_brings_nothing() -> None:
    async def scene() -> None:
        gate, server = Gate("auto"), asyncio.Semaphore(4)

        async def call() -> None:
            async with server:
                await asyncio.sleep(0.004)

        await through(gate, 800, call)
        assert gate.limit <= 64  # without a look at the throughput it would be 512

    run(scene)


def test_auto_does_not_grow_fast_any_more_after_a_429() -> None:
    async def scene() -> None:
        gate = await proven(Gate("auto"))
        await gate.enter(1.0)
        gate.failed(too_many(0.0))
        assert gate.limit == 4
        await through(gate, 60, settle)
        assert 8 <= gate.limit < 16

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


# --------------------------------------------------------------------------------- what headers say


def test_openais_headers() -> None:
    headers = {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "590",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29000",
        "x-ratelimit-reset-tokens": "1m40s",
    }
    requests, tokens = quota_from(headers, "requests"), quota_from(headers, "tokens")
    assert requests == Quota(600, 590, 1.0)
    assert requests.rate == pytest.approx(10.0)
    assert tokens is not None
    assert tokens.rate == pytest.approx(10.0)


@pytest.mark.parametrize("ending", ["Z", "+00:00", ""])
def test_anthropics_headers(ending: str) -> None:
    full = (datetime.now(timezone.utc) + timedelta(seconds=100)).replace(microsecond=0, tzinfo=None)
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "40",
        "anthropic-ratelimit-requests-reset": full.isoformat() + ending,
    }
    quota = quota_from(headers, "requests")
    assert quota is not None
    assert quota.rate == pytest.approx(0.1, rel=0.2)
    assert quota_from(headers, "tokens") is None


@pytest.mark.parametrize("reset", ["soon", "s", "12x3.4.5s", "2026-99-99T00:00:00Z"])
def test_headers_that_make_no_sense_are_passed_over(reset: str) -> None:
    start = "x-ratelimit"
    headers = {f"{start}-limit-tokens": "9", f"{start}-remaining-tokens": "8", f"{start}-reset-tokens": reset}
    assert quota_from(headers, "tokens") is None
    assert quota_from({f"{start}-remaining-tokens": "8"}, "tokens") is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("12", 12.0),
        ("1.5", 1.5),
        ("500ms", 0.5),
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1m30.5s", 90.5),
        ("1h2m3s", 3723.0),
        ("1d", 86400.0),
        ("2001-01-01T00:00:00Z", 0.0),
    ],
)
def test_seconds_in_all_forms(text: str, seconds: float) -> None:
    assert _seconds(text) == pytest.approx(seconds)


def test_a_full_bucket_tells_no_rate() -> None:
    assert Quota(100, 100, 0).rate is None
    assert Quota(100, 90, 0).rate is None
    assert Quota(100, 90, 5).rate == pytest.approx(2.0)


# ----------------------------------------------------------------------------------------- pacing


class Bucket:
    """A server's token bucket in imagined time."""

    def __init__(self, limit: float, rate: float) -> None:
        self.limit, self.rate, self.level, self.at = limit, rate, limit, 0.0

    def take(self, now: float) -> tuple[bool, Quota]:
        self.level, self.at = min(self.limit, self.level + self.rate * (now - self.at)), now
        taken = self.level >= 1.0
        self.level -= taken
        return taken, Quota(self.limit, float(int(self.level)), round((self.limit - self.level) / self.rate, 3))


def simulate(pace: AnnouncedQuota, bucket: Bucket, seconds: float, rng: random.Random) -> tuple[int, int]:
    """Ask as fast as the pace lets, with replies that overtake each other. Returns (taken, refused)."""
    replies: list[tuple[float, float, float, Quota]] = []
    now, spent, counts = 0.0, 0.0, [0, 0]
    while now < seconds:
        taken, quota = bucket.take(now)
        counts[not taken] += 1
        spent += 1.0
        pace.spend(1.0, now)
        heapq.heappush(replies, (now + rng.uniform(0.05, 2.0), now, spent, quota))
        first = sum(counts) == 1  # it goes alone
        go = now + 0.002
        while replies and (first or replies[0][0] <= go or now + pace.delay(1.0, now) > replies[0][0]):
            now, asked_at, spent_then, told = heapq.heappop(replies)
            pace.update(told, asked_at, spent - spent_then, now)
            first, go = False, now
        now = max(now, go) + pace.delay(1.0, max(now, go))
    return counts[0], counts[1]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("limit", "rate"), [(10, 10.0), (100, 20.0), (500, 8.0)])
def test_an_announced_quota_is_used_up_but_not_overdrawn(limit: float, rate: float, seed: int) -> None:
    taken, refused = simulate(AnnouncedQuota(), Bucket(limit, rate), 60.0, random.Random(seed))
    assert refused == 0
    assert taken >= 0.9 * rate * 60.0


def test_news_of_a_fuller_bucket_is_believed_bit_by_bit() -> None:
    pace = AnnouncedQuota()
    pace.update(Quota(10, 1, 90.0), asked_at=1.0, spent_since=0, now=2.0)  # a tenth each second
    assert pace.delay(1.0, 2.0) > 0
    pace.update(Quota(10, 8, 20.0), asked_at=0.0, spent_since=0, now=2.0)
    assert pace.delay(1.0, 2.0) == 0.0
    pace.spend(1.0, 2.0)
    assert pace.delay(1.0, 2.0) > 0


def test_a_request_larger_than_the_bucket_is_sent_rather_than_held_for_ever() -> None:
    pace = AnnouncedQuota()
    pace.update(Quota(10, 0, 100.0), asked_at=0.0, spent_since=0, now=0.0)
    assert pace.delay(5.0, 0.0) > 0
    assert pace.delay(11.0, 0.0) == 0.0


def refusals(every: int, number: int, gap: float = 0.1) -> LearntPace:
    """A pace after so many requests, every n-th of them refused."""
    pace = LearntPace()
    for index in range(number):
        pace.outcome(index % every != 0, index * gap)
    return pace


def test_a_pace_is_learnt_from_many_refusals_and_not_from_a_few() -> None:
    assert refusals(every=20, number=400).rate is None  # one in twenty
    assert refusals(every=2, number=19).rate is None  # not enough seen
    pace = refusals(every=2, number=60)
    assert pace.rate == pytest.approx(5.0, rel=0.2)  # of ten a second, half were taken
    now = 6.0
    pace.spend(now)
    assert pace.delay(now) == pytest.approx(1 / pace.rate)


def test_a_learnt_pace_grows_again_slowly() -> None:
    pace = refusals(every=2, number=60)
    learnt = pace.rate
    assert learnt is not None
    for second in range(10, 80):
        pace.outcome(True, float(second))
    assert pace.rate is not None
    assert learnt * 1.05 <= pace.rate <= learnt * 1.05**3
