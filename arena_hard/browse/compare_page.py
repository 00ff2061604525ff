"""The page *Compare*: two models on all questions, and where they differ most."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from arena_hard.browse import game_selection, tables
from arena_hard.browse.address import View
from arena_hard.browse.games_page import label_of, short
from arena_hard.browse.index import BenchIndex
from arena_hard.data.settings import JudgeSettings
from arena_hard.rating import paired
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.games import select
from arena_hard.rating.paired import Difference

SHOWN = 100


class Row(NamedTuple):
    """A question on which both models have verdicts; points are 0 to 100, means over the readable games."""

    question: str
    words: str
    cluster: str
    points: tuple[float, float]
    verdicts: tuple[str, str]
    views: tuple[View, View]

    @property
    def gap(self) -> float:
        """How many points the first model is ahead."""
        return self.points[0] - self.points[1]


class Result(NamedTuple):
    """The paired difference of the two win rates, and on how many questions the first was better."""

    difference: Difference
    flipped: bool
    questions: int
    better: int
    equal: int
    worse: int

    @property
    def value(self) -> float:
        """How many points of win rate the first model is ahead."""
        return -self.difference.value if self.flipped else self.difference.value

    @property
    def ends(self) -> tuple[float, float]:
        """The interval of `value`."""
        lower, upper = self.difference.lower, self.difference.upper
        return (-upper, -lower) if self.flipped else (lower, upper)


def build(index: BenchIndex, view: View, settings: JudgeSettings | None) -> tuple[str, dict[str, Any]]:
    """Template and values of the page."""
    names = game_selection.rated_models(index, view.judge, settings)
    one = view.model if view.model in names else (names or [""])[0]
    rest = [name for name in names if name != one]
    other = view.other if view.other in rest else (rest or [""])[0]
    context: dict[str, Any] = {"title": "Compare", "names": names, "one": one, "other": other, "result": None}
    if not one or not other:
        return "compare.html", context | {"rows": []}
    rows = rows_of(index, view, one, other)
    rows.sort(key=lambda row: (-abs(row.gap), row.question))
    return "compare.html", context | {
        "rows": rows[:SHOWN],
        "total": sum(1 for question in index.questions if question),
        "result": result_of(index, view, settings, (one, other), rows),
    }


def points_of(index: BenchIndex, judge: str, model: str) -> FloatArray:
    """[question] points of a model, NaN without a readable verdict.

    A game counts 0, 25, 50, 75 or 100 from a strong loss to a strong win, so that the strength of verdicts
    shows; they are no win rates.
    """
    first, second = game_selection.verdict_codes(index, judge, [index.models.index(model)])
    one, two = game_selection.strengths(first[0], second[0])
    number = (first[0] >= 0).astype(int) + (second[0] >= 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 50.0 + 25.0 * (one + two) / np.where(number, number, np.nan)


def rows_of(index: BenchIndex, view: View, one: str, other: str) -> list[Row]:
    """Every question on which both models have a readable verdict."""
    points = [points_of(index, view.judge, model) for model in (one, other)]
    both = np.flatnonzero(~np.isnan(points[0]) & ~np.isnan(points[1]))
    base = View(tab="games", bench=view.bench, judge=view.judge)
    rows = []
    for code in both.tolist():
        question, name = index.questions[code], index.question_ids[code]
        rows.append(
            Row(
                question=name,
                words=short(question.turns[0], 110) if question else name,
                cluster=(question.cluster or question.category) if question else "",
                points=(float(points[0][code]), float(points[1][code])),
                verdicts=(verdicts(index, view.judge, one, code), verdicts(index, view.judge, other, code)),
                views=(base.but(model=one, question=name), base.but(model=other, question=name)),
            )
        )
    return rows


def verdicts(index: BenchIndex, judge: str, model: str, question: int) -> str:
    """Both verdicts of a model's judgment as the judge wrote them."""
    first, second = game_selection.verdict_codes(index, judge, [index.models.index(model)])
    return f"{label_of(int(first[0, question]))}, {label_of(int(second[0, question]))}"


def result_of(
    index: BenchIndex, view: View, settings: JudgeSettings | None, models: tuple[str, str], rows: list[Row]
) -> Result | None:
    """The difference of two models' win rates, paired by question; None without a common question."""
    if not rows:
        return None
    table = tables.game_table(index, [view.judge], settings)
    table = select(table, np.isin(table.model, [index.models.index(model) for model in models]))
    difference = paired.differences(paired.influences(table), models)[0]
    counts = [sum(1 for row in rows if np.sign(row.gap) == sign) for sign in (1, 0, -1)]
    return Result(difference, difference.model != models[0], len(rows), *counts)
