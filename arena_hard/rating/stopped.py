"""What is known after judging that was looked at while it went on, and that the looks could end.

An interval as if the number of questions had been fixed is too narrow then, and a difference that was decided early
is too large. What holds is the interval with the boundary of the last look, at all looks together and whatever made
one stop (Jennison & Turnbull 1989, JRSS B 51), and where the difference itself ended the run, the p-value and the
median-unbiased estimate of the stagewise ordering: an end at an earlier look is the more extreme (Tsiatis, Rosner &
Mehta 1984, Biometrics 40).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.outcomes import Outcomes
from arena_hard.rating.paired import Difference, differences
from arena_hard.rating.sequential import boundaries, standard_error, with_few

_FARTHEST = 60.0  # standard errors of all questions, beyond which no drift is looked for
_GRID = 401  # places of the sums that no boundary has ended


class Looked(msgspec.Struct, frozen=True):
    """How judging was looked at: after how many of the questions, and what was to be known.

    decided: the two models of --until-decided; width: the points of --until-width.
    """

    questions: int
    judged: tuple[int, ...]
    decided: tuple[str, str] | None = None
    width: float | None = None

    @property
    def shares(self) -> list[float]:
        """The shares of the questions."""
        return [number / self.questions for number in self.judged]


@dataclass(frozen=True)
class AfterLooks:
    """A score, or a difference of two, after some looks, in points.

    value: as if the number of questions had been fixed; lower, upper: the interval that holds at all looks;
    estimate, p_value: by the stagewise ordering, None where something else than this difference could end the run.
    """

    name: str
    questions: int
    looks: int
    value: float
    lower: float
    upper: float
    estimate: float | None = None
    p_value: float | None = None
    is_difference: bool = False


def scores_after(found: Outcomes, models: Sequence[str], looked: Looked) -> list[AfterLooks]:
    """The scores of the models that were judged on as many questions as the last look saw."""
    boundary = boundaries(looked.shares)[-1]
    seen: list[AfterLooks] = []
    for name in models:
        m = found.models.index(name) if name in found.models else -1
        n = int(found.judged[m].sum()) if m >= 0 else 0
        if n != looked.judged[-1] or n < 2:
            continue
        error = float(standard_error(n * found.influence[m][found.judged[m]]))
        value, reach = float(found.score[m]), with_few(boundary, n) * error
        ends = max(0.0, value - reach), min(100.0, value + reach)
        seen.append(AfterLooks(name, n, len(looked.judged), value, *ends))
    return seen


def difference_after(found: Outcomes, looked: Looked) -> AfterLooks | None:
    """The difference of the two models of --until-decided; None where they were judged on other questions since."""
    pair = looked.decided
    if pair is None or not set(pair) <= set(found.models):
        return None
    compared = differences(found, pair)
    if not compared or compared[0].questions != looked.judged[-1] or not 0 < compared[0].error < math.inf:
        return None
    one: Difference = compared[0]
    bounds = boundaries(looked.shares)
    reach = with_few(bounds[-1], one.questions) * one.error
    ends = max(-100.0, one.value - reach), min(100.0, one.value + reach)
    name = f"{one.model} − {one.other}"
    seen = AfterLooks(name, one.questions, len(bounds), one.value, *ends, is_difference=True)
    if looked.width is not None:
        return seen
    z = _as_normal(one.value / one.error, one.questions - 1)
    seen_drift = z / math.sqrt(looked.shares[-1])
    estimate = one.value * (_drift(looked.shares, bounds, z) / seen_drift if seen_drift else 1.0)
    above = chance_of_more(looked.shares, bounds, z, 0.0)
    p_value = min(1.0, 2.0 * min(above, 1.0 - above))
    return replace(seen, estimate=estimate, p_value=p_value)


def _as_normal(t: float, freedom: int) -> float:
    """Student's t as the normal deviate of the same probability."""
    from scipy.special import ndtri, stdtr

    return math.copysign(float(ndtri(stdtr(freedom, -abs(t)))), t)


def _drift(shares: Sequence[float], bounds: Sequence[float], z: float) -> float:
    """The drift, in standard errors of all questions, with which more is as probable as less than what was seen."""
    from scipy.optimize import brentq

    return float(brentq(lambda drift: chance_of_more(shares, bounds, z, drift) - 0.5, -_FARTHEST, _FARTHEST, xtol=1e-6))


def chance_of_more(shares: Sequence[float], bounds: Sequence[float], z: float, drift: float) -> float:
    """The probability of an end that speaks more for the first than z at the last of the looks, with this drift.

    The sums move as a Brownian motion with a drift; the density of those that no boundary has ended is carried from
    look to look on a grid (Armitage, McPherson & Rowe 1969, JRSS A 132).
    """
    from scipy.special import ndtr

    grid: FloatArray = np.zeros(1)
    mass: FloatArray = np.ones(1)
    chance, before = 0.0, 0.0
    for place, (share, bound) in enumerate(zip(shares, bounds)):
        step, moved = math.sqrt(share - before), grid + drift * (share - before)
        is_last = place == len(shares) - 1
        edge = (z if is_last else bound) * math.sqrt(share)
        chance += float(mass @ (1.0 - ndtr((edge - moved) / step)))
        if is_last:
            break
        following = np.linspace(-edge, edge, _GRID)
        density = np.exp(-0.5 * ((following[:, None] - moved) / step) ** 2) @ mass / (step * math.sqrt(2.0 * math.pi))
        weights = np.full(_GRID, float(following[1] - following[0]))
        weights[[0, -1]] /= 2.0
        grid, mass, before = following, density * weights, share
    return chance
