"""Limits that the server keeps: a token bucket for each key and model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Bucket:
    """A token bucket: `per_minute` tokens flow in, at most `burst` lie in it."""

    def __init__(self, per_minute: float, burst: float | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:  # fmt: skip
        self.rate = per_minute / 60.0
        self.burst = max(1.0, math.ceil(self.rate) if burst is None else burst)
        self._clock = clock
        self._level = self.burst
        self._at = clock()

    def take(self) -> float:
        """Take one token. Returns 0, or the seconds until there is one, and then takes nothing."""
        now = self._clock()
        self._level = min(self.burst, self._level + (now - self._at) * self.rate)
        self._at = now
        # A hair of tolerance: a client that waited just as long as it was told has waited long enough.
        if self._level >= 1.0 - 1e-6:
            self._level -= 1.0
            return 0.0
        return (1.0 - self._level) / self.rate

    @property
    def left(self) -> int:
        """Whole tokens in it when it was last asked."""
        return max(0, int(self._level))

    @property
    def full_in(self) -> float:
        """Seconds until it is full again."""
        return (self.burst - self._level) / self.rate
