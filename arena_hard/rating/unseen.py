"""What no question that was met shows, and some that were not may: bounds where games have no spread.

Of n questions that all came out alike, another outcome may be left out by chance. With confidence `level` its share is
at most 1 − ((1 − level)/2)^(1/n) (Clopper & Pearson, Biometrika 26 (1934) 404, for none of n). Two games of a question
are no two trials, so n counts questions; and what was not met may weigh more than what was: a strong loss in both games
counts three times as much as two wins.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from arena_hard.rating.arrays import FloatArray

NO_SPREAD = 1e-9  # points: what rounding leaves


def unseen_share(questions: Any, level: float) -> FloatArray:
    """The largest share of questions of which none was met among so many (at least one)."""
    return share_beyond(questions, (1.0 - level) / 2.0)


def share_beyond(questions: Any, tail: float) -> FloatArray:
    """The same by the error on one side, which a level near 1 has no digits for."""
    return np.asarray(1.0 - tail ** (1.0 / np.maximum(questions, 1)))


def with_unseen(score: Any, rows: Any, most: float, unseen: Any) -> tuple[FloatArray, FloatArray]:
    """The lowest and the highest win rate (0 to 1) if a share of questions is all lost, or all won.

    score: the win rate on those that were met; rows: how many rows of battles each of them is, on average; most: how
    many another one may be.
    """
    met, others = np.asarray((1.0 - unseen) * rows), np.asarray(unseen * most)
    with np.errstate(invalid="ignore"):
        return met * score / (met + others), (met * score + others) / (met + others)


def room_of_questions(won: FloatArray, games: FloatArray, score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How far each model's worst question was from lost, and its best from won [p], as shares of the whole way.

    won, games: [p, q] weighted wins and games, 0 where a question was not met; score: [p] 0 to 1. A question that was
    lost for certain leaves no room below.
    """
    share = np.divide(won, games, out=np.full(won.shape, np.nan), where=games > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.fmin.reduce(share, axis=1) / score
        above = (1.0 - np.fmax.reduce(share, axis=1)) / (1.0 - score)
    return np.clip(below, 0.0, 1.0), np.clip(above, 0.0, 1.0)
