"""The style-controlled fit by Newton's method, without a row of the design for every battle.

Such a row is ±ln 10 at two models and the features, x. With the chance of a win μ = 1 / (1 + exp(−x·c)), the slope of
the log-likelihood is Σ w·(y − μ)·x − λ·c, its curvature −(Σ w·μ·(1 − μ)·x·xᵀ + λ): sums over pairs of models, of
numbers and of numbers times features, are all that is needed. McCullagh & Nelder, Generalized Linear Models (1989),
chapter 2.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray, weight_sums

_SETTLED = 1e-7  # the last step; the error behind it is of the order of its square
_STEPS = 25  # a maximum at infinity is approached by one unit of log-odds a step, and never reached
_SURE = 1e-12  # smallest curvature over the largest; below, the solution is but rounding


@dataclass(frozen=True)
class Design:
    """Battles as the rows of a logistic regression.

    pair: [n] which of the pairs [m] has met; first, second: [m] the models of a pair; won: [n] 1, ½, 0 or what is
    expected; features: [k, n].
    """

    n_models: int
    first: IntArray
    second: IntArray
    pair: IntArray
    won: FloatArray
    features: FloatArray

    def of(self, places: IntArray) -> Design:
        """Some of the battles."""
        features = np.ascontiguousarray(self.features[:, places])
        return Design(self.n_models, self.first, self.second, self.pair[places], self.won[places], features)

    def of_models(self, of_pairs: FloatArray) -> FloatArray:
        """Sums over pairs [m] as sums over models [p] of ±ln 10 times as much."""
        p = self.n_models
        return math.log(10.0) * (weight_sums(self.first, of_pairs, p) - weight_sums(self.second, of_pairs, p))

    def there(self) -> BoolArray:
        """[p + k] which models have a battle and which features are anywhere other than 0."""
        met = np.bincount(self.pair, minlength=len(self.first)) > 0
        models = np.zeros(self.n_models, dtype=bool)
        models[self.first[met]] = models[self.second[met]] = True
        return np.concatenate([models, self.features.any(axis=1)])


def design_of(n_models: int, model_a: IntArray, model_b: IntArray, won: FloatArray, features: FloatArray) -> Design:
    """A design from battles [n] with features [n, k]."""
    codes = model_a.astype(np.int64) * n_models + model_b
    pairs = np.flatnonzero(np.bincount(codes, minlength=n_models * n_models))
    pair = np.searchsorted(pairs, codes)
    return Design(n_models, pairs // n_models, pairs % n_models, pair, won, np.ascontiguousarray(features.T))


def most_likely(
    design: Design, weight: FloatArray, penalty: float, free: BoolArray, start: FloatArray
) -> FloatArray | None:
    """Coefficients [p + k] at the maximum of the likelihood less penalty/2·Σ c², those not free being 0.

    weight: [n], above 0; start: [p + k]. None where full steps do not settle, or where the curvature says that there
    is no single maximum: the likelihood has one at most, so that where they settle is the maximum.
    """
    found = np.where(free, start, 0.0)
    for _ in range(_STEPS):
        slope, curvature = _derivatives(design, weight, penalty, found)
        try:
            step = np.linalg.solve(curvature[np.ix_(free, free)], slope[free])
        except np.linalg.LinAlgError:
            return None
        found[free] += step
        longest = float(np.abs(step).max(initial=0.0))
        if not math.isfinite(longest):
            return None
        if longest < _SETTLED:
            return found if _is_sure(curvature[np.ix_(free, free)]) else None
    return None


def _is_sure(curvature: FloatArray) -> bool:
    """Whether a curvature [c, c] tells all coefficients apart."""
    spread = np.linalg.eigvalsh(curvature)
    return not len(spread) or bool(spread[0] > _SURE * spread[-1])


def _derivatives(
    design: Design, weight: FloatArray, penalty: float, found: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """How fast the penalised log-likelihood rises [p + k], and how fast that falls [p + k, p + k]."""
    p, m, features = design.n_models, len(design.first), design.features
    of_pairs = math.log(10.0) * (found[design.first] - found[design.second])
    chance = 1.0 / (1.0 + np.exp(np.clip(-(of_pairs[design.pair] + found[p:] @ features), -700.0, 700.0)))
    missed = weight * (design.won - chance)
    spread = weight * chance * (1.0 - chance)
    spread_features = features * spread

    slope = np.concatenate([design.of_models(weight_sums(design.pair, missed, m)), features @ missed])
    slope -= penalty * found
    curvature = np.zeros((len(found), len(found)))
    met = math.log(10.0) ** 2 * weight_sums(design.pair, spread, m)
    each = np.zeros((p, p))
    each[design.first, design.second] = met
    each += each.T
    curvature[:p, :p] = np.diag(each.sum(axis=1)) - each
    for column, values in enumerate(spread_features, p):
        curvature[:p, column] = curvature[column, :p] = design.of_models(weight_sums(design.pair, values, m))
    curvature[p:, p:] = spread_features @ features.T
    curvature[np.diag_indices_from(curvature)] += penalty
    return slope, curvature
