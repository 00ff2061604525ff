"""Can this judge be trusted? What each model's games came to, and how the judge agrees with itself and others.

Verdicts are turned so that all of them speak about the model: a *grade* is 0 for a strong loss of the model,
1 loss, 2 tie, 3 win, 4 strong win, and −1 where no verdict was read. Nothing here is ever NaN: what cannot
be computed (a judge that never differs, only first games) is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from arena_hard.data.verdicts import LABELS
from arena_hard.rating import pair_rule
from arena_hard.rating.arrays import FloatArray, IntArray, occurring, weight_sums
from arena_hard.rating.game_rows import rows_of, won_and_all
from arena_hard.rating.games import GameTable, select
from arena_hard.rating.pair_rule import Pairs

GRADES = ("strong loss", "loss", "tie", "win", "strong win")
N_GRADES = len(GRADES)
TIE = 2


@dataclass(frozen=True)
class ModelCounts:
    """What a model's games came to.

    one_sided: questions with a readable verdict in only one of the two games;
    same_position: questions in which the judge preferred the same position in both games.
    """

    model: str
    games: int
    strong_wins: int
    slight_wins: int
    ties: int
    slight_losses: int
    strong_losses: int
    nulls: int
    one_sided: int
    same_position: int


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and interval."""

    value: float
    error: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Agreement:
    """How two series of grades agree: chance-corrected coefficients beside plain shares.

    units: what both graded; same_sign: share with the same winner; same_grade: share with the same grade;
    kappa: Cohen's, quadratic weights; alpha: Krippendorff's, ordinal. None where undefined.
    """

    units: int
    same_sign: float | None
    same_grade: float | None
    kappa: float | None
    alpha: float | None


@dataclass(frozen=True)
class JudgeReport:
    """One judge. position_bias: win rate in the first place minus the second, in points; None without both
    games. table: [5, 5] counts, game 1's grade down and game 2's across. consistency: game 1 against 2."""

    judge: str
    games: int
    nulls: int
    ties: int
    strong: int
    position_bias: Estimate | None
    table: IntArray
    consistency: Agreement


@dataclass(frozen=True)
class PairAgreement:
    """Two judges on the games that both graded."""

    judge: str
    other: str
    agreement: Agreement


@dataclass(frozen=True)
class EnsembleAgreement:
    """Several judges on the same games; `alpha` is over all of them at once."""

    pairs: tuple[PairAgreement, ...]
    alpha: float | None


@dataclass(frozen=True)
class ScoreChange:
    """A model's win rate in percent and rank (1 is best) under two rules."""

    model: str
    score: float
    other_score: float
    rank: int
    other_rank: int


@dataclass(frozen=True)
class RuleEffect:
    """What another rule does to the scores: mean and largest absolute change in points, and in ranks."""

    changes: tuple[ScoreChange, ...]
    mean_change: float
    largest_change: float
    largest_rank_change: int


def grades(table: GameTable) -> IntArray:
    """The model's grade in each game [n]: 0 (strong loss) to 4 (strong win), −1 without a verdict."""
    turned = np.where(table.game == 0, table.verdict, len(LABELS) - 1 - table.verdict)
    return np.where(table.verdict < 0, -1, turned).astype(np.int8)


def pairs_of_games(table: GameTable) -> IntArray:
    """Grades [m, 2] of game 1 and game 2 for each judge, model and question; −1 where there is none."""
    return _pairs(table)[0]


def _pairs(table: GameTable) -> tuple[IntArray, IntArray]:
    """The grades [m, 2] of each judgment, and its model's code [m]."""
    key = (table.judge.astype(np.int64) * len(table.models) + table.model) * len(table.questions) + table.question
    units, place = np.unique(key, return_inverse=True)
    both = np.full((len(units), 2), -1, dtype=np.int8)
    both[place, table.game] = grades(table)
    return both, units // len(table.questions) % len(table.models)


def model_counts(table: GameTable) -> tuple[ModelCounts, ...]:
    """One row for each model that has games, in the order of the table's names."""
    p = len(table.models)
    counted = np.zeros((p, N_GRADES + 1), dtype=np.int64)  # the last column holds the nulls (grade −1)
    np.add.at(counted, (table.model, grades(table)), 1)
    both, model = _pairs(table)
    sides = np.where(both < 0, 0, np.sign(both - TIE))
    one_sided = np.bincount(model[(both >= 0).sum(axis=1) == 1], minlength=p)
    same_position = np.bincount(model[sides[:, 0] * sides[:, 1] < 0], minlength=p)
    return tuple(
        ModelCounts(table.models[m], sum(row), row[4], row[3], row[2], row[1], row[0], row[5], one, same)
        for m, (row, one, same) in enumerate(zip(counted.tolist(), one_sided.tolist(), same_position.tolist()))
        if sum(row)
    )


# ----------------------------------------------------------------------------------------- one judge


def judge_reports(table: GameTable, level: float = 0.95) -> tuple[JudgeReport, ...]:
    """One report for each judge that has games."""
    there = occurring(table.judge)
    return tuple(_report(select(table, table.judge == code), table.judges[code], level) for code in there)


def _report(table: GameTable, judge: str, level: float) -> JudgeReport:
    grade, both = grades(table), pairs_of_games(table)
    return JudgeReport(
        judge=judge,
        games=len(table),
        nulls=int((grade < 0).sum()),
        ties=int((grade == TIE).sum()),
        strong=int(((grade == 0) | (grade == N_GRADES - 1)).sum()),
        position_bias=position_bias(table, level),
        table=contingency(both[:, 0], both[:, 1]),
        consistency=agreement(both[:, 0], both[:, 1]),
    )


def position_bias(table: GameTable, level: float = 0.95) -> Estimate | None:
    """Win rate of the answer shown first minus that of the one shown second, in points (−100 to 100).

    Both orders count the same, so that the models' strength cancels out. The interval is clustered by
    question, by the rule of paired differences (pair_rule.py). None unless both orders were played on two
    questions or more.
    """
    pair = preference(table)
    if pair is None:
        return None
    return estimate(pair, level)


def estimate(pair: Pairs, level: float) -> Estimate:
    """The difference of one pair [1], with its interval by the rule of paired differences."""
    lower, upper = pair_rule.ends(pair, pair_rule.p_values(pair), (1.0 - level) / 2.0)
    return Estimate(float(pair.value[0]), float(pair.error[0]), float(lower[0]), float(upper[0]))


def preference(table: GameTable) -> Pairs | None:
    """The first place's win rate in first games against the second place's in second games, as a pair.

    Both are of the baseline's answers, so that what they differ by is the place. None where unknown.
    """
    number = len(table.questions)
    sides: list[tuple[FloatArray, FloatArray]] = []
    for order in (0, 1):
        used = (table.verdict >= 0) & (table.game == order)
        won = 0.5 * (1.0 - np.sign(table.verdict[used].astype(float) - TIE))  # A is shown first
        games = np.bincount(table.question[used], minlength=number).astype(float)
        wins = weight_sums(table.question[used], won if order == 0 else 1.0 - won, number)
        sides.append((wins[None], games[None]))
    (_, games), (_, others) = sides
    if not games.any() or not others.any() or ((games > 0) | (others > 0)).sum() < 2:
        return None
    return pair_rule.pairs_of(sides[0], sides[1], float(max(games.max(), others.max())))


# ------------------------------------------------------------------------------------------ agreement


def contingency(first: IntArray, second: IntArray) -> IntArray:
    """Counts [5, 5] of grades [n] against grades [n]; units with a −1 are left out."""
    both = (first >= 0) & (second >= 0)
    code = first[both].astype(np.int64) * N_GRADES + second[both]
    return np.bincount(code, minlength=N_GRADES**2).reshape(N_GRADES, N_GRADES)


def agreement(first: IntArray, second: IntArray) -> Agreement:
    """How two series of grades [n] agree on the units that both graded."""
    table = contingency(first, second)
    units = int(table.sum())
    side = np.sign(np.arange(N_GRADES) - TIE)
    same_sign = float(table[side[:, None] == side[None, :]].sum() / units) if units else None
    same_grade = float(np.trace(table) / units) if units else None
    return Agreement(units, same_sign, same_grade, weighted_kappa(table), ordinal_alpha(table + table.T))


def weighted_kappa(table: IntArray) -> float | None:
    """Cohen's κ with quadratic weights from a table of counts [k, k] (Psychol. Bull. 70 (1968) 213).

    None where chance leaves nothing to disagree about.
    """
    kappa = float(weighted_kappas(table[None])[0])
    return None if np.isnan(kappa) else kappa


def weighted_kappas(tables: IntArray) -> FloatArray:
    """κ of each table [n, k, k], NaN where it is not defined."""
    grade = np.arange(int(tables.shape[-1]))
    distance = (grade[:, None] - grade[None, :]) ** 2
    rows, columns, units = (np.asarray(tables.sum(axis=axis), float) for axis in (2, 1, (1, 2)))
    by_chance = (rows @ distance * columns).sum(axis=1)
    apart = np.asarray((distance * tables).sum(axis=(1, 2)), float)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = 1.0 - apart * units / by_chance
    return np.where(by_chance > 0, kappa, np.nan)


def coincidences(ratings: IntArray) -> FloatArray:
    """Krippendorff's coincidence matrix [5, 5] of grades [units, raters]; −1 is a missing grade."""
    counts = np.stack([(ratings == grade).sum(axis=1) for grade in range(N_GRADES)], axis=1).astype(float)
    raters = counts.sum(axis=1)
    counts, raters = counts[raters > 1], raters[raters > 1]
    shared = counts / (raters - 1.0)[:, None]
    return counts.T @ shared - np.diag(shared.sum(axis=0))


def ordinal_alpha(coincidence: FloatArray | IntArray) -> float | None:
    """Krippendorff's α for ordered grades from a coincidence matrix [k, k] (Content Analysis, ch. 11).

    None where every grade is the same.
    """
    values = coincidence.sum(axis=1)
    middle = np.cumsum(values) - values / 2.0
    distance = (middle[:, None] - middle[None, :]) ** 2
    by_chance = (distance * np.outer(values, values)).sum()
    return float(1.0 - (values.sum() - 1.0) * (distance * coincidence).sum() / by_chance) if by_chance else None


def ensemble_agreement(table: GameTable) -> EnsembleAgreement:
    """How several judges agree on the same games (model, question and position order)."""
    key = (table.model.astype(np.int64) * len(table.questions) + table.question) * 2 + table.game
    units, place = np.unique(key, return_inverse=True)
    ratings = np.full((len(units), len(table.judges)), -1, dtype=np.int8)
    ratings[place, table.judge] = grades(table)
    pairs = tuple(
        PairAgreement(table.judges[i], table.judges[j], agreement(ratings[:, i], ratings[:, j]))
        for i, j in combinations(range(len(table.judges)), 2)
    )
    return EnsembleAgreement(pairs, ordinal_alpha(coincidences(ratings)))


# ---------------------------------------------------------------------------------- what a rule does


def weighted_scores(table: GameTable, weight: float = 3, first_game_only: bool = False) -> FloatArray:
    """Weighted win rates [p] in percent against the baseline, NaN for a model without a readable verdict."""
    used = (table.game == 0) | (not first_game_only)
    won, rows = (
        weight_sums(table.model[used], values[used], len(table.models))
        for values in won_and_all(rows_of(table, weight))
    )
    with np.errstate(invalid="ignore"):
        return 100.0 * won / rows


def effect_of_weight(table: GameTable, weight: float = 3, other: float = 1) -> RuleEffect:
    """Strong verdicts counted `weight` times against `other` times."""
    return _effect(table, weighted_scores(table, weight), weighted_scores(table, other))


def effect_of_first_game(table: GameTable, weight: float = 3) -> RuleEffect:
    """Both games against the first game only."""
    return _effect(table, weighted_scores(table, weight), weighted_scores(table, weight, first_game_only=True))


def _effect(table: GameTable, scores: FloatArray, others: FloatArray) -> RuleEffect:
    """Models without a score under one of the rules are left out."""
    there = np.flatnonzero(~np.isnan(scores) & ~np.isnan(others))
    score, other = scores[there], others[there]
    rank, other_rank = (1 + (values[None, :] > values[:, None]).sum(axis=1) for values in (score, other))
    changes = tuple(
        ScoreChange(table.models[int(m)], float(score[i]), float(other[i]), int(rank[i]), int(other_rank[i]))
        for i, m in enumerate(there)
    )
    moved = np.abs(other - score)
    largest_rank = int(np.abs(rank - other_rank).max(initial=0))
    return RuleEffect(changes, float(moved.mean()) if len(moved) else 0.0, float(moved.max(initial=0.0)), largest_rank)
