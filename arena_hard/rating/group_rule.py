"""The one rule of groups: how sure it is that a model does better or worse on some questions than on its others.

The p-value is the largest of three. Welch's t of the group's questions against the others asks whether the two win
rates differ; with one question on either side it has no answer, and the p-value is 1. Shuffling the questions over
the groups asks how often as many questions taken at random are as far off, which few or equal verdicts cannot
deceive: that a model won all games of ten questions is no news where it wins eight of ten. And 2·½^n is the least
that a sign test over n questions can give: two questions are no topic, whatever their verdicts, and fewer than six
never are significant at 5%.

The interval is as wide as Welch's t makes it, and leaves room for questions of the group, and for others, that were
not met, as that of paired differences does (pair_rule.py). It excludes 0 exactly where the p-value is below 1 − level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from arena_hard.rating.arrays import FloatArray, IntArray, weight_sums
from arena_hard.rating.pair_rule import BESIDE_ZERO, room
from arena_hard.rating.unseen import NO_SPREAD, share_beyond, with_unseen

LEAST_SHUFFLES, MOST_SHUFFLES = 2_000, 10_000
_FINENESS = 400  # a corrected p-value is known to 1/400, if MOST_SHUFFLES allow it
_SMALL = 0.1  # p-value from which a few thousand shuffles are too coarse
_CELLS = 2_000_000  # questions × shuffles at once


@dataclass(frozen=True)
class Groups:
    """A model's questions in groups. won, games: [q] of each question; code: [q] its group, −1 in none.

    most: the largest weight that the games of a question may have. Win rates are shares from 0 to 1.
    """

    won: FloatArray
    games: FloatArray
    code: IntArray
    most: float

    @property
    def number(self) -> int:
        """How many groups there are."""
        return int(self.code.max(initial=-1)) + 1

    @property
    def sizes(self) -> IntArray:
        """[k] how many questions each has."""
        return np.bincount(self.code + 1, minlength=self.number + 1)[1:]

    @property
    def overall(self) -> float:
        """The win rate on all questions."""
        return float(self.won.sum() / self.games.sum())

    @property
    def excess(self) -> FloatArray:
        """[q] what was won beyond the overall win rate; sums to 0."""
        return self.won - self.overall * self.games

    def sums(self, values: FloatArray) -> FloatArray:
        """[k] the sum of some values [q] in each group."""
        return weight_sums(self.code + 1, values, self.number + 1)[1:]


@dataclass(frozen=True)
class Against:
    """Each group [k] against the model's other questions; win rates 0 to 1.

    score, rest: win rates in the group and on the others, NaN without any; part: the share of the games that the
    others have, so that part·(score − rest) is score − overall; error: of score − rest, infinite where one side has
    but one question; freedom: its degrees of freedom.
    """

    score: FloatArray
    rest: FloatArray
    part: FloatArray
    error: FloatArray
    freedom: FloatArray

    @property
    def gap(self) -> FloatArray:
        """[k] score − rest, 0 where there are no others."""
        return np.nan_to_num(self.score - self.rest)


def against_others(groups: Groups) -> Against:
    """Welch's comparison of each group with the others."""
    won, games, n = groups.sums(groups.won), groups.sums(groups.games), groups.sizes
    total, others = groups.games.sum(), len(groups.code) - n
    with np.errstate(divide="ignore", invalid="ignore"):
        score, rest = won / games, (groups.won.sum() - won) / (total - games)
        own = _variance(groups.sums(_residuals(groups, score) ** 2), games, n)
        their = _variance(_squares_of_others(groups, rest), total - games, others)
        error = np.sqrt(own + their)
        freedom = (own + their) ** 2 / (own**2 / (n - 1.0) + their**2 / (others - 1.0))
    certain = (n > 1) & (others > 1)
    freedom = np.where(certain & np.isfinite(freedom), freedom, np.maximum(n - 1.0, 1.0))
    return Against(score, rest, 1.0 - games / total, np.where(certain, error, np.inf), freedom)


def _residuals(groups: Groups, score: FloatArray) -> FloatArray:
    """[q] won beyond the win rate of the question's group; 0 where it is in none."""
    inside = groups.code >= 0
    return np.where(inside, groups.won - score[groups.code] * groups.games, 0.0) if len(score) else 0.0 * groups.won


def _squares_of_others(groups: Groups, rest: FloatArray) -> FloatArray:
    """[k] the squares of what the questions outside a group won beyond their own win rate, summed."""
    excess, games, shift = groups.excess, groups.games, rest - groups.overall
    every = (excess**2, excess * games, games**2)
    squares, crossed, weights = (values.sum() - groups.sums(values) for values in every)
    return np.maximum(squares - 2.0 * shift * crossed + shift**2 * weights, 0.0)


def _variance(squares: FloatArray, games: FloatArray, questions: IntArray) -> FloatArray:
    """Of a ratio of sums over so many questions, from its squared residuals."""
    return squares / games**2 * questions / np.maximum(questions - 1.0, 1.0)


# --------------------------------------------------------------------------------------- p-values


@dataclass(frozen=True)
class PValues:
    """of_groups: [k] two-sided p-values; overall: of the question whether the groups differ at all."""

    of_groups: FloatArray
    overall: float


def p_values(groups: Groups, against: Against, seed: int = 42) -> PValues:
    """The p-values of each group, and of all together."""
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        without_spread = np.where(np.abs(against.gap) > NO_SPREAD / 100.0, np.inf, 0.0)
        statistic = np.where(against.error > NO_SPREAD / 100.0, np.abs(against.gap) / against.error, without_spread)
    welch, shuffled = 2.0 * stdtr(against.freedom, -statistic), _shuffled(groups, seed)
    fewer = np.minimum(groups.sizes, len(groups.code) - groups.sizes)
    return PValues(np.maximum(np.maximum(welch, shuffled.of_groups), least_p_values(fewer)), shuffled.overall)


def least_p_values(questions: IntArray) -> FloatArray:
    """The least p-values [k] that so many questions can give."""
    return np.minimum(1.0, 2.0 * 0.5 ** np.asarray(questions, dtype=float))


def _shuffled(groups: Groups, seed: int) -> PValues:
    """How often shuffled questions make a group's excess, or the spread of all groups, as large as it is."""
    number, sizes = groups.number, groups.sizes
    excess = groups.excess * (len(groups.games) / groups.games.sum())
    found = groups.sums(excess)
    spread, slack = float((found**2 / sizes).sum()), 1e-9
    starts = np.concatenate([[0], np.cumsum(sizes)])[:number]
    within = int(sizes.sum())  # questions in no group come last, and are left out
    larger, drawn, wider, rounds = np.zeros(number), np.zeros(number), 0, shuffles(sizes)
    for order in _orders(len(groups.code), rounds, seed):
        sums = np.add.reduceat(excess[order[:, :within]], starts, axis=1)
        wider += int(((sums**2 / sizes).sum(axis=1) >= spread - slack).sum())
        for size in np.unique(sizes):
            own = sizes == size
            pool = np.sort(np.abs(sums[:, own]), axis=None)  # groups of one size are alike under chance
            larger[own] += len(pool) - np.searchsorted(pool, np.abs(found[own]) - slack)
            drawn[own] += len(pool)
    return PValues((1.0 + larger) / (1.0 + drawn), (1.0 + wider) / (1.0 + rounds))


def shuffles(sizes: IntArray) -> int:
    """How many shuffles make p-values fine enough for a correction for all groups of these sizes [k].

    Groups that have too few questions for small p-values need no more than the least.
    """
    tested = sizes[least_p_values(sizes) <= _SMALL]
    alike = int(np.unique(tested, return_counts=True)[1].min(initial=max(1, len(tested))))
    return min(max(_FINENESS * len(tested) // alike, LEAST_SHUFFLES), MOST_SHUFFLES)


def _orders(questions: int, rounds: int, seed: int) -> Iterator[IntArray]:
    """So many random orders of the questions, a block [r, q] after the other."""
    at_once = max(1, _CELLS // max(questions, 1))
    for start in range(0, rounds, at_once):
        yield _block(questions, min(at_once, rounds - start), seed, start)


@lru_cache(maxsize=1)  # models were mostly judged on equally many questions
def _block(questions: int, rounds: int, seed: int, start: int) -> IntArray:
    rows = np.tile(np.arange(questions, dtype=np.int32), (rounds, 1))
    return np.random.default_rng([seed, start]).permuted(rows, axis=1, out=rows)


# -------------------------------------------------------------------------------------- intervals


def ends(groups: Groups, against: Against, p: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Both ends [k] of the intervals of score − overall, in points."""
    from scipy.special import stdtrit

    tail = (1.0 - level) / 2.0
    reach = against.error * -stdtrit(against.freedom, tail)
    low, high = _with_unmet(groups, against, tail)
    part = 100.0 * against.part
    lower = part * np.maximum(np.minimum(against.gap - reach, low), -1.0)
    upper = part * np.minimum(np.maximum(against.gap + reach, high), 1.0)
    lower, upper = np.maximum(lower, -100.0 * groups.overall), np.minimum(upper, 100.0 * (1.0 - groups.overall))
    is_sure, value = p < 1.0 - level, against.gap
    lower = np.where(is_sure & (value > 0), np.maximum(lower, BESIDE_ZERO), lower)
    upper = np.where(is_sure & (value < 0), np.minimum(upper, -BESIDE_ZERO), upper)
    return np.where(is_sure, lower, np.minimum(lower, 0.0)), np.where(is_sure, upper, np.maximum(upper, 0.0))


def _with_unmet(groups: Groups, against: Against, tail: float) -> tuple[FloatArray, FloatArray]:
    """The lowest and the highest gap [k] with room for questions worse, or better, than those met, on either side."""
    n, games = groups.sizes, groups.sums(groups.games)
    own = _rates_with_unmet(groups, against.score, n, games / n, _extremes(groups, against.score), tail)
    others, rest = len(groups.code) - n, np.nan_to_num(against.rest)
    theirs = (groups.games.sum() - games) / np.maximum(others, 1)
    low, high = _rates_with_unmet(groups, rest, others, theirs, _extremes_of_others(groups, rest), tail)
    return own[0] - high, own[1] - low


def _rates_with_unmet(
    groups: Groups,
    rate: FloatArray,
    n: IntArray,
    games: FloatArray,
    extremes: tuple[FloatArray, FloatArray],
    tail: float,
) -> tuple[FloatArray, FloatArray]:
    """The lowest and the highest win rate [k] of n questions, whose residuals lie between these extremes."""
    share, (lowest, highest) = share_beyond(n, tail), extremes
    below = share * room(-lowest, rate * groups.most)
    above = share * room(highest, (1.0 - rate) * groups.most)
    return with_unseen(rate, games, groups.most, below)[0], with_unseen(rate, games, groups.most, above)[1]


def _extremes(groups: Groups, score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """[k] the least and the most that a question of the group won beyond its win rate."""
    inside, residual = groups.code >= 0, _residuals(groups, score)
    lowest, highest = np.zeros(len(score)), np.zeros(len(score))
    np.minimum.at(lowest, groups.code[inside], residual[inside])
    np.maximum.at(highest, groups.code[inside], residual[inside])
    return lowest, highest


def _extremes_of_others(groups: Groups, rest: FloatArray) -> tuple[FloatArray, FloatArray]:
    """[k] the same of the questions outside the group."""
    residuals = ((groups.won - rate * groups.games)[groups.code != k] for k, rate in enumerate(rest.tolist()))
    found = [(each.min(initial=0.0), each.max(initial=0.0)) for each in residuals]
    lowest, highest = np.array(found).reshape(-1, 2).T
    return lowest, highest
