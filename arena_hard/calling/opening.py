"""How an endpoint is opened: few requests go while none has been answered, for its key may be wrong."""

from __future__ import annotations

import math

# One request goes alone for a quarter of a second, in which most keys are refused; few go until servers that take
# their time have refused a key too; then twice as many every fifth of a second. A wrong key costs a few requests, a
# model that thinks for long three seconds at its start.
ALONE_SECONDS = 0.25
FEW, FEW_SECONDS = 4, 2.5
DOUBLING_SECONDS = 0.2


class Opening:
    """How many requests may be in flight; over with the first reply."""

    def __init__(self) -> None:
        self.over = False
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
        if since < FEW_SECONDS:
            return min(FEW, 2 ** int(since / ALONE_SECONDS + 1e-6))
        return 2.0 * FEW * 2.0 ** min(int((since - FEW_SECONDS) / DOUBLING_SECONDS + 1e-6), 20)

    def delay(self, in_flight: int, now: float) -> float:
        """Seconds until one more may go beside so many."""
        if in_flight < self.most(now):
            return 0.0
        if self._began is None:
            return math.inf  # until the one request is answered
        step = ALONE_SECONDS if now - self._began < FEW_SECONDS - ALONE_SECONDS else DOUBLING_SECONDS
        return step / 5
