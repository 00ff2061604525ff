"""Which questions tell models apart: how far a question agrees with all the others about who is good.

The discrimination of a question is the correlation, over models, of what a model's games on it came to with the model's
win rate on all other questions: the item-rest correlation of classical test theory (Lord & Novick, Statistical Theories
of Mental Test Scores, ch. 15). The question itself is left out of the rest, else a short benchmark agrees with itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray
from arena_hard.rating.outcomes import Outcomes

FEWEST = 3  # models: two points always lie on a line
_FLAT = 1e-9  # of shares of wins: no difference but that of rounding


@dataclass(frozen=True)
class Discrimination:
    """What each question says of the models; arrays are [q], in the order of `questions`.

    models: how many were judged on it; mean: their mean share of wins in percent; spread: its standard deviation over
    them, in points; agreement: the item-rest correlation, NaN where fewer than FEWEST models were judged or nothing
    differs; dead: whether at least two models were judged and all came out alike.
    """

    questions: tuple[str, ...]
    models: IntArray
    mean: FloatArray
    spread: FloatArray
    agreement: FloatArray
    dead: BoolArray

    @property
    def against(self) -> BoolArray:
        """Whether a question ranks the models rather the other way round than the others do."""
        return np.nan_to_num(self.agreement) < 0


def discrimination(found: Outcomes) -> Discrimination:
    """How well each question tells the models apart."""
    judged = found.judged
    share = _ratio(found.won, found.games)
    rest = _ratio(
        found.won.sum(axis=1, keepdims=True) - found.won, found.games.sum(axis=1, keepdims=True) - found.games
    )
    count = judged.sum(axis=0)
    mean, spread = _moments(share, judged)
    both = judged & ~np.isnan(rest)
    of_share, of_rest = _moments(share, both), _moments(rest, both)
    product = np.where(both, (np.nan_to_num(share) - of_share[0]) * (np.nan_to_num(rest) - of_rest[0]), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        agreement = product.sum(axis=0) / (both.sum(axis=0) * of_share[1] * of_rest[1])
    usable = (both.sum(axis=0) >= FEWEST) & (of_share[1] > _FLAT) & (of_rest[1] > _FLAT)
    return Discrimination(
        questions=found.questions,
        models=count,
        mean=100.0 * mean,
        spread=100.0 * spread,
        agreement=np.where(usable, np.clip(agreement, -1.0, 1.0), np.nan),
        dead=(count >= 2) & (spread <= _FLAT),
    )


def _ratio(won: FloatArray, games: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(games > _FLAT, won / games, np.nan)


def _moments(values: FloatArray, there: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation [q] down the columns of values [p, q], of those that are there."""
    count = there.sum(axis=0)
    known = np.where(there, np.nan_to_num(values), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = known.sum(axis=0) / count
        deviation = np.where(there, known - mean, 0.0)
        return mean, np.sqrt((deviation**2).sum(axis=0) / count)
