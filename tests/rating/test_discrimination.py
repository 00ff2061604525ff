"""Which questions tell models apart: by hand, and against correlations computed by numpy on their own."""

from __future__ import annotations

import numpy as np

from arena_hard.rating.discrimination import discrimination
from arena_hard.rating.outcomes import Outcomes


def outcomes_of(shares: list[list[float]], games: list[list[float]] | None = None) -> Outcomes:
    """Outcomes from shares of wins [p, q]; a question of no games was not judged."""
    played = np.array(games, dtype=float) if games else np.full(np.shape(shares), 2.0)
    p, q = played.shape
    names = tuple(f"q{number}" for number in range(q))
    return Outcomes(tuple(f"m{i}" for i in range(p)), np.array(shares) * played, played, 6, questions=names)


def test_by_hand() -> None:
    # win rates on the other two: without q0 they are 1, .5, .25; without q1 .5, .5, .75; without q2 .5, .5, .5
    found = discrimination(outcomes_of([[0.0, 1.0, 1.0], [0.5, 0.5, 0.5], [1.0, 0.0, 0.5]]))
    assert found.models.tolist() == [3, 3, 3]
    assert np.allclose(found.mean, [50, 50, 100 * 2 / 3])
    assert np.allclose(found.spread, [100 * np.sqrt(1 / 6), 100 * np.sqrt(1 / 6), 100 * np.sqrt(1 / 18)])
    assert np.allclose(found.agreement[:2], [-0.375 / np.sqrt(0.5 * 0.2916667), -0.125 / np.sqrt(0.5 * 0.0416667)])
    assert np.isnan(found.agreement[2])  # all models have the same rest, so nothing can agree with it
    assert found.against.tolist() == [True, True, False]
    assert found.dead.tolist() == [False, False, False]


def test_many_models_against_numpy() -> None:
    random = np.random.default_rng(3)
    strength = random.normal(size=(40, 1))
    shares = (random.random((40, 30)) < 1 / (1 + np.exp(-strength))).astype(float)
    games = random.integers(1, 7, (40, 30)).astype(float)
    found = discrimination(outcomes_of(shares.tolist(), games.tolist()))
    for question in range(30):
        others = np.delete(np.arange(30), question)
        rest = (shares * games)[:, others].sum(axis=1) / games[:, others].sum(axis=1)
        assert np.isclose(found.agreement[question], np.corrcoef(shares[:, question], rest)[0, 1])
    assert np.mean(found.agreement) > 0.2  # the models differ, and most questions show it


def test_questions_that_say_nothing_are_dead_and_those_of_few_models_are_unknown() -> None:
    shares = [[0.0, 1.0, 0.5, 0.5], [0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 0.0, 0.0]]
    games = [[2.0, 2.0, 2.0, 2.0], [2.0, 2.0, 2.0, 0.0], [2.0, 2.0, 0.0, 2.0]]
    found = discrimination(outcomes_of(shares, games))
    assert found.dead.tolist() == [True, False, True, False]
    assert found.models.tolist() == [3, 3, 2, 2]
    assert np.isnan(found.agreement).tolist() == [True, False, True, True]
    one = discrimination(outcomes_of([[1.0, 0.0]]))
    assert not one.dead.any() and np.isnan(one.agreement).all()
