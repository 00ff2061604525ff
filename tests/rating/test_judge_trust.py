"""Whether a judge can be trusted: coins, real judges, and judges that prefer a place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arena_hard.data.paths import Bench
from arena_hard.rating import judge_trust
from arena_hard.rating.games import GameTable, read_judgments
from arena_hard.showing import caveats


def games_of(first: list[int], second: list[int]) -> GameTable:
    """One model's games with these verdicts, 0 (A>>B) to 4 (B>>A); game 1 has the baseline as A."""
    n = len(first)
    zeros = np.zeros(2 * n, dtype=np.int64)
    return GameTable(
        questions=[f"q{i}" for i in range(n)],
        models=["m"],
        judges=["judy"],
        baselines=["base"],
        categories=[""],
        question=np.tile(np.arange(n), 2),
        model=zeros,
        judge=zeros,
        baseline=zeros,
        category=zeros,
        game=np.repeat([0, 1], n),
        verdict=np.array(first + second, dtype=np.int64),
    )


def answer_of(table: GameTable) -> judge_trust.Trust:
    (found,) = judge_trust.trust(table)
    return found


def test_a_coin_is_not_trusted() -> None:
    thrown = np.random.default_rng(3).integers(0, 5, (2, 600))
    found = answer_of(games_of(*thrown.tolist()))
    assert found.answer == "no"
    assert found.bias.startswith("shows no clear position bias")


def test_a_judge_that_agrees_with_itself_is_trusted() -> None:
    first = np.random.default_rng(3).integers(0, 5, 100)
    found = answer_of(games_of(first.tolist(), (4 - first).tolist()))
    assert (found.answer, found.agreement.split(" (")[1]) == ("yes", "κ 1.00, where 0 is guessing)")


@pytest.mark.parametrize(("always", "place"), [(1, "first"), (3, "second")])
def test_a_judge_that_always_takes_one_place_is_not_trusted(always: int, place: str) -> None:
    found = answer_of(games_of([always] * 60, [always] * 60))
    assert found.answer == "no" and f"shown {place} by 100.0 points" in found.bias


def test_of_a_few_questions_nothing_is_said() -> None:
    assert answer_of(games_of([1] * 49, [3] * 49)).answer == "not known"
    assert caveats.trust_notes(games_of([1] * 49, [3] * 49)) == []
    assert caveats.trust_notes(games_of([1] * 9, [1] * 9)) == []


def test_of_a_few_questions_a_suspicion_is_told() -> None:
    assert answer_of(games_of([1] * 49, [1] * 49)).answer == "not known"
    (note,) = caveats.trust_notes(games_of([1] * 10, [1] * 10))
    assert caveats.is_caution(note) and "judy names the same winner in both games of 0%" in str(note)


def test_a_real_judge_is_to_be_taken_with_care(shared_data: Path) -> None:
    table = read_judgments(Bench(shared_data, "arena-ta"), ["gpt-4o_images"]).table
    found = answer_of(table)
    assert (found.answer, found.bias) == ("with care", "prefers the answer shown first by 32.8 points, where 0 is fair")
    assert found.agreement.startswith("names the same winner in both games of 52% of its judgments (κ 0.33")
    (note,) = caveats.trust_notes(table)
    assert str(note).startswith("Take these results with care: the judge gpt-4o_images names the same winner")
