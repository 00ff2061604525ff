"""Style control: counts by hand, fits against scipy's optimiser, the same bits on every backend."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from arena_hard.data import style_counts
from arena_hard.data.jsonl import Remark
from arena_hard.data.records import UserError
from arena_hard.rating import style_fit
from arena_hard.rating.arrays import FloatArray


def rows_of(
    seed: int = 0, columns: tuple[int, ...] = (0, 1, 2, 3), formula: str = "v2.0", n: int = 600
) -> style_fit.Rows:
    rng = np.random.default_rng(seed)
    a, b = rng.poisson([300, 4, 6, 8], (n, 4)), rng.poisson([280, 3, 7, 8], (n, 4))
    model = rng.integers(1, 4, n)
    lean = 0.3 * model - 0.6 + (b - a)[:, 0] / 40
    won = np.digitize(rng.logistic(size=n) - lean, [-0.2, 0.2]) / 2.0
    weight = np.where(rng.random(n) < 0.3, 3.0, 1.0)
    features = style_fit.style_features(a.astype(float), b.astype(float), weight, formula, columns)
    return style_fit.Rows(4, np.zeros(n, dtype=int), model, np.arange(n) // 6, won, weight, features)


def test_counts_leave_code_out() -> None:
    text = "# Top\n\n- one\n* two\n3. three\n**bold** and __too__\n```\n# no\n- no\n**no**\n```\n## End\n```\n# open"
    assert style_counts.style_counts(text, 40) == (40, 2, 3, 2)
    metadata = {
        "token_len": 40, "header_count": {"h1": 1, "h2": 1}, "list_count": {"ordered": 1, "unordered": 2},
        "bold_count": {"**": 1, "__": 1},
    }  # fmt: skip
    assert style_counts.counts_of_metadata(metadata) == (40, 2, 3, 2)


def test_formulas_by_hand() -> None:
    a, b = np.array([[30, 2, 0, 0], [10, 0, 0, 0]]), np.array([[10, 0, 0, 0], [10, 1, 0, 0]])
    weight = np.array([3, 1])
    for formula, tokens, headers in (
        ("v0.1", [20 / 41, 0.0], [2 / 3, -1 / 2]),
        ("v2.0", [0.5, 0.0], [(2 / 31) / (2 / 31 + 1), -(1 / 11) / (1 / 11 + 1)]),
    ):
        found = style_fit.style_features(a, b, weight, formula)
        for column, raw in enumerate((np.array(tokens), np.array(headers))):
            rows = np.repeat(raw, weight)  # of the original's battle file
            assert found[:, column] == pytest.approx((raw - rows.mean()) / rows.std())
        assert not found[:, 2:].any()


@pytest.mark.parametrize("formula", style_fit.FORMULAS)
@pytest.mark.parametrize("columns", [(0,), (1, 2, 3), (0, 1, 2, 3), ()])
def test_subsets_equal_an_independent_fit(columns: tuple[int, ...], formula: str) -> None:
    from scipy.optimize import minimize

    rows = rows_of(columns=columns, formula=formula)

    def loss(values: FloatArray) -> float:
        theta, beta = np.array(values[:4]), values[4:]
        penalty = 0.5 * (values**2).sum() if formula == "v0.1" else 0.5 * theta[0] ** 2
        z = np.log(10) * (theta[rows.model_a] - theta[rows.model_b]) + rows.features @ beta
        each = rows.won * np.logaddexp(0, -z) + (1 - rows.won) * np.logaddexp(0, z)
        return penalty + 2 * (rows.weight * each).sum()

    oracle = minimize(loss, np.zeros(4 + len(columns)), method="BFGS", options={"gtol": 1e-6}).x
    found = style_fit.fit_style(rows, 0, formula)
    assert found.ratings == pytest.approx(1000 + 400 * (oracle[:4] - oracle[0]), abs=0.02)
    assert found.coefficients == pytest.approx(oracle[4:], abs=1e-4)


def test_choices() -> None:
    assert style_fit.chosen_features(["length"]) == (0,)
    assert style_fit.chosen_features(["markdown", "length"]) == (0, 1, 2, 3)
    with pytest.raises(UserError, match="colour"):
        style_fit.chosen_features(["colour"])
    with pytest.raises(UserError, match="v3"):
        style_fit.style_features(np.ones((2, 4)), np.ones((2, 4)), np.ones(2), "v3")


@pytest.mark.parametrize("unit", ["rows", "questions"])
def test_rounds_surround_the_fit(unit: str) -> None:
    found = style_fit.bootstrap_style(rows_of(), 0, rounds=40, unit=unit)
    assert (found.lower[1:] < found.fit.ratings[1:]).all() and (found.fit.ratings[1:] < found.upper[1:]).all()
    assert (found.ratings[:, 0] == 1000).all() and (found.rating == np.median(found.ratings, axis=0)).all()
    assert found.coefficient_lower[0] < found.fit.coefficients[0] < found.coefficient_upper[0]


@pytest.mark.slow
def test_two_processes_give_the_same_bits() -> None:
    serial = style_fit.bootstrap_style(rows_of(), 0, rounds=6)
    parallel = style_fit.bootstrap_style(rows_of(), 0, rounds=6, jobs=2)
    assert serial.ratings.tobytes() == parallel.ratings.tobytes()
    assert serial.coefficients.tobytes() == parallel.coefficients.tobytes()


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bits() -> None:
    distributed = pytest.importorskip("distributed", reason="dask and distributed are not installed")
    serial = style_fit.bootstrap_style(rows_of(), 0, rounds=6)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        spread = style_fit.bootstrap_style(
            rows_of(), 0, rounds=6, jobs=2, backend="dask", address=cluster.scheduler_address
        )
    assert serial.ratings.tobytes() == spread.ratings.tobytes()


def test_bad_options_are_told() -> None:
    with pytest.raises(UserError, match="must be at least 1"):
        style_fit.bootstrap_style(rows_of(), 0, rounds=0)
    with pytest.raises(UserError, match="abacus"):
        style_fit.bootstrap_style(rows_of(), 0, rounds=1, backend="abacus")


@pytest.mark.parametrize("formula", style_fit.FORMULAS)
def test_a_model_without_battles_makes_no_fit_ill_conditioned(formula: str) -> None:
    rows = rows_of()
    with_one_more = replace(rows, n_models=rows.n_models + 1)
    style_fit._doubt_once.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, plain = (style_fit.fit_style(each, 0, formula) for each in (with_one_more, rows))
    assert found.ratings[:-1] == pytest.approx(plain.ratings, abs=1e-6)
    assert found.coefficients == pytest.approx(plain.coefficients, abs=1e-9)


def test_an_ill_conditioned_fit_is_one_note() -> None:
    """A feature that is another one times 1e9: the solver complains at each fit."""
    rng = np.random.default_rng(0)
    n = 60
    one = rng.normal(size=n)
    features = np.column_stack([one, one * 1e9])
    ones, model = np.ones(n), np.arange(n) % 3 + 1
    rows = style_fit.Rows(4, np.zeros(n, dtype=int), model, np.arange(n) // 6, (one > 0).astype(float), ones, features)
    style_fit._doubt_once.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            style_fit.fit_style(rows, 0, "v2.0")
    assert [each.category for each in caught] == [Remark]
