"""Where a model is better or worse than its overall score says: its win rate in each group of questions.

Groups are the clusters or categories of a bench. The deviation of a group is the model's win rate on its questions
minus that on all, both as the score has them; group_rule.py says how sure it is, Holm's method corrects it for the
number of groups. Of many small groups the furthest is so by luck. So groups are in the order of an estimate that
draws each deviation to 0, by as much as its questions' spread explains (a random-effects model; the variance between
groups by the method of moments: Searle, Casella & McCulloch, Variance Components, ch. 3).

What the other models do in a group, each beside its own overall score, tells whether it is the model or the group:
that a baseline is strong there shows in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from arena_hard.rating import group_rule
from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray
from arena_hard.rating.group_rule import Groups
from arena_hard.rating.outcomes import Outcomes
from arena_hard.rating.paired import holm


@dataclass(frozen=True)
class Group:
    """What a model does in one group of questions, in percent and points.

    value: score minus the model's overall score, with its interval and p-values; corrected: after Holm's method;
    estimate: value drawn to 0 by what chance explains, NaN where no group has two questions; others: the mean of the
    other models' own deviations on these questions, NaN without any.
    """

    name: str
    questions: int
    score: float
    value: float
    lower: float
    upper: float
    p_value: float
    corrected: float
    estimate: float
    others: float


@dataclass(frozen=True)
class Breakdown:
    """A model by groups, the most surprising first: the largest estimate; where all are 0, the unlikeliest by chance.

    by: what the groups are; score: on all questions; p_value: of the question whether the groups differ at all;
    spread: the standard deviation of their true win rates in points, as estimated, NaN where that is not possible;
    ungrouped: how many questions are in no group, which count among the others of each.
    """

    model: str
    by: str
    score: float
    questions: int
    groups: tuple[Group, ...]
    p_value: float
    spread: float
    ungrouped: int
    others: int
    level: float

    @property
    def told(self) -> tuple[Group, ...]:
        """The groups that differ from the overall score, after correction."""
        return tuple(group for group in self.groups if group.corrected <= 1.0 - self.level)

    @property
    def is_one(self) -> bool:
        """Whether there is nothing to compare."""
        return len(self.groups) < 2


def breakdown(
    found: Outcomes, model: str, by: str, group_of: Mapping[str, str], level: float = 0.95, seed: int = 42
) -> Breakdown:
    """A model with readable verdicts by the groups of its questions, which may lack some (or say "").

    seed: of the shuffles. Raises ValueError for a model without any.
    """
    place = found.models.index(model)
    judged = np.flatnonzero(found.judged[place])
    names, code = _coded([group_of.get(found.questions[q], "") for q in judged.tolist()])
    own = found.won[place, judged], found.games[place, judged]
    order = np.lexsort((*own, np.where(code < 0, len(names), code)))  # by values: shuffles know no order of questions
    judged, code = judged[order], code[order]
    groups = Groups(found.won[place, judged], found.games[place, judged], code, found.most)
    sizes = groups.sizes
    against = group_rule.against_others(groups)
    p = group_rule.p_values(groups, against, seed) if names else group_rule.PValues(np.zeros(0), 1.0)
    lower, upper = group_rule.ends(groups, against, p.of_groups, level)
    corrected, value = _corrected(p.of_groups, sizes, level), 100.0 * against.part * against.gap
    shrunken, spread = _shrunken(groups, value)
    others = _others(found, found.judged.any(axis=1) & (np.arange(len(found.models)) != place), judged, sizes)
    columns = (100.0 * against.score, value, lower, upper, p.of_groups, corrected, shrunken, others)
    values: list[list[float]] = np.column_stack(columns).tolist()
    rows = [Group(name, int(n), *row) for name, n, row in zip(names, sizes.tolist(), values)]
    unlikely = np.abs(groups.sums(groups.excess)) / np.sqrt(np.maximum(sizes, 1))
    surprise = np.lexsort((-unlikely.round(9), -np.nan_to_num(np.abs(shrunken)).round(9)))
    return Breakdown(
        model,
        by,
        100.0 * groups.overall,
        len(judged),
        tuple(rows[int(k)] for k in surprise),
        p.overall,
        spread,
        int((code < 0).sum()),
        len(found.models) - 1,
        level,
    )


def _coded(names: list[str]) -> tuple[list[str], IntArray]:
    """The groups in the order of their names, and [q] the place of each question's, −1 without one."""
    known = sorted(set(names) - {""})
    places = {name: place for place, name in enumerate(known)} | {"": -1}
    return known, np.array([places[name] for name in names], dtype=np.int64)


def _corrected(p: FloatArray, sizes: IntArray, level: float) -> FloatArray:
    """Holm's p-values [k]; groups of so few questions that they can never be significant are no tests."""
    corrected, tested = np.ones(len(p)), group_rule.least_p_values(sizes) <= 1.0 - level
    corrected[tested] = holm(p[tested])
    return corrected


def least_questions(level: float) -> int:
    """How many questions a group needs so that it can be significant at all."""
    return int((group_rule.least_p_values(np.arange(1, 1100)) > 1.0 - level).sum()) + 1


def _shrunken(groups: Groups, value: FloatArray) -> tuple[FloatArray, float]:
    """Deviations [k] drawn to 0, and the spread of the true ones in points; NaN where chance cannot be told."""
    inside, sizes = groups.code >= 0, groups.sizes
    points = 100.0 * groups.excess / groups.games.mean()
    total, number = int(sizes.sum()), len(sizes)
    if number < 2 or total == number:
        return np.full(number, np.nan), float("nan")
    means = groups.sums(points) / sizes
    within = float(((points - means[groups.code])[inside] ** 2).sum() / (total - number))
    middle = float(points[inside].mean())
    between = float((sizes * (means - middle) ** 2).sum() / (number - 1))
    mean_size = (total - float((sizes.astype(float) ** 2).sum()) / total) / (number - 1)
    variance = max(0.0, (between - within) / mean_size)
    kept = variance / (variance + within / sizes) if variance > 0.0 else np.zeros(number)
    return value * kept, float(np.sqrt(variance))


def _others(found: Outcomes, others: BoolArray, judged: IntArray, sizes: IntArray) -> FloatArray:
    """[k] the mean of the other models' deviations, on those of the questions [q] that they were judged on, too.

    judged: the questions of the groups one after the other, then those in none.
    """
    number = len(sizes)
    if number == 0 or not others.any():
        return np.full(number, np.nan)
    won, games = found.won[others][:, judged], found.games[others][:, judged]
    starts, within = np.concatenate([[0], np.cumsum(sizes)])[:number], int(sizes.sum())
    sums = [np.add.reduceat(values[:, :within], starts, axis=1) for values in (won, games)]
    with np.errstate(invalid="ignore"):
        deviation = 100.0 * (sums[0] / sums[1] - won.sum(axis=1, keepdims=True) / games.sum(axis=1, keepdims=True))
        there = ~np.isnan(deviation)
        return np.nan_to_num(deviation).sum(axis=0) / there.sum(axis=0)
