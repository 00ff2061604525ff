"""Who is really better: paired differences of win rates on common questions, and ranks.

Influences of two models (outcomes.py) subtract question by question, which is what makes a difference sharper than two
intervals. Two models are compared on the questions that both were judged on, and on no others: else the difference is
that of the questions, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from arena_hard.data.name_lists import shortened
from arena_hard.data.records import UserError
from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray
from arena_hard.rating.outcomes import Outcomes, influences
from arena_hard.rating.unseen import FEW, NO_SPREAD, unseen_share, with_unseen


@dataclass(frozen=True)
class Difference:
    """model's win rate minus other's, in points, on the questions that both were judged on, with its clustered
    error, interval and p-values.

    score, other_score: the win rates on these questions; sigma: spread of the per-question differences
    (error·√questions); corrected: p-value after Holm's method; model_questions, other_questions: on how many each
    was judged; unpaired: the difference of the win rates on all of them, which is not one of the models alone
    where the sets differ.
    """

    model: str
    other: str
    value: float
    error: float
    lower: float
    upper: float
    p_value: float
    corrected: float
    sigma: float
    questions: int
    score: float
    other_score: float
    model_questions: int
    other_questions: int
    unpaired: float

    @property
    def has_same_questions(self) -> bool:
        """Whether both models were judged on the same questions."""
        return self.questions == self.model_questions == self.other_questions

    def turned(self) -> Difference:
        """The same with the models in the other order."""
        return replace(
            self,
            model=self.other,
            other=self.model,
            value=-self.value,
            lower=-self.upper,
            upper=-self.lower,
            score=self.other_score,
            other_score=self.score,
            model_questions=self.other_questions,
            other_questions=self.model_questions,
            unpaired=-self.unpaired,
        )


@dataclass(frozen=True)
class RankInterval:
    """A model's rank by its win rate (1 is best) and the ranks that the data do not exclude."""

    model: str
    rank: int
    best: int
    worst: int


@dataclass(frozen=True)
class _Pairs:
    """Pairs of models on their common questions, arrays [k]; value and scores are NaN without any.

    value, error: the difference in points and its clustered error, infinite with one question, which tells nothing
    of the spread; questions: how many are common; differing: on how many of them the two did not do the same;
    first_games, second_games: the mean weight of a common question's games.
    """

    value: FloatArray
    error: FloatArray
    questions: IntArray
    differing: IntArray
    first_score: FloatArray
    second_score: FloatArray
    first_games: FloatArray
    second_games: FloatArray


def differences(found: Outcomes, models: Sequence[str] | None = None, level: float = 0.95) -> tuple[Difference, ...]:
    """All pairs of the named models (of all, if none are named), the better one first, best pairs on top.

    Pairs without a common question are left out. `corrected` is Holm's (Scand. J. Stat. 6 (1979) 65) over the
    others. Raises UserError for a model without readable verdicts.
    """
    score = found.score
    order = sorted(_chosen(found, models), key=lambda m: (-score[m], found.models[m]))
    pairs = np.array([(a, b) for place, a in enumerate(order) for b in order[place + 1 :]], dtype=int).reshape(-1, 2)
    paired = _paired(found, pairs)
    p_values = _p_values(paired)
    lower, upper = _ends(found, pairs, paired, level)
    number = _numbers(found, pairs, paired.questions)
    compared = paired.questions > 0
    corrected = np.full(len(pairs), np.nan)
    corrected[compared] = holm(p_values[compared])
    names: list[tuple[int, int]] = [(int(a), int(b)) for a, b in pairs]
    differences = (
        Difference(
            model=found.models[a],
            other=found.models[b],
            value=float(paired.value[k]),
            error=float(paired.error[k]),
            lower=float(lower[k]),
            upper=float(upper[k]),
            p_value=float(p_values[k]),
            corrected=float(corrected[k]),
            sigma=float(paired.error[k] * math.sqrt(paired.questions[k])),
            questions=int(paired.questions[k]),
            score=float(paired.first_score[k]),
            other_score=float(paired.second_score[k]),
            model_questions=int(number[k, 0]),
            other_questions=int(number[k, 1]),
            unpaired=float(score[a] - score[b]),
        )
        for k, (a, b) in enumerate(names)
        if paired.questions[k] > 0
    )
    return tuple(one.turned() if one.value < 0 else one for one in differences)


def without_common(found: Outcomes, models: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """The pairs of the named models (of all, if none are named) that have no question in common."""
    chosen, judged = _chosen(found, models), found.judged
    pairs = [(a, b) for place, a in enumerate(chosen) for b in chosen[place + 1 :]]
    return [(found.models[a], found.models[b]) for a, b in pairs if not (judged[a] & judged[b]).any()]


def _chosen(found: Outcomes, models: Sequence[str] | None) -> list[int]:
    if models is None:
        return list(range(len(found.models)))
    unknown = [model for model in models if model not in found.models]
    if unknown:
        raise UserError(f"{unknown[0]} has no readable verdict. Models that have: {shortened(found.models)}.")
    if len(set(models)) < 2:
        raise UserError("A comparison takes two or more different models.")
    return [found.models.index(model) for model in dict.fromkeys(models)]


def _paired(found: Outcomes, pairs: IntArray) -> _Pairs:
    """What the pairs [k, 2] come to on their common questions."""
    value, error, first_score, second_score, first_games, second_games = np.full((6, len(pairs)), np.nan)
    questions, differing = np.zeros((2, len(pairs)), dtype=int)
    for first in np.unique(pairs[:, 0]):
        k = np.flatnonzero(pairs[:, 0] == first)
        second = pairs[k, 1]
        both = found.judged[first] & found.judged[second]
        own, own_games = found.won[first] * both, found.games[first] * both
        others, their_games = found.won[second] * both, found.games[second] * both
        first_score[k], influence = influences(own, own_games)
        second_score[k], their_influence = influences(others, their_games)
        squares = ((influence - their_influence) ** 2).sum(axis=1)
        questions[k] = n = both.sum(axis=1)
        at_least = np.maximum(n, 1)
        first_games[k], second_games[k] = own_games.sum(axis=1) / at_least, their_games.sum(axis=1) / at_least
        error[k] = np.where(n > 1, np.sqrt(squares * n / np.maximum(n - 1.0, 1.0)), np.inf)
        value[k] = first_score[k] - second_score[k]
        differing[k] = _differing(own, own_games, others, their_games)
    return _Pairs(value, error, questions, differing, first_score, second_score, first_games, second_games)


def _numbers(found: Outcomes, pairs: IntArray, common: IntArray) -> IntArray:
    """On how many questions both models of the pairs were judged [k, 2]; the baseline is there in each game."""
    return np.where(_are_baseline(found)[pairs], common[:, None], found.judged.sum(axis=1)[pairs])


def _are_baseline(found: Outcomes) -> BoolArray:
    return np.array([name == found.baseline for name in found.models], dtype=bool)


def _differing(own: FloatArray, own_games: FloatArray, others: FloatArray, their_games: FloatArray) -> IntArray:
    """On how many questions two models, [k, q] each, neither won the same share nor gained the same."""
    share = np.abs(own * their_games - others * own_games) > NO_SPREAD
    gain = np.abs((own - own_games / 2) - (others - their_games / 2)) > NO_SPREAD
    return (share | gain).sum(axis=1)


def _p_values(paired: _Pairs) -> FloatArray:
    """Two-sided p-values [k] of Student's t with questions − 1 degrees of freedom, NaN without a common question.

    They are no smaller than the sign test's when all questions on which the two differ speak for the same model,
    2·½^differing: a few that are alike have no spread, and that is no certainty.
    """
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(paired.error > NO_SPREAD, np.abs(paired.value) / paired.error, np.inf)
    student = 2.0 * stdtr(np.maximum(paired.questions - 1.0, 1.0), -statistic)
    least = np.minimum(1.0, 2.0 * 0.5**paired.differing)
    return np.where(paired.questions > 0, np.maximum(student, least), np.nan)


def _ends(found: Outcomes, pairs: IntArray, paired: _Pairs, level: float) -> tuple[FloatArray, FloatArray]:
    """Both ends [k] of the intervals, of Student's t and within ±100.

    With few questions, and with differences that are all alike, they are wide enough for questions that were not met
    and of which each model may lose, and the other win, all games at their largest weight (unseen.py).
    """
    from scipy.special import stdtrit

    value, n = paired.value, paired.questions
    reach = paired.error * stdtrit(np.maximum(n - 1.0, 1.0), (1.0 + level) / 2.0)
    unseen = np.where((n <= FEW) | (paired.error < NO_SPREAD), unseen_share(n, level), 0.0)
    shares = [np.where(_are_baseline(found)[side], 0.0, unseen) for side in pairs.T]  # it is 50 on any question
    low, high = with_unseen(paired.first_score / 100.0, paired.first_games, found.most, shares[0])
    their_low, their_high = with_unseen(paired.second_score / 100.0, paired.second_games, found.most, shares[1])
    lower = np.minimum(value - reach, 100.0 * (low - their_high))
    upper = np.maximum(value + reach, 100.0 * (high - their_low))
    return np.maximum(lower, -100.0), np.minimum(upper, 100.0)


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's corrected p-values [k]: with them, the chance of any false difference keeps to the level."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.minimum(1.0, p_values[order] * (len(p_values) - np.arange(len(p_values))))
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(stepped)
    return corrected


def rank_intervals(found: Outcomes, level: float = 0.95) -> tuple[RankInterval, ...]:
    """The ranks that no corrected paired test excludes, in the order of `found.models`.

    All pairs with common questions are tested two-sided and corrected by Holm's method. A model's best rank is 1 +
    the number of models that are significantly better, its worst p − the number that are significantly worse. With
    probability `level` no direction among all the pairs is wrong, and then all true ranks lie in their
    intervals at once (Mogstad, Romano, Shaikh & Wilhelm, Rev. Econ. Stud. 91 (2024) 476, with Holm's steps
    in place of their bootstrap).
    """
    p, score = len(found.models), found.score
    pairs = np.argwhere(np.triu(np.ones((p, p), dtype=bool), 1))
    paired = _paired(found, pairs)
    compared = paired.questions > 0
    pairs, value = pairs[compared], paired.value[compared]
    sure = holm(_p_values(paired)[compared]) <= 1.0 - level
    better = np.where(value > 0, pairs[:, 0], pairs[:, 1])[sure]
    worse = np.where(value > 0, pairs[:, 1], pairs[:, 0])[sure]
    above, below = np.bincount(worse, minlength=p), np.bincount(better, minlength=p)
    rank = 1 + (score[None, :] > score[:, None]).sum(axis=1)
    return tuple(RankInterval(found.models[m], int(rank[m]), int(1 + above[m]), int(p - below[m])) for m in range(p))
