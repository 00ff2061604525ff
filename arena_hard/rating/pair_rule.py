"""The one rule of paired differences: interval and p-value say the same, with any number of questions.

The p-value is the larger of two: Student's t over the questions' influences, and 2·½^k where the two differ on k
questions, the least that a sign test over questions can give. With few or constant differences it is that of the sign
test.

The interval is as wide as Student's t makes it, and leaves room for questions that were not met: with confidence
`level` their share is at most 1 − ((1 − level)/2)^(1/n) (unseen.py), and in the worst case one model loses, and the
other wins, all games at their largest weight. The less of that way down (up) the lowest (highest) question that was
met has gone, the more of that share it leaves room for: all of it where questions came out alike, none where the
worst was met. It excludes 0 exactly where the p-value is below 1 − level: of two tests that speak of 0, the p-value's
counts.

One score is its difference from the baseline, which has won half of any question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray
from arena_hard.rating.unseen import NO_SPREAD, share_beyond, with_unseen

BESIDE_ZERO = 1e-6  # points


@dataclass(frozen=True)
class Pairs:
    """Pairs of models on their common questions, arrays [k]; value and scores are NaN without any.

    value, error: the difference in points and its clustered error, infinite with one question, which tells nothing
    of the spread; questions: how many are common; differing: on how many of them the two did not do the same;
    first_games, second_games: the mean weight of a common question's games; room_below, room_above: the share (0 to
    1) of the way to the worst and to the best possible question that no question has gone; most: the largest weight
    that the games of a question may have; first_fixed, second_fixed: whether it is the baseline, which has won half
    of any question.
    """

    value: FloatArray
    error: FloatArray
    questions: IntArray
    differing: IntArray
    first_score: FloatArray
    second_score: FloatArray
    first_games: FloatArray
    second_games: FloatArray
    room_below: FloatArray
    room_above: FloatArray
    most: float
    first_fixed: BoolArray
    second_fixed: BoolArray


def influences(won: FloatArray, games: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Win rates [k] in percent and influences [k, q] of weighted wins and games [k, q]; NaN and 0 without a game."""
    total = games.sum(axis=1, keepdims=True)
    known = np.where(total > 0, total, np.nan)
    share = won.sum(axis=1, keepdims=True) / known
    return 100.0 * share[:, 0], np.nan_to_num(100.0 * (won - share * games) / known)


def pairs_of(
    first: tuple[FloatArray, FloatArray],
    second: tuple[FloatArray, FloatArray],
    most: float,
    fixed: Any = (False, False),
) -> Pairs:
    """Pairs from the weighted wins and games [k, q] of both, 0 where neither counts.

    fixed: of both, whether they are the baseline.
    """
    (own, own_games), (others, their_games) = first, second
    n = np.asarray(((own_games > 0) | (their_games > 0)).sum(axis=1))
    score, influence = influences(own, own_games)
    their_score, their_influence = influences(others, their_games)
    between, at_least = influence - their_influence, np.maximum(n, 1)
    games, theirs = own_games.sum(axis=1) / at_least, their_games.sum(axis=1) / at_least
    is_fixed, are_fixed = (np.full(n.shape, side) for side in fixed)
    error = np.where(n > 1, np.sqrt((between**2).sum(axis=1) * n / np.maximum(n - 1.0, 1.0)), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        ours = np.where(is_fixed, 0.0, most / (games * at_least))
        their = np.where(are_fixed, 0.0, most / (theirs * at_least))
        worst = score * ours + (100.0 - their_score) * their
        best = (100.0 - score) * ours + their_score * their
    differing = _differing(own, own_games, others, their_games)
    below, above = room(-between.min(axis=1, initial=0.0), worst), room(between.max(axis=1, initial=0.0), best)
    value = score - their_score
    return Pairs(
        value, error, n, differing, score, their_score, games, theirs, below, above, most, is_fixed, are_fixed
    )  # fmt: skip


def together(parts: Sequence[Pairs], order: IntArray) -> Pairs:
    """Several arrays of pairs as one, in this order [k]."""
    if not parts:
        nothing = np.zeros((0, 0))
        return pairs_of((nothing, nothing), (nothing, nothing), 1.0)
    arrays = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])[order]
        for field in fields(Pairs)
        if field.name != "most"
    }
    return Pairs(**arrays, most=parts[0].most)


def room(gone: FloatArray, way: FloatArray) -> FloatArray:
    """The share of a way that is left; all of it where there is none to go, or nothing has gone."""
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(way > NO_SPREAD, 1.0 - gone / way, 1.0)
    return np.where(gone < NO_SPREAD, 1.0, np.clip(left, 0.0, 1.0))


def _differing(own: FloatArray, own_games: FloatArray, others: FloatArray, their_games: FloatArray) -> IntArray:
    """On how many questions two models, [k, q] each, neither won the same share nor gained the same."""
    share = np.abs(own * their_games - others * own_games) > NO_SPREAD
    gain = np.abs((own - own_games / 2) - (others - their_games / 2)) > NO_SPREAD
    return np.asarray((share | gain).sum(axis=1))


def p_values(pairs: Pairs) -> FloatArray:
    """Two-sided p-values [k], NaN without a common question."""
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        without_spread = np.where(np.abs(pairs.value) > NO_SPREAD, np.inf, 0.0)
        statistic = np.where(pairs.error > NO_SPREAD, np.abs(pairs.value) / pairs.error, without_spread)
    student = 2.0 * stdtr(np.maximum(pairs.questions - 1.0, 1.0), -statistic)
    return np.where(pairs.questions > 0, np.maximum(student, _sign_p_values(pairs)), np.nan)


def _sign_p_values(pairs: Pairs) -> FloatArray:
    """The least p-values [k] of a sign test."""
    return np.minimum(1.0, 2.0 * 0.5**pairs.differing)


def ends(pairs: Pairs, p: FloatArray, tail: float) -> tuple[FloatArray, FloatArray]:
    """Both ends [k] of the intervals, within ±100; p: their p-values; tail: the error of one side, (1 − level)/2."""
    from scipy.special import stdtrit

    n = pairs.questions
    reach = pairs.error * -stdtrit(np.maximum(n - 1.0, 1.0), tail)
    share = share_beyond(n, tail)
    low, high = _with_share(pairs, share * pairs.room_below, share * pairs.room_above)
    lower, upper = np.minimum(pairs.value - reach, low), np.maximum(pairs.value + reach, high)
    is_sure = p < 2.0 * tail
    lower = np.where(is_sure & (pairs.value > 0), np.maximum(lower, BESIDE_ZERO), lower)
    upper = np.where(is_sure & (pairs.value < 0), np.minimum(upper, -BESIDE_ZERO), upper)
    lower, upper = np.where(is_sure, lower, np.minimum(lower, 0.0)), np.where(is_sure, upper, np.maximum(upper, 0.0))
    most = np.where(pairs.first_fixed | pairs.second_fixed, 50.0, 100.0)  # the baseline has won half of any question
    return np.maximum(lower, -most), np.minimum(upper, most)


def score_with_ends(won: FloatArray, games: FloatArray, most: float, tail: float) -> tuple[float, float, float]:
    """A win rate in percent and its ends, from the weighted wins and games of each question [q] (0: not judged).

    The ends are NaN with fewer than two questions.
    """
    half = np.where(games > 0, 0.5, 0.0)
    pair = pairs_of((won[None], games[None]), (half[None], 2.0 * half[None]), most, (False, True))
    value = 50.0 + float(pair.value[0])
    if pair.questions[0] < 2:
        return value, float("nan"), float("nan")
    lower, upper = ends(pair, p_values(pair), tail)
    return value, 50.0 + float(lower[0]), 50.0 + float(upper[0])


def _with_share(pairs: Pairs, below: FloatArray, above: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The lowest and the highest difference [k] with these shares of the worst, and of the best, questions."""
    first, second = pairs.first_score / 100.0, pairs.second_score / 100.0

    def side(score: FloatArray, games: FloatArray, fixed: BoolArray, share: FloatArray) -> tuple[Any, Any]:
        return with_unseen(score, games, pairs.most, np.where(fixed, 0.0, share))

    lowest = side(first, pairs.first_games, pairs.first_fixed, below)[0]
    their_highest = side(second, pairs.second_games, pairs.second_fixed, below)[1]
    highest = side(first, pairs.first_games, pairs.first_fixed, above)[1]
    their_lowest = side(second, pairs.second_games, pairs.second_fixed, above)[0]
    return 100.0 * (lowest - their_highest), 100.0 * (highest - their_lowest)
