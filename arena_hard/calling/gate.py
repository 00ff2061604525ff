"""The limits of one endpoint: a gate that every request to it passes.

Until the first reply few requests go, and few go at first after a refusal (opening.py). How many go at once is learnt
from what is refused (width.py), and so is how fast (rate_limits.py). A refusal closes the gate for as long as the
server asks. Where it asks for nothing, or goes on to refuse all, the gate is closed for ever longer pauses, after each
of which one request goes alone.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

from arena_hard.calling.opening import Opening, Reopening
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.providers.quotas import Quota
from arena_hard.calling.rate_limits import AnnouncedQuota, GivenPace, LearntPace
from arena_hard.calling.width import AUTO_START, Width

AUTO_CEILING = 512
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 15.0  # after a refusal that names no time
PAUSE_GROWTH = 1.5  # while nothing is taken in between
ALONE_SECONDS = 0.2  # for which one request goes alone after such a pause; most refusals come sooner


class Slot(NamedTuple):
    """A granted request: when, its estimated tokens, what the gate had let pass up to it, and how many were in flight.

    requests_spent: its number, too.
    """

    granted: float
    tokens: float
    requests_spent: int
    tokens_spent: float
    level: int


class Queue(Protocol):
    """Whoever waits for slots."""

    @property
    def first(self) -> float:
        """The place of who has waited longest; infinite where nobody waits."""
        ...

    def serve(self) -> None:
        """Take what slots there are; hear of gates that are closed or shut."""
        ...


class Gate:
    """Slots for the requests to one endpoint with its key and model.

    parallel: the most requests in flight, or 'auto' to find it.
    requests_per_minute, tokens_per_minute: kept as given; None means no limit that we know of.
    give_up_after: seconds for which it may refuse everything.
    """

    def __init__(
        self,
        parallel: int | Literal["auto"],
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        give_up_after: float = math.inf,
    ) -> None:
        self.auto = parallel == "auto"
        most = AUTO_CEILING if parallel == "auto" else parallel
        self.width = Width(AUTO_START if self.auto else most, most, self.auto)
        self.give_up_after = give_up_after
        self.queues: list[Queue] = []
        self.in_flight = 0
        self.closed_until = self._asked_until = 0.0
        self.closed_by = ""
        self.said = ""  # in the server's words, why it took no more
        self.dead: CallError | None = None
        self.answered, self.failures = 0, 0
        self.failure = ""  # the last one in words, that which ended it where one did
        self.given = {"requests": GivenPace(requests_per_minute), "tokens": GivenPace(tokens_per_minute)}
        self._announced = {"requests": AnnouncedQuota(), "tokens": AnnouncedQuota()}
        self._learnt = LearntPace(settled=self.width.restore)
        self._opening, self._reopening = Opening(), Reopening()
        self._requests, self._tokens = 0, 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._refusing_since: float | None = None
        self._heeded_at = -math.inf  # when the gate was closed last because of a refusal
        self._pause = 0.0
        self._one_alone = False
        self._alone_until = 0.0

    @property
    def is_out(self) -> bool:
        """Whether requests went here and no reply came, or none goes here any more."""
        return self.failures > 0 and (not self.answered or self.dead is not None)

    @property
    def has_moved(self) -> bool:
        """Whether `auto` has found another limit than it began with."""
        return self.auto and self.width.limit != self.width.start

    def load(self) -> float:
        """How full the gate is, for choosing among several endpoints (a closed one counts as full)."""
        return self.in_flight / self.width.limit + max(0.0, self.closed_until - time.monotonic())

    def asked_for(self) -> float:
        """Seconds for which the server still asks to be left alone."""
        return max(0.0, self._asked_until - time.monotonic())

    def opens_within(self, seconds: float) -> bool:
        """Whether it is worth to wait so long."""
        return not self.dead and self.asked_for() <= seconds

    def tighten(
        self,
        parallel: int | Literal["auto"],
        requests_per_minute: float | None,
        tokens_per_minute: float | None,
        give_up_after: float = math.inf,
    ) -> None:
        """Another entry of the config has the same endpoint: the strictest of all bounds holds."""
        if parallel != "auto" and (self.auto or parallel < self.width.ceiling):
            self.auto = False
            self.width.bound(parallel)
        self.given["requests"].tighten(requests_per_minute)
        self.given["tokens"].tighten(tokens_per_minute)
        self.give_up_after = min(self.give_up_after, give_up_after)

    def delay(self, tokens: float) -> float:
        """Seconds until a request of so many tokens may go; infinite while one must come back first."""
        now = time.monotonic()
        return max(
            self.width.delay(self.in_flight, now),
            self._opening.delay(self.in_flight, now),
            self._reopening.delay(now),
            self.closed_until - now,
            self._alone_until - now,
            self.given["requests"].delay(now),
            self.given["tokens"].delay(now),
            self._announced["requests"].delay(1.0, now),
            self._announced["tokens"].delay(tokens, now),
            self._learnt.delay(now),
        )

    def trust(self) -> None:
        """Key and model are known to be right: many requests may go sooner."""
        self._opening.is_trusted = True

    def take(self, tokens: float) -> Slot:
        """A request of so many tokens goes."""
        now = time.monotonic()
        self.width.sent(self.in_flight, now)
        self._opening.sent(now)
        self._reopening.sent(now)
        self._learnt.spend(now)
        self.in_flight += 1
        self._requests += 1
        self._tokens += tokens
        for kind, cost in (("requests", 1.0), ("tokens", tokens)):
            self.given[kind].spend(cost, now)
            self._announced[kind].spend(cost, now)
        if self._one_alone:
            self._one_alone, self._alone_until = False, now + ALONE_SECONDS
        return Slot(now, tokens, self._requests, self._tokens, self.in_flight)

    def succeeded(self, slot: Slot, tokens: float | None, quotas: Mapping[str, Quota]) -> None:
        """A reply came: give the slot back, correct the token count, heed the headers."""
        now = time.monotonic()
        if tokens is not None:
            self.given["tokens"].correct(tokens - slot.tokens)
        requests, spent = self._requests - slot.requests_spent, self._tokens - slot.tokens_spent
        spent_since = {"requests": float(requests), "tokens": spent}
        for kind, quota in quotas.items():
            self._announced[kind].update(quota, slot.granted, spent_since[kind], now)
        self.width.taken(slot.level, self.in_flight, slot.granted, now)
        self.answered += 1
        self._learnt.taken()
        self._answers()
        self._release()

    def failed(self, slot: Slot, error: CallError) -> None:
        """A call failed: give the slot back; close, slow down or shut the gate as the error demands."""
        self.failures += 1
        self.failure = self.failure if self.dead else error.message
        if error.busy:
            self._refused(slot, error)
        elif not error.endpoint_wide:
            self._answers()
        if error.retry_after or error.busy:
            self.said = error.message
        if error.retry_after:
            self._asked_until = max(self._asked_until, time.monotonic() + error.retry_after)
            self._close(error.retry_after, "429" if error.kind == "rate limit" else "Retry-After")
        if error.endpoint_wide:
            self.dead = error
        self._release()

    def shut(self, error: CallError) -> None:
        """Refuse everything from now on, also what waits."""
        self.dead = error
        self.serve()

    def abandoned(self) -> None:
        """The call was cancelled: only the slot comes back."""
        self._release()

    def serve(self) -> None:
        """Let those who wait see what has changed, who has waited longest first."""
        for queue in sorted(self.queues, key=lambda queue: queue.first):
            queue.serve()

    def come_back(self, delay: float) -> None:
        """Serve again after so many seconds, for somebody waits."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if loop.time() < self._timer.when() <= loop.time() + delay:
                return
            self._timer.cancel()
        self._timer = loop.call_later(delay, self.serve)

    # ------------------------------------------------------------------------------------ inside

    def _release(self) -> None:
        self.in_flight -= 1
        self.serve()

    def _answers(self) -> None:
        """The endpoint does not refuse everything."""
        self._opening.over = True
        self._refusing_since = None
        self._alone_until = 0.0

    def _refused(self, slot: Slot, error: CallError) -> None:
        """Learn from a refusal, and leave the endpoint alone for a while."""
        now = time.monotonic()
        self._opening.refused()
        if self._refusing_since is None:
            self._refusing_since = now
        if now - self._refusing_since >= self.give_up_after and self.in_flight == 1:
            self._give_up(error, now - self._refusing_since)
            return
        wait = error.retry_after or 0.0
        explained = wait > 0 and self._learnt.explains()  # one that tells no time may be of a window, for all in flight
        by_width = self.width.refused(slot.granted, self.in_flight, now, wait, explained)
        teaches = not by_width and slot.granted >= self._heeded_at
        self._reopening.refused(slot.requests_spent, teaches)
        some_taken = self._learnt.refused(slot.requests_spent, slot.granted, teaches, wait, by_width)
        if teaches:
            self._heeded_at = now
        if teaches and error.kind == "rate limit":
            self._pause = PAUSE_SECONDS if some_taken else self._longer_pause(now)
            told_well = error.retry_after is not None and some_taken
            wait = wait if told_well else max(wait, self._pause)
            self._one_alone = not told_well
            self._close(wait, "429")

    def _longer_pause(self, now: float) -> float:
        """The next pause while nothing is taken; the last one ends when the endpoint is to be given up."""
        assert self._refusing_since is not None
        left = self._refusing_since + self.give_up_after - now
        longer = min(max(self._pause * PAUSE_GROWTH, PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        return min(longer, max(left, 0.001))

    def _give_up(self, error: CallError, seconds: float) -> None:
        lasted = f"it accepted nothing for {seconds:.3g} s, so the rest was not sent"
        self.dead = CallError("final", f"{error.message.rstrip('. ')}; {lasted}", endpoint_wide=True)

    def _close(self, seconds: float, reason: str) -> None:
        """Let nothing through for so long."""
        until = time.monotonic() + seconds
        if until > self.closed_until:
            self.closed_until, self.closed_by = until, reason
