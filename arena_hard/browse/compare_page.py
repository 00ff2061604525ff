"""The page *Compare*: two models, or one and the baseline, on all questions, and where they differ most."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from arena_hard.browse import game_selection, judge_page, tables
from arena_hard.browse.address import View
from arena_hard.browse.games_page import label_of, short
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.numbers import signed
from arena_hard.data.settings import JudgeSettings
from arena_hard.rating import paired, same_place, stopped
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.games import select
from arena_hard.rating.outcomes import outcomes
from arena_hard.rating.paired import Difference
from arena_hard.rating.stopped import AfterLooks
from arena_hard.showing import caveats
from arena_hard.showing.notes import whole

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

    @property
    def numbers(self) -> tuple[str, str, str]:
        """The gap and both points with as many digits as they have, one at most, so that they add up as shown."""
        gap, one, other = (signed(value, 0 if value == round(value) else 1) for value in (self.gap, *self.points))
        return gap, one.removeprefix("+"), other.removeprefix("+")


class Result(NamedTuple):
    """The paired difference of the two win rates, and on how many questions the first was better.

    silent: which of the two the judge says nothing of, so that nothing is known; notes: what has to be said besides;
    held: what holds of the difference although judging was monitored as it ran, if it was.
    """

    difference: Difference
    flipped: bool
    questions: int
    better: int
    equal: int
    worse: int
    silent: list[str]
    notes: list[str]
    held: AfterLooks | None = None

    @property
    def value(self) -> float:
        """How many points of win rate the first model is ahead."""
        return -self.difference.value if self.flipped else self.difference.value

    @property
    def ends(self) -> tuple[float, float]:
        """The interval of `value`."""
        found = self.held or self.difference
        lower, upper = found.lower, found.upper
        return (-upper, -lower) if self.flipped else (lower, upper)


def build(index: BenchIndex, view: View, settings: JudgeSettings | None) -> tuple[str, dict[str, Any]]:
    """Template and values of the page."""
    names = game_selection.comparable(index, view.judge, settings)
    one = view.model if view.model in names else (names or [""])[0]
    rest = [name for name in names if name != one]
    other = view.other if view.other in rest else (rest or [""])[0]
    context: dict[str, Any] = {
        "title": "Compare",
        "names": names,
        "one": one,
        "other": other,
        "result": None,
        "caution": None,
    }
    if not one or not other:
        return "compare.html", context | {"rows": []}
    rows = rows_of(index, view, settings, one, other)
    rows.sort(key=lambda row: (-abs(row.gap), row.question))
    return "compare.html", context | {
        "caution": judge_page.caution_of(tables.Snapshot(index, view.judge, settings)),
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


def rows_of(index: BenchIndex, view: View, settings: JudgeSettings | None, one: str, other: str) -> list[Row]:
    """Every question on which both models have a readable verdict; the baseline has one where the other model has."""
    points = _points_of_both(index, view.judge, settings, (one, other))
    if points is None:
        return []
    both = np.flatnonzero(~np.isnan(points[one]) & ~np.isnan(points[other]))
    base = View(tab="games", bench=view.bench, judge=view.judge)
    rated = game_selection.rated_models(index, view.judge, settings)
    shown = [name if name in rated else {one: other, other: one}[name] for name in (one, other)]
    rows = []
    for code in both.tolist():
        question, name = index.questions[code], index.question_ids[code]
        words = [verdicts(index, view.judge, each, code) if each in rated else "baseline" for each in (one, other)]
        rows.append(
            Row(
                question=name,
                words=short(question.turns[0], 110) if question else name,
                cluster=(question.cluster or question.category) if question else "",
                points=(float(points[one][code]), float(points[other][code])),
                verdicts=(words[0], words[1]),
                views=(base.but(model=shown[0], question=name), base.but(model=shown[1], question=name)),
            )
        )
    return rows


def _points_of_both(
    index: BenchIndex, judge: str, settings: JudgeSettings | None, models: tuple[str, str]
) -> dict[str, FloatArray] | None:
    """The points of two models; a baseline has 50 wherever the other was judged against it. None for two baselines."""
    rated = [name for name in models if name in game_selection.rated_models(index, judge, settings)]
    points = {name: points_of(index, judge, name) for name in rated}
    if len(rated) == 1:
        (model,), (baseline,) = rated, set(models) - set(rated)
        played = dict(game_selection.baselines_of(index, judge, index.models.index(model), settings))
        points[model] = np.where(played.get(baseline, False), points[model], np.nan)
        points[baseline] = np.where(np.isnan(points[model]), np.nan, 50.0)
    return points if rated else None


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
    rated = [name for name in models if name in game_selection.rated_models(index, view.judge, settings)]
    baseline = next((name for name in models if name not in rated), None)
    table = tables.game_table(index, [view.judge], settings)
    table = select(table, np.isin(table.model, [index.models.index(model) for model in rated]))
    if baseline is not None:
        table = tables.of_baseline(table, table.baselines.index(baseline))
    found = outcomes(table, baseline=baseline)
    difference = paired.differences(found, models)[0]
    silent = same_place.same_place(table)
    every = stopped.looked_in([index.sets[view.judge].folder], rated)
    held = stopped.difference_after(found, models, stopped.state_of(every, models)) if every else None
    told = "The interval above holds all the same." if held else "One question does not show what holds all the same."
    notes = [*caveats.same_place_notes(silent), *caveats.looks_notes(every, table, told)]
    notes += caveats.by_place_notes(same_place.mostly_by_place(table))
    better, equal, worse = (sum(1 for row in rows if np.sign(row.gap) == sign) for sign in (1, 0, -1))
    said = [whole(note) for note in notes]
    flipped = difference.model != models[0]
    return Result(difference, flipped, len(rows), better, equal, worse, silent, said, held)
