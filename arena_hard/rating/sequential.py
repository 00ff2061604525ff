"""Stop judging when the result is decided: waves of questions, and rules that allow looking after each.

A difference is tested after every wave with a spending function (Lan & DeMets 1983, Biometrika 70; power
family of Kim & DeMets 1987, Biometrika 74): by the k-th look at most alpha·t^power of the error has been
spent, t being the share of the questions judged, so that at no stopping point it exceeds alpha. A width is
that of the repeated interval made with the same boundaries (Jennison & Turnbull 1989, JRSS B 51), which
holds at all looks together, whatever made one stop. Standard errors are clustered by question throughout.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from arena_hard.data.known_records import Played
from arena_hard.data.records import Question
from arena_hard.data.sample import SEED, in_sample_order
from arena_hard.data.verdicts import is_verdict, outcome
from arena_hard.rating import pair_rule
from arena_hard.rating.arrays import FloatArray

ALPHA = 0.045  # the promise is 5%; the rest is kept for what the normal approximation costs
POWER = 1.0
LOOKS = 10
SMALLEST_WAVE = 20
STRONG_WEIGHT = 3
_LEAST = 1e-300  # probability
PLACES = 1001  # of the sums that no boundary has ended


@dataclass(frozen=True)
class Look:
    """What is known after some waves: a difference in points, and the repeated confidence interval.

    All looks together hold the truth in their intervals with probability 1 − alpha.
    """

    questions: int
    difference: float
    interval: tuple[float, float]

    @property
    def decided(self) -> bool:
        """Whether the interval excludes 0."""
        low, high = self.interval
        return low > 0.0 or high < 0.0


def waves(questions: Sequence[Question], seed: int = SEED) -> list[list[Question]]:
    """The questions in at most ten waves, each a sample stratified by cluster."""
    ordered = in_sample_order(questions, seed)
    size = max(SMALLEST_WAVE, -(-len(ordered) // LOOKS))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def boundaries(
    shares: Sequence[float], alpha: float = ALPHA, power: float = POWER, places: int = PLACES
) -> list[float]:
    """For looks at these shares of the questions (rising, up to 1): the |z| that decides at each."""
    return spend(shares, [alpha * min(1.0, share) ** power for share in shares], places)


def spend(shares: Sequence[float], spent: Sequence[float], places: int = PLACES) -> list[float]:
    """The |z| at looks of these shares by which so much error has been spent at each (rising).

    The sums of a two-sided test move as a Brownian motion; the density of those that have not crossed is
    carried from look to look on a grid of so many places (Armitage, McPherson & Rowe 1969, JRSS A 132).
    """
    found: list[float] = []
    grid: FloatArray = np.zeros(1)
    mass: FloatArray = np.ones(1)
    for share, before, total, spent_before in zip(shares, [0.0, *shares], spent, [0.0, *spent]):
        step = math.sqrt(share - before)
        z = _solve(max(total - spent_before, 1e-12), grid, mass, math.sqrt(share), step)
        following = np.linspace(-1, 1, places, dtype=np.float64) * z * math.sqrt(share)
        density = np.exp(-0.5 * ((following[:, None] - grid) / step) ** 2) @ mass / (step * math.sqrt(2 * math.pi))
        weights: FloatArray = np.full(places, float(following[1] - following[0]))
        weights[[0, -1]] /= 2
        grid, mass = following, density * weights
        found.append(z)
    return found


def _solve(target: float, grid: FloatArray, mass: FloatArray, edge: float, step: float) -> float:
    """The z for which a sum that is now distributed as (grid, mass) leaves ±z·edge with probability `target`."""
    from scipy.special import ndtr

    low, high = 0.0, 10.0
    for _ in range(40):
        z = (low + high) / 2
        leaves = float(mass @ (ndtr((-z * edge - grid) / step) + ndtr((grid - z * edge) / step)))
        low, high = (z, high) if leaves > target else (low, z)
    return (low + high) / 2


# ----------------------------------------------------------------------------------------- scores


def totals(judgments: Mapping[str, Played], keys: Iterable[str]) -> tuple[FloatArray, FloatArray]:
    """Of each question (in the order of `keys`): weighted wins of the model and weight of its games [n], [n].

    A strong verdict weighs three, a tie is half a win; games without a verdict weigh nothing.
    """
    wins: list[float] = []
    weights: list[float] = []
    for key in keys:
        win = weight = 0.0
        games = judgments[key].games if key in judgments else ()
        for number, game in enumerate(games):
            if game is None or not is_verdict(game.verdict):
                continue
            read = outcome(game.verdict)
            share = STRONG_WEIGHT if read.strong else 1
            model_is = "B" if number == 0 else "A"
            weight += share
            win += share * (0.5 if read.winner is None else float(read.winner == model_is))
        wins.append(win)
        weights.append(weight)
    return np.array(wins), np.array(weights)


def look_at(
    first: tuple[FloatArray, FloatArray],
    second: tuple[FloatArray, FloatArray],
    boundary: float,
    fixed: tuple[bool, bool] = (False, False),
) -> Look:
    """The paired difference of two models' scores over the questions that both have been judged on.

    fixed: of both, whether they are the baseline.
    """
    both = (first[1] > 0) & (second[1] > 0)
    if not both.any():
        return Look(0, 0.0, (-100.0, 100.0))
    own, others = ((wins[both][None], weights[both][None]) for wins, weights in (first, second))
    pair = pair_rule.pairs_of(own, others, 2.0 * STRONG_WEIGHT, fixed)
    lower, upper = pair_rule.ends(pair, pair_rule.p_values(pair), tail_of(boundary))
    return Look(int(both.sum()), float(pair.value[0]), (float(lower[0]), float(upper[0])))


def tail_of(boundary: float) -> float:
    """The error on each side of a normal boundary."""
    return max(NormalDist().cdf(-boundary), _LEAST)


def width_of(wins: FloatArray, weights: FloatArray, boundary: float) -> float:
    """The width in points of the repeated interval of one model's score; infinite with fewer than two questions."""
    _, lower, upper = pair_rule.score_with_ends(wins, weights, 2.0 * STRONG_WEIGHT, tail_of(boundary))
    return math.inf if math.isnan(lower) else upper - lower
