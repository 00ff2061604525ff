"""The fit, against mathematics of its own: closed form, scikit-learn, symmetry, repetition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena_hard.rating import arrays, intervals, ratings, sandwich
from arena_hard.rating import battles as battle
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.battles import Battles

QUIET = settings(max_examples=40, deadline=None)


def battles_of(rows: list[tuple[int, int, int]], models: int, questions: int = 7) -> Battles:
    """Battles from (model_a, model_b, winner), the questions in turn."""
    a, b, winner = (np.array(column, dtype=np.int32) for column in zip(*rows))
    question = np.arange(len(rows), dtype=np.int32) % questions
    names = [f"m{place}" for place in range(models)]
    ones = np.ones(len(rows), dtype=np.int8)
    return Battles(names, [str(q) for q in range(questions)], a, b, question, winner.astype(np.int8), ones)


def swapped(battles: Battles) -> Battles:
    """The same battles with the other side named first."""
    return Battles(
        battles.models, battles.questions, battles.model_b, battles.model_a, battles.question, 2 - battles.winner,
        battles.rows,
    )  # fmt: skip


@st.composite
def linked(draw: st.DrawFn) -> Battles:
    """Random battles in which each neighbouring pair won once either way, so that a finite fit exists."""
    models = draw(st.integers(2, 6))
    rows = [(i, i + 1, winner) for i in range(models - 1) for winner in (0, 2)]
    sides = st.tuples(st.integers(0, models - 1), st.integers(0, models - 1), st.integers(0, 2))
    rows += draw(st.lists(sides.filter(lambda row: row[0] != row[1]), max_size=60))
    return battles_of(rows, models)


@st.composite
def stars(draw: st.DrawFn) -> Battles:
    """Random battles with model 0, each model having won and lost at least once."""
    models = draw(st.integers(2, 6))
    rows = [(0, model, winner) for model in range(1, models) for winner in (0, 2)]
    rows += draw(st.lists(st.tuples(st.just(0), st.integers(1, models - 1), st.integers(0, 2)), max_size=60))
    return battles_of(rows, models)


def fitted(battles: Battles, anchor: int = 0) -> FloatArray:
    cells = battle.cells_of(battles)
    return ratings.fit(cells, cells.counts(battles), anchor)


def test_closed_form_by_hand() -> None:
    # 3 wins and 1 loss for the model: odds 3, which are 400·log10(3) points
    rows = [(0, 1, 2), (0, 1, 2), (0, 1, 2), (0, 1, 0)]
    assert fitted(battles_of(rows, 2)) == pytest.approx([1000, 1000 + 400 * np.log10(3)])


@QUIET
@given(stars())
def test_closed_form_newton_and_sklearn_agree(battles: Battles) -> None:
    cells = battle.cells_of(battles)
    counts = cells.counts(battles)
    closed = ratings.fit(cells, counts, 0)
    np.testing.assert_allclose(ratings.newton_ratings(ratings.win_matrix(cells, counts), 0), closed, atol=1e-6)
    np.testing.assert_allclose(ratings.sklearn_ratings(cells, counts, 0), closed, atol=1e-2)


@QUIET
@given(linked())
def test_newton_solves_the_likelihood_equations_and_agrees_with_sklearn(battles: Battles) -> None:
    cells = battle.cells_of(battles)
    counts = cells.counts(battles)
    wins = ratings.win_matrix(cells, counts)
    found = ratings.newton_ratings(wins, 0)
    expected = ratings.win_rate(found[:, None], found[None, :]) / 100
    np.testing.assert_allclose((wins - (wins + wins.T) * expected).sum(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(ratings.sklearn_ratings(cells, counts, 0), found, atol=1e-2)


@QUIET
@given(linked())
def test_naming_the_other_side_first_changes_nothing(battles: Battles) -> None:
    np.testing.assert_allclose(fitted(swapped(battles)), fitted(battles), atol=1e-6)


@QUIET
@given(linked())
def test_exchanging_winners_turns_the_ratings_around(battles: Battles) -> None:
    lost = Battles(
        battles.models, battles.questions, battles.model_a, battles.model_b, battles.question, 2 - battles.winner,
        battles.rows,
    )  # fmt: skip
    np.testing.assert_allclose(fitted(lost) - 1000, 1000 - fitted(battles), atol=1e-6)


@QUIET
@given(linked(), st.integers(2, 4))
def test_counting_is_repeating(battles: Battles, times: int) -> None:
    order = np.repeat(np.arange(len(battles)), times)
    columns = (getattr(battles, name)[order] for name in ("model_a", "model_b", "question", "winner", "rows"))
    repeated = Battles(battles.models, battles.questions, *columns)
    weighted = Battles(
        battles.models, battles.questions, battles.model_a, battles.model_b, battles.question, battles.winner,
        battles.rows * times,
    )  # fmt: skip
    np.testing.assert_allclose(fitted(weighted), fitted(repeated), atol=1e-6)
    assert battle.cells_of(weighted).of_rows(weighted).tolist() == battle.cells_of(repeated).of_rows(repeated).tolist()


def test_separation_is_infinite_and_a_model_without_a_link_is_nan() -> None:
    rows = [(0, 1, 2), (0, 2, 0), (0, 3, 0), (0, 3, 2), (4, 5, 0), (4, 5, 2)]
    found = fitted(battles_of(rows, 6))
    assert found[1] == np.inf and found[2] == -np.inf and found[3] == pytest.approx(1000)
    assert np.isnan(found[4:]).all()


def test_a_model_that_only_a_chain_of_wins_leads_to_is_infinite() -> None:
    rows = [(0, 1, 0), (0, 1, 2), (1, 2, 2), (2, 3, 0), (2, 3, 2)]  # 2 beat 1 and never lost to that side
    found = fitted(battles_of(rows, 4))
    assert np.isfinite(found[:2]).all() and np.isposinf(found[2:]).all()


@QUIET
@given(stars())
def test_general_and_star_errors_are_the_same(battles: Battles) -> None:
    cells = battle.cells_of(battles)
    point = fitted(battles)
    star = sandwich.standard_errors(battles, cells, point, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ratings, "is_star", lambda *_: False)
        general = sandwich.standard_errors(battles, cells, point, 0)
    for one, other in zip(star, general):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("codes", [[], [3], [2, 2, 0, 5, 0, 2], [7, 7, 7]])
def test_distinct_codes_are_those_of_numpy(codes: list[int]) -> None:
    given = np.array(codes, dtype=np.int64)
    assert arrays.distinct(given).tolist() == np.unique(given).tolist() and given.tolist() == codes


def test_the_sandwich_over_single_rows_is_the_rule_of_rows() -> None:
    rng = np.random.default_rng(5)
    rows = [(0, int(m), int(w)) for m, w in zip(rng.integers(1, 4, 400), rng.integers(0, 3, 400))]
    battles = battles_of(rows, 4, questions=400)
    clustered, by_rows = sandwich.standard_errors(battles, battle.cells_of(battles), fitted(battles), 0)
    small = np.sqrt(np.bincount(battles.model_b)[1:] / (np.bincount(battles.model_b)[1:] - 1))
    np.testing.assert_allclose(clustered[1:], by_rows[1:] * small)


@pytest.mark.parametrize("at_once", [0, 1 << 24])
def test_blocks_of_questions_give_the_same_scores_as_one_block(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandwich, "_AT_ONCE", at_once)
    rng = np.random.default_rng(6)
    rows = [(int(a), int((a + d) % 5), int(w)) for a, d, w in rng.integers([0, 1, 0], [5, 5, 3], (300, 3))]
    battles = battles_of(rows, 5, questions=40)
    cells = battle.cells_of(battles)
    residual = rng.normal(size=len(cells))
    whole = sandwich.cluster_scores(battles, cells, residual)
    np.testing.assert_allclose(sandwich.cluster_scores(battles, cells, residual, block=3), whole)
    g = np.zeros((40, 5))
    np.add.at(g, (battles.question, battles.model_a), residual[cells.of_battle])
    np.add.at(g, (battles.question, battles.model_b), -residual[cells.of_battle])
    np.testing.assert_allclose(whole, g.T @ g)


def test_student_t() -> None:
    # tables: t(0.975) for 5, 11, 499 degrees of freedom
    found = intervals.t_quantile(0.95, np.array([0, 1, 5, 11, 499]))
    assert found == pytest.approx([np.inf, 12.7062, 2.5706, 2.2010, 1.9647], abs=1e-4)
