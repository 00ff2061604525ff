"""Stopping when decided: boundaries against published ones and by simulation, scores by hand."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from arena_hard.data.records import Game, Judgment, Question
from arena_hard.rating.pair_rule import influences
from arena_hard.rating.sequential import boundaries, look_at, spend, totals, waves, width_of
from benchmarks import sequential as simulation

NORMAL = NormalDist()


def test_one_look_is_the_ordinary_test() -> None:
    assert boundaries([1.0], alpha=0.05) == [pytest.approx(NORMAL.inv_cdf(0.975), abs=1e-4)]


def test_boundaries_are_those_published_for_five_looks() -> None:
    shares = [0.2, 0.4, 0.6, 0.8, 1.0]
    # the spending function of Lan and DeMets that resembles O'Brien and Fleming's boundaries, alpha 0.05
    spent = [4 - 4 * NORMAL.cdf(NORMAL.inv_cdf(1 - 0.05 / 4) / math.sqrt(share)) for share in shares]
    assert spend(shares, spent) == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-3)


@pytest.mark.slow
def test_random_walks_cross_as_often_as_was_spent_by_each_look() -> None:
    looks, runs = 10, 40_000
    steps = np.random.default_rng(3).normal(size=(runs, looks))
    z = steps.cumsum(axis=1) / np.sqrt(np.arange(1, looks + 1))
    crossed = np.maximum.accumulate(
        np.abs(z) > boundaries([k / looks for k in range(1, looks + 1)], alpha=0.05), axis=1
    )
    for look, share in enumerate(crossed.mean(axis=0), 1):
        spent = 0.05 * look / looks
        assert abs(share - spent) < 4 * math.sqrt(spent / runs)


@pytest.mark.slow
def test_false_decisions_stay_below_five_percent_at_every_look() -> None:
    runs = 1500
    stopped, _ = simulation.stopping(0.0, runs, seed=5, power=1.0)
    for look in range(simulation.LOOKS):
        share = ((stopped >= 0) & (stopped <= look)).mean()
        assert share < 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.slow
def test_a_large_difference_saves_about_half_and_is_never_decided_the_wrong_way() -> None:
    stopped, wrong = simulation.stopping(10.0, 500, seed=5, power=1.0)
    used = np.where(stopped < 0, simulation.LOOKS, stopped + 1).mean() / simulation.LOOKS
    assert used < 0.55 and not wrong.any()


@pytest.mark.slow
def test_the_interval_holds_where_its_width_made_one_stop() -> None:
    held, used = simulation.coverage(15.0, 1500, seed=5)
    assert held > 0.95 - 3 * math.sqrt(0.05 * 0.95 / 1500) and used < 0.7


# ----------------------------------------------------------------------------------------- scores


def judgment(key: str, *verdicts: str | None) -> Judgment:
    return Judgment(key, "m", "j", tuple(Game(verdict) for verdict in verdicts))


def test_wins_are_those_of_the_model_in_both_orders_and_strong_ones_weigh_three() -> None:
    judged = {
        "1": judgment("1", "B>>A", "A>B"),  # wins both, one strongly
        "2": judgment("2", "A=B", "B>A"),  # a tie and a loss
        "3": judgment("3", None, "A>>B"),  # a strong win, one unreadable
        "4": judgment("4", None, None),
    }
    wins, weights = totals(judged, ["1", "2", "3", "4", "5"])
    assert wins.tolist() == [4.0, 0.5, 3.0, 0.0, 0.0]
    assert weights.tolist() == [4.0, 2.0, 3.0, 0.0, 0.0]
    score, values = influences(wins[None, :3], weights[None, :3])
    assert score[0] == pytest.approx(100 * 7.5 / 9) and values.sum() == pytest.approx(0)


def test_a_width_of_equal_weights_is_that_of_a_mean() -> None:
    wins = np.array([6.0, 0.0, 6.0, 6.0, 3.0] * 8)
    error = 100 * (wins / 6).std(ddof=1) / math.sqrt(40)
    assert width_of(wins, np.full(40, 6.0), 2.0) == pytest.approx(2 * error * stats.t.isf(NORMAL.cdf(-2.0), 39))


def test_a_look_pairs_the_questions_that_both_models_have() -> None:
    first = (np.array([2.0, 2.0, 0.0, 2.0]), np.array([2.0, 2.0, 0.0, 2.0]))
    second = (np.array([0.0, 1.0, 2.0, 0.0]), np.array([2.0, 2.0, 2.0, 2.0]))
    look = look_at(first, second, boundary=2.0)
    assert (look.questions, look.difference) == (3, pytest.approx(100 - 100 / 6))
    back = look_at(second, first, boundary=2.0)
    assert back.interval == pytest.approx(tuple(-end for end in look.interval[::-1]))


def test_nothing_is_decided_without_questions_or_spread() -> None:
    empty = (np.zeros(3), np.zeros(3))
    assert not look_at(empty, empty, 2.0).decided
    assert width_of(*empty, 2.0) == math.inf
    assert width_of(np.ones(1), np.ones(1), 2.0) == math.inf
    unseen = 1 - NORMAL.cdf(-2.0) ** (1 / 30)  # all won: a question that was not met may be lost
    assert width_of(np.full(30, 6.0), np.full(30, 6.0), 2.0) == pytest.approx(100 * unseen)


def test_waves_hold_each_question_once_and_begin_alike() -> None:
    questions = [Question(f"q{n:03}", ("?",), "c", f"k{n // 2}") for n in range(500)]
    made = waves(questions)
    assert [len(wave) for wave in made] == [50] * 10
    assert len({q.question_id for wave in made for q in wave}) == 500
    assert [len(wave) for wave in waves(questions[:45])] == [20, 20, 5]
