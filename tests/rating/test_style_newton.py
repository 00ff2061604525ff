"""The style-controlled fit and its rounds against scikit-learn's optimum; what has no maximum goes to scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from arena_hard.data.paths import Bench
from arena_hard.rating import battles, style_control, style_fit, style_newton
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.games import read_judgments, without_own
from tests.rating.test_style import rows_of

BASELINE = "claude-3.7-sonnet"


def sklearn_coefficients(rows: style_fit.Rows, weight: FloatArray, anchor: int, formula: str) -> FloatArray:
    """Of the models, less the anchor's, in units of ln 10, and of the features: from a row for every battle, twice."""
    p = rows.n_models
    design = np.log(10) * (np.eye(p)[rows.model_a] - np.eye(p)[rows.model_b])
    design = np.column_stack([design, rows.features])
    free = np.arange(design.shape[1]) != (anchor if formula == "v2.0" else -1)
    twice = 2.0 * np.concatenate([weight * rows.won, weight * (1 - rows.won)])
    outcome = np.repeat([1, 0], len(weight))
    penalty = np.inf if formula == "v2.0" else 1.0
    model = LogisticRegression(C=penalty, fit_intercept=False, solver="newton-cholesky", tol=1e-13, max_iter=500)
    model.fit(np.tile(design[:, free], (2, 1))[twice > 0], outcome[twice > 0], sample_weight=twice[twice > 0])
    found = np.zeros(len(free))
    found[free] = model.coef_[0]
    found[:p] -= found[anchor]
    return found


def coefficients_of(fit: style_fit.StyleFit) -> FloatArray:
    return np.concatenate([(fit.ratings - 1000.0) / 400.0, fit.coefficients])


battle = st.tuples(
    st.tuples(st.integers(0, 2), st.integers(1, 2)),  # a model, and how far on the other stands
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.integers(1, 3),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(battle, min_size=12, max_size=60), st.sampled_from(style_fit.FORMULAS), st.integers(0, 2))
def test_any_pairs_with_any_features(
    made: list[tuple[tuple[int, int], float, int, tuple[float, float]]], formula: str, anchor: int
) -> None:
    pair, won, weight, features = (np.array(column) for column in zip(*made))
    other = (pair[:, 0] + pair[:, 1]) % 3
    everything = np.arange(3)  # each has won and lost against the next, under both signs of a feature
    signs = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]], dtype=float)
    model_a = np.concatenate([pair[:, 0], np.repeat(everything, 8)])
    model_b = np.concatenate([other, np.repeat((everything + 1) % 3, 8)])
    won = np.concatenate([won, np.tile(np.repeat([0.0, 1.0], 4), 3)])
    weight = np.concatenate([weight, np.ones(24)]).astype(float)
    features = np.concatenate([features, np.tile(signs, (6, 1))])
    rows = style_fit.Rows(3, model_a, model_b, np.arange(len(won)), won, weight, features)
    found = coefficients_of(style_fit.fit_style(rows, anchor, formula))
    assert found == pytest.approx(sklearn_coefficients(rows, weight, anchor, formula), abs=1e-6)


@pytest.fixture(scope="module")
def published(shared_data: Path) -> style_fit.Rows:
    """The games of a published folder, without those whose answers are not both there."""
    bench = Bench(shared_data, "ko-arena")
    if not bench.folder.is_dir():
        pytest.skip("the folder ko-arena is not among the shared data")
    table = without_own(read_judgments(bench, ["ensemble"]).table, BASELINE)
    fought = battles.readable_battles(table, BASELINE, "ensemble", 3, False)
    counts = style_control.style_table(bench, fought.models, fought.questions)
    both = counts[fought.model_a, fought.question] + counts[fought.model_b, fought.question]
    known = np.asarray(~np.isnan(both).any(axis=1))
    used = style_control._cut(fought, known)
    games = used.games()
    a, b = (counts[model, used.question][games.first] for model in (used.model_a, used.model_b))
    return style_control._rows(used, games, style_fit.style_features(a, b, games.rows, "v2.0"))


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["rows", "questions"])
@pytest.mark.parametrize("formula", style_fit.FORMULAS)
def test_rounds_of_published_games(published: style_fit.Rows, formula: str, unit: str) -> None:
    anchor = int(np.bincount(published.model_a).argmax())
    found = style_fit.bootstrap_style(published, anchor, formula, rounds=2, unit=unit)
    weights = style_fit.weights_of_rounds(published, unit, 42, range(2))
    for weight, ratings, coefficients in zip([published.weight, *weights], [found.fit.ratings, *found.ratings],
                                             [found.fit.coefficients, *found.coefficients]):  # fmt: skip
        sure = sklearn_coefficients(published, weight, anchor, formula)
        assert coefficients_of(style_fit.StyleFit(ratings, coefficients)) == pytest.approx(sure, abs=1e-6)


def test_without_a_single_maximum_newton_finds_none() -> None:
    rows = rows_of()
    n = len(rows.won)

    def found(won: FloatArray, features: FloatArray) -> FloatArray | None:
        design = style_newton.design_of(rows.n_models, rows.model_a, rows.model_b, won, features)
        free = np.arange(rows.n_models + features.shape[1]) > 0
        return style_newton.most_likely(design, np.ones(n), 0.0, free, np.zeros(len(free)))

    assert found(rows.won, rows.features) is not None
    assert found((rows.features[:, 0] > 0).astype(float), rows.features) is None  # one feature says who wins
    assert found(np.where(rows.model_b == 1, 1.0, rows.won), rows.features) is None  # a model that lost everything
    assert found(rows.won, rows.features[:, [0, 0, 1]]) is None  # two that say the same


@pytest.mark.filterwarnings("ignore:The style-controlled fit")
def test_what_features_separate_is_rated_all_the_same() -> None:
    rows = rows_of()
    won = (rows.features[:, 0] > 0).astype(float)
    apart = style_fit.Rows(4, rows.model_a, rows.model_b, rows.question, won, rows.weight, rows.features)
    found = style_fit.fit_style(apart, 0, "v2.0")
    assert found.coefficients[0] > 10 and np.isfinite(found.ratings).all()
