"""How many requests an endpoint gets at once, and how fast: a gate that every call passes.

The gate starts with one request, so that a wrong key is known before the others are sent; then it
grants up to `limit` at once. A 429 closes it for as long as the server asks and halves the limit.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import Literal, NamedTuple

from arena_hard.pacing import AnnouncedQuota, LearntPace, Quota
from arena_hard.providers.base import CallError

AUTO_START = 8
AUTO_CEILING = 512
PROBE_SECONDS = 0.5  # how long the first request goes alone; a refusal comes faster than a reply
SETTLE_GAIN = 1.1  # growth goes on while a doubled limit brings at least this much more throughput


class Slot(NamedTuple):
    """A granted request: when, its estimated tokens, and what the gate had let pass up to it."""

    granted: float
    tokens: float
    requests_spent: float
    tokens_spent: float


class Gate:
    """Slots for the requests to one endpoint with its key and model.

    parallel: the most requests in flight, or 'auto' to find it.
    requests_per_minute, tokens_per_minute: kept as given; None means no limit that we know of.
    """

    def __init__(
        self,
        parallel: int | Literal["auto"],
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        self.auto = parallel == "auto"
        self.ceiling = AUTO_CEILING if parallel == "auto" else parallel
        self.limit = float(AUTO_START if parallel == "auto" else parallel)
        self.start = int(self.limit)
        self.in_flight = 0
        self.closed_until = 0.0
        self.closed_by = ""
        self.dead: CallError | None = None
        self.rate_limits = 0
        self._per_minute = (requests_per_minute, tokens_per_minute)
        self._ready = [0.0, 0.0]
        self._waiters: deque[tuple[asyncio.Future[Slot], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._probe: asyncio.TimerHandle | None = None
        self._proven = False
        self._growing_fast = self.auto
        self._cut_at = 0.0
        self._epoch = _Epoch()
        self._announced = {"requests": AnnouncedQuota(), "tokens": AnnouncedQuota()}
        self._spent = {"requests": 0.0, "tokens": 0.0}
        self._learnt = LearntPace()

    @property
    def has_moved(self) -> bool:
        """Whether `auto` has found another limit than it began with."""
        return self.auto and int(self.limit) != self.start

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return len(self._waiters)

    def load(self) -> float:
        """How full the gate is, for choosing among several endpoints (a closed one counts as full)."""
        closed = max(0.0, self.closed_until - time.monotonic())
        return (self.in_flight + len(self._waiters)) / max(self.limit, 1.0) + closed

    async def enter(self, tokens: float) -> Slot:
        """Wait for a slot. `tokens`: what the request will cost of the endpoint's tokens per minute.

        Raises CallError when the endpoint is known to refuse everything.
        """
        if self.dead:
            raise self.dead
        if not self._waiters and self._has_room() and self._delay(tokens) <= 0:
            return self._take_slot(tokens)
        waiter: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiters.append((waiter, tokens))
        self._pump()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self._release()
            raise

    def succeeded(self, slot: Slot, tokens: float | None, quotas: Mapping[str, Quota]) -> None:
        """A reply came: give the slot back, correct the token count, heed the headers, perhaps grow."""
        now = time.monotonic()
        if tokens is not None and self._per_minute[1]:
            self._ready[1] += (tokens - slot.tokens) * 60.0 / self._per_minute[1]
        for kind, quota in quotas.items():
            since = self._spent[kind] - (slot.requests_spent if kind == "requests" else slot.tokens_spent)
            self._announced[kind].update(quota, slot.granted, since, now)
        self._learnt.outcome(True, now)
        self._proven = True
        self._grow()
        self._release()

    def failed(self, error: CallError) -> None:
        """A call failed: give the slot back; close, slow down or shut the gate as the error demands."""
        if error.kind == "rate limit":
            self.closed_by = "429"
            self._back_off(error.retry_after)
        elif error.retry_after:
            self.closed_by = "Retry-After"
            self.closed_until = max(self.closed_until, time.monotonic() + error.retry_after)
        if error.endpoint_wide:
            self.shut(error)
        elif error.kind != "rate limit":
            self._proven = True
        self._release()

    def shut(self, error: CallError) -> None:
        """Refuse everything from now on, also what waits."""
        self.dead = error
        while self._waiters:
            waiter, _ = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(error)

    def abandoned(self) -> None:
        """The call was cancelled: only the slot comes back."""
        self._release()

    # ------------------------------------------------------------------------------------ inside

    def _has_room(self) -> bool:
        return self.in_flight < (int(self.limit) if self._proven else 1)

    def _delay(self, tokens: float) -> float:
        """Seconds until a request of so many tokens may go."""
        now = time.monotonic()
        return max(
            max(self.closed_until, *self._ready) - now,
            self._announced["requests"].delay(1.0, now),
            self._announced["tokens"].delay(tokens, now),
            self._learnt.delay(now),
        )

    def _take_slot(self, tokens: float) -> Slot:
        now = time.monotonic()
        self.in_flight += 1
        for index, cost in enumerate((1.0, tokens)):
            rate = self._per_minute[index]
            if rate:
                self._ready[index] = max(self._ready[index], now) + cost * 60.0 / rate
        for kind, cost in (("requests", 1.0), ("tokens", tokens)):
            self._spent[kind] += cost
            self._announced[kind].spend(cost, now)
        self._learnt.spend(now)
        if not self._proven and self._probe is None:
            self._probe = asyncio.get_running_loop().call_later(PROBE_SECONDS, self._end_probe)
        return Slot(now, tokens, self._spent["requests"], self._spent["tokens"])

    def _end_probe(self) -> None:
        self._proven = True
        self._pump()

    def _release(self) -> None:
        self.in_flight -= 1
        self._pump()

    def _pump(self) -> None:
        """Grant slots to those who wait, as far as there is room; else come back when there is."""
        if self.dead:
            self.shut(self.dead)
        while self._waiters and self._has_room():
            delay = self._delay(self._waiters[0][1])
            if delay > 0:
                self._come_back(delay)
                return
            waiter, tokens = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(self._take_slot(tokens))

    def _come_back(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay, self._pump)

    def _back_off(self, retry_after: float | None) -> None:
        """Close for as long as the server asks, and halve once for each burst of 429s."""
        now = time.monotonic()
        self.rate_limits += 1
        self._growing_fast = False
        self._learnt.outcome(False, now)
        self.closed_until = max(self.closed_until, now + (5.0 if retry_after is None else retry_after))
        if now - self._cut_at > 1.0:
            self.limit = max(1.0, self.limit / 2)
        self._cut_at = max(now, self.closed_until)

    def _grow(self) -> None:
        """Fast growth doubles while the throughput follows; afterwards one slot for each full round."""
        if self.limit >= self.ceiling:
            return
        if not self._growing_fast:
            recovering = self.rate_limits > 0
            self.limit += 1.0 / self.limit if recovering else 0.0
            return
        if not self._epoch.finished(int(self.limit)):
            return
        if self._epoch.gain() >= SETTLE_GAIN:
            self.limit = min(self.limit * 2, float(self.ceiling))
        else:
            self.limit = max(float(self.start), self.limit / 2)
            self._growing_fast = False


class _Epoch:
    """Throughput over stretches of as many replies as twice the limit."""

    def __init__(self) -> None:
        self._count = 0
        self._since = time.monotonic()
        self._rate = 0.0
        self._gain = float("inf")

    def finished(self, limit: int) -> bool:
        """Count one reply; True when the stretch is over."""
        self._count += 1
        if self._count < 2 * limit:
            return False
        now = time.monotonic()
        rate = self._count / max(now - self._since, 1e-9)
        self._gain = rate / self._rate if self._rate else float("inf")
        self._rate, self._count, self._since = rate, 0, now
        return True

    def gain(self) -> float:
        """The last stretch's throughput over the one before it."""
        return self._gain
