"""The goals that may end judging early."""

from __future__ import annotations

import numpy as np
import pytest

from arena_hard.data.records import UserError
from arena_hard.judging.stopping import Goal
from arena_hard.rating import pair_rule


def test_the_baseline_may_be_one_of_the_two() -> None:
    goal = Goal(None, ("base", "m"), "base")
    goal.check({"m", "n"})
    with pytest.raises(UserError, match="Did you mean 'base'"):
        Goal(None, ("bace", "m"), "base").check({"m", "n"})
    with pytest.raises(UserError, match="base: not among the models to judge"):
        Goal(None, ("base", "m")).check({"m", "n"})  # categories with baselines of their own
    won, rows = np.array([2.0, 2.0, 6.0, 0.0] * 10), np.array([2.0, 2.0, 6.0, 2.0] * 10)
    enough, said = goal.met({"m": (won, rows), "n": (rows, rows)}, 2.0)
    score, lower, upper = pair_rule.score_with_ends(won, rows, 6.0, 0.02275013)
    assert enough and said == f"base − m = {50 - score:+.1f} points ({50 - upper:+.1f} to {50 - lower:+.1f}), decided"
