"""How many questions a difference of win rates takes to be seen, from the spread of the pairs that are there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from arena_hard.data.records import UserError
from arena_hard.rating.outcomes import Outcomes
from arena_hard.rating.paired import differences
from arena_hard.rating.unseen import NO_SPREAD

MOST = 0.9  # of the pairs


class NothingToLearn(UserError):
    """There is no pair of models whose spread is known."""


@dataclass(frozen=True)
class Plan:
    """How many questions it takes to see a difference of `delta` points, and what can be seen today.

    needed: questions for a pair with the median spread `sigma`, tested alone; needed_by_most: that are enough for
    MOST of the pairs; corrected: for MOST of them where all `tests` are made, with Holm's correction at its
    strictest; pairs: those whose spread is known; tests: the pairs with common questions; visible: the smallest
    difference that the questions there are show in the median pair; questions: how many a pair has in common
    (median). Seen is what a two-sided test at `level` finds with probability `power`.
    """

    delta: float
    needed: int
    needed_by_most: int
    corrected: int
    sigma: float
    pairs: int
    tests: int
    questions: int
    visible: float
    level: float
    power: float


def needed_questions(delta: float, sigma: float, level: float = 0.95, power: float = 0.8) -> int:
    """Questions for a two-sided test at `level` to see `delta` points with `power`: ((z₁ + z₂)·σ/δ)², at least 1."""
    return max(1, math.ceil((_quantiles(level, power) * sigma / delta) ** 2))


def _quantiles(level: float, power: float) -> float:
    return NormalDist().inv_cdf((1.0 + level) / 2.0) + NormalDist().inv_cdf(power)


def check(delta: float) -> None:
    """Raises UserError for a delta that is no positive number up to 100."""
    if not 0.0 < delta <= 100.0:
        raise UserError(f"--plan {delta:g}: the difference must be above 0 and at most 100 points of win rate.")


def plan(found: Outcomes, delta: float, level: float = 0.95, power: float = 0.8) -> Plan:
    """How many questions would show a difference of `delta` points, from the paired spreads of all models.

    Raises UserError for a delta that is no positive number up to 100, NothingToLearn without two models to learn from.
    """
    check(delta)
    compared = differences(found)
    pairs = [one for one in compared if NO_SPREAD < one.sigma < math.inf]
    if not pairs:
        raise NothingToLearn(
            "--plan learns the spread from pairs of models: it takes two models with two common questions on which "
            "their difference is not the same."
        )
    sigmas = [one.sigma for one in pairs]
    sigma, large = float(np.median(sigmas)), float(np.quantile(sigmas, MOST))
    questions = int(np.median([one.questions for one in pairs]))
    strict = 1.0 - (1.0 - level) / len(compared)
    return Plan(
        delta=delta,
        needed=needed_questions(delta, sigma, level, power),
        needed_by_most=needed_questions(delta, large, level, power),
        corrected=needed_questions(delta, large, strict, power),
        sigma=sigma,
        pairs=len(pairs),
        tests=len(compared),
        questions=questions,
        visible=_quantiles(level, power) * sigma / math.sqrt(questions),
        level=level,
        power=power,
    )
