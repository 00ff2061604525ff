"""What the games of each model came to, question by question, and what each question adds to its win rate.

A model's win rate is a ratio, weighted wins over weighted games. A question's *influence* on it is
100·Σ w(y − score)/Σ w over the question's games: influences sum to zero, and sums of their squares give
the variance clustered by question (linearisation of a ratio; Cochran, Sampling Techniques, ch. 6).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from arena_hard.rating.arrays import BoolArray, FloatArray, occurring, weight_sums
from arena_hard.rating.battles import most_rows
from arena_hard.rating.game_rows import rows_of, uncertain, won_and_all
from arena_hard.rating.games import GameTable, select
from arena_hard.rating.pair_rule import influences


@dataclass(frozen=True)
class Outcomes:
    """What the models' games against the baseline came to, by question.

    models: names; won, games: [p, q] weighted wins (a tie is half a win) and weighted games, both 0 where a
    question was not judged. Only questions that somebody was judged on. most: the largest weight that the games of a
    question may have; baseline: its name if it is among the models;
    questions: the ids of the columns; is_expected: whether some games count by expected outcomes (game_rows.py).
    """

    models: tuple[str, ...]
    won: FloatArray
    games: FloatArray
    most: int
    baseline: str | None = None
    questions: tuple[str, ...] = ()
    is_expected: bool = False

    @property
    def judged(self) -> BoolArray:
        """[p, q] whether a question was judged."""
        return self.games > 0

    @property
    def score(self) -> FloatArray:
        """[p] win rates in percent, each on all questions of its model; NaN without any."""
        with np.errstate(invalid="ignore"):
            return 100.0 * self.won.sum(axis=1) / self.games.sum(axis=1)

    @property
    def influence(self) -> FloatArray:
        """[p, q] what each question adds to the win rates, in points; 0 where it was not judged."""
        return influences(self.won, self.games)[1]


def outcomes(table: GameTable, weight: int = 3, first_game_only: bool = False, baseline: str | None = None) -> Outcomes:
    """What the models with a readable verdict came to; a strong one counts `weight` times.

    baseline: its name, to have it among the models: against itself it has won half of each question.
    """
    table = select(table, (table.verdict >= 0) & ((table.game == 0) | (not first_game_only)))
    shape = len(table.models), len(table.questions)
    place = table.model.astype(np.int64) * shape[1] + table.question
    won, games = (
        weight_sums(place, values, shape[0] * shape[1]).reshape(shape) for values in won_and_all(rows_of(table, weight))
    )
    there, asked = games.sum(axis=1) > 0, games.sum(axis=0) > 0
    won, games = won[np.ix_(there, asked)], games[np.ix_(there, asked)]
    most = most_rows(weight, first_game_only, len(occurring(table.judge)))
    names = (_of(table.models, there), _of(table.questions, asked))
    found = Outcomes(names[0], won, games, most, questions=names[1], is_expected=bool(uncertain(table).any()))
    return found if baseline is None else _with_baseline(found, baseline)


def _of(names: list[str], mask: BoolArray) -> tuple[str, ...]:
    return tuple(name for name, known in zip(names, mask) if known)


def _with_baseline(found: Outcomes, name: str) -> Outcomes:
    half = np.full((1, found.games.shape[1]), 0.5)
    return replace(
        found,
        models=(*found.models, name),
        won=np.vstack([found.won, half]),
        games=np.vstack([found.games, 2 * half]),
        baseline=name,
    )
