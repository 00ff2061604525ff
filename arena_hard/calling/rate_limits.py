"""How fast an endpoint may be asked: what is given, what follows from its headers, and what its refusals teach.

Times are seconds of time.monotonic(), rates are requests (or tokens) per second.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable

import msgspec

from arena_hard.calling.providers.quotas import Quota

SAFETY = 0.97  # of the announced rate, because clocks and roundings differ
# A refusal costs the wait that it tells, so that with five steps up to it a tenth of the time is lost; a wait of more
# than three seconds is a window's, which costs nothing.
STEP_WAITS, LONGEST_WAIT = 2.0, 3.0
LATE = 0.25  # of the time between two requests; one that goes later is held back by something else than the pace
FASTEST = 1000.0  # a learnt pace that is faster holds nothing back
PROVEN = 8  # requests without a refusal after which a learnt pace is the first to blame; sooner lowering it was no help


class AnnouncedQuota:
    """A server's bucket as its headers describe it, kept up to date between replies."""

    def __init__(self) -> None:
        self._quota: Quota | None = None
        self._rate = 0.0
        self._used = 0.0
        self._level = 0.0
        self._at = 0.0

    def update(self, quota: Quota, asked_at: float, spent_since: float, now: float) -> None:
        """A reply to a request of `asked_at` told the quota; `spent_since` was sent after that request."""
        rate, used = quota.rate, quota.limit - quota.remaining
        if rate is None and self._rate == 0.0:
            return
        if rate is not None and used >= 0.8 * self._used:  # the emptier the bucket, the less rounding matters
            self._rate, self._used = SAFETY * rate, max(used, self._used)
        told = min(quota.limit, quota.remaining + self._rate * (now - asked_at) - spent_since)
        if self._quota is not None:  # replies overtake each other, so good news is believed bit by bit
            told = min(told, self._level_at(now) + 1.0)
        self._quota, self._level, self._at = quota, told, now

    def spend(self, amount: float, now: float) -> None:
        """A request goes out."""
        if self._quota is not None:
            self._level, self._at = self._level_at(now) - amount, now

    def delay(self, amount: float, now: float) -> float:
        """Seconds until the bucket holds so much; 0 while nothing is known."""
        if self._quota is None or amount > self._quota.limit:
            return 0.0
        wanted = min(amount + 1.0, self._quota.limit)  # one in hand, for what is rounded off
        return max(0.0, (wanted - self._level_at(now)) / self._rate)

    def _level_at(self, now: float) -> float:
        assert self._quota is not None
        return min(self._quota.limit, self._level + self._rate * (now - self._at))


class GivenPace:
    """A rate per minute that the config gives, kept as an even pace. per_minute: None means that there is none."""

    def __init__(self, per_minute: float | None) -> None:
        self.per_minute = per_minute
        self._next = 0.0

    def tighten(self, per_minute: float | None) -> None:
        """The lower of two rates holds."""
        given = [each for each in (self.per_minute, per_minute) if each is not None]
        self.per_minute = min(given, default=None)

    def spend(self, amount: float, now: float) -> None:
        """A request goes out."""
        if self.per_minute:
            self._next = max(self._next, now) + amount * 60.0 / self.per_minute

    def correct(self, amount: float) -> None:
        """It took so much more than was thought."""
        if self.per_minute:
            self._next += amount * 60.0 / self.per_minute

    def delay(self, now: float) -> float:
        """Seconds until the next request may go."""
        return max(0.0, self._next - now)


class _Mark(msgspec.Struct):
    """A refusal that may be for the pace: when it was sent, how many had been sent, and were refused of them."""

    at: float
    sent: int
    refused: int

    @property
    def taken(self) -> int:
        """How many requests had been taken; known when the whole burst has been refused."""
        return self.sent - self.refused


class LearntPace:
    """The pace that a server takes which announces none, learnt from what it refuses.

    From one refusal to another a server with a rate takes just what its rate allows. Where it goes on to refuse, the
    pace becomes what was taken in such a time. It stays only if far fewer requests are refused with it: a server that
    refuses whatever the pace is not asked more slowly. (`settled` is called when that is known.) What stays goes up
    quickly until the next refusal, then little by little, and down at each refusal; far below what was measured it is
    given up, for a server takes no less than that. It goes up while it holds requests back, else nothing tells whether
    the server would take more.

    A wait that is told in whole seconds is longer than the server's own, and what is taken after it is the least of
    what the server takes: after one such stretch twice that pace is tried, and doubled until the next refusal. Each
    refusal costs such a wait, so that the pace goes back to what surely flows into the server's bucket, at most to the
    fastest that was kept for a whole step, and up in smaller ones.
    """

    OFTEN = 0.02  # the refusals for each request taken from which on a pace is tried
    STRETCHES, SPAN = 2, 0.5  # from refusal to refusal, and the seconds, that are measured at least
    TRIAL, HELPS = 6, 0.5  # requests that show whether it helps, and what may be left of the refusals
    QUICK, SLOW = (3, 1.35), (10, 1.02)  # after so many requests it goes up by this factor
    DOUBLED, NEARER = 2.0, 1.2  # after a wait of whole seconds: first, and after the next refusal
    LOST, LONG = 0.1, 3.0  # such waits cost enough for a pace from this share of the time on; a long stretch, in waits
    MOMENT = 0.05  # seconds: what goes within less may arrive at once
    BACK, DOWN = 0.7, 0.9  # after the quick growth, or where it was refused just before; and later
    LOWEST = 0.5  # of what was measured
    DEAF = 10  # refusals that teach nothing after a pace that was of no use; twice as many after each further one

    def __init__(self, settled: Callable[[], None] = lambda: None) -> None:
        self.rate: float | None = None
        self._settled = settled
        self._marks: deque[_Mark] = deque(maxlen=256)
        self._last = _Mark(0.0, 0, 0)
        self._narrowed: _Mark | None = None  # the last refusal that was for the width
        self._sent = self._refused = 0
        self._answered = False  # whether any request was, since the last mark
        self._next = 0.0
        self._measured = self._often = 0.0
        self._trial: list[int] | None = None  # requests sent and times refused since the pace was set
        self._growth = self.QUICK
        self._climbs = False  # by doubling, and then by smaller steps
        self._at_once = 1  # how many are taken at once after a wait
        self._sends: deque[tuple[int, float]] = deque(maxlen=64)  # numbers and times of requests, while it climbs
        self._since = 0  # requests since it went up
        self._held_by = self._next_by = 0.0  # the rate that held the last request back, and that which holds the next
        self._changed_at, self._least_step = 0.0, 0.0  # when it did, and the seconds until it may again
        self._kept = False  # whether the last request went when the pace let it
        self._steps: deque[tuple[int, float]] = deque(maxlen=8)  # at which request which pace had been kept for a step
        self._deaf, self._pointless = 0, 0

    def refused(self, number: int, sent_at: float, teaches: bool, wait: float = 0.0, by_width: bool = False) -> bool:
        """The request of this number was refused; whether any was taken since the time before.

        teaches: whether it may be for the pace, and was not sent before the last such refusal was heeded;
        wait: seconds for which nothing is sent because of it; by_width: whether it was for the width.
        """
        self._refused += 1
        last = self._last
        if number <= last.sent:
            last.refused += 1
        if by_width:
            self._narrowed = _Mark(sent_at, self._sent, self._refused)
        if not teaches:
            return False
        refused_since = self._refused - 1 - last.refused
        if not (self._answered or number - 1 - last.sent > refused_since):
            last.sent, last.refused = self._sent, self._refused
            return False
        on_trial = self._trial
        if on_trial:
            on_trial[1] += 1
            self._judge(on_trial)
        if self._climbs:
            self._least_step, self._changed_at = STEP_WAITS * min(wait, LONGEST_WAIT), sent_at
            self._step_back(number)
        elif not on_trial and self.rate is None:
            self._measure(wait, _Mark(sent_at, number - 1, self._refused - 1))
        elif not on_trial and self.rate is not None:
            self._least_step, self._changed_at = STEP_WAITS * min(wait, LONGEST_WAIT), sent_at
            soon = self._sent - last.sent < PROVEN or sent_at - last.at < self._least_step
            self._lower(min(self.rate, self._held_by), soon)
        self._last = _Mark(sent_at, self._sent, self._refused)
        self._marks.append(self._last)
        self._answered = False
        return True

    def taken(self) -> None:
        """A request was answered."""
        self._answered = True

    def spend(self, now: float) -> None:
        """A request goes out."""
        self._sent += 1
        if self.rate is None:
            return
        if self._climbs:
            self._sends.append((self._sent, now))
        self._kept = self.rate <= FASTEST and now - self._next <= LATE / self.rate
        self._held_by = self._next_by
        start = max(self._next, now)
        if self._trial:
            self._trial[0] += 1
            self._judge(self._trial)
        if self.rate is not None and self._kept and not (self._trial and self._growth is self.QUICK):
            self._grow(self.rate, now)
        if self.rate is not None:
            self._next, self._next_by = start + 1.0 / self.rate, self.rate

    def explains(self) -> bool:
        """Whether a refusal is for the pace rather than the width: it is kept, and was not lowered just now."""
        if self.rate is None or self._trial or not self._kept:
            return False
        return self._sent - self._last.sent >= PROVEN

    def delay(self, now: float) -> float:
        """Seconds until the next request may go."""
        return max(0.0, self._next - now) if self.rate is not None else 0.0

    def _measure(self, wait: float, now: _Mark) -> None:
        """Set a pace on trial, by the bursts that are over; after a wait of whole seconds by what is known of this."""
        self._deaf -= 1
        rounded = 0 < wait == int(wait) < LONGEST_WAIT
        marks, stretches = self._marks.copy(), 1 if rounded else self.STRETCHES
        if rounded:
            if not marks and self._narrowed is not None and now.at - self._narrowed.at >= self.LONG * wait:
                marks.append(self._narrowed)
            marks.append(now)
        while self._suffice(marks, 1, stretches):
            marks.popleft()
        if self._deaf > 0 or not self._suffice(marks, 0, stretches):
            return
        taken, seconds = marks[-1].taken - marks[0].taken, marks[-1].at - marks[0].at
        self._often = (len(marks) - 1) / taken
        if self._often < self.OFTEN and not (rounded and (len(marks) - 1) * wait >= self.LOST * seconds):
            return
        self._measured = SAFETY * taken / seconds
        self._growth = self.QUICK
        if rounded:
            self._begin_to_climb(marks, wait)
        self.rate = self._held_by = self._next_by = self._measured * (self.DOUBLED if rounded else 1.0)
        self._trial, self._since = [0, 0], 0

    def _begin_to_climb(self, marks: deque[_Mark], wait: float) -> None:
        """What was taken in the best stretch is the least; `wait`: seconds, in which no more flow than are taken."""
        pairs = list(itertools.pairwise(marks))
        paces = [(later.taken - one.taken) / max(later.at - one.at, self.MOMENT) for one, later in pairs]
        least = min(later.taken - one.taken for one, later in pairs)
        self._measured = SAFETY * max(paces)
        self._at_once = max(1, min(least, int(max(paces) * wait)))
        self._growth, self._climbs = (self._at_once, self.DOUBLED), True
        self._steps.clear()
        self._sends.clear()

    def _suffice(self, marks: deque[_Mark], first: int, stretches: int) -> bool:
        """Whether enough lies between the last of these refusals and this one of them."""
        if len(marks) <= stretches + first:
            return False
        one, last = marks[first], marks[-1]
        return last.at - one.at >= self.SPAN and last.taken - one.taken >= stretches

    def _judge(self, trial: list[int]) -> None:
        """End the trial when it is clear whether the pace helps."""
        sent, refused = trial
        left = (sent - refused) * self._often * self.HELPS
        if refused > max(2.0, left, self.TRIAL * self._often * self.HELPS):
            self._give_up()
            self._settled()
        elif sent >= self.TRIAL and refused <= left:
            self._trial = None
            self._settled()

    def _grow(self, rate: float, now: float) -> None:
        self._since += 1
        number, factor = self._growth
        if self._since >= number and now - self._changed_at >= self._least_step:
            self._steps.append((self._sent, self._held_by))
            self.rate, self._since, self._changed_at = rate * factor, 0, now

    def _step_back(self, number: int) -> None:
        """To a pace that was surely kept before the request of this number; from there the steps are smaller."""
        kept = max((held_by for sent, held_by in self._steps if sent < number), default=self._measured)
        self.rate = min(kept, max(self.DOUBLED * self._measured, self._surely_flows(number)))
        self._steps.clear()
        self._steps.append((number, self.rate))
        self._climbs = self._growth[1] == self.DOUBLED
        self._growth = (2 * self._growth[0], self.NEARER) if self._climbs else self.SLOW
        self._least_step = 0.0 if self._climbs else self._least_step
        self._since = 0

    def _surely_flows(self, number: int) -> float:
        """The least rate with which a bucket of `_at_once` had enough for all before the request of this number."""
        times = [at for sent, at in self._sends if sent < number]
        spans = [(len(times) - place, times[-1] - at) for place, at in enumerate(times)]
        return max(((sent - self._at_once) / seconds for sent, seconds in spans if seconds > self.MOMENT), default=0.0)

    def _lower(self, rate: float, soon: bool) -> None:
        far = soon and self.BACK * rate > self._measured
        self.rate = rate * (self.BACK if far or self._growth is not self.SLOW else self.DOWN)
        self._growth, self._since = self.SLOW, 0
        if self.rate < self._measured * self.LOWEST:
            self._give_up()

    def _give_up(self) -> None:
        """The pace is of no use; the next one is tried later, and ever later."""
        self.rate = self._trial = None
        self._climbs = False
        self._marks.clear()
        self._pointless += 1
        self._deaf = self.DEAF * 2**self._pointless
