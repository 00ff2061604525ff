"""Style control: win rates of which a part is put down to the style of the answers.

Two definitions were published. v0.1 (December 2024): (a−b)/(a+b+1) on tokens, headers, lists and bold, with
scikit-learn's default penalty. v2.0: tokens as (a−b)/(a+b), the other three as densities count/(tokens+1) with
(d_a−d_b)/(d_a+d_b+1), without a penalty; the score is the median over bootstrap rounds. All are z-scored.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

from arena_hard.data.jsonl import Remark
from arena_hard.data.records import UserError
from arena_hard.data.style_counts import FEATURES
from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray
from arena_hard.rating.backends import in_tasks
from arena_hard.rating.bootstrap import times_drawn
from arena_hard.rating.ratings import SCALE
from arena_hard.rating.style_newton import design_of, most_likely

CHOICES = {"length": ("tokens",), "markdown": ("headers", "lists", "bold")}
FORMULAS = ("v0.1", "v2.0")


@dataclass(frozen=True)
class Rows:
    """Battles, one row for each readable game (or any pair), in a stable order.

    model_a, model_b, question: codes [n]; won: [n] 1 where model_a won, ½ for a tie, 0, or what is expected;
    weight: [n] how many rows of the original's battle file the battle is (3 for a strong verdict);
    features: [n, k] of a against b.
    """

    n_models: int
    model_a: IntArray
    model_b: IntArray
    question: IntArray
    won: FloatArray
    weight: FloatArray
    features: FloatArray


@dataclass(frozen=True)
class StyleFit:
    """ratings [p], the anchor's being 1000; coefficients [k] in log-odds for one standard deviation."""

    ratings: FloatArray
    coefficients: FloatArray


@dataclass(frozen=True)
class StyleRounds:
    """The fit, and what bootstrap rounds make of it: ratings [rounds, p], coefficients [rounds, k].

    rating: [p] the published score's rating: the fit's (v0.1) or the median over rounds (v2.0).
    lower, upper: [p]; coefficient_lower, coefficient_upper: [k]; percentiles at the level asked for.
    """

    fit: StyleFit
    rating: FloatArray
    lower: FloatArray
    upper: FloatArray
    coefficient_lower: FloatArray
    coefficient_upper: FloatArray
    ratings: FloatArray
    coefficients: FloatArray


# ------------------------------------------------------------------------------------------ features


def chosen_features(choices: Iterable[str]) -> tuple[int, ...]:
    """Columns of FEATURES for `length`, `markdown` or single names. Raises UserError."""
    names: list[str] = []
    for choice in choices:
        if choice not in CHOICES and choice not in FEATURES:
            known = ", ".join((*CHOICES, *FEATURES))
            raise UserError(f"--control-features {choice}: not known. Known are {known}.")
        names += CHOICES.get(choice, (choice,))
    return tuple(column for column, name in enumerate(FEATURES) if name in names)


def style_features(
    a: FloatArray, b: FloatArray, weight: FloatArray, formula: str, columns: Sequence[int] = (0, 1, 2, 3)
) -> FloatArray:
    """z-scored features [n, k] from the counts [n, 4] of both answers. A column that never differs is 0.

    weight: [n] how many rows of the original's battle file each game is: mean and spread are over rows, as in both
    published definitions. Raises UserError for an unknown formula.
    """
    raw, mean, spread = _raw_features(a, b, weight, formula, columns)
    return np.where(spread > 0, (raw - mean) / np.where(spread > 0, spread, 1.0), 0.0)


def equal_style(
    a: FloatArray, b: FloatArray, weight: FloatArray, formula: str, columns: Sequence[int] = (0, 1, 2, 3)
) -> FloatArray:
    """What `style_features` would be [k] for two answers of the same style."""
    _, mean, spread = _raw_features(a, b, weight, formula, columns)
    return np.where(spread > 0, -mean / np.where(spread > 0, spread, 1.0), 0.0)


def _raw_features(
    a: FloatArray, b: FloatArray, weight: FloatArray, formula: str, columns: Sequence[int]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Differences of style [n, k], their mean and spread over rows [k]."""
    if formula not in FORMULAS:
        raise UserError(f"--style-formula {formula}: not known. Known are {', '.join(FORMULAS)}.")
    a, b = a.astype(float), b.astype(float)
    extra = np.ones(len(FEATURES))
    if formula == "v2.0":
        a, b = (np.column_stack([x[:, :1], x[:, 1:] / (x[:, :1] + 1.0)]) for x in (a, b))
        extra[0] = 0.0
    total = a + b + extra
    raw = np.divide(a - b, total, out=np.zeros_like(a), where=total != 0)[:, list(columns)]
    mean = np.average(raw, axis=0, weights=weight)
    # what never differs is told by its values: rounding leaves a spread of 1e-17
    varies = (raw != raw[:1]).any(axis=0)
    return raw, mean, np.where(varies, np.sqrt(np.average((raw - mean) ** 2, axis=0, weights=weight)), 0.0)


# ----------------------------------------------------------------------------------------------- fit


def fit_style(rows: Rows, anchor: int, formula: str = "v2.0") -> StyleFit:
    """Bradley–Terry with features. The model columns are the same whatever features are chosen.

    v0.1 penalises all coefficients, of which the models' stand at ±ln 10 and each battle counts twice, as in
    the original; v2.0 pins the anchor's column and has no penalty.
    """
    return _Fits(rows, anchor, formula).fit


class _Fits:
    """The fit of all battles, and others of the same battles with other weights, which begin where it ends."""

    def __init__(self, rows: Rows, anchor: int, formula: str) -> None:
        self._anchor, self._formula, self.rows = anchor, formula, rows
        self._design = design_of(rows.n_models, rows.model_a, rows.model_b, rows.won, rows.features)
        self._start = np.zeros(rows.n_models + rows.features.shape[1])
        with _one_thread():
            self._start = self._coefficients(rows.weight)
        self.fit = _as_fit(self._start, rows.n_models, anchor)

    def fits_of(self, weights: Iterable[FloatArray]) -> list[StyleFit]:
        """The fits with each of some weights [n]."""
        with _one_thread():
            return [_as_fit(self._coefficients(weight), self.rows.n_models, self._anchor) for weight in weights]

    def _coefficients(self, weight: FloatArray) -> FloatArray:
        """[p + k], the models' in units of ln 10."""
        used = np.flatnonzero(weight > 0)
        design, penalised = self._design.of(used), self._formula == "v0.1"
        free = design.there()  # nothing tells of a model without battles
        free[self._anchor] = penalised
        found = most_likely(design, 2.0 * weight[used], float(penalised), free, self._start)
        return _by_sklearn(self.rows, weight, free, penalised) if found is None else found


def fit_by_sklearn(rows: Rows, weight: FloatArray, anchor: int, formula: str) -> StyleFit:
    """The same fit with weights [n] by scikit-learn, on a row for every battle: slower, an independent check."""
    used = np.flatnonzero(weight > 0)
    free = design_of(rows.n_models, rows.model_a, rows.model_b, rows.won, rows.features).of(used).there()
    free[anchor] = formula == "v0.1"
    return _as_fit(_by_sklearn(rows, weight, free, formula == "v0.1"), rows.n_models, anchor)


def _as_fit(coefficients: FloatArray, n_models: int, anchor: int) -> StyleFit:
    models = coefficients[:n_models]
    return StyleFit(1000.0 + 400.0 * (models - models[anchor]), coefficients[n_models:])


def _one_thread() -> AbstractContextManager[object]:
    """Sums come out otherwise with more, and fits take longer on a busy machine."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _by_sklearn(rows: Rows, weight: FloatArray, free: BoolArray, penalised: bool) -> FloatArray:
    """The coefficients [p + k] where Newton's method does not settle: separated by the features, or no single maximum.

    scikit-learn stops at a point far out, and says so where no single one is best. Raises UserError without two sides.
    """
    from sklearn.linear_model import LogisticRegression

    n, p = len(rows.won), rows.n_models
    design = np.zeros((n, len(free)))
    design[np.arange(n), rows.model_a] = math.log(10.0)
    design[np.arange(n), rows.model_b] = -math.log(10.0)
    design[:, p:] = rows.features
    design = design[:, free]
    outcome = np.repeat([1, 0], n)
    twice = 2.0 * np.concatenate([weight * rows.won, weight * (1.0 - rows.won)])
    used = twice > 0
    if not twice[:n].any() or not twice[n:].any():
        raise UserError("Style control needs more games: all that a fit is of came out for the same side.")
    with _one_thread(), warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        penalty = 1.0 if penalised else np.inf
        model = LogisticRegression(C=penalty, fit_intercept=False, solver="newton-cholesky", tol=1e-9, max_iter=200)
        model.fit(np.concatenate([design, design])[used], outcome[used], sample_weight=twice[used])
    if doubts:
        _doubt_once()
    coefficients = np.zeros(len(free))
    coefficients[free] = model.coef_[0]
    return coefficients


@functools.cache
def _doubt_once() -> None:
    """Say that fits are not sure: once, for each round may raise the same warnings again."""
    warnings.warn(
        "The style-controlled fit is ill-conditioned: features that nearly say the same, or too few battles. "
        "Coefficients and intervals may be far off; use fewer features.",
        Remark,
        stacklevel=1,
    )


def _some_rounds(fits: _Fits, unit: str, seed: int, numbers: Iterable[int]) -> list[StyleFit]:
    """Bootstrap rounds by their numbers."""
    return fits.fits_of(weights_of_rounds(fits.rows, unit, seed, numbers))


def weights_of_rounds(rows: Rows, unit: str, seed: int, numbers: Iterable[int]) -> Iterator[FloatArray]:
    """Weights [n] of rounds, each drawn from a generator of its own that depends on (seed, number) alone."""
    codes, place = np.unique(rows.question, return_inverse=True)
    is_whole = bool((rows.weight == np.rint(rows.weight)).all())
    copies = np.repeat(np.arange(len(rows.won)), rows.weight.astype(int) * is_whole)
    for number in numbers:
        generator = np.random.default_rng([seed, number])
        if unit == "questions":
            times = np.bincount(generator.integers(0, len(codes), len(codes)), minlength=len(codes))
            yield rows.weight * times[place]
        elif is_whole:
            drawn = copies[generator.integers(0, len(copies), len(copies))]
            yield np.bincount(drawn, minlength=len(rows.won)).astype(float)
        else:  # expected outcomes: each row of a game has the game's
            yield times_drawn(generator, rows.weight).astype(float)


def bootstrap_style(
    rows: Rows,
    anchor: int,
    formula: str = "v2.0",
    rounds: int = 100,
    seed: int = 42,
    level: float = 0.95,
    unit: str = "rows",
    jobs: int = 1,
    backend: str = "loky",
    address: str | None = None,
) -> StyleRounds:
    """The fit and its rounds, in `jobs` processes; the same bits whatever the jobs and the backend.

    unit: "rows" (as published) or "questions". address: of a running Dask or Ray cluster; without it one is
    started here. Raises UserError for an unknown backend or one that is not installed.
    """
    if rounds < 1:
        raise UserError(f"--num-rounds {rounds}: must be at least 1.")
    fits = _Fits(rows, anchor, formula)
    found = in_tasks(functools.partial(_some_rounds, fits, unit, seed), rounds, jobs, backend, address)
    ratings = np.array([one.ratings for one in found])
    coefficients = np.array([one.coefficients for one in found])
    ends = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    lower, upper = np.quantile(ratings, ends, axis=0)
    coefficient_lower, coefficient_upper = np.quantile(coefficients, ends, axis=0)
    rating = np.median(ratings, axis=0) if formula == "v2.0" else fits.fit.ratings
    return StyleRounds(fits.fit, rating, lower, upper, coefficient_lower, coefficient_upper, ratings, coefficients)


def at_equal_style(found: StyleRounds, equal: FloatArray, anchor: int, formula: str, level: float) -> StyleRounds:
    """The ratings for answers of the same style, where model_a is the anchor in every battle.

    equal: [k] as `equal_style` gives it. The mean difference of style, which the published score leaves in, is a shift
    of all models against the anchor.
    """
    others = (np.arange(len(found.rating)) != anchor).astype(float)
    ratings = found.ratings - SCALE * (found.coefficients @ equal)[:, None] * others
    fitted = found.fit.ratings - SCALE * float(found.fit.coefficients @ equal) * others
    lower, upper = np.quantile(ratings, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    rating = np.median(ratings, axis=0) if formula == "v2.0" else fitted
    return replace(found, rating=rating, lower=lower, upper=upper, ratings=ratings)
