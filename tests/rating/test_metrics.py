"""Metrics of a benchmark: small cases by hand, scipy as oracle, properties."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_hard.rating import metrics
from arena_hard.rating.metrics import Source


def source(score: list[float], width: float | list[float] = 1.0, std: float = 1.0, name: str = "s") -> Source:
    values, reach = np.array(score, dtype=float), np.array(width, dtype=float)
    models = tuple(f"m{i}" for i in range(len(score)))
    spread = np.full(len(score), std)
    return Source(name, models, values, values - reach, values + reach, values, spread)


def negated(one: Source) -> Source:
    return Source(one.name, one.models, -one.score, -one.upper, -one.lower, -one.mean, one.std)


scores = st.lists(st.integers(-20, 20), min_size=4, max_size=8)


def test_touching_intervals_under_each_rule() -> None:
    one = source([4.0, 2.0, 0.0])  # [3, 5], [1, 3], [−1, 1]: neighbours touch
    assert metrics.separations(one, "closed").tolist() == [0, 1, 0]
    assert metrics.separations(one, "touching").tolist() == [1, 1, 1]
    assert metrics.separations(one, "published").tolist() == [1, 1, 1]


def test_a_pinned_model_inside_an_interval() -> None:
    one = source([1.0, 1.5, 9.0], [1.0, 0.0, 1.0])
    assert metrics.separations(one, "touching").tolist() == [0, -1, -1]
    assert metrics.separations(one, "published").tolist() == [-1, -1, -1]


def test_unknown_rules_and_intervals() -> None:
    with pytest.raises(ValueError, match="rule"):
        metrics.separations(source([1, 2, 3]), "open")
    assert metrics.separations(source([1, 2, 3], [np.nan] * 3)).tolist() == [0, 0, 0]


def test_agreement_by_hand() -> None:
    found = metrics.correlate(source([9, 6, 3, 2.5]), source([3, 6, 9, 20]))
    # The reference separates all six; the benchmark five, each the other way.
    assert (found.reference_pairs, found.overlapping, found.pairs) == (6, 1, 6)
    assert found.agreement.value == pytest.approx(-5 / 6)
    assert found.half_credit.value == pytest.approx(1 / 12)
    assert found.spearman.value == pytest.approx(-1.0) and found.kendall.value == pytest.approx(-1.0)


def test_brier_by_hand() -> None:
    from scipy.stats import norm

    errors = metrics.brier_errors(source([1.0, 0.0], std=2**-0.5), source([5.0, 3.0]))
    assert errors.tolist() == pytest.approx([norm.cdf(-1.0) ** 2])
    assert metrics.brier_errors(source([1.0, 0.0], std=0.0), source([3.0, 5.0])).tolist() == [1.0]
    assert metrics.brier_errors(source([1.0, 1.0], std=0.0), source([3.0, 5.0])).tolist() == [0.25]


def test_a_reference_that_separates_nothing_leaves_agreement_empty() -> None:
    found = metrics.correlate(source([9, 6, 3]), source([1, 2, 3], 50.0))
    assert found.agreement == metrics.Metric(None) and found.half_credit == metrics.Metric(None)
    tied = metrics.correlate(source([1, 1, 1]), source([1, 2, 3]))
    assert tied.spearman.value is None and tied.kendall.value is None


def test_other_models_are_refused() -> None:
    with pytest.raises(ValueError, match="same models"):
        metrics.correlate(source([1, 2, 3]), source([1, 2, 3, 4]))


@given(scores, st.data())
def test_rank_correlations_equal_scipy(first: list[int], data: st.DataObject) -> None:
    from scipy.stats import kendalltau, spearmanr

    second = data.draw(st.lists(st.integers(-20, 20), min_size=len(first), max_size=len(first)))
    a, b = np.array(first, dtype=float), np.array(second, dtype=float)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert np.isnan(metrics.kendall(a, b)) and np.isnan(metrics.spearman(a, b))
    else:
        assert metrics.kendall(a, b) == pytest.approx(kendalltau(a, b).statistic)
        assert metrics.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)


@given(scores, st.sampled_from(metrics.RULES))
def test_turning_a_benchmark_upside_down_turns_its_separations(first: list[int], rule: str) -> None:
    one = source([float(value) for value in first])
    assert (metrics.separations(negated(one), rule) == -metrics.separations(one, rule)).all()


@given(scores, st.randoms(use_true_random=False))
def test_agreement_is_antisymmetric_and_one_with_itself(first: list[int], random: Random) -> None:
    second = [float(value) for value in first]
    random.shuffle(second)
    one, reference = source([float(value) for value in first]), source(second)
    seen, truth = metrics.separations(one), metrics.separations(reference)
    plain, turned = metrics.signed_agreement(seen, truth), metrics.signed_agreement(-seen, truth)
    if (truth != 0).any():
        assert plain == pytest.approx(-turned) and metrics.signed_agreement(truth, truth) == 1.0
    else:
        assert np.isnan(plain)


def test_intervals_hold_the_value_and_repeat() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(size=15)
    one, reference = source(list(truth + rng.normal(size=15) / 3), 0.2), source(list(truth), 0.2)
    found = metrics.correlate(one, reference)
    for name in ("separability", "agreement", "half_credit", "spearman", "kendall", "brier"):
        metric = getattr(found, name)
        assert metric.lower < metric.value < metric.upper
    assert found == metrics.correlate(one, reference) != metrics.correlate(one, reference, seed=1)
