"""Verdicts by place: the judge preferred the same place in both games of a question, which says nothing of the models.

Both games of such a question cancel, so that it counts as half won. That is the published arithmetic: many of them draw
a score to 50 and make its interval narrow, while what is known of the models stands in the other questions alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from arena_hard.data.verdicts import LABELS, outcome
from arena_hard.rating.arrays import IntArray
from arena_hard.rating.game_rows import uncertain
from arena_hard.rating.games import GameTable, select
from arena_hard.rating.outcomes import outcomes
from arena_hard.rating.pair_rule import score_with_ends

LARGE = 0.5  # share of a model's judgments by place from which it has to be said
ENOUGH = 10  # judgments by place, of which fewer are chance


@dataclass(frozen=True)
class ByPlace:
    """A model of which a large share of the judgments was decided by place; of several judges each is one.

    by_place: how many of its judgments; rate, lower, upper: win rate on the others in percent and its interval,
    which is NaN with fewer than two of them.
    """

    model: str
    by_place: int
    judgments: int
    rate: float
    lower: float
    upper: float


def sides(table: GameTable) -> IntArray:
    """[n] 1 where the first place was preferred, −1 where the second, 0 for ties and what could not be read."""
    ahead = np.array([{"A": 1, None: 0, "B": -1}[outcome(label).winner] for label in LABELS] + [0])
    return ahead[table.verdict]  # −1, unreadable, is the last


def same_place(table: GameTable) -> list[str]:
    """The models of whom the judge preferred the same place in all of several games, in both orders.

    Such verdicts say nothing of a model: it has won as often as it stood there. One question may be chance. How sure
    the judge was of a place may say something, so that models of whom that counts are not among them.
    """
    read = table.verdict >= 0
    side, model, game = sides(table)[read], table.model[read], table.game[read]
    p = len(table.models)
    counts = [np.bincount(model[mask], minlength=p) for mask in (side > 0, side < 0, side == 0, game == 0, game == 1)]
    first, second, even, one, two = counts
    alike = ((first == 0) | (second == 0)) & (even == 0) & (one > 0) & (two > 0) & (one + two > 2)
    unsure = np.bincount(table.model[uncertain(table)], minlength=p)
    return [table.models[m] for m in np.flatnonzero(alike & (unsure == 0))]


def without_models(table: GameTable, models: Collection[str]) -> GameTable:
    """The games of the other models."""
    return select(table, ~np.array([name in models for name in table.models], dtype=bool)[table.model])


def mostly_by_place(table: GameTable, weight: int = 3, level: float = 0.95) -> list[ByPlace]:
    """The models with at least half of their judgments decided by place, those without information left out."""
    q = len(table.questions)
    place = (table.judge.astype(np.int64) * len(table.models) + table.model) * q + table.question
    size = len(table.judges) * len(table.models) * q
    side = sides(table)
    first, second = (np.bincount(place[side == sign], minlength=size) for sign in (1, -1))
    read = np.bincount(place[table.verdict >= 0], minlength=size)
    alike = ((first == 2) | (second == 2)) & (read == 2)
    of_model = (len(table.judges), len(table.models), q)
    number = alike.reshape(of_model).sum(axis=(0, 2))
    judged = (read > 0).reshape(of_model).sum(axis=(0, 2))
    large = (number >= LARGE * judged) & (number >= ENOUGH)
    silent = same_place(table)
    names = [table.models[m] for m in np.flatnonzero(large) if table.models[m] not in silent]
    others = select(table, ~alike[place])
    codes = {name: code for code, name in enumerate(table.models)}
    return [
        ByPlace(name, int(number[codes[name]]), int(judged[codes[name]]), *_rate_of(others, name, weight, level))
        for name in names
    ]


def _rate_of(table: GameTable, model: str, weight: int, level: float) -> tuple[float, float, float]:
    """Win rate of a model in percent, with its interval."""
    found = outcomes(select(table, table.model == table.models.index(model)), weight)
    if model not in found.models:
        return float("nan"), float("nan"), float("nan")
    return score_with_ends(found.won[0], found.games[0], found.most, (1.0 - level) / 2.0)
