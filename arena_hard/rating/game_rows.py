"""A game as rows of battles: those that are won, tied and lost, certain by its label or expected by probabilities.

A label l counts as r(l) rows of its outcome, r being the weight for a strong one and 1 for any other. Where the judge's
probabilities p(l) are known, a game counts as what its label would bring on average, Σ p(l)·r(l) over the labels of an
outcome: wins, ties and losses in fractions. Weight and winner stay together, so that ½ A>>B and ½ B>A with a weight of
3 are 1½ rows of A and ½ row of B, not one of each; and the number of rows is itself an expectation, from 1 to the
weight. So the sums over games, of which every score is a ratio, are those that judging each game without end would
come to, while a single label adds the chance of its drawing. A probability of 1 is the label.

Games without a readable verdict count for nothing, whatever probabilities they carry: expected outcomes and labels are
of the same games.
"""

from __future__ import annotations

import numpy as np

from arena_hard.data.verdicts import LABELS, outcome
from arena_hard.rating.arrays import BoolArray, FloatArray
from arena_hard.rating.games import GameTable

_COLUMN = {"A": 0, None: 1, "B": 2}


def rows_of(table: GameTable, weight: float = 3) -> FloatArray:
    """[n, 3] rows that the baseline won, that were tied, and that the model won; 0 without a verdict."""
    of_label = np.zeros((len(LABELS) + 1, 3))  # the last one: −1, no verdict
    for place, label in enumerate(LABELS):
        said = outcome(label)
        of_label[place, _COLUMN[said.winner]] = weight if said.strong else 1.0
    rows = of_label[table.verdict]
    if table.probabilities is not None:
        known = has_probabilities(table)
        rows[known] = table.probabilities[known] @ of_label[:-1]
    return np.where(table.game[:, None] == 0, rows, rows[:, ::-1])


def won_and_all(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The rows that the model won, a tie being half a win, and all of them; from [n, 3], each [n]."""
    return rows[:, 2] + rows[:, 1] / 2.0, rows.sum(axis=1)


def has_probabilities(table: GameTable) -> BoolArray:
    """[n] whether the probabilities of the labels are known, and there is a verdict."""
    if table.probabilities is None:
        return np.zeros(len(table), dtype=bool)
    return ~np.isnan(table.probabilities[:, 0]) & (table.verdict >= 0)


def uncertain(table: GameTable) -> BoolArray:
    """[n] whether a game counts by probabilities of which none is 1."""
    if table.probabilities is None:
        return np.zeros(len(table), dtype=bool)
    return has_probabilities(table) & (table.probabilities.max(axis=1) < 1.0)
