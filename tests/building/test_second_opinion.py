"""The agreement of two annotators, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from arena_hard.building.second_opinion import is_drawn, opinion, opinion_lines


def test_kappa_is_cohens_for_each_criterion() -> None:
    rng = np.random.default_rng(1)
    first = (rng.random((400, 3)) < [0.2, 0.5, 0.9]).astype(np.int64)
    flips = rng.random((400, 3)) < [0.1, 0.3, 0.02]
    second = np.where(flips, 1 - first, first)
    found = opinion(first, second, ["a", "b", "c"], threshold=2)
    assert found is not None
    for place, each in enumerate(found.criteria):
        assert each.kappa == pytest.approx(cohen_kappa_score(first[:, place], second[:, place]))
        assert each.lower is not None and each.kappa is not None and each.upper is not None
        assert each.lower < each.kappa < each.upper
        assert each.same == pytest.approx((first[:, place] == second[:, place]).mean())
    scores = first.sum(axis=1), second.sum(axis=1)
    assert found.difference == pytest.approx(scores[1].mean() - scores[0].mean())
    assert found.same_side == pytest.approx(((scores[0] >= 2) == (scores[1] >= 2)).mean())
    again = opinion(first, second, ["a", "b", "c"], threshold=2)
    assert again == found


def test_full_agreement_leaves_room_for_what_was_not_met() -> None:
    first = np.array([[0], [1]] * 30)
    found = opinion(first, first, ["a"], 1)
    assert found is not None
    (only,) = found.criteria
    assert only.kappa == only.upper == 1.0
    # a share of 1 - 0.025^(1/60) of all prompts, that were not met, may be apart: κ = 1 - share / 0.5
    assert only.lower == pytest.approx(1 - 2 * (1 - 0.025 ** (1 / 60)))


def test_no_spread_is_no_kappa() -> None:
    found = opinion(np.ones((40, 1), np.int64), np.ones((40, 1), np.int64), ["a"], 1)
    assert found is not None
    assert (found.criteria[0].kappa, found.criteria[0].lower) == (None, None)
    assert "not defined" in "\n".join(opinion_lines(found, "one", "two", 1))
    nothing = opinion(np.zeros((0, 1), np.int64), np.zeros((0, 1), np.int64), ["a"], 1)
    assert nothing is None and "no prompt has a label by both" in next(opinion_lines(nothing, "one", "two", 1))


def test_the_share_is_drawn_by_id_and_seed_and_a_larger_one_holds_the_smaller() -> None:
    keys = [f"{number:016x}" for number in range(4000)]
    some, more = ([key for key in keys if is_drawn(key, 42, share)] for share in (0.05, 0.2))
    assert set(some) < set(more)
    assert 140 <= len(some) <= 260 and 700 <= len(more) <= 900
    assert [key for key in keys if is_drawn(key, 43, 0.05)] != some
    assert all(is_drawn(key, 42, 1.0) for key in keys) and not any(is_drawn(key, 42, 0.0) for key in keys)
