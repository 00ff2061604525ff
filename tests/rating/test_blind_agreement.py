"""How far a person and a judge agree: the answer, the direction in which they differ, and honest intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from arena_hard.data.verdicts import LABELS
from arena_hard.rating import blind_agreement, judge_stats
from arena_hard.rating.blind_agreement import Agreement, Check, Planned


def agreed(person: Sequence[int], judge: Sequence[int], questions: int = 10_000, side: int = 0) -> Agreement:
    """Verdicts 0 (A>>B) to 4 (B>>A) of games on so many questions; side: which answer is the longer one."""
    plan = [Planned(f"q{i % questions}", "m", "base", 1, LABELS[code]) for i, code in enumerate(judge)]
    check = Check(Path(), "Ann", "judy", plan, {place: LABELS[code] for place, code in enumerate(person)})
    return blind_agreement.agreement([check], longer=lambda planned: side)


def drawn(games: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(0, 5, games).tolist()


def test_who_agrees_is_told_so() -> None:
    verdicts = drawn(50)
    found = agreed(verdicts, verdicts)
    assert (found.answer, found.kappa, found.same_winner) == ("yes", 1.0, 1.0)
    assert found.lower is not None and 0.6 < found.lower < 1.0  # 50 games that agree are no certainty
    assert found.winner is not None and 85 < found.winner.lower < 100 == found.winner.upper


def test_a_coin_does_not_agree() -> None:
    found = agreed(drawn(50, 1), drawn(50, 2))
    assert found.answer == "no" and (found.kappa or 0) <= 0.2
    assert found.lower is not None and found.upper is not None and found.upper - found.lower > 0.3


@pytest.mark.parametrize("games", [8, 50])
def test_no_spread_is_no_certainty(games: int) -> None:
    found = agreed([0] * games, drawn(games))
    assert found.kappa == 0.0
    assert (found.lower, found.upper) == (None, None)
    assert found.answer == ("no" if games == 50 else "not known")


def test_a_coin_that_skips_does_not_agree_either() -> None:
    """Neither end of the interval says yes."""
    found = agreed(drawn(45, 3), drawn(45, 8))
    assert found.answer == "no" and found.upper is not None and 0.2 < found.upper < 0.6


def test_a_few_games_tell_only_what_both_ends_say() -> None:
    verdicts = drawn(49)
    assert agreed(verdicts, verdicts).answer == "yes"
    assert agreed(verdicts[:5], verdicts[:5]).answer == "not known"
    assert agreed([], []).answer == "not known"
    noisy = [code if i % 3 else (code + 2) % 5 for i, code in enumerate(verdicts)]
    assert agreed(noisy[:20], verdicts[:20]).answer == "not known"


def test_the_judge_that_prefers_a_place_is_named() -> None:
    person = drawn(50)
    judge = [max(0, code - 2) for code in person]
    found = agreed(person, judge)
    first = 50 - 50 * np.sign(np.array([judge, person]) - judge_stats.TIE).mean(axis=1)
    assert found.place is not None and found.place.value == pytest.approx(2 * (first[0] - first[1]))
    assert 0 < found.place.lower < found.place.value < found.place.upper
    assert found.answer != "yes"
    assert agreed(judge, person).place == judge_stats.Estimate(
        -found.place.value, found.place.error, -found.place.upper, -found.place.lower
    )


def test_longer_answers_are_preferred_on_either_side() -> None:
    person, judge = [2] * 30 + [4] * 30, [0] * 30 + [4] * 30
    long_first, long_second = agreed(person, judge, side=1), agreed(person, judge, side=-1)
    assert long_first.longer is not None and long_first.longer.value == pytest.approx(50.0)
    assert long_second.longer is not None and long_second.longer.value == pytest.approx(-50.0)
    assert agreed(person, judge, side=0).longer is None


def test_games_of_a_question_are_no_further_evidence() -> None:
    person, judge = drawn(200, 1), [code if i % 2 else 2 for i, code in enumerate(drawn(200, 1))]
    wide, narrow = agreed(person, judge, questions=20), agreed(person, judge)
    assert agreed(person, judge, questions=10).lower is None  # too few to draw from
    assert wide.place is not None and narrow.place is not None
    assert wide.kappa == narrow.kappa and wide.lower is not None


def test_intervals_of_kappa_hold_the_truth() -> None:
    """Persons who repeat a judge's verdict in 7 of 10 games, else throw a die: κ is 0.7 in the long run."""
    generator = np.random.default_rng(5)
    held = 0
    for _ in range(40):
        judge = generator.integers(0, 5, 50)
        person = np.where(generator.random(50) < 0.7, judge, generator.integers(0, 5, 50))
        ends = blind_agreement.kappa_interval(np.stack([person, judge], 1), np.arange(50), generator, 0.95)
        held += ends is not None and ends[0] <= 0.7 <= ends[1]
    assert held >= 34  # 38 expected; 34 or fewer has a chance of 3 in 1000 at 92 %
