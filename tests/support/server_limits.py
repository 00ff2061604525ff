"""The limits that a server may have, by whatever time `time.monotonic()` tells."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from tests.loopback.limits import Bucket


class Limit(Protocol):
    """What a server lets in."""

    def refuses(self, in_work: int, number: int) -> float | None:
        """None where it takes the request; else the seconds that it tells to wait."""
        ...


@dataclass
class Places:
    """So many at once."""

    places: int

    def refuses(self, in_work: int, number: int) -> float | None:
        return 0.0 if in_work >= self.places else None


@dataclass
class Tokens:
    """A bucket into which so many flow in a second, and that holds no more than `burst`."""

    rate: float
    burst: float
    _bucket: Bucket | None = field(init=False, default=None)

    def refuses(self, in_work: int, number: int) -> float | None:
        if self._bucket is None:  # full at the first request, for its time may be imagined
            self._bucket = Bucket(60 * self.rate, self.burst, lambda: time.monotonic())
        return self._bucket.take() or None


@dataclass
class Windows:
    """So many in each window of so many seconds."""

    number: int
    seconds: float
    _window: float = -1.0
    _taken: int = 0

    def refuses(self, in_work: int, number: int) -> float | None:
        window, since = divmod(time.monotonic() - 3.0, self.seconds)
        if window != self._window:
            self._window, self._taken = window, 0
        if self._taken >= self.number:
            return self.seconds - since
        self._taken += 1
        return None


@dataclass
class Both:
    """So many at once, and so many in a time; what is refused for the one takes nothing from the other."""

    places: Places
    rate: Limit

    def refuses(self, in_work: int, number: int) -> float | None:
        told = self.places.refuses(in_work, number)
        return self.rate.refuses(in_work, number) if told is None else told


@dataclass
class Whatever:
    """Every n-th request is refused, however they come; `every` 1 refuses all."""

    every: int
    told: float = 0.0

    def refuses(self, in_work: int, number: int) -> float | None:
        return self.told if number % self.every == 0 else None
