"""Who is really better: paired differences of win rates on the same questions, ranks, and planning.

A model's win rate is a ratio, weighted wins over weighted games. A question's *influence* on it is
100·Σ w(y − score)/Σ w over the question's games: influences sum to zero, and sums of their squares give
the variance clustered by question (linearisation of a ratio; Cochran, Sampling Techniques, ch. 6). Influences
of two models subtract question by question, which is what makes a difference sharper than two intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from arena_hard.data.name_lists import shortened
from arena_hard.data.records import UserError
from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray, weight_sums
from arena_hard.rating.games import GameTable
from arena_hard.rating.judge_stats import TIE, grades


@dataclass(frozen=True)
class Influences:
    """Win rates in percent against the baseline, and what each question adds to them.

    models: names; score: [p]; value: [p, q] influence in points, 0 where a question was not judged;
    judged: [p, q] whether it was. Only questions that somebody was judged on.
    """

    models: tuple[str, ...]
    score: FloatArray
    value: FloatArray
    judged: BoolArray


@dataclass(frozen=True)
class Difference:
    """model's win rate minus other's, in points, with its clustered error, interval and p-values.

    sigma: spread of the per-question differences (error·√questions); corrected: p-value after Holm's method.
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


@dataclass(frozen=True)
class RankInterval:
    """A model's rank (1 is best) and the ranks that the data do not exclude."""

    model: str
    rank: int
    best: int
    worst: int


@dataclass(frozen=True)
class Plan:
    """How many questions it takes to see a difference of `delta` points, and what can be seen today.

    needed: questions; sigma: the median spread it was computed from; visible: the smallest difference that
    the questions there are show with this power.
    """

    delta: float
    needed: int
    sigma: float
    questions: int
    visible: float
    level: float
    power: float


def influences(table: GameTable, weight: float = 3, first_game_only: bool = False) -> Influences:
    """Scores and influences of the models that have a readable verdict; a strong one counts `weight` times."""
    grade = grades(table)
    used = (grade >= 0) & ((table.game == 0) | (not first_game_only))
    grade, model, question = grade[used], table.model[used], table.question[used]
    shape = len(table.models), len(table.questions)
    rows = np.where(np.abs(grade - TIE) == TIE, float(weight), 1.0)
    place = model.astype(np.int64) * shape[1] + question
    won, games = (
        weight_sums(place, values, shape[0] * shape[1]).reshape(shape)
        for values in (rows * (1 + np.sign(grade - TIE)) / 2.0, rows)
    )
    there = games.sum(axis=1) > 0
    won, games = won[np.ix_(there, games.any(axis=0))], games[np.ix_(there, games.any(axis=0))]
    share = won.sum(axis=1) / games.sum(axis=1)
    value = 100.0 * (won - share[:, None] * games) / games.sum(axis=1, keepdims=True)
    names = tuple(name for name, known in zip(table.models, there) if known)
    return Influences(names, 100.0 * share, value, games > 0)


def differences(found: Influences, models: Sequence[str] | None = None, level: float = 0.95) -> tuple[Difference, ...]:
    """All pairs of the named models (of all, if none are named), the better one first, best pairs on top.

    Intervals and p-values are Student's t with questions − 1 degrees of freedom; `corrected` is Holm's
    (Scand. J. Stat. 6 (1979) 65) over these pairs. Raises UserError for a model without readable verdicts.
    """
    chosen = _chosen(found, models)
    order = sorted(chosen, key=lambda m: (-found.score[m], found.models[m]))
    pairs = [(a, b) for place, a in enumerate(order) for b in order[place + 1 :]]
    value, error, questions = _paired(found, np.array(pairs, dtype=int).reshape(-1, 2))
    p_values = _p_values(value, error, questions)
    corrected, reach = holm(p_values), _reach(error, questions, level)
    return tuple(
        Difference(
            model=found.models[a],
            other=found.models[b],
            value=float(value[k]),
            error=float(error[k]),
            lower=float(max(value[k] - reach[k], -100.0)),
            upper=float(min(value[k] + reach[k], 100.0)),
            p_value=float(p_values[k]),
            corrected=float(corrected[k]),
            sigma=float(error[k] * math.sqrt(questions[k])),
            questions=int(questions[k]),
        )
        for k, (a, b) in enumerate(pairs)
    )


def _chosen(found: Influences, models: Sequence[str] | None) -> list[int]:
    if models is None:
        return list(range(len(found.models)))
    unknown = [model for model in models if model not in found.models]
    if unknown:
        raise UserError(f"{unknown[0]} has no readable verdict. Models that have: {shortened(found.models)}.")
    if len(set(models)) < 2:
        raise UserError("A comparison takes two or more different models.")
    return [found.models.index(model) for model in dict.fromkeys(models)]


def _paired(found: Influences, pairs: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Difference, clustered error and number of questions of each pair, arrays [k] for pairs [k, 2].

    One question tells nothing of the spread: its error is infinite.
    """
    first, second = pairs.T
    value = found.score[first] - found.score[second]
    squares = np.array([((found.value[a] - found.value[b]) ** 2).sum() for a, b in pairs])
    questions = np.array([(found.judged[a] | found.judged[b]).sum() for a, b in pairs], dtype=float)
    with np.errstate(divide="ignore"):
        error = np.where(questions > 1, np.sqrt(squares * questions / np.maximum(questions - 1.0, 1.0)), np.inf)
    return value, error, questions


def _p_values(value: FloatArray, error: FloatArray, questions: FloatArray) -> FloatArray:
    """Two-sided p-values [k]. Without any spread a difference is certain, and no difference is none."""
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(error > 0, np.abs(value) / error, np.where(value == 0, 0.0, np.inf))
    return 2.0 * stdtr(np.maximum(questions - 1.0, 1.0), -statistic)


def _reach(error: FloatArray, questions: FloatArray, level: float) -> FloatArray:
    from scipy.special import stdtrit

    return error * stdtrit(np.maximum(questions - 1.0, 1.0), (1.0 + level) / 2.0)


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's corrected p-values [k]: with them, the chance of any false difference keeps to the level."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.minimum(1.0, p_values[order] * (len(p_values) - np.arange(len(p_values))))
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(stepped)
    return corrected


def rank_intervals(found: Influences, level: float = 0.95) -> tuple[RankInterval, ...]:
    """The ranks that no corrected paired test excludes, in the order of `found.models`.

    All pairs are tested two-sided and corrected by Holm's method. A model's best rank is 1 + the number of
    models that are significantly better, its worst p − the number that are significantly worse. With
    probability `level` no direction among all the pairs is wrong, and then all true ranks lie in their
    intervals at once (Mogstad, Romano, Shaikh & Wilhelm, Rev. Econ. Stud. 91 (2024) 476, with Holm's steps
    in place of their bootstrap).
    """
    p = len(found.models)
    pairs = np.argwhere(np.triu(np.ones((p, p), dtype=bool), 1))
    value, error, questions = _paired(found, pairs)
    sure = holm(_p_values(value, error, questions)) <= 1.0 - level
    better = np.where(value > 0, pairs[:, 0], pairs[:, 1])[sure]
    worse = np.where(value > 0, pairs[:, 1], pairs[:, 0])[sure]
    above, below = np.bincount(worse, minlength=p), np.bincount(better, minlength=p)
    rank = 1 + (found.score[None, :] > found.score[:, None]).sum(axis=1)
    return tuple(RankInterval(found.models[m], int(rank[m]), int(1 + above[m]), int(p - below[m])) for m in range(p))


def needed_questions(delta: float, sigma: float, level: float = 0.95, power: float = 0.8) -> int:
    """Questions for a two-sided test at `level` to see `delta` points with `power`: ((z₁ + z₂)·σ/δ)²."""
    return math.ceil((_quantiles(level, power) * sigma / delta) ** 2)


def _quantiles(level: float, power: float) -> float:
    return NormalDist().inv_cdf((1.0 + level) / 2.0) + NormalDist().inv_cdf(power)


def plan(found: Influences, delta: float, level: float = 0.95, power: float = 0.8) -> Plan:
    """How many questions would show a difference of `delta` points, from the median paired spread.

    Raises UserError for a delta that is no positive number up to 100, and without two models to learn from.
    """
    if not 0.0 < delta <= 100.0:
        raise UserError(f"--plan {delta:g}: the difference must be above 0 and at most 100 points of win rate.")
    sigmas = [one.sigma for one in differences(found) if math.isfinite(one.sigma)]
    if not sigmas:
        raise UserError("--plan learns the spread from pairs of models: it takes two models with two questions.")
    sigma, questions = float(np.median(sigmas)), found.value.shape[1]
    visible = _quantiles(level, power) * sigma / math.sqrt(questions)
    return Plan(delta, max(1, needed_questions(delta, sigma, level, power)), sigma, questions, visible, level, power)
