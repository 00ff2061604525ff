"""How many requests an endpoint takes at once, learnt from what it takes and refuses.

A server with N places takes N requests at once, and refuses what comes beside them. One with a rate refuses while few
are in flight, too, and takes more at once a little later; that is no matter of width.
"""

from __future__ import annotations

import math
import time
from collections import deque

from arena_hard.calling.opening import DOUBLING_SECONDS

AUTO_START = 8
# `auto` takes four times as many while that brings most of four times the throughput, then twice as many while it
# brings any more. The first four times are not waited for where replies take long: twice as many go each fifth of a
# second in which nothing comes back.
UNSEEN = 4
WELL_GAIN, SETTLE_GAIN = 2.0, 1.1
LEVELS = 64  # how many replies are remembered
NEAR = 0.8  # what is refused beside fewer than this share of what was taken at once is not for the width
DISPROVED = 1.25  # a limit is none when so many times as many are taken at once
FIRST_PROBE, SHORTEST, LONGEST = 0.25, 0.02, 30.0  # seconds from one probe to the next
# Beside few, a probe right behind another request meets a bucket of one token that is just spent: it goes when none has
# gone for this share of the mean time between so many sends. Beside more, it would often have to wait too long.
NARROW, QUIET, SENDS = 4, 0.8, 9
COST = 3.0  # a probe comes no sooner than so many times what a refused one costs
SURELY = 2.0  # times as long as a refusal has taken: what is in flight since then was taken


class Width:
    """The most requests in flight: refusals lower it; then one more is tried, again and again.

    Probes come sooner while they are taken, later when they are refused.
    start, ceiling: what it begins with and never passes; growing: raise it while the throughput follows.
    """

    def __init__(self, start: int, ceiling: int, growing: bool) -> None:
        self.limit = start
        self.start, self.ceiling, self.growing = start, ceiling, growing
        self._levels: deque[int] = deque(maxlen=LEVELS)
        self._sends: deque[float] = deque(maxlen=SENDS)
        self._epoch = _Epoch()
        self._grown_from, self._doubled = start, False  # doubled: before there was a reply
        self._uncut: int | None = None  # the limit before it was lowered; None while it is not
        self._cut_to, self._taken_since, self._series = 0, 0, -math.inf
        self._burst_at, self._burst, self._burst_refused = -math.inf, 0, 0
        self._probe_at, self._every, self._probing = 0.0, FIRST_PROBE, False
        self._reply_seconds, self._refusal_seconds = math.inf, 0.0  # of the last reply, and of the slowest refusal
        self._first = _First(start)
        self._excused = 0  # for how many replies refusals are not for the width
        self._settled = not growing  # whether more is known to bring nothing

    def bound(self, ceiling: int) -> None:
        """Another user of the endpoint wants no more than this."""
        self.growing, self._settled = False, True
        self.ceiling = self.start = self.limit = ceiling

    def cap(self, ceiling: int) -> None:
        """There can never be more than this; `auto` finds how many there may be below it."""
        self.ceiling, self.start, self.limit = (min(each, ceiling) for each in (self.ceiling, self.start, self.limit))

    def delay(self, in_flight: int, now: float) -> float:
        """Seconds until one more may go beside so many: none while there is room, else until one more is tried."""
        if in_flight < self.limit:
            return 0.0
        if self._may_double():
            return max(0.0, self._sends[-1] + DOUBLING_SECONDS - now)
        if self._uncut is None or self.limit >= self.ceiling:
            return math.inf
        return max(0.0, self._probe_at - now, self._quiet_at() - now)

    def sent(self, in_flight: int, now: float) -> None:
        """A request goes out beside so many; one above the limit tries whether more are taken."""
        self._sends.append(now)
        self._first.sent(now)
        if in_flight < self.limit:
            return
        if self._may_double():
            self.limit, self._doubled = min(2 * self.limit, self.ceiling), True
            self._epoch.begin()
            return
        if self._probing:  # the one before was not refused
            self._every = max(self._every / 2, SHORTEST)
        self._probing = True
        self.limit += 1
        self._probe_at = now + self._every

    def taken(self, level: int, in_flight: int, sent_at: float, now: float) -> None:
        """A request was answered which was sent as one of `level`, and came back as one of so many."""
        self._levels.append(max(min(level, in_flight), self._surely_taken(in_flight, now)))
        self._taken_since += 1
        self._reply_seconds = now - sent_at
        self._first.taken(sent_at, now)
        self._excused -= 1
        if not self.growing or self.limit >= self.ceiling:
            return
        if in_flight < NEAR * self.limit:  # something else keeps the throughput down
            self._epoch.begin()
        elif self._epoch.finished(self.limit, self._first.rate(now) if self._doubled else 0.0):
            self._grow()

    def refused(self, sent_at: float, in_flight: int, now: float, wait: float, explained: bool = False) -> bool:
        """Lower the limit, if it explains that a request was refused; whether it does.

        in_flight: with it; wait: seconds for which the endpoint is left alone because of it;
        explained: whether the pace explains it.
        """
        if sent_at >= self._burst_at:
            self._burst_at, self._burst, self._burst_refused = now, in_flight, 0
            self._put_off(wait)
        self._burst_refused += 1
        self._refusal_seconds = max(self._refusal_seconds, now - sent_at)
        held = self._burst - self._burst_refused
        cut_to = self._cut_to if self._taken_since < LEVELS and self._series != self._burst_at else 1
        least = max([*self._levels, cut_to])
        if self._excused > 0 or explained:
            return False
        if held < NEAR * least or held < 1 or self._is_disproved():
            self.limit = max(self.limit, min(least, self.ceiling))
            self._taken_since = 0
            return False
        if self._uncut is None or self._taken_since >= LEVELS:
            self._uncut = max(self.limit, self._uncut or 0)
            self._series, self._taken_since = self._burst_at, 0
        self.growing = False
        self.limit = min(self.limit, held)
        if self._series == self._burst_at:
            self._cut_to = self.limit
        return True

    def restore(self) -> None:
        """What was refused was not for the width."""
        if self._uncut is not None:
            self.limit, self._uncut = max(self.limit, min(self._uncut, self.ceiling)), None
        self._every, self._excused = FIRST_PROBE, LEVELS
        self.growing = not self._settled

    def _put_off(self, wait: float) -> None:
        """The next probe comes later when the last one was refused."""
        if self._probing and not self._is_disproved():
            self._every = min(max(2 * self._every, COST * wait), LONGEST)
        self._probing = False
        lost = wait if self._reply_seconds < wait else 0.0  # where replies take longer, the places stay in use
        self._probe_at = self._burst_at + wait + max(self._every, COST * lost)

    def _quiet_at(self) -> float:
        """When a probe is no more of a burst than the requests before it."""
        gaps = len(self._sends) - 1 if self.limit <= NARROW else 0
        return self._sends[-1] + QUIET * (self._sends[-1] - self._sends[0]) / gaps if gaps > 0 else 0.0

    def _surely_taken(self, in_flight: int, now: float) -> int:
        """How many of those in flight will not be refused any more; none while it is unknown how long that takes."""
        since = now - SURELY * self._refusal_seconds
        young = sum(at >= since for at in self._sends)
        return in_flight - young if self._refusal_seconds and young < SENDS else 0

    def _may_double(self) -> bool:
        """Whether `auto` grows without a look at the throughput."""
        return self.growing and self._uncut is None and self.limit < min(UNSEEN * self.start, self.ceiling)

    def _is_disproved(self) -> bool:
        return self._uncut is not None and self.limit >= DISPROVED * self._cut_to + 1

    def _grow(self) -> None:
        if self._epoch.gain >= SETTLE_GAIN:
            self._grown_from = self.limit
            self.limit = min(self.limit * (4 if self._epoch.gain >= WELL_GAIN else 2), self.ceiling)
        elif self._epoch.poor > 1:
            self.limit, self.growing, self._settled = self._grown_from, False, True


class _First:
    """How long the first so many requests take, which says what throughput they would have had alone."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._sends: list[float] = []
        self._answered, self._seconds = 0, 0.0

    def sent(self, now: float) -> None:
        """A request goes out."""
        if len(self._sends) < self._number:
            self._sends.append(now)

    def taken(self, sent_at: float, now: float) -> None:
        """A request was answered."""
        if self._answered < len(self._sends) and sent_at <= self._sends[-1]:
            self._answered, self._seconds = self._answered + 1, self._seconds + now - sent_at

    def rate(self, now: float) -> float:
        """Replies per second; what has not been answered is taken to be answered now."""
        waiting = (len(self._sends) - self._answered) * (now - self._sends[0])
        return self._number * len(self._sends) / max(self._seconds + waiting, 1e-9)


class _Epoch:
    """Throughput over stretches of as many replies as the limit.

    gain: over the best before; poor: stretches in a row without one.
    """

    def __init__(self) -> None:
        self._count = 0
        self._since = time.monotonic()
        self._best = 0.0
        self.gain = math.inf
        self.poor = 0

    def begin(self) -> None:
        """Count anew."""
        self._count, self._since = 0, time.monotonic()

    def finished(self, limit: int, before: float) -> bool:
        """Count one reply; True when the stretch is over. before: the rate that the first one is compared with."""
        self._count += 1
        if self._count < limit:
            return False
        now = time.monotonic()
        rate = self._count / max(now - self._since, 1e-9)
        self._best = self._best or before
        self.gain = rate / self._best if self._best else math.inf
        self.poor = 0 if self.gain >= SETTLE_GAIN else self.poor + 1
        self._best = max(rate, self._best)
        self.begin()
        return True
