"""How an endpoint is opened: few requests go while none has been answered, for its key may be wrong.

And how it is opened again after a refusal: so that what is refused stays in proportion to what is taken.
"""

from __future__ import annotations

import math

# One request goes alone for a quarter of a second, in which most keys are refused; few go until servers that take
# their time have refused a key too; then twice as many every fifth of a second. A wrong key costs a few requests, a
# model that thinks for long three seconds at its start. Where key and model are known to be right, few go for a quarter
# of a second, in which an empty account is refused, and then all.
ALONE_SECONDS = 0.25
FEW, FEW_SECONDS = 4, 2.5
DOUBLING_SECONDS = 0.2


class Opening:
    """How many requests may be in flight; over with the first reply."""

    def __init__(self) -> None:
        self.over = False
        self.is_trusted = False  # whether key and model are known to be right
        self._began: float | None = None

    def sent(self, now: float) -> None:
        """A request goes out."""
        if self._began is None:
            self._began = now

    def refused(self) -> None:
        """The server takes nothing now, which says nothing of the key: the next request goes alone again."""
        self._began = None

    def most(self, now: float) -> float:
        """How many may be in flight at this time."""
        if self.over:
            return math.inf
        if self._began is None:
            return 1
        since = now - self._began
        if self.is_trusted:
            return FEW if since < ALONE_SECONDS else math.inf
        if since < FEW_SECONDS:
            return min(FEW, 2 ** int(since / ALONE_SECONDS + 1e-6))
        return 2.0 * FEW * 2.0 ** min(int((since - FEW_SECONDS) / DOUBLING_SECONDS + 1e-6), 20)

    def delay(self, in_flight: int, now: float) -> float:
        """Seconds until one more may go beside so many."""
        if in_flight < self.most(now):
            return 0.0
        if self._began is None:
            return math.inf  # until the one request is answered
        since = now - self._began
        if self.is_trusted:
            return max(ALONE_SECONDS - since, 0.001)
        step = ALONE_SECONDS if since < FEW_SECONDS - ALONE_SECONDS else DOUBLING_SECONDS
        return step / 5


class Reopening:
    """How many requests may go after a refusal: at first MORE times as many as were taken between the last two.

    Twice as many go every fifth of a second in which none is refused, so that a server which takes more again is soon
    asked for it, while one that takes one at a time is not asked by all who wait each time that it takes one.
    """

    MORE = 2.0
    KEPT = 0.5  # of the bound before, however few were taken: one stretch may have been cut short

    def __init__(self) -> None:
        self._first = 0  # the number of the first request since the last refusal; 0 before any
        self._sent = self._refused = 0
        self._since = 0.0  # when it was sent
        self._taken, self._least = 0, 0.0  # before it, and the least bound

    def sent(self, now: float) -> None:
        """A request goes out."""
        self._since = now if self._sent == 0 else self._since
        self._sent += 1

    def refused(self, number: int, heeded: bool) -> None:
        """The request of this number was refused; heeded: it is the first of a burst, and not for the width."""
        if number < self._first:
            self._taken -= 1
        else:
            self._refused += 1
        if not heeded:
            return
        if self._sent > self._refused:
            self._least = max(self.MORE * self._taken, self.KEPT * self._least)
            self._taken = self._sent - self._refused
        self._first = max(self._first, 1) + self._sent
        self._sent = self._refused = 0

    def delay(self, now: float) -> float:
        """Seconds until one more may go."""
        if self._first == 0 or self._sent == 0:
            return 0.0
        steps = int((now - self._since) / DOUBLING_SECONDS + 1e-6)
        most = max(self.MORE * max(self._taken, 1), self.KEPT * self._least) * 2.0 ** min(steps, 20)
        return 0.0 if self._sent < most else self._since + (steps + 1) * DOUBLING_SECONDS - now
