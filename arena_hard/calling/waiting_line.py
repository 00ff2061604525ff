"""The line of a model: who waits for a slot takes the first that any of its endpoints has."""

from __future__ import annotations

import asyncio
import bisect
import itertools
import math
import time
from collections.abc import Collection, Iterable

import msgspec

from arena_hard.calling.gate import Gate, Slot
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.time_limits import timeout

_places = itertools.count()


def next_place() -> float:
    """A place at the end of every line; who comes again with it stands where he stood."""
    return float(next(_places))


class NoSlot(Exception):
    """No endpoint takes the request in time; `error` is why, by what `gate` has heard."""

    def __init__(self, gate: Gate, error: CallError) -> None:
        super().__init__(error.message)
        self.gate, self.error = gate, error


class _Waiter(msgspec.Struct, frozen=True, eq=False):
    """Who waits for a slot, for how many tokens, and the longest closing that it waits out.

    avoid: the endpoints that failed it; others are preferred.
    """

    place: float
    granted: asyncio.Future[tuple[Gate, Slot]]
    tokens: float
    patience: float
    avoid: Collection[Gate]


class Line:
    """The requests for one model, in the order of their places, before the gates of its endpoints."""

    def __init__(self, gates: Iterable[Gate]) -> None:
        self.gates = list(dict.fromkeys(gates))
        self._waiters: list[_Waiter] = []
        for gate in self.gates:
            gate.queues.append(self)

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return len(self._waiters)

    @property
    def first(self) -> float:
        """The place of who has waited longest; infinite where nobody waits."""
        return self._waiters[0].place if self._waiters else math.inf

    async def enter(
        self,
        place: float,
        tokens: float,
        patience: float = math.inf,
        avoid: Collection[Gate] = (),
        longest: float = math.inf,
    ) -> tuple[Gate, Slot]:
        """Wait for a slot, and for its endpoint. `tokens`: what the request will cost of the tokens per minute.

        patience: the longest closing to wait out; longest: seconds to wait. Raises NoSlot when all servers ask to be
        left alone for longer, or are known to refuse everything, and TimeoutError.
        """
        end = time.monotonic() + longest
        while True:
            granted: asyncio.Future[tuple[Gate, Slot]] = asyncio.get_running_loop().create_future()
            waiter = _Waiter(place, granted, tokens, patience, avoid)
            bisect.insort(self._waiters, waiter, key=lambda each: each.place)
            self.serve()
            try:
                if not granted.done():  # most are granted at once, and need no clock
                    async with timeout(None if end == math.inf else end - time.monotonic()):
                        await granted
                gate, slot = granted.result()
            except (asyncio.CancelledError, asyncio.TimeoutError):
                self._left(waiter)
                raise
            if not gate.dead:  # by a refusal that came after the slot was granted
                return gate, slot
            gate.abandoned()

    def serve(self) -> None:
        """Grant slots to those who wait, as far as there is room; else come back when there is."""
        self._send_away()
        index = 0
        while index < len(self._waiters):
            waiter = self._waiters[index]
            if waiter.granted.done():  # cancelled, and not yet heard of it
                del self._waiters[index]
                continue
            found = self._gate_for(waiter)
            if found:
                del self._waiters[index]
                waiter.granted.set_result((found, found.take(waiter.tokens)))
            elif waiter.avoid:
                index += 1  # others may go where it does not want to
            else:
                return

    def _gate_for(self, waiter: _Waiter) -> Gate | None:
        """The emptiest of the gates that are open for this request; with none, each gate comes back when it is."""
        alive = [gate for gate in self.gates if gate.opens_within(waiter.patience)]
        meant = [gate for gate in alive if gate not in waiter.avoid] or alive
        delays = {gate: gate.delay(waiter.tokens) for gate in meant}
        ready = [gate for gate, delay in delays.items() if delay <= 0]
        if ready:
            return min(ready, key=Gate.load)
        for gate, delay in delays.items():
            if delay < math.inf:
                gate.come_back(delay)
        return None

    def _send_away(self) -> None:
        """Tell those who wait in vain."""
        alive = [gate for gate in self.gates if not gate.dead]
        soonest = min(alive, key=Gate.asked_for, default=None)
        closed = soonest.asked_for() if soonest else math.inf
        vain = [waiter for waiter in self._waiters if waiter.patience < closed] if closed else []
        if soonest is None:
            vain = list(self._waiters)
        for waiter in vain:
            self._waiters.remove(waiter)
            if not waiter.granted.done():
                waiter.granted.set_exception(_no_slot(soonest or self.gates[-1], closed))

    def _left(self, waiter: _Waiter) -> None:
        """Who waited has gone away."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif not waiter.granted.cancelled() and not waiter.granted.exception():
            waiter.granted.result()[0].abandoned()


def _no_slot(gate: Gate, closed: float) -> NoSlot:
    if gate.dead:
        return NoSlot(gate, gate.dead)
    size, unit = next(((s, u) for s, u in ((3600.0, "h"), (60.0, "min")) if closed >= s), (1.0, "s"))
    asked = f"the server asks to wait {closed / size:.3g} {unit}, longer than the deadline"
    words = f"{gate.said.rstrip('. ')}; {asked}" if gate.said else asked
    return NoSlot(gate, CallError("final", words, endpoint_wide=True))
