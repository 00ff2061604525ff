"""Who is really better: paired differences of win rates on common questions, and ranks.

Influences of two models (outcomes.py) subtract question by question, which is what makes a difference sharper than two
intervals. Two models are compared on the questions that both were judged on, and on no others: else the difference is
that of the questions, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from arena_hard.data.name_lists import shortened
from arena_hard.data.records import UserError
from arena_hard.rating import pair_rule
from arena_hard.rating.arrays import BoolArray, FloatArray, IntArray
from arena_hard.rating.outcomes import Outcomes
from arena_hard.rating.pair_rule import Pairs, ends, pairs_of, together


@dataclass(frozen=True)
class Difference:
    """model's win rate minus other's, in points, on the questions that both were judged on, with its clustered
    error, interval and p-values.

    score, other_score: the win rates on these questions; sigma: spread of the per-question differences
    (error·√questions); corrected: p-value after Holm's method; model_questions, other_questions: on how many each
    was judged; unpaired: the difference of the win rates on all of them, which is not one of the models alone
    where the sets differ.
    """

    model: str
    other: str
    value: float
    error: float
    lower: float
    upper: float
    p_value: float
    corrected: float
    sigma: float
    questions: int
    score: float
    other_score: float
    model_questions: int
    other_questions: int
    unpaired: float

    @property
    def has_same_questions(self) -> bool:
        """Whether both models were judged on the same questions."""
        return self.questions == self.model_questions == self.other_questions

    def turned(self) -> Difference:
        """The same with the models in the other order."""
        return replace(
            self,
            model=self.other,
            other=self.model,
            value=-self.value,
            lower=-self.upper,
            upper=-self.lower,
            score=self.other_score,
            other_score=self.score,
            model_questions=self.other_questions,
            other_questions=self.model_questions,
            unpaired=-self.unpaired,
        )


@dataclass(frozen=True)
class RankInterval:
    """A model's rank by its whole win rate (1 is best) and the ranks consistent with the data.

    in_circle: whether it is better than a model that a chain of better ones leads back from, each on other questions.
    """

    model: str
    rank: int
    best: int
    worst: int
    in_circle: bool = False

    @property
    def holds_rank(self) -> bool:
        """Whether the rank is among them; it need not be where it is by other questions than the comparisons."""
        return self.best <= self.rank <= self.worst


def differences(found: Outcomes, models: Sequence[str] | None = None, level: float = 0.95) -> tuple[Difference, ...]:
    """All pairs of the named models (of all, if none are named), the better one first, best pairs on top.

    Pairs without a common question are left out. `corrected` is Holm's (Scand. J. Stat. 6 (1979) 65) over the
    others. Raises UserError for a model without readable verdicts.
    """
    score = found.score
    order = sorted(_chosen(found, models), key=lambda m: (-score[m], found.models[m]))
    pairs = np.array([(a, b) for place, a in enumerate(order) for b in order[place + 1 :]], dtype=int).reshape(-1, 2)
    paired = _paired(found, pairs)
    p_values = pair_rule.p_values(paired)
    lower, upper = ends(paired, p_values, (1.0 - level) / 2.0)
    number = _numbers(found, pairs, paired.questions)
    compared = paired.questions > 0
    corrected = np.full(len(pairs), np.nan)
    corrected[compared] = holm(p_values[compared])
    names: list[tuple[int, int]] = [(int(a), int(b)) for a, b in pairs]
    differences = (
        Difference(
            model=found.models[a],
            other=found.models[b],
            value=float(paired.value[k]),
            error=float(paired.error[k]),
            lower=float(lower[k]),
            upper=float(upper[k]),
            p_value=float(p_values[k]),
            corrected=float(corrected[k]),
            sigma=float(paired.error[k] * math.sqrt(paired.questions[k])),
            questions=int(paired.questions[k]),
            score=float(paired.first_score[k]),
            other_score=float(paired.second_score[k]),
            model_questions=int(number[k, 0]),
            other_questions=int(number[k, 1]),
            unpaired=float(score[a] - score[b]),
        )
        for k, (a, b) in enumerate(names)
        if paired.questions[k] > 0
    )
    return tuple(one.turned() if one.value < 0 else one for one in differences)


def without_common(found: Outcomes, models: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """The pairs of the named models (of all, if none are named) that have no question in common."""
    chosen, judged = _chosen(found, models), found.judged
    pairs = [(a, b) for place, a in enumerate(chosen) for b in chosen[place + 1 :]]
    return [(found.models[a], found.models[b]) for a, b in pairs if not (judged[a] & judged[b]).any()]


def _chosen(found: Outcomes, models: Sequence[str] | None) -> list[int]:
    if models is None:
        return list(range(len(found.models)))
    unknown = [model for model in models if model not in found.models]
    if unknown:
        raise UserError(f"{unknown[0]} has no readable verdict. Models that have: {shortened(found.models)}.")
    if len(set(models)) < 2:
        raise UserError("A comparison takes two or more different models.")
    return [found.models.index(model) for model in dict.fromkeys(models)]


def _paired(found: Outcomes, pairs: IntArray) -> Pairs:
    """What the pairs [k, 2] come to on their common questions."""
    fixed = _are_baseline(found)
    parts: list[Pairs] = []
    for first in np.unique(pairs[:, 0]):  # [k, q] of all pairs at once would be large
        second = pairs[pairs[:, 0] == first, 1]
        both = found.judged[first] & found.judged[second]
        own = found.won[first] * both, found.games[first] * both
        others = found.won[second] * both, found.games[second] * both
        parts.append(pairs_of(own, others, found.most, (fixed[first], fixed[second])))
    order = np.argsort(pairs[:, 0], kind="stable")
    return together(parts, np.argsort(order, kind="stable"))


def _numbers(found: Outcomes, pairs: IntArray, common: IntArray) -> IntArray:
    """On how many questions both models of the pairs were judged [k, 2]; the baseline is there in each game."""
    return np.where(_are_baseline(found)[pairs], common[:, None], found.judged.sum(axis=1)[pairs])


def _are_baseline(found: Outcomes) -> BoolArray:
    return np.array([name == found.baseline for name in found.models], dtype=bool)


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's corrected p-values [k]: with them, the chance of any false difference keeps to the level."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.minimum(1.0, p_values[order] * (len(p_values) - np.arange(len(p_values))))
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(stepped)
    return corrected


def rank_intervals(found: Outcomes, level: float = 0.95) -> tuple[RankInterval, ...]:
    """The ranks that no corrected paired test excludes, in the order of `found.models`.

    All pairs with common questions are tested two-sided and corrected by Holm's method. A model's best rank is 1 +
    the number of models that are significantly better, its worst p − the number that are significantly worse. With
    probability `level` no direction among all the pairs is wrong, and then all true ranks lie in their
    intervals at once (Mogstad, Romano, Shaikh & Wilhelm, Rev. Econ. Stud. 91 (2024) 476, with Holm's steps
    in place of their bootstrap). Pairs are compared on different questions where the models were judged on different
    ones: models that are better than each other in a circle have no order, so what is said within a circle is left
    out. Somebody can always be the first, then, and somebody the last.
    """
    p, score = len(found.models), found.score
    pairs = np.argwhere(np.triu(np.ones((p, p), dtype=bool), 1))
    paired = _paired(found, pairs)
    compared = paired.questions > 0
    pairs, value = pairs[compared], paired.value[compared]
    sure = holm(pair_rule.p_values(paired)[compared]) <= 1.0 - level
    is_better = np.zeros((p, p), dtype=bool)
    is_better[tuple(np.where((value > 0)[:, None], pairs, pairs[:, ::-1])[sure].T)] = True
    circular = is_better & _in_circles(is_better)
    is_better &= ~circular
    rank = 1 + (score[None, :] > score[:, None]).sum(axis=1)
    best, worst = 1 + is_better.sum(axis=0), p - is_better.sum(axis=1)
    return tuple(
        RankInterval(name, int(rank[m]), int(best[m]), int(worst[m]), bool(circular[m].any()))
        for m, name in enumerate(found.models)
    )


def _in_circles(is_better: BoolArray) -> BoolArray:
    """[p, p] whether a chain of "better" leads from each of two models to the other."""
    from scipy.sparse.csgraph import connected_components

    _, component = connected_components(is_better, directed=True, connection="strong")
    return component[:, None] == component[None, :]
