"""How fast an endpoint may be asked: what it announces in its headers, and what its refusals teach.

Times are seconds of time.monotonic(), rates are requests (or tokens) per second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

SAFETY = 0.97  # of the announced rate, because clocks and roundings differ
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Quota:
    """What a server said of one of its limits when it took a request.

    limit: the size of its bucket; remaining: what is left; reset: seconds until it is full again.
    """

    limit: float
    remaining: float
    reset: float

    @property
    def rate(self) -> float | None:
        """How fast the bucket fills, or None when that cannot be told from a full bucket."""
        used = self.limit - self.remaining
        return used / self.reset if used > 0 and self.reset > 0 else None


def quota_from(headers: Mapping[str, str], kind: str) -> Quota | None:
    """The quota of 'requests' or 'tokens' in a reply's headers, OpenAI's or Anthropic's; None without one."""
    for limit, remaining, reset in (
        (f"x-ratelimit-limit-{kind}", f"x-ratelimit-remaining-{kind}", f"x-ratelimit-reset-{kind}"),
        (
            f"anthropic-ratelimit-{kind}-limit",
            f"anthropic-ratelimit-{kind}-remaining",
            f"anthropic-ratelimit-{kind}-reset",
        ),
    ):
        if remaining in headers:
            try:
                return Quota(float(headers[limit]), float(headers[remaining]), _seconds(headers[reset]))
            except (KeyError, ValueError):
                return None
    return None


def _seconds(text: str) -> float:
    """Seconds in '1m30.5s', '500ms', '12' or a date and time. Raises ValueError."""
    if "T" in text:
        when = datetime.fromisoformat(text.replace("Z", "+00:00"))
        zone = when.tzinfo or timezone.utc
        return max(0.0, (when.replace(tzinfo=zone) - datetime.now(timezone.utc)).total_seconds())
    total, number, unit = 0.0, "", ""
    for letter in text + "0":  # the added digit ends the last unit
        if letter.isdigit() or letter == ".":
            if unit:
                total, number, unit = total + float(number) * _UNITS.get(unit, 1.0), "", ""
            number += letter
        else:
            unit += letter
    return total if total or len(number) < 2 else float(number[:-1])


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
