"""Models by groups of questions: against a slow twin, by hand, and how often chance looks like a finding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from arena_hard.rating import group_rule
from arena_hard.rating.breakdown import Breakdown, breakdown
from arena_hard.rating.outcomes import Outcomes
from tests.rating.test_differential import CASES
from tests.support import slow_groups as slow
from tests.support.slow_statistics import Rows

MOST = 6
GAMES = ((0.0, 6.0), (0.0, 4.0), (0.0, 2.0), (0.5, 2.0), (1.0, 2.0), (1.0, 4.0), (2.0, 2.0), (3.0, 4.0), (6.0, 6.0))


def found_of(*models: list[Rows | None]) -> Outcomes:
    """The outcomes of models m0, m1 … on the questions q0, q1 …; None where one was not judged."""
    values = np.array([[rows or (0.0, 0.0) for rows in model] for model in models])
    names = tuple(f"m{number}" for number in range(len(models)))
    return Outcomes(names, values[..., 0], values[..., 1], MOST, None, tuple(f"q{n}" for n in range(len(models[0]))))


def by(found: Outcomes, groups: str, level: float = 0.95, model: str = "m0") -> Breakdown:
    """A model by groups that are named by one letter each; a blank is none."""
    names = {f"q{number}": name.strip() for number, name in enumerate(groups)}
    return breakdown(found, model, "cluster", names, level)


rows_and_groups = st.lists(st.tuples(st.sampled_from(GAMES), st.sampled_from("aabbc ")), min_size=2, max_size=7)


@settings(max_examples=CASES // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows_and_groups, st.sampled_from([0.5, 0.9, 0.95]))
@pytest.mark.slow
def test_every_group_against_its_slow_twin(drawn: list[tuple[Rows, str]], level: float) -> None:
    one = by(found_of([*(rows for rows, _ in drawn)]), "".join(name for _, name in drawn), level)
    assert {group.name for group in one.groups} == {name for _, name in drawn} - {" "}
    for group in one.groups:
        own, others = ([rows for rows, name in drawn if (name == group.name) is inside] for inside in (True, False))
        if not others:
            assert (group.value, group.p_value) == (0.0, 1.0)
            continue
        twin = slow.group(own, others, MOST, level)
        assert group.questions == len(own)
        assert group.score == pytest.approx(twin.score)
        assert group.value == pytest.approx(twin.value, abs=1e-7)
        is_exact = max(twin.welch, twin.least) > twin.drawn + 0.05  # what is drawn is so by a few thousand shuffles
        assert group.p_value == pytest.approx(twin.p_value, abs=1e-5 if is_exact else 0.05)
        if group.p_value >= 1.0 - level:
            assert group.lower == pytest.approx(min(twin.lower, 0.0), abs=1e-4)
            assert group.upper == pytest.approx(max(twin.upper, 0.0), abs=1e-4)
        assert (group.lower <= 0.0 <= group.upper) == (group.p_value >= 1.0 - level)


@settings(max_examples=max(10, CASES // 10), deadline=None)
@given(st.lists(st.sampled_from(GAMES), min_size=6, max_size=6), st.sampled_from(["aabbcc", "aaabbb", "aaaabc"]))
@pytest.mark.slow
def test_the_overall_p_value_is_the_share_of_all_arrangements(rows: list[Rows], groups: str) -> None:
    parts = [[each for each, name in zip(rows, groups) if name == wanted] for wanted in sorted(set(groups))]
    assert by(found_of(list(rows)), groups).p_value == pytest.approx(slow.overall(parts), abs=0.05)


def test_with_equal_weights_it_is_welchs_test() -> None:
    rng = np.random.default_rng(5)
    won = rng.integers(0, 5, 40) / 2.0
    code = np.repeat([0, 1], [15, 25])
    groups = group_rule.Groups(won, np.full(40, 2.0), code, MOST)
    against = group_rule.against_others(groups)
    known = stats.ttest_ind(won[code == 0], won[code == 1], equal_var=False)
    assert float(against.freedom[0]) == pytest.approx(float(known.df))
    assert float(against.gap[0] / against.error[0]) == pytest.approx(float(known.statistic))


WON, LOST, EVEN = (2.0, 2.0), (0.0, 2.0), (1.0, 2.0)


def test_a_group_that_is_lost_is_told_and_leads() -> None:
    one = by(found_of([*[LOST] * 12, *[WON, WON, WON, LOST] * 12]), "a" * 12 + "b" * 24 + "c" * 24)
    assert [(group.name, group.questions, group.score) for group in one.told] == [("a", 12, 0.0)]
    assert one.score == pytest.approx(60.0)
    assert one.groups[0].name == "a" and one.groups[0].value == pytest.approx(-60.0)
    assert one.groups[0].lower >= -60.0 and one.groups[0].upper < 0.0
    assert one.p_value < 0.01 and 0 < one.spread < 100
    assert -60.0 < one.groups[0].estimate < -30.0


@pytest.mark.parametrize("size", [1, 2, 5])
def test_few_questions_are_never_certain_whatever_their_verdicts(size: int) -> None:
    one = by(found_of([*[(0.0, 6.0)] * size, *[WON] * 200]), "a" * size + "b" * 100 + "c" * 100)
    (own,) = [group for group in one.groups if group.name == "a"]
    assert own.p_value >= 2.0 * 0.5**size or own.p_value == 1.0
    assert own.corrected == 1.0 and own.lower < 0.0 <= own.upper
    assert not one.told


def test_a_lone_lucky_cluster_does_not_lead_over_a_large_one() -> None:
    rows: list[Rows | None] = [*[WON] * 2, *[LOST] * 20, *[WON, LOST] * 40]
    one = by(found_of(rows), "a" * 2 + "b" * 20 + "c" * 40 + "d" * 40)
    lucky, large = (next(group for group in one.groups if group.name == name) for name in "ab")
    assert abs(lucky.value) > abs(large.value)
    assert abs(lucky.estimate) < abs(large.estimate)
    assert one.groups[0].name == "b"


def test_the_others_are_counted_on_the_same_questions_and_beside_their_own_scores() -> None:
    first: list[Rows | None] = [LOST, LOST, WON, WON]
    other: list[Rows | None] = [LOST, None, EVEN, WON]  # 50 on those three: 50 below in a, 25 above in b
    third: list[Rows | None] = [WON, WON, WON, WON]
    one = by(found_of(first, other, third), "aabb")
    others = {group.name: group.others for group in one.groups}
    assert others == {"a": pytest.approx((-50.0 + 0.0) / 2), "b": pytest.approx((25.0 + 0.0) / 2)}
    alone = by(found_of(first), "aabb")
    assert all(np.isnan(group.others) for group in alone.groups)


@pytest.mark.parametrize("size", [30, 94])
def test_what_the_few_questions_of_one_group_may_hide_is_uncertain_for_the_others_too(size: int) -> None:
    rows: list[Rows | None] = [WON if n % 2 else LOST for n in range(size)]
    small, large = sorted(
        by(found_of([*rows, WON, WON, WON]), "a" * size + "bbb").groups, key=lambda one: one.questions
    )
    assert large.value * size == pytest.approx(-small.value * 3)
    assert large.upper * size == pytest.approx(-small.lower * 3) and small.lower < -30.0


def test_one_group_and_none_and_questions_in_none() -> None:
    rows: list[Rows | None] = [WON, LOST, WON, EVEN]
    whole, nothing = by(found_of(rows), "aaaa"), by(found_of(rows), "    ")
    assert whole.is_one and [(group.value, group.p_value) for group in whole.groups] == [(0.0, 1.0)]
    assert nothing.is_one and nothing.groups == () and nothing.ungrouped == 4
    part = by(found_of(rows), "ab a")
    assert part.ungrouped == 1 and sum(group.questions for group in part.groups) == 3
    assert part.score == pytest.approx(62.5)


def test_groups_of_one_question_say_nothing_of_chance() -> None:
    one = by(found_of([WON, LOST, WON, EVEN]), "abcd")
    assert np.isnan(one.spread) and one.p_value == 1.0
    assert all(np.isnan(group.estimate) and group.corrected == 1.0 for group in one.groups)


def test_the_order_of_the_questions_is_of_no_account() -> None:
    rng = np.random.default_rng(3)
    found, names = found_of([GAMES[k] for k in rng.integers(0, len(GAMES), 60)]), list("abcdef" * 10)
    order = rng.permutation(60)
    turned = replace(
        found,
        won=found.won[:, order],
        games=found.games[:, order],
        questions=tuple(found.questions[k] for k in order),
    )
    assert repr(by(found, "".join(names))) == repr(by(turned, "".join(names)))


def draw(rng: np.random.Generator, questions: int, spread: float) -> list[Rows]:
    """Questions of one kind: two games each, which agree the more the larger the spread; a quarter is strong."""
    lean = 0.8 + spread * rng.standard_normal(questions)
    wins = lean + rng.logistic(size=(2, questions)) > 0
    weights = np.where(rng.random((2, questions)) < 0.26, 3.0, 1.0)
    return list(zip((wins * weights).sum(axis=0).tolist(), weights.sum(axis=0).tolist()))


@pytest.mark.slow
def test_chance_looks_like_a_finding_in_five_of_a_hundred_benches_at_most() -> None:
    rng = np.random.default_rng(11)
    groups = "a" * 6 + "b" * 8 + "c" * 12 + "d" * 20 + "e" * 30 + "f" * 44
    every = [by(found_of(list(draw(rng, len(groups), 1.5))), groups) for _ in range(120)]
    assert sum(bool(one.told) for one in every) <= 0.05 * len(every) + 7  # three errors of the count
    overall = sum(one.p_value <= 0.05 for one in every)
    assert 1 <= overall <= 0.05 * len(every) + 7
