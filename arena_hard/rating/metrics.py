"""Can this benchmark be trusted: how it tells models apart, and how that agrees with a reference.

Separability, agreement with confidence and the pair-rank Brier score are the metrics of Li et al., "From
Crowdsourced Data to High-Quality Benchmarks" (2024). Pairs are the p(p−1)/2 pairs i < j of p models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arena_hard.rating.arrays import FloatArray, IntArray

RULES = ("closed", "touching", "published")


@dataclass(frozen=True)
class Source:
    """What one benchmark says of p models. All arrays [p]: higher scores are better.

    lower, upper: the interval of `score`; mean, std: of the score's bootstrap rounds. NaN where not known.
    level: that of the intervals, None where it is not said.
    """

    name: str
    models: tuple[str, ...]
    score: FloatArray
    lower: FloatArray
    upper: FloatArray
    mean: FloatArray
    std: FloatArray
    level: float | None = None


@dataclass(frozen=True)
class Metric:
    """A metric with its interval over models; the interval is None where it cannot be had."""

    value: float | None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Correlation:
    """A benchmark against a reference, over the models that both have.

    separability: share 0 to 1 of pairs; agreement: signed, −1 to 1; half_credit: the same as 0 to 1;
    spearman, kendall: of scores; brier: mean squared error over pairs, lower is better. What takes intervals is over
    the pairs whose intervals are known, and None where none is.
    """

    name: str
    reference: str
    models: int
    pairs: int
    overlapping: int | None
    reference_pairs: int | None
    separability: Metric
    agreement: Metric
    half_credit: Metric
    spearman: Metric
    kendall: Metric
    brier: Metric


def separations(source: Source, rule: str = "closed") -> IntArray:
    """For each pair of models: +1 when the first is above the second, −1 below, 0 when intervals overlap.

    rule: "closed": intervals that share a point overlap; "touching": those that share only an end do not;
    "published": an overlap must have a length, so that a pinned model's zero-width interval overlaps with
    nothing even inside another. 0 where an interval is not known, which `compared` tells apart. Raises
    ValueError for another rule.
    """
    i, j = np.triu_indices(len(source.models), 1)
    lower, upper = source.lower, source.upper
    low, high = np.maximum(lower[i], lower[j]), np.minimum(upper[i], upper[j])
    if rule not in RULES:
        raise ValueError(f"rule {rule!r} is not one of {', '.join(RULES)}")
    if rule == "closed":
        apart = low > high
    elif rule == "touching":
        apart = (lower[i] >= upper[j]) | (lower[j] >= upper[i])
    else:
        apart = low >= high
    return np.where(apart, np.sign(source.score[i] - source.score[j]), 0.0).astype(int)


def compared(source: Source) -> FloatArray:
    """[pairs] 1 where both intervals are known, so that something can be said of their overlap, else 0."""
    known = ~np.isnan(source.lower) & ~np.isnan(source.upper)
    i, j = np.triu_indices(len(source.models), 1)
    return (known[i] & known[j]).astype(float)


def brier_errors(source: Source, reference: Source) -> FloatArray:
    """Squared error of each pair: the source's probability of the first model's being the worse one
    against the reference's order (a tie of the reference is ½). NaN where the spread is not known."""
    from scipy.special import ndtr

    i, j = np.triu_indices(len(source.models), 1)
    gap = source.mean[j] - source.mean[i]
    spread = np.hypot(source.std[i], source.std[j])
    with np.errstate(divide="ignore", invalid="ignore"):
        probability = np.where(spread == 0, 0.5 + 0.5 * np.sign(gap), ndtr(gap / spread))
    worse = 0.5 - 0.5 * np.sign(reference.score[i] - reference.score[j])
    return (probability - worse) ** 2


def signed_agreement(seen: IntArray, truth: IntArray, weight: FloatArray | None = None) -> FloatArray:
    """Agreement with confidence from separations [pairs] of a benchmark and of the reference.

    weight: [..., pairs] how often a pair counts. NaN where the reference separates nothing.
    """
    weight = np.ones(len(seen)) if weight is None else weight
    with np.errstate(invalid="ignore"):
        return (weight @ (seen * truth)) / (weight @ (truth != 0))


def spearman(first: FloatArray, second: FloatArray) -> FloatArray:
    """Rank correlation along the last axis of [..., p]; NaN where all are tied."""
    from scipy.stats import rankdata

    ranks = [rankdata(values, axis=-1) for values in (first, second)]
    a, b = (rank - rank.mean(axis=-1, keepdims=True) for rank in ranks)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(axis=-1) / np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))


def kendall(first: FloatArray, second: FloatArray, weight: FloatArray | None = None) -> FloatArray:
    """τ-b of scores [p]; weight: [..., pairs] how often a pair counts."""
    i, j = np.triu_indices(len(first), 1)
    a, b = np.sign(first[i] - first[j]), np.sign(second[i] - second[j])
    weight = np.ones(len(i)) if weight is None else weight
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weight @ (a * b)) / np.sqrt((weight @ (a * a)) * (weight @ (b * b)))


def correlate(
    source: Source,
    reference: Source,
    closed: bool = True,
    level: float = 0.95,
    rounds: int = 2000,
    seed: int = 42,
) -> Correlation:
    """All metrics of a benchmark against a reference with the same models in the same order.

    Intervals are percentiles of a bootstrap over models (a pair of one model with its own copy is no pair):
    they say how far the value would move with other models of this kind. Separability takes the rule
    "touching"; agreement takes "closed" or, for the figures of the paper, "published". Raises ValueError
    when the models differ.
    """
    if source.models != reference.models or len(source.models) < 3:
        raise ValueError("both sources must hold the same models, three or more, in the same order")
    apart, told = separations(source, "touching") != 0, compared(source)
    both = told * compared(reference)
    rule = "closed" if closed else "published"
    seen, truth = separations(source, rule), separations(reference, rule)
    errors = brier_errors(source, reference)
    picks = np.random.default_rng(seed).integers(0, len(source.models), (rounds, len(source.models)))
    weight = _pair_weights(picks)
    agreement = _metric(signed_agreement(seen, truth, both), signed_agreement(seen, truth, weight * both), level)
    with np.errstate(invalid="ignore"):
        separability = _metric((apart @ told) / told.sum(), (weight @ (apart * told)) / (weight @ told), level)
        brier = _metric(errors.mean(), weight @ errors / weight.sum(axis=1), level)
    scores = source.score, reference.score
    return Correlation(
        name=source.name,
        reference=reference.name,
        models=len(source.models),
        pairs=len(seen),
        overlapping=int(told[~apart].sum()) if told.any() else None,
        reference_pairs=int((truth != 0).sum()) if compared(reference).any() else None,
        separability=separability,
        agreement=agreement,
        half_credit=Metric(*(None if end is None else (end + 1.0) / 2.0 for end in _ends(agreement))),
        spearman=_metric(spearman(*scores), spearman(scores[0][picks], scores[1][picks]), level),
        kendall=_metric(kendall(*scores), kendall(*scores, weight), level),
        brier=brier,
    )


def _pair_weights(picks: IntArray) -> FloatArray:
    """How often each pair stands in each round's sample of models: [rounds, pairs] of picks [rounds, p]."""
    p = picks.shape[1]
    times = np.array([np.bincount(row, minlength=p) for row in picks])
    i, j = np.triu_indices(p, 1)
    return (times[:, i] * times[:, j]).astype(float)


def _ends(metric: Metric) -> tuple[float | None, float | None, float | None]:
    return metric.value, metric.lower, metric.upper


def _metric(value: float | FloatArray, rounds: FloatArray, level: float) -> Metric:
    """A metric with percentiles of its rounds; rounds in which it does not exist are left out."""
    if np.isnan(value):
        return Metric(None)
    known = rounds[~np.isnan(rounds)]
    if not len(known):
        return Metric(float(value))
    lower, upper = np.quantile(known, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Metric(float(value), float(lower), float(upper))
