"""Expected outcomes against their slow twin, and certain ones against labels; ARENA_HARD_CASES as many benches."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_hard.data.verdicts import LABELS
from arena_hard.rating import battles, intervals, judge_stats, paired, ratings, same_place
from arena_hard.rating.games import GameTable
from arena_hard.rating.intervals import Fit, Rule
from arena_hard.rating.outcomes import Outcomes, outcomes
from tests.rating.test_differential import BASE, Bench, benches, many, near
from tests.support import slow_expected as expected
from tests.support import slow_statistics as slow
from tests.support.slow_expected import Seen

pytestmark = pytest.mark.slow

ROUNDS = 5
PROBABILITIES = {  # of the five labels, in the order of LABELS
    "anything": st.lists(st.integers(0, 20), min_size=5, max_size=5).filter(any),
    "nearly sure": st.sampled_from([(997, 1, 1, 1, 0), (1, 1, 2, 1, 995), (0, 9, 990, 1, 0)]),
    "strength alone": st.sampled_from([(1, 2, 0, 0, 0), (0, 0, 0, 3, 1), (0, 1, 0, 0, 0)]),
    "won": st.sampled_from([(1, 2, 0, 0, 0), (5, 1, 0, 0, 0), (1, 0, 0, 0, 0)]),
}


@dataclass(frozen=True)
class SoftBench:
    """One judge's bench with probabilities [n, 5], NaN where a game has none."""

    bench: Bench
    table: GameTable

    def seen(self) -> list[Seen]:
        """The games that were read."""
        assert self.table.probabilities is not None
        found = []
        for k, verdict in enumerate(self.table.verdict.tolist()):
            given = self.table.probabilities[k].tolist()
            chances: dict[str, float] = {LABELS[verdict]: 1.0}
            chances = chances if math.isnan(given[0]) else {**dict(zip(LABELS, given))}
            model, question, game = (
                int(column[k]) for column in (self.table.model, self.table.question, self.table.game)
            )
            found += [Seen(model, question, game, chances)] if verdict >= 0 else []
        return found

    @property
    def most(self) -> float:
        return 2.0 * self.bench.weight

    def outcomes(self, baseline: str | None = None) -> Outcomes:
        return outcomes(self.table, self.bench.weight, baseline=baseline)

    def fit(self, kind: str) -> Fit:
        fought = battles.from_games(self.table, BASE, self.bench.weight)
        rule = Rule(kind, self.bench.level, rounds=ROUNDS)
        return intervals.fit_with_intervals(fought, battles.cells_of(fought), 0, rule)


@st.composite
def soft_benches(draw: st.DrawFn) -> SoftBench:
    bench = draw(benches().filter(lambda each: each.shape[0] == 1 and len(each.read()) > 0))
    table, kind = bench.table(), draw(st.sampled_from(list(PROBABILITIES)))
    probabilities = np.full((len(table), len(LABELS)), np.nan)
    given = draw(st.lists(PROBABILITIES[kind], min_size=4, max_size=8))
    which = draw(st.binary(min_size=len(table), max_size=len(table)))
    for k, byte in enumerate(which):
        weights = np.array(given[byte % len(given)], dtype=float)
        weights = weights[::-1] if kind == "won" and table.game[k] == 0 else weights
        if byte % 7 or kind == "won":
            probabilities[k] = weights / weights.sum()
    return SoftBench(bench, replace(table, probabilities=probabilities))


@many
@given(soft_benches())
def test_scores_and_sandwich(soft: SoftBench) -> None:
    fit, seen, bench = soft.fit("sandwich"), soft.seen(), soft.bench
    ratios = []
    for model in sorted({game.model for game in seen}):
        questions, place = expected.by_question(seen, model, bench.weight), fit.models.index(f"m{model}")
        value = slow.score(questions)
        assert fit.questions[place] == len(questions)
        assert ratings.win_rate(fit.ratings)[place] == near(value)
        if not 1e-9 < value < 100 - 1e-9:  # where the exact sum is 0 or all, no rounding makes it finite
            assert np.isinf(fit.ratings[place])
            continue
        by_rows = expected.error_by_rows(seen, model, bench.weight, value / 100)
        if by_rows > 1e-6:
            ratios.append(expected.error_by_questions(questions, value / 100) / by_rows)
        ends = slow.sandwich(questions, soft.most, bench.level)
        if len(questions) > 1 and is_unsure(seen, model, bench.weight):
            ends = expected.with_room(ends, questions, soft.most, bench.level)
        assert (ratings.win_rate(fit.lower)[place], ratings.win_rate(fit.upper)[place]) == near(ends)
    if len(ratios) == len(fit.models) - 1:
        assert fit.ratio == near(float(np.median(ratios)))


def is_unsure(seen: list[Seen], model: int, weight: float) -> bool:
    """Whether a model has fractions of a row."""
    for game in (game for game in seen if game.model == model):
        for side in "AB=":
            rows = sum(
                chance * (weight if ">>" in label else 1)
                for label, chance in game.chances.items()
                if ("=" if "=" in label else label[0]) == side
            )
            if rows != round(rows):
                return True
    return False


@many
@given(soft_benches(), st.sampled_from(["rows", "questions"]))
def test_rounds(soft: SoftBench, kind: str) -> None:
    seen, weight = soft.seen(), soft.bench.weight
    fought = battles.from_games(soft.table, BASE, weight)
    if fought.game is None:
        return
    found, models = soft.fit(kind), sorted({game.model for game in seen})
    assert found.rounds is not None
    drawn = ratings.win_rate(found.rounds)[:, [found.models.index(f"m{model}") for model in models]]
    assert drawn.tolist() == near_rows(expected.rounds(seen, models, kind, weight, ROUNDS))


def near_rows(rows: list[list[float]]) -> list[object]:
    return [near(row) for row in rows]


@many
@given(soft_benches())
def test_differences_and_ranks(soft: SoftBench) -> None:
    seen, bench = soft.seen(), soft.bench
    named = {f"m{m}": expected.by_question(seen, m, bench.weight) for m in sorted({game.model for game in seen})}
    assert judge_stats.weighted_scores(soft.table, bench.weight)[[int(name[1:]) for name in named]] == near(
        np.array([slow.score(questions) for questions in named.values()])
    )
    named[BASE] = {question: (0.5, 1.0) for rows in list(named.values()) for question in rows}
    found = soft.outcomes(BASE)
    for one in paired.differences(found, level=bench.level):
        one = one.turned() if one.model == BASE else one
        twin = slow.paired(named[one.model], named[one.other], soft.most, bench.level, one.other == BASE)
        assert (one.value, one.lower, one.upper) == near((twin.value, twin.lower, twin.upper))
        assert (one.p_value, one.sigma, one.questions) == near((twin.p_value, twin.sigma, twin.questions))


@many
@given(benches(), st.booleans(), st.sampled_from(intervals.KINDS))
def test_certain_labels_give_the_hard_result_bit_for_bit(bench: Bench, first_only: bool, kind: str) -> None:
    """Also where only some games have probabilities: no number of any statistic is another."""
    hard = bench.table()
    sure = np.full((len(hard), len(LABELS)), np.nan)
    with_one = (hard.verdict >= 0) & (np.arange(len(hard)) % 3 > 0)
    sure[with_one] = np.eye(len(LABELS))[hard.verdict[with_one]]
    soft = replace(hard, probabilities=sure)
    if not bench.read():
        return
    fought = [battles.from_games(table, BASE, bench.weight, first_only) for table in (hard, soft)]
    assert same(*fought)
    if len(fought[0]):
        cells = battles.cells_of(fought[0])
        rule = Rule(kind, bench.level, rounds=3)
        assert same(*(intervals.fit_with_intervals(each, cells, 0, rule) for each in fought))
    found = [outcomes(table, bench.weight, first_only, BASE) for table in (hard, soft)]
    assert same(*found) and same_place.same_place(hard) == same_place.same_place(soft)
    assert same(*(judge_stats.weighted_scores(table, bench.weight) for table in (hard, soft)))


def same(one: object, other: object) -> bool:
    """Whether two results are equal in every bit, NaN being itself."""
    if hasattr(one, "__dataclass_fields__"):
        names = vars(one)
        return type(one) is type(other) and all(same(each, getattr(other, name)) for name, each in names.items())
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    return one == other or (one != one and other != other)
