"""How many requests an endpoint gets at once, and how fast: a gate that every call passes.

The gate starts with one request, so that a wrong key is known before the others are sent; after the
first reply it grants up to `limit` at once. A 429 closes it for as long as the server asks and halves the limit.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Mapping
from typing import Literal, NamedTuple

from arena_hard.calling.providers.base import CallError
from arena_hard.calling.providers.quotas import Quota
from arena_hard.calling.rate_limits import AnnouncedQuota, LearntPace

AUTO_START = 8
AUTO_CEILING = 512
# Until the first reply one request goes alone for a quarter of a second, in which most keys are refused; a few go
# until a second is over, for servers that take longer to refuse; then twice as many every 30 ms, which is no slower
# than they can be sent. A wrong key costs a few requests, a model that thinks for long one second at its start.
ALONE_SECONDS = 0.25
FEW, FEW_SECONDS = 4, 1.05
DOUBLING_SECONDS = 0.03
SETTLE_GAIN = 1.1  # growth goes on while a doubled limit brings at least this much more throughput


class Slot(NamedTuple):
    """A granted request: when, its estimated tokens, and what the gate had let pass up to it."""

    granted: float
    tokens: float
    requests_spent: float
    tokens_spent: float


class _Waiter(NamedTuple):
    """Who waits for a slot, for how many tokens, and the longest closing that it waits out."""

    granted: asyncio.Future[Slot]
    tokens: float
    patience: float


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
        self._waiters: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._began: float | None = None
        self._untried = 1  # how many may be in flight while no reply has come
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
        return (self.in_flight + len(self._waiters)) / max(self.limit, 1.0) + self.closed_for()

    def closed_for(self) -> float:
        """Seconds for which the server still asks to be left alone."""
        return max(0.0, self.closed_until - time.monotonic())

    def opens_within(self, seconds: float) -> bool:
        """Whether it is worth to wait so long."""
        return not self.dead and self.closed_for() <= seconds

    def tighten(
        self,
        parallel: int | Literal["auto"],
        requests_per_minute: float | None,
        tokens_per_minute: float | None,
    ) -> None:
        """Another entry of the config has the same endpoint: the strictest of all bounds holds."""
        if parallel != "auto" and (self.auto or parallel < self.ceiling):
            self.auto = self._growing_fast = False
            self.ceiling = self.start = parallel
            self.limit = float(parallel)
        given = zip(self._per_minute, (requests_per_minute, tokens_per_minute))
        requests, tokens = (min((each for each in pair if each is not None), default=None) for pair in given)
        self._per_minute = (requests, tokens)

    async def enter(self, tokens: float, patience: float = math.inf) -> Slot:
        """Wait for a slot. `tokens`: what the request will cost of the endpoint's tokens per minute.

        patience: the longest closing to wait out. Raises CallError when the server asks to be left alone for
        longer, or is known to refuse everything.
        """
        if self.dead:
            raise self.dead
        if self.closed_for() > patience:
            raise _closed_too_long(self.closed_for())
        if not self._waiters and self._has_room() and self._delay(tokens) <= 0:
            return self._take_slot(tokens)
        granted: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiters.append(_Waiter(granted, tokens, patience))
        self._pump()
        try:
            slot = await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and not granted.exception():
                self._release()
            raise
        if self.dead:  # by a refusal that came after the slot was granted
            self._release()
            raise self.dead
        return slot

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
            self._close(error.retry_after)
        if error.endpoint_wide:
            self.shut(error)
        elif error.kind != "rate limit":
            self._proven = True
        self._release()

    def shut(self, error: CallError) -> None:
        """Refuse everything from now on, also what waits."""
        self.dead = error
        while self._waiters:
            _refuse(self._waiters.popleft(), error)

    def abandoned(self) -> None:
        """The call was cancelled: only the slot comes back."""
        self._release()

    # ------------------------------------------------------------------------------------ inside

    def _has_room(self) -> bool:
        limit = int(self.limit)
        return self.in_flight < (limit if self._proven else min(limit, self._untried))

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
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_later(ALONE_SECONDS, self._widen)
        return Slot(now, tokens, self._spent["requests"], self._spent["tokens"])

    def _widen(self) -> None:
        """No reply has come yet: let more go without one."""
        if self._proven or self.dead:
            return
        loop = asyncio.get_running_loop()
        if self._untried == 1:
            self._untried = FEW
            loop.call_later(FEW_SECONDS - ALONE_SECONDS, self._widen)
        else:
            self._untried *= 2
            loop.call_later(DOUBLING_SECONDS, self._widen)
        self._proven = self._untried >= self.ceiling
        self._pump()

    def _release(self) -> None:
        self.in_flight -= 1
        self._pump()

    def _pump(self) -> None:
        """Grant slots to those who wait, as far as there is room; else come back when there is."""
        if self.dead:
            self.shut(self.dead)
        while self._waiters and self._has_room():
            delay = self._delay(self._waiters[0].tokens)
            if delay > 0:
                self._come_back(delay)
                return
            waiter = self._waiters.popleft()
            if not waiter.granted.done():
                waiter.granted.set_result(self._take_slot(waiter.tokens))

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
        self._close(5.0 if retry_after is None else retry_after)
        if now - self._cut_at > 1.0:
            self.limit = max(1.0, self.limit / 2)
        self._cut_at = max(now, self.closed_until)

    def _close(self, seconds: float) -> None:
        """Let nothing through for so long; those who cannot wait that long hear it now."""
        self.closed_until = max(self.closed_until, time.monotonic() + seconds)
        closed = self.closed_for()
        for waiter in [waiter for waiter in self._waiters if waiter.patience < closed]:
            self._waiters.remove(waiter)
            _refuse(waiter, _closed_too_long(closed))

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


def _refuse(waiter: _Waiter, error: CallError) -> None:
    if not waiter.granted.done():
        waiter.granted.set_exception(error)


def _closed_too_long(seconds: float) -> CallError:
    """Another endpoint may take the request; this one takes none in time."""
    size, unit = next(((s, u) for s, u in ((3600.0, "h"), (60.0, "min")) if seconds >= s), (1.0, "s"))
    wait = f"{seconds / size:.3g} {unit}"
    return CallError("final", f"the server asks to wait {wait}, longer than the deadline", endpoint_wide=True)


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
