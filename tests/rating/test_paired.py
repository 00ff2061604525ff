"""Paired differences, ranks and planning: by hand, against scipy, and by simulation."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.rating import judge_stats, paired, planning
from arena_hard.rating.arrays import FloatArray, IntArray
from arena_hard.rating.games import GameTable, read_judgments
from arena_hard.rating.outcomes import outcomes


def table_of(grades: IntArray) -> GameTable:
    """Games from the models' grades [p, q, 2]: 0 (strong loss) to 4, −1 for a null."""
    p, q, _ = grades.shape
    model, question, game = (axis.ravel().astype(np.int32) for axis in np.indices(grades.shape))
    zeros = np.zeros(grades.size, dtype=np.int32)
    flat = grades.ravel()
    verdict = np.where(flat < 0, -1, np.where(game == 0, flat, 4 - flat)).astype(np.int8)
    return GameTable(
        [f"q{i}" for i in range(q)], [f"m{i}" for i in range(p)], ["j"], ["base"], [""],
        question, model, zeros, zeros, zeros, game.astype(np.int8), verdict,
    )  # fmt: skip


def drawn(seed: int, p: int = 4, q: int = 60, strengths: FloatArray | None = None) -> IntArray:
    rng = np.random.default_rng(seed)
    strengths = np.zeros(p) if strengths is None else strengths
    latent = strengths[:, None, None] + rng.normal(size=(1, q, 1)) / 2 + rng.normal(size=(p, q, 2))
    return np.digitize(latent, [-1.2, -0.2, 0.2, 1.2])


def test_scores_are_the_weighted_win_rates() -> None:
    grades = drawn(1)
    grades[0, :5] = -1
    table = table_of(grades)
    for weight in (1, 3):
        found = outcomes(table, weight)
        assert found.score == pytest.approx(judge_stats.weighted_scores(table, weight))
        assert found.influence.sum(axis=1) == pytest.approx(np.zeros(4), abs=1e-12)


def test_with_equal_weights_it_is_the_paired_t_test() -> None:
    from scipy.stats import ttest_rel

    grades = drawn(2, p=2)
    (found,) = paired.differences(outcomes(table_of(grades), weight=1))
    wins = 100 * (1 + np.sign(grades - 2)).mean(axis=2) / 2
    better = int(found.model[1])
    oracle = ttest_rel(wins[better], wins[1 - better])
    assert found.value == pytest.approx(wins[better].mean() - wins[1 - better].mean())
    assert found.p_value == pytest.approx(oracle.pvalue) and found.corrected == found.p_value
    interval = oracle.confidence_interval(0.95)
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high))
    assert found.sigma == pytest.approx((wins[0] - wins[1]).std(ddof=1))


def test_influences_are_the_jackknife() -> None:
    """Leaving a question out moves a ratio by minus its influence, to first order."""
    grades = drawn(3, p=2, q=400)
    found = outcomes(table_of(grades))
    for question in range(5):
        left = outcomes(table_of(np.delete(grades, question, axis=1)))
        assert found.score - left.score == pytest.approx(found.influence[:, question], rel=0.02)


def test_error_agrees_with_a_bootstrap_of_questions() -> None:
    grades = drawn(4, p=2, q=200, strengths=np.array([0.0, 0.4]))
    (one,) = paired.differences(outcomes(table_of(grades)))
    rng = np.random.default_rng(0)
    rows = np.where(np.abs(grades - 2) == 2, 3.0, 1.0)
    won, games = (rows * (1 + np.sign(grades - 2)) / 2).sum(axis=2), rows.sum(axis=2)
    times = rng.multinomial(200, np.full(200, 1 / 200), size=4000)
    share = 100 * (times @ won.T) / (times @ games.T)
    assert (share[:, 1] - share[:, 0]).std() == pytest.approx(one.error, rel=0.05)


def test_holm_by_hand() -> None:
    assert paired.holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert paired.holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_the_plain_value_and_bonferroni(values: list[float]) -> None:
    plain = np.array(values)
    corrected = paired.holm(plain)
    assert (corrected >= plain).all() and (corrected <= np.minimum(1, plain * len(plain)) + 1e-15).all()
    assert (np.diff(corrected[np.argsort(plain, kind="stable")]) >= 0).all()


def test_no_spread_and_one_question_are_no_nan() -> None:
    grades = np.full((3, 10, 2), 4)
    grades[2] = 0
    found = paired.differences(outcomes(table_of(grades)))
    assert [(one.value, one.p_value) for one in found] == [(0.0, 1.0), (100.0, 2 / 1024), (100.0, 2 / 1024)]
    (single,) = paired.differences(outcomes(table_of(grades[1:, :1])))
    assert (single.lower, single.upper, single.p_value) == (-100.0, 100.0, 1.0)


def test_models_are_chosen_by_name() -> None:
    found = outcomes(table_of(drawn(5)))
    assert len(paired.differences(found)) == 6
    assert {one.model for one in paired.differences(found, ["m0", "m3"])} <= {"m0", "m3"}
    with pytest.raises(UserError, match="nobody has no readable verdict"):
        paired.differences(found, ["m0", "nobody"])
    with pytest.raises(UserError, match="two or more"):
        paired.differences(found, ["m0", "m0"])


def test_ranks_hold_the_true_ones_at_once() -> None:
    """Simulated with known strengths: all true ranks lie inside their intervals in 95 % or more of the sets."""
    strengths = np.array([0.0, 0.15, 0.3, 0.9, 0.9])
    all_inside = 0
    found: tuple[paired.RankInterval, ...] = ()
    for seed in range(100):
        found = paired.rank_intervals(outcomes(table_of(drawn(seed, 5, 80, strengths))))
        truth = [(5, 5), (4, 4), (3, 3), (1, 2), (1, 2)]
        all_inside += all(one.best <= low and one.worst >= high for one, (low, high) in zip(found, truth))
        assert all(one.best <= one.rank <= one.worst for one in found)
    assert all_inside >= 90
    assert sum(one.worst - one.best for one in found) < 20, "intervals that exclude nothing would pass the rest"


def test_plan_gives_the_known_figures() -> None:
    assert planning.needed_questions(6.3, 50.0) in range(494, 501)
    assert planning.needed_questions(2.0, 50.2) == pytest.approx(4940, abs=10)
    found = outcomes(table_of(drawn(6)))
    planned = planning.plan(found, 5.0)
    assert planned.sigma == np.median([one.sigma for one in paired.differences(found)])
    assert planning.needed_questions(planned.visible, planned.sigma) in (planned.questions, planned.questions + 1)
    with pytest.raises(UserError, match="above 0"):
        planning.plan(found, 0.0)
    with pytest.raises(UserError, match="two models"):
        planning.plan(outcomes(table_of(drawn(6, p=1))), 5.0)


def test_real_judgments(shared_data: Path) -> None:
    found = outcomes(read_judgments(Bench(shared_data, "arena-ta"), ["gpt-4o_images"]).table)
    assert dict(zip(found.models, found.score))["Yi-34B-Chat"] == pytest.approx(42.70, abs=0.005)
    ranks = {one.model: one for one in paired.rank_intervals(found)}
    assert (ranks["gemma-2-9b-it"].best, ranks["gemma-2-9b-it"].worst) == (1, 1)
