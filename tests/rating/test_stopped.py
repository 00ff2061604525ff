"""What holds after looks: the stagewise ordering against simulated walks, scores and differences on made judgments."""

from __future__ import annotations

import numpy as np
import pytest

from arena_hard.rating import paired, stopped
from arena_hard.rating.outcomes import Outcomes, outcomes
from arena_hard.rating.sequential import boundaries
from tests.rating.test_paired import drawn, table_of

SHARES = [0.25, 0.5, 0.75, 1.0]


def difference_after(found: Outcomes, looked: stopped.Looked, level: float = 0.95) -> stopped.AfterLooks | None:
    (pair,) = looked.pairs
    return stopped.difference_after(found, pair, looked, level)


def walks(drift: float, number: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """At which look each of many walks ends, and its z there."""
    rng = np.random.default_rng(3)
    steps = rng.normal(size=(number, 4)) * 0.5 + drift * 0.25
    z = steps.cumsum(axis=1) / np.sqrt(SHARES)
    crossed = np.abs(z) > boundaries(SHARES)
    crossed[:, -1] = True
    look = crossed.argmax(axis=1)
    return look, z[np.arange(number), look]


@pytest.mark.parametrize("drift", [0.0, 2.0])
def test_the_chance_of_more_is_that_of_simulated_walks(drift: float) -> None:
    look, z = walks(drift)
    bounds = boundaries(SHARES)
    for place, seen in ((0, bounds[0] + 0.3), (1, bounds[1] + 0.1), (2, -bounds[2] - 0.2), (3, 0.4)):
        above = ((look < place) & (z > 0)) | ((look == place) & (z > seen)) | ((look > place) & (seen < 0))
        found = stopped.chance_of_more(SHARES[: place + 1], bounds[: place + 1], seen, drift)
        assert found == pytest.approx(above.mean(), abs=0.01)


def test_half_of_the_estimates_lie_above_the_truth_where_the_plain_ones_do_not() -> None:
    look, z = walks(2.5, 400)
    bounds = boundaries(SHARES)
    plain = z / np.sqrt(np.array(SHARES)[look])
    above = [stopped.chance_of_more(SHARES[: k + 1], bounds[: k + 1], seen, 2.5) < 0.5 for k, seen in zip(look, z)]
    assert np.mean(above) == pytest.approx(0.5, abs=0.07)  # as often as the median-unbiased estimate is above 2.5
    assert np.median(plain) > 2.7


def test_one_look_is_the_usual_test() -> None:
    found = outcomes(table_of(drawn(2, p=2, q=400, strengths=np.array([0.0, 0.2]))))
    (one,) = paired.differences(found)
    seen = difference_after(found, stopped.Looked(400, (400,), (one.model, one.other)))
    assert seen is not None and seen.estimate == pytest.approx(one.value, rel=1e-3)
    assert seen.p_value == pytest.approx(one.p_value * 0.05 / 0.045, rel=2e-3)  # that of the interval, with the reserve
    assert seen.upper - seen.lower == pytest.approx(one.upper - one.lower, rel=0.05)  # 95.5 % with the reserve


def test_an_early_end_is_drawn_back_and_its_interval_is_wider() -> None:
    grades = drawn(4, p=2, q=100, strengths=np.array([0.0, 0.6]))
    found = outcomes(table_of(grades))
    (one,) = paired.differences(found)
    seen = difference_after(found, stopped.Looked(500, (50, 100), (one.other, one.model)))
    assert seen is not None and seen.estimate is not None and 0 < seen.estimate < one.value
    assert seen.lower < one.lower and one.upper < seen.upper and seen.is_difference
    (score, _) = stopped.scores_after(found, ["m0", "m1"], stopped.Looked(500, (50, 100), width=10.0))
    assert score.questions == 100 and score.lower < score.value < score.upper


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("judged", [(40,), (20, 60, 100), (30, 101), (110, 150), (90, 100)])
def test_estimate_interval_and_p_value_agree_with_fewer_and_more_questions(
    judged: tuple[int, ...], strength: float
) -> None:
    found = outcomes(table_of(drawn(4, p=2, q=100, strengths=np.array([0.0, strength]))))
    looked = stopped.Looked(200, judged, ("m0", "m1"))
    first = difference_after(found, looked)
    assert first is not None and first.p_value is not None
    for p_value in {0.05, min(0.9, first.p_value * 1.02), min(0.9, first.p_value / 1.02)}:
        seen = difference_after(found, looked, 1 - p_value)
        assert seen is not None and seen.p_value is not None
        assert (seen.lower > 0 or seen.upper < 0) == (seen.p_value < 1 - (1 - p_value))
        assert seen.p_value == pytest.approx(first.p_value, rel=0.02)
        assert seen.p_value >= paired.differences(found)[0].p_value
        if seen.estimate is None:  # such a difference would have ended the run long before
            assert strength > 0.5 and len(judged) > 1
            continue
        assert seen.lower <= seen.estimate <= seen.upper
        most = 1.0 if strength > 0.5 and len(judged) > 1 else 1.001  # what was decided is drawn back
        assert abs(seen.estimate) < most * abs(seen.value)


def test_no_estimate_where_the_judgments_are_not_those_that_were_looked_at() -> None:
    """A model that wins everything would have ended the run at the first look."""
    found = outcomes(table_of(drawn(4, p=2, q=60, strengths=np.array([-9.0, 9.0]))))
    seen = difference_after(found, stopped.Looked(100, (20, 40, 60), ("m0", "m1")))
    assert seen is not None and seen.estimate is None and seen.lower > 0


def test_what_was_looked_at_stays_looked_at() -> None:
    found = outcomes(table_of(drawn(4, p=2, q=100)))
    (plain,) = paired.differences(found)
    for judged in ((40, 80), (50, 99), (50, 101), (50, 140)):  # more questions, and fewer, than the last look saw
        looked = stopped.Looked(500, judged, ("m0", "m1"))
        pair = difference_after(found, looked)
        assert pair is not None and pair.questions == 100 and pair.last == judged[-1] and pair.p_value is not None
        assert pair.lower < plain.lower and plain.upper < pair.upper and pair.p_value >= 0.8 * plain.p_value
        (score,) = stopped.scores_after(found, ["m0"], looked)
        assert score.lower < score.value < score.upper
    assert difference_after(found, stopped.Looked(500, (50, 100), ("m0", "gone"))) is None
    with_width = difference_after(found, stopped.Looked(500, (50, 100), ("m0", "m1"), 10.0))
    assert with_width is not None and with_width.estimate is None and with_width.p_value is not None


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_questions_judged_since_the_end_are_covered_at_the_level(level: float) -> None:
    """Walks that end at the first look beyond its planned boundary, and go on by a tenth of the questions then."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=(20_000, 10)).cumsum(axis=1) / np.sqrt(np.arange(1, 11))
    numbers = np.arange(10, 101, 10)
    planned = boundaries([n / 100 for n in numbers[:9]])
    crossed = np.abs(z[:, :9]) > planned
    crossed[:, -1] = True
    last = crossed.argmax(axis=1)
    bound = [
        stopped.boundary_now(stopped.Looked(100, tuple(numbers[: k + 1].tolist())), 10 * k + 20, level)
        for k in range(9)
    ]
    held = np.abs(z[np.arange(len(z)), last + 1]) <= np.array(bound)[last]
    assert held.mean() >= level


def test_the_level_binds_and_fewer_questions_keep_the_boundary() -> None:
    looked = stopped.Looked(500, (50, 100))
    assert stopped.boundary_now(looked, 100, 0.8) < stopped.boundary_now(looked, 100) == boundaries([0.1, 0.2])[-1]
    assert stopped.boundary_now(looked, 99) == stopped.boundary_now(looked, 100) < stopped.boundary_now(looked, 50)


def test_looks_of_an_earlier_run_are_kept() -> None:
    later = stopped.Looked(60, (20,), None, 5.0)
    assert later.after(stopped.Looked(60, (20, 40), ("m", "n"))) == stopped.Looked(60, (20, 40), ("m", "n"), 5.0)
    assert later.after(None) == later


def test_two_runs_that_were_to_decide_different_pairs_tell_of_both() -> None:
    found = outcomes(table_of(drawn(4, p=3, q=60)))
    first = stopped.Looked(60, (20, 40), ("m1", "m0"))
    both = stopped.Looked(60, (20, 60), ("m0", "m2")).after(first)
    assert both == stopped.Looked(60, (20, 40, 60), ("m0", "m2"), None, (("m0", "m1"),))
    assert both.after(first).pairs == both.pairs == [("m0", "m1"), ("m0", "m2")]
    looked = {"m0": both, "m1": first, "m2": stopped.Looked(60, (20, 60), ("m0", "m2"))}
    seen = stopped.differences_after(found, looked)
    assert [{*one.name.split(" − ")} for one in seen] == [{"m0", "m1"}, {"m0", "m2"}]
    assert all(one.looks == 3 and one.p_value is not None and one.estimate is None for one in seen)
