"""The mean of several categories' win rates: what a benchmark of categories shows as one score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from arena_hard.rating.arrays import BoolArray, FloatArray
from arena_hard.rating.intervals import Fit, Rule
from arena_hard.rating.ratings import win_rate


@dataclass(frozen=True)
class CategoryMean:
    """models: those that all categories have a score of; score, lower, upper: [p] in percent.

    missing: of the other models, in which categories (places in the fits) they have none; without_ends: of the
    models, in which they have a score and no interval.
    """

    models: list[str]
    score: FloatArray
    lower: FloatArray
    upper: FloatArray
    missing: dict[str, list[int]]
    without_ends: dict[str, list[int]] = field(default_factory=dict[str, list[int]])


def category_mean(fits: Sequence[Fit], rule: Rule) -> CategoryMean:
    """The mean over categories, with intervals of the same rule.

    Categories hold different questions, so their errors are independent. Rounds are averaged one by one, those of
    each category in an order of its own, since all are drawn from the same seed. Where a category has but a bound
    (everything won, everything lost, one question) or the rule has no rounds, the distances from the scores to the
    ends add as squares, on each side for itself (Zou & Donner, Stat. Med. 27 (2008) 1693).
    """
    places = {
        name: [_place(fit, name) for fit in fits] for name in dict.fromkeys(n for fit in fits for n in fit.models)
    }
    missing = {name: [c for c, at in enumerate(where) if at is None] for name, where in places.items()}
    models = [name for name, lacks in missing.items() if not lacks]
    place = np.array([places[name] for name in models], dtype=int).reshape(-1, len(fits)).T
    score, lower, upper = (
        np.array([win_rate(getattr(fit, ends))[at] for fit, at in zip(fits, place)])
        for ends in ("ratings", "lower", "upper")
    )
    mean = score.mean(axis=0)
    low = mean - np.sqrt(((score - lower) ** 2).sum(axis=0)) / len(fits)
    high = mean + np.sqrt(((upper - score) ** 2).sum(axis=0)) / len(fits)
    drawn = _mean_rounds(fits, place, rule.seed)
    if drawn is not None:
        tail, whole = (1.0 - rule.level) / 2.0, _are_whole(fits, place)
        low = np.where(whole, np.quantile(drawn, tail, axis=0), low)
        high = np.where(whole, np.quantile(drawn, 1.0 - tail, axis=0), high)
    unknown = np.isnan(lower) | np.isnan(upper)
    without_ends = {
        name: np.flatnonzero(unknown[:, m]).tolist() for m, name in enumerate(models) if unknown[:, m].any()
    }
    lacking = {name: lacks for name, lacks in missing.items() if lacks}
    return CategoryMean(models, mean, low, high, lacking, without_ends)


def _place(fit: Fit, model: str) -> int | None:
    """Where a model stands in a fit that has a score of it."""
    if model not in fit.models or np.isnan(fit.ratings[fit.models.index(model)]):
        return None
    return fit.models.index(model)


def _mean_rounds(fits: Sequence[Fit], place: np.ndarray, seed: int) -> FloatArray | None:
    """Rounds [rounds, p] of the mean; None where a category has none."""
    rounds = [fit.rounds for fit in fits if fit.rounds is not None]
    if len(rounds) < len(fits):
        return None
    number = min(map(len, rounds))
    orders = [np.random.default_rng([seed, category]).permutation(number) for category in range(len(fits))]
    return np.mean([win_rate(each)[order][:, at] for each, order, at in zip(rounds, orders, place)], axis=0)


def _are_whole(fits: Sequence[Fit], place: np.ndarray) -> BoolArray:
    """[p] whether the rounds say all that is known: no category has but a bound."""
    ends = [np.isfinite(fit.ratings) & np.isfinite(fit.lower) & np.isfinite(fit.upper) for fit in fits]
    for fit, end in zip(fits, ends):
        for bounded in (fit.flat, fit.alike):
            end &= True if bounded is None else ~bounded
    return np.all([end[at] for end, at in zip(ends, place)], axis=0)
