"""Every statistic against its slow twin, on made-up benches: unequal sets of questions, nulls, ties, separation.

    ARENA_HARD_CASES=20000 python -m pytest tests/rating/test_differential.py

tries as many; without it a few hundred.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena_hard.rating import battles, intervals, judge_stats, paired, planning, ratings, same_place
from arena_hard.rating.category_mean import category_mean
from arena_hard.rating.games import GameTable
from arena_hard.rating.intervals import Fit, Rule
from arena_hard.rating.outcomes import outcomes
from tests.support import slow_statistics as slow
from tests.support.slow_statistics import Played, Rows

pytestmark = pytest.mark.slow

CASES = int(os.environ.get("ARENA_HARD_CASES", "100"))
ABSENT, UNREAD = -2, -1
BASE = "base"
many = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large),
    print_blob=True,
)


@dataclass(frozen=True)
class Bench:
    """Grades of each judge, model, question and game, in that order; −1 unread, −2 not played."""

    shape: tuple[int, int, int]  # judges, models, questions
    grades: tuple[int, ...]
    weight: int
    level: float

    def games(self) -> list[tuple[Played, bool]]:
        """The games in the order of the files, and whether each was read."""
        found = []
        for place, grade in enumerate(self.grades):
            judge, model, question, game = np.unravel_index(place, (*self.shape, 2))
            if grade != ABSENT:
                found.append((Played(int(judge), int(model), int(question), int(game), grade), grade >= 0))
        return found

    def read(self) -> list[Played]:
        return [game for game, is_read in self.games() if is_read]

    def table(self) -> GameTable:
        """The same as the statistics take it."""
        games = [game for game, _ in self.games()]
        columns: dict[str, Any] = {
            name: np.array([getattr(g, name) for g in games], np.int32) for name in ("judge", "model", "question")
        }
        game, grade = (np.array([getattr(g, name) for g in games], dtype=np.int8) for name in ("game", "grade"))
        verdict = np.where(grade < 0, -1, np.where(game == 0, grade, 4 - grade)).astype(np.int8)
        judges, models, questions = self.shape
        zeros = np.zeros(len(games), dtype=np.int32)
        return GameTable(
            [f"q{k}" for k in range(questions)], [f"m{k}" for k in range(models)], [f"j{k}" for k in range(judges)],
            [BASE], [""], **columns, baseline=zeros, category=zeros, game=game, verdict=verdict,
            probabilities=None,
        )  # fmt: skip

    def by_model(self) -> dict[int, dict[int, Rows]]:
        """Each model's rows by question; models without a verdict are left out."""
        read = self.read()
        found = {model: slow.by_question(read, model, self.weight) for model in range(self.shape[1])}
        return {model: rows for model, rows in found.items() if rows}

    @property
    def most(self) -> float:
        return 2.0 * self.weight * len({game.judge for game, _ in self.games()})


GRADES = {
    "anything": (ABSENT, UNREAD, 0, 1, 2, 3, 4),
    "all there": (0, 1, 2, 3, 4),
    "ties": (2, 2, 2, UNREAD),
    "all won or lost": (0, 4),
    "won": (3, 4),
    "sparse": (ABSENT, ABSENT, ABSENT, 1, 3),
}


@st.composite
def benches(draw: st.DrawFn) -> Bench:
    shape = draw(st.integers(1, 2)), draw(st.integers(1, 4)), draw(st.integers(1, 15))
    kind = GRADES[draw(st.sampled_from(list(GRADES)))]
    number = 2 * math.prod(shape)
    grades = tuple(kind[byte % len(kind)] for byte in draw(st.binary(min_size=number, max_size=number)))
    return Bench(shape, grades, draw(st.sampled_from([1, 3, 10, 100])), draw(st.sampled_from([0.5, 0.9, 0.95, 0.999])))


def near(value: object) -> object:
    return pytest.approx(value, rel=1e-6, abs=1e-6, nan_ok=True)


def fit_of(bench: Bench, rule: Rule) -> Fit | None:
    table = bench.table()
    if not bench.read():
        return None
    fought = battles.from_games(table, BASE, bench.weight)
    return intervals.fit_with_intervals(fought, battles.cells_of(fought), 0, rule)


@many
@given(benches())
def test_scores_and_sandwich(bench: Bench) -> None:
    fit = fit_of(bench, Rule("sandwich", bench.level))
    if fit is None:
        return
    for model, questions in bench.by_model().items():
        place = fit.models.index(f"m{model}")
        assert fit.questions[place] == len(questions)
        assert ratings.win_rate(fit.ratings)[place] == near(slow.score(questions))
        ends = ratings.win_rate(fit.lower)[place], ratings.win_rate(fit.upper)[place]
        assert ends == near(slow.sandwich(questions, bench.most, bench.level))


@many
@given(benches(), st.sampled_from(["rows", "questions"]))
def test_bootstraps_draw_as_the_original(bench: Bench, kind: str) -> None:
    fit = fit_of(bench, Rule(kind, bench.level, rounds=7))
    if fit is None:
        return
    by_model = bench.by_model()
    ends = slow.bootstrap_ends(bench.read(), list(by_model), kind, bench.weight, 7, bench.level)
    for model, questions in by_model.items():
        place, (lower, upper) = fit.models.index(f"m{model}"), ends[model]
        value, n, rows = slow.score(questions), len(questions), slow.mean_rows(questions)
        if value in (0.0, 100.0):
            low, high = slow.with_unseen(value, rows, bench.most, slow.unseen(n, bench.level))
            lower, upper = (-math.inf, slow.rating(high)) if value == 0.0 else (slow.rating(low), math.inf)
        elif n == 1 and kind == "questions":
            lower, upper = -math.inf, math.inf
        elif n > 1 and upper - lower < 1e-6:
            ends_there = slow.with_unseen(value, rows, bench.most, slow.unseen(n, bench.level))
            lower, upper = map(slow.rating, ends_there)
        assert (fit.lower[place], fit.upper[place]) == near((lower, upper))


@many
@given(benches())
def test_differences_ranks_and_plan(bench: Bench) -> None:
    by_model = bench.by_model()
    if not by_model:
        return
    found = outcomes(bench.table(), bench.weight, baseline=BASE)
    asked = {question for rows in by_model.values() for question in rows}
    named = {f"m{model}": rows for model, rows in by_model.items()} | {BASE: dict.fromkeys(asked, (0.5, 1.0))}
    seen = {frozenset((one.model, one.other)): one for one in paired.differences(found, level=bench.level)}
    order = sorted(named, key=lambda name: name == BASE)
    twins = {
        (a, b): slow.paired(named[a], named[b], bench.most, bench.level, b == BASE)
        for place, a in enumerate(order)
        for b in order[place + 1 :]
    }
    known = {names: twin for names, twin in twins.items() if twin.questions}
    assert set(seen) == set(map(frozenset, known))
    for (names, twin), corrected in zip(known.items(), slow.holm([twin.p_value for twin in known.values()])):
        one = seen[frozenset(names)]
        one = one if one.model == names[0] else one.turned()
        assert (one.value, one.lower, one.upper) == near((twin.value, twin.lower, twin.upper))
        assert (one.p_value, one.corrected) == near((twin.p_value, corrected))
        assert (one.sigma, one.questions) == near((twin.sigma, twin.questions))
    ranks = {one.model: (one.best, one.worst) for one in paired.rank_intervals(found, bench.level)}
    assert ranks == slow.ranks(named, BASE, bench.most, bench.level)
    sigmas = [twin.sigma for (_, b), twin in known.items() if b != BASE and twin.questions > 1]
    _check_plan(bench, [sigma for sigma in sigmas if sigma > 1e-9])


def _check_plan(bench: Bench, sigmas: list[float]) -> None:
    if not sigmas:
        return
    found = planning.plan(outcomes(bench.table(), bench.weight), 5.0, bench.level)
    assert (found.sigma, found.pairs) == near((float(np.median(sigmas)), len(sigmas)))
    z = slow.stats.norm.ppf((1 + bench.level) / 2) + slow.stats.norm.ppf(0.8)
    assert found.needed in (
        max(1, math.ceil(k)) for k in ((z * found.sigma / 5) ** 2 - 1e-6, (z * found.sigma / 5) ** 2)
    )
    assert found.needed <= found.needed_by_most <= found.corrected


@many
@given(benches())
def test_judges(bench: Bench) -> None:
    for report in judge_stats.judge_reports(bench.table(), bench.level):
        judge = int(report.judge[1:])
        read = [game for game in bench.read() if game.judge == judge]
        bias = slow.position_bias(read, bench.level)
        own = report.position_bias
        assert (own is None) == (bias is None)
        if own is not None and bias is not None:
            assert (own.value, own.lower, own.upper) == near(bias)
    silent = [
        f"m{model}"
        for model in range(bench.shape[1])
        if len({game.game for game in bench.read() if game.model == model}) == 2
        and sum(game.model == model for game in bench.read()) > 2
        and len({slow._first_won(game) for game in bench.read() if game.model == model} - {0.5}) == 1
        and all(slow._first_won(game) != 0.5 for game in bench.read() if game.model == model)
    ]
    assert same_place.same_place(bench.table()) == silent


@many
@given(benches(), benches())
def test_the_mean_over_categories(first: Bench, second: Bench) -> None:
    rule = Rule("sandwich", first.level)
    fits = [fit for fit in (fit_of(each, rule) for each in (first, second)) if fit is not None]
    if len(fits) < 2:
        return
    mean = category_mean(fits, rule)
    scored = [{fit.models[k] for k in range(len(fit.models)) if not np.isnan(fit.ratings[k])} for fit in fits]
    assert set(mean.models) == scored[0] & scored[1] and set(mean.missing) == {
        name for fit in fits for name in fit.models
    } - set(mean.models)
    for place, name in enumerate(mean.models):
        rows = [
            tuple(slow.win_rate(float(ends[f.models.index(name)])) for ends in (f.lower, f.ratings, f.upper))
            for f in fits
        ]
        middle = sum(row[1] for row in rows) / 2
        down = math.hypot(*(row[1] - row[0] for row in rows)) / 2
        up = math.hypot(*(row[2] - row[1] for row in rows)) / 2
        assert (mean.score[place], mean.lower[place], mean.upper[place]) == near((middle, middle - down, middle + up))
