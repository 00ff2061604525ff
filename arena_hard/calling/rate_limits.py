"""How fast an endpoint may be asked: what follows from its headers, and what its refusals teach.

Times are seconds of time.monotonic(), rates are requests (or tokens) per second.
"""

from __future__ import annotations

from collections import deque

from arena_hard.calling.providers.quotas import Quota

SAFETY = 0.97  # of the announced rate, because clocks and roundings differ


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


class LearntPace:
    """The pace that a server without such headers takes, learnt from its 429s.

    A few refusals among many replies are no matter of pace. When two of five requests are refused,
    the pace becomes what the server took in that time; it grows again by a twentieth each half minute.
    """

    WINDOW = 20
    REFUSED = 0.4
    GROWTH, GROWTH_SECONDS = 1.05, 30.0

    def __init__(self) -> None:
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=self.WINDOW)
        self.rate: float | None = None
        self._next = 0.0
        self._grown_at = 0.0

    def outcome(self, taken: bool, now: float) -> None:
        """A request was taken, or refused with 429."""
        self._outcomes.append((now, taken))
        refused = sum(not each for _, each in self._outcomes)
        if taken:
            if self.rate is not None and now - self._grown_at > self.GROWTH_SECONDS:
                self.rate, self._grown_at = self.rate * self.GROWTH, now
            return
        if len(self._outcomes) < self.WINDOW or refused < self.REFUSED * self.WINDOW:
            return
        elapsed = max(now - self._outcomes[0][0], 0.1)
        self.rate = max(self.WINDOW - refused, 1) / elapsed
        self._grown_at = now
        self._outcomes.clear()

    def spend(self, now: float) -> None:
        """A request goes out."""
        if self.rate is not None:
            self._next = max(self._next, now) + 1.0 / self.rate

    def delay(self, now: float) -> float:
        """Seconds until the next request may go."""
        return max(0.0, self._next - now) if self.rate is not None else 0.0
