"""How many requests go out as one batch: within the provider's limits, and fewer after it took nothing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from arena_hard.calling.providers.batch_answers import TooMuch
from arena_hard.calling.providers.batches import Limits, Line

Refused = tuple[int, TooMuch]  # requests of a batch that the provider took nothing of, and why


class Lots:
    """Cuts requests into lots, and learns from refusals what is taken.

    turned_away: exchanges in a row in which the provider's queue was full and took nothing.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.most: int | None = None  # requests that may be taken at once, after more were refused
        self.turned_away = 0

    def of(self, lines: list[Line]) -> list[list[Line]]:
        """All lines in lots. After a refusal only the first one: the records of the others ask again."""
        if self.most is None:
            return split(lines, self._limits.requests, self._limits.size)
        return split(lines, min(self._limits.requests, self.most), self._limits.size)[:1]

    def learn(self, refused: Sequence[Refused], taken: int) -> None:
        """Halve what is sent at once where nothing was taken, double it where all was.

        While other batches of this run were taken, a full queue says nothing about the size.
        """
        sizes = [size for size, refusal in refused if refusal.kind == "final" or not taken]
        if sizes:
            self.most = max(1, max(sizes) // 2)
        elif self.most is not None:
            self.most *= 2
        full = not taken and any(refusal.kind == "rate limit" for _, refusal in refused)
        self.turned_away = self.turned_away + 1 if full else 0


def split(lines: list[Line], requests: int, size: int) -> list[list[Line]]:
    """The lines in lots of at most so many requests and bytes."""
    lots: list[list[Line]] = []
    room = 0
    for line in lines:
        length = len(msgspec.json.encode(line)) + 200  # custom_id, method and url come on top
        if not lots or len(lots[-1]) >= requests or length > room:
            lots.append([])
            room = size
        lots[-1].append(line)
        room -= length
    return lots
