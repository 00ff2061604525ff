"""A second annotator on a share of the prompts: how far it agrees with the first, criterion by criterion."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from arena_hard.data.name_lists import counted
from arena_hard.rating.arrays import IntArray
from arena_hard.rating.blind_agreement import kappa_interval
from arena_hard.rating.judge_stats import contingency, weighted_kappa

_HASHES = 1 << 64


@dataclass(frozen=True)
class CriterionAgreement:
    """Two annotators on one criterion: the shares that each says yes to, the share alike, and Cohen's κ.

    κ is None where one of them always says the same; lower, upper: the ends of its interval, None where unknown.
    """

    name: str
    first: float
    second: float
    same: float
    kappa: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Opinion:
    """Two annotators on the prompts that both have labelled.

    difference: the second's mean score minus the first's; same_side: the share that the prompt threshold sorts alike.
    """

    prompts: int
    criteria: tuple[CriterionAgreement, ...]
    difference: float
    same_side: float


def is_drawn(key: str, seed: int, share: float) -> bool:
    """Whether a prompt is among the share that is labelled twice: by its id and the seed, whatever else there is."""
    digest = hashlib.sha256(f"second opinion {seed} {key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * _HASHES


def opinion(
    first: IntArray, second: IntArray, names: Sequence[str], threshold: float, seed: int = 42, level: float = 0.95
) -> Opinion | None:
    """How two annotators' labels [prompts, criteria] of 0 and 1 agree; None where there is no prompt."""
    if not len(first):
        return None
    scores = first.sum(axis=1), second.sum(axis=1)
    return Opinion(
        prompts=len(first),
        criteria=tuple(
            _criterion(name, np.stack([first[:, place], second[:, place]], axis=1), seed, level)
            for place, name in enumerate(names)
        ),
        difference=float(scores[1].mean() - scores[0].mean()),
        same_side=float(((scores[0] >= threshold) == (scores[1] >= threshold)).mean()),
    )


def _criterion(name: str, both: IntArray, seed: int, level: float) -> CriterionAgreement:
    kappa = weighted_kappa(contingency(both[:, 0], both[:, 1]))
    ends = kappa_interval(both, np.arange(len(both)), np.random.default_rng(seed), level, most_apart=1)
    first, second = both.mean(axis=0).tolist()
    same = float((both[:, 0] == both[:, 1]).mean())
    lower, upper = ends if kappa is not None and ends else (None, None)
    return CriterionAgreement(name, first, second, same, kappa, lower, upper)


def opinion_lines(found: Opinion | None, first: str, second: str, threshold: float) -> Iterator[str]:
    """The agreement for people."""
    if found is None:
        yield f"second opinion: no prompt has a label by both {first} and {second}."
        return
    yield (
        f"second opinion of {second} on {counted(found.prompts, 'prompt')}: its mean score is {found.difference:+.2f} "
        f"against {first}; {found.same_side:.1%} are on the same side of {threshold:g}"
    )
    width = max(len(each.name) for each in found.criteria)
    for each in found.criteria:
        kappa = "not defined: one of them always says the same" if each.kappa is None else f"{each.kappa:.2f}"
        ends = "" if each.lower is None or each.upper is None else f" ({each.lower:.2f} to {each.upper:.2f})"
        said = f"yes {each.first:.0%} and {each.second:.0%}, alike {each.same:.0%}"
        yield f"  {each.name:<{width}}  {said}, κ {kappa}{ends}"
