"""A model by groups of questions again, in loops and by enumeration: no code is shared with arena_hard.rating."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

from scipy import stats

from tests.support.slow_statistics import Rows, unseen, with_unseen


@dataclass(frozen=True)
class SlowGroup:
    """A group against the other questions; welch: Welch's p-value; drawn: that of all draws of as many questions."""

    score: float
    value: float
    lower: float
    upper: float
    welch: float
    drawn: float
    least: float

    @property
    def p_value(self) -> float:
        return max(self.welch, self.drawn, self.least)


def rate(rows: Sequence[Rows]) -> float:
    """Weighted wins over weighted games, in percent."""
    return 100.0 * math.fsum(won for won, _ in rows) / math.fsum(games for _, games in rows)


def variance(rows: Sequence[Rows]) -> float:
    """Of the win rate in percent, from the residuals of its questions."""
    n, share = len(rows), rate(rows) / 100.0
    squares = math.fsum((won - share * games) ** 2 for won, games in rows)
    return 1e4 * squares / math.fsum(games for _, games in rows) ** 2 * n / (n - 1)


def drawn(own: Sequence[Rows], every: Sequence[Rows]) -> float:
    """The share of all draws of as many questions that have won as much more, or less, than the overall share."""
    share = rate(every) / 100.0
    excess = [won - share * games for won, games in every]
    found = abs(math.fsum(won - share * games for won, games in own))
    sums = [abs(math.fsum(draw)) for draw in combinations(excess, len(own))]
    return sum(each >= found - 1e-7 for each in sums) / len(sums)


def overall(groups: Sequence[Sequence[Rows]]) -> float:
    """The share of all arrangements of the questions in the groups whose groups are as far apart."""
    every = [rows for group in groups for rows in group]
    share = rate(every) / 100.0
    excess, starts = [won - share * games for won, games in every], [0]
    for group in groups:
        starts.append(starts[-1] + len(group))

    def spread(order: Sequence[float]) -> float:
        return math.fsum(math.fsum(order[a:b]) ** 2 / (b - a) for a, b in zip(starts, starts[1:]))

    spreads = [spread(order) for order in permutations(excess)]
    return sum(each >= spread(excess) - 1e-7 for each in spreads) / len(spreads)


def group(own: Sequence[Rows], others: Sequence[Rows], most: float, level: float) -> SlowGroup:
    """A group against the other questions, of which there is at least one."""
    n, m, every = len(own), len(others), [*own, *others]
    score, gap = rate(own), rate(own) - rate(others)
    part = math.fsum(games for _, games in others) / math.fsum(games for _, games in every)
    welch, reach = 1.0, math.inf
    if min(n, m) > 1:
        one, two = variance(own), variance(others)
        error = math.sqrt(one + two)
        freedom = (one + two) ** 2 / (one**2 / (n - 1) + two**2 / (m - 1)) if error > 1e-7 else n - 1
        statistic = abs(gap) / error if error > 1e-7 else (math.inf if abs(gap) > 1e-7 else 0.0)
        welch, reach = 2.0 * float(stats.t.sf(statistic, freedom)), float(stats.t.ppf((1 + level) / 2, freedom)) * error
    found = SlowGroup(score, part * gap, math.nan, math.nan, welch, drawn(own, every), min(1.0, 2.0 ** (1 - min(n, m))))
    (lowest, highest), (low, high) = unmet(own, most, level), unmet(others, most, level)
    lower = max(part * max(min(gap - reach, lowest - high), -100.0), -rate(every))
    upper = min(part * min(max(gap + reach, highest - low), 100.0), 100.0 - rate(every))
    return SlowGroup(score, part * gap, lower, upper, found.welch, found.drawn, found.least)


def unmet(own: Sequence[Rows], most: float, level: float) -> tuple[float, float]:
    """The lowest and highest win rate with room for questions worse, or better, than any of the group."""
    score, rows = rate(own), math.fsum(games for _, games in own) / len(own)
    residuals = [won - score / 100.0 * games for won, games in own]
    share, ways = unseen(len(own), level), (score / 100.0 * most, (1.0 - score / 100.0) * most)
    rooms = [
        1.0 if gone < 1e-7 or way < 1e-7 else max(0.0, 1.0 - gone / way)
        for gone, way in zip((-min(residuals), max(residuals)), ways)
    ]
    return with_unseen(score, rows, most, share * rooms[0])[0], with_unseen(score, rows, most, share * rooms[1])[1]
