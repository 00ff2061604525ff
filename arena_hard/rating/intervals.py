"""Confidence intervals of ratings, by four rules, and what can be said where none of them holds.

rows: the original's bootstrap. It treats the copies of a strong verdict and the two games of a question
as independent and so is too narrow; published tables use it. questions: the bootstrap of whole
questions. sandwich: the closed form of the latter, H⁻¹ (Σ g gᵀ) H⁻¹ with the score g of each question
(Liang & Zeger, Biometrika 73 (1986) 13), on the scale of log-odds. v2.0: the bootstrap of Arena-Hard v2.0, as too
narrow as that of rows: each model's own rows are drawn, and its tables have 90% intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from arena_hard.rating import bootstrap, ratings, separation
from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray, weight_sums
from arena_hard.rating.battles import Battles, Cells
from arena_hard.rating.sandwich import questions_of_models, standard_errors
from arena_hard.rating.unseen import room_of_questions, unseen_share, with_unseen

KINDS = ("rows", "questions", "sandwich", "v2.0")
_DRAWS = {"rows": bootstrap.row_counts, "questions": bootstrap.question_counts, "v2.0": bootstrap.model_counts}
BY_ROWS = ("rows", "v2.0")  # the copies of a strong verdict and the games of a question are taken for independent
_FLAT = 1e-6  # rating points: no width but that of rounding


@dataclass(frozen=True)
class Fit:
    """A fit with its intervals, on the rating scale; arrays are [p].

    questions: with how many questions each model has a battle; ratio: how much wider than the rule of
    rows the clustered standard error is (median over models; NaN where there is none).
    monte_carlo: how far, in points of the win rate, an end of an interval would move with other random
    numbers (median; None for a rule without any). rounds: [rounds, p] or None. clustered: the clustered
    standard errors in rating points. flat: whose games have no spread, so that their ends are bounds; alike: whose
    expected outcomes have so little that an end is; None where nobody's. graph: who beat whom, where some rating is
    infinite.
    """

    models: list[str]
    anchor: int
    ratings: FloatArray
    lower: FloatArray
    upper: FloatArray
    questions: IntArray
    ratio: float
    monte_carlo: float | None
    rounds: FloatArray | None
    clustered: FloatArray
    flat: BoolArray | None = None
    alike: BoolArray | None = None
    graph: separation.Graph | None = None


@dataclass(frozen=True)
class Rule:
    """How intervals are computed: one of KINDS, level in (0, 1), rounds and seed of a bootstrap."""

    kind: str = "rows"
    level: float = 0.95
    rounds: int = 100
    seed: int = 42
    compat_unanchored: bool = False


def fit_with_intervals(
    battles: Battles,
    cells: Cells,
    anchor: int,
    rule: Rule,
    rounds: FloatArray | None = None,
    progress: Callable[[Iterable[FloatArray], int], Iterable[FloatArray]] = lambda counts, _: counts,
) -> Fit:
    """Ratings and intervals of all models. `rounds` [rounds, p] may be given, from a cache.

    `progress` wraps the rounds as they are drawn. Where the rule says nothing, the ends are those of `with_bounds`.
    """
    point = ratings.fit(cells, cells.counts(battles), anchor)
    questions = questions_of_models(battles)
    clustered, by_rows = standard_errors(battles, cells, point, anchor, questions)
    if rule.kind == "sandwich":
        reach = _reach(clustered, questions, rule.level)
        lower, upper, error = point - reach, point + reach, None
    else:
        if rounds is None:
            counts = _DRAWS[rule.kind](battles, cells, rule.rounds, rule.seed)
            rounds = bootstrap.rounds_of_ratings(cells, progress(counts, rule.rounds), anchor, point)
        lower, upper = percentile_ends(rounds, rule, anchor)
        error = monte_carlo_error(point, by_rows if rule.kind in BY_ROWS else clustered, len(rounds), rule.level)
    ratio = _median(clustered / np.where(by_rows > 0, by_rows, np.nan))
    found = Fit(battles.models, anchor, point, lower, upper, questions, ratio, error, rounds, clustered)
    return with_bounds(found, battles, cells, rule)


def _reach(errors: FloatArray, questions: IntArray, level: float) -> FloatArray:
    """Half the width [p], each model's with the degrees of freedom of its own questions; 0 where the error is."""
    factor = t_quantile(level, questions - 1)
    return np.multiply(errors, factor, out=errors.copy(), where=errors > 0)


def percentile_ends(rounds: FloatArray, rule: Rule, anchor: int) -> tuple[FloatArray, FloatArray]:
    """Lower and upper ends [p] on the rating scale, relative to the anchor's 1000."""
    if rule.compat_unanchored:
        rounds = bootstrap.unanchored(rounds)
    tail = (1.0 - rule.level) / 2.0
    ends = bootstrap.quantiles(rounds, tail), bootstrap.quantiles(rounds, 1.0 - tail)
    return ends[0] + ratings.ANCHOR_RATING - ends[0][anchor], ends[1] + ratings.ANCHOR_RATING - ends[1][anchor]


def with_bounds(found: Fit, battles: Battles, cells: Cells, rule: Rule) -> Fit:
    """The fit with ends where the rule cannot give any: no finite rating, no spread of questions, a single question."""
    point, lower, upper, graph = found.ratings, found.lower, found.upper, None
    above, below = np.isposinf(point), np.isneginf(point)
    if above.any() or below.any():
        graph = separation.graph_of(battles, ratings.win_matrix(cells, cells.counts(battles)))
        bounds = separation.separation_bounds(graph, point, found.anchor, rule.level, battles.most_rows())
        lower, upper = np.where(above, bounds, lower), np.where(above, np.inf, upper)
        lower, upper = np.where(below, -np.inf, lower), np.where(below, bounds, upper)
    others = np.isfinite(point) & (np.arange(len(point)) != found.anchor)
    with np.errstate(invalid="ignore"):  # both ends may be infinite where most rounds are
        flat = others & (found.questions > 1) & (upper - lower < _FLAT)
    if flat.any():
        low, high = _unseen_ends(battles, point, found.questions, rule.level)
        lower, upper = np.where(flat, low, lower), np.where(flat, high, upper)
    alike = None
    if battles.game is not None:
        lower, upper, alike = _with_room(found, lower, upper, battles, rule.level)
    if rule.kind not in BY_ROWS:
        single = others & (found.questions == 1)
        lower, upper = np.where(single, -np.inf, lower), np.where(single, np.inf, upper)
    return replace(found, lower=lower, upper=upper, flat=_if_any(flat), alike=_if_any(alike), graph=graph)


def without_ends(found: Fit, models: Collection[str]) -> Fit:
    """The fit with unknown ends for models of which the games say nothing."""
    unknown = np.array([name in models for name in found.models], dtype=bool)
    ends = (np.where(unknown, np.nan, end) for end in (found.lower, found.upper))
    bounded = (None if mask is None else _if_any(mask & ~unknown) for mask in (found.flat, found.alike))
    return replace(found, lower=next(ends), upper=next(ends), flat=next(bounded), alike=next(bounded))


def _unseen_ends(
    battles: Battles,
    point: FloatArray,
    questions: IntArray,
    level: float,
    room: Sequence[FloatArray | float] = (1.0, 1.0),
) -> tuple[FloatArray, FloatArray]:
    """Ends [p] on the rating scale that leave room for questions of which none was met.

    room: how much of the share of such questions may be lost, and may be won.
    """
    p = len(point)
    rows = weight_sums(battles.model_a, battles.rows, p) + weight_sums(battles.model_b, battles.rows, p)
    share, unseen = ratings.win_rate(point) / 100.0, unseen_share(questions, level)
    per_question, most = rows / np.maximum(questions, 1), battles.most_rows()
    low = with_unseen(share, per_question, most, unseen * room[0])[0]
    high = with_unseen(share, per_question, most, unseen * room[1])[1]
    with np.errstate(divide="ignore"):
        ends = [ratings.ANCHOR_RATING + 400.0 * np.log10(end / (1.0 - end)) for end in (low, high)]
    return ends[0], ends[1]


def _with_room(
    found: Fit, lower: FloatArray, upper: FloatArray, battles: Battles, level: float
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """The ends [p] with room for unseen questions where outcomes are expected ones, and whether that changed them.

    Expected outcomes are seldom 0 or 1: where a judge is nearly sure of each, all questions are nearly alike, and their
    spread says no more of others than that of questions that were all won. model_a is the baseline.
    """
    p, n = len(found.ratings), battles.n_questions
    place = battles.model_b.astype(np.int64) * n + battles.question
    won, games = (
        weight_sums(place, rows, p * n).reshape(p, n) for rows in (battles.rows * battles.winner / 2.0, battles.rows)
    )
    uncertain = np.bincount(battles.model_b, battles.rows != np.rint(battles.rows), p) > 0
    known = uncertain & (found.questions > 1) & np.isfinite(found.ratings)
    room = room_of_questions(won, games, ratings.win_rate(found.ratings) / 100.0)
    low, high = _unseen_ends(battles, found.ratings, found.questions, level, room)
    low, high = np.where(known, low, lower), np.where(known, high, upper)
    return np.fmin(low, lower), np.fmax(high, upper), (low < lower) | (high > upper)


# ---------------------------------------------------------------------------------------- quantiles


def t_quantile(level: float, freedom: IntArray) -> FloatArray:
    """Student's t for P(|T| < t) = level, for each number of degrees of freedom; infinite without any."""
    from scipy.special import stdtrit

    return np.where(freedom < 1, np.inf, stdtrit(np.maximum(freedom, 1), (1.0 + level) / 2.0))


def monte_carlo_error(point: FloatArray, errors: FloatArray, rounds: int, level: float) -> float:
    """Spread, in points of the win rate, of an interval's end due to the number of rounds.

    The standard error of a sample quantile, √(q(1−q)/B) / f(q), with the normal density that has the
    standard error of the rating; the median over the models that have one.
    """
    from statistics import NormalDist

    tail = (1.0 - level) / 2.0
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    density = math.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi)
    share = ratings.win_rate(point) / 100.0
    points = 100.0 * share * (1.0 - share) * errors / ratings.SCALE
    return _median(np.where(points > 0, points, np.nan)) * math.sqrt(tail * (1.0 - tail) / rounds) / density


def _if_any(mask: BoolArray | None) -> BoolArray | None:
    return mask if mask is not None and mask.any() else None


def _median(values: FloatArray) -> float:
    values = np.sort(values[np.isfinite(values)])  # np.median loads half of numpy for masked arrays
    half = len(values) // 2
    return float(values[(len(values) - 1) // 2 : half + 1].mean()) if len(values) else float("nan")
