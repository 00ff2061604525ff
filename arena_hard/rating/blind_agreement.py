"""Blind checks on disk, and how far a judge agrees with the persons who made them.

data/BENCH/blind_check/JUDGE/NAME.jsonl holds one line with the plan (which games, drawn once) and one for
each decision, the last of which counts for its game.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from arena_hard.data import jsonl
from arena_hard.data.paths import Bench, file_name
from arena_hard.data.record_folder import record_files
from arena_hard.data.record_values import with_names
from arena_hard.data.verdicts import LABELS
from arena_hard.rating import judge_stats, judge_trust, pair_rule
from arena_hard.rating.arrays import FloatArray, IntArray, weight_sums
from arena_hard.rating.judge_stats import Estimate, contingency, weighted_kappa, weighted_kappas
from arena_hard.rating.unseen import unseen_share

SKIP = "skip"
ROUNDS = 2000
_FEW = 12  # questions, of which a bootstrap says too little
_MOST_APART = (len(LABELS) - 1) ** 2  # what κ counts for A>>B against B>>A


class Planned(msgspec.Struct, frozen=True):
    """One game that is to be decided: number 1 or 2, and what the judge said."""

    question_id: str
    model: str
    baseline: str
    game: int
    verdict: str


@dataclass
class Check:
    """A person's check of one judge: `decisions` holds a label or SKIP for each place that is decided.

    `old_layout`: the places that were decided before decisions named the version that wrote them. On narrow screens
    its page showed an answer under the other one's label.
    """

    file: Path
    name: str
    judge: str
    plan: list[Planned]
    decisions: dict[int, str]
    old_layout: set[int] = field(default_factory=set[int])

    @property
    def next_place(self) -> int | None:
        """The first game without a decision, None when all are decided."""
        return next((place for place in range(len(self.plan)) if place not in self.decisions), None)


class Agreement(NamedTuple):
    """How a person and the judge agree on `games` that the person did not skip; κ has quadratic weights.

    lower, upper: the ends of κ's interval; winner, verdict: the shares in percent with intervals; place, longer: by how
    many points more than the person the judge prefers the answer shown first, and the longer one (win rate of the one
    minus that of the other); answer: one of judge_trust.ANSWERS. What cannot be known is None.
    """

    games: int
    same_winner: float | None
    same_verdict: float | None
    kappa: float | None
    lower: float | None
    upper: float | None
    winner: Estimate | None
    verdict: Estimate | None
    place: Estimate | None
    longer: Estimate | None
    answer: str


def check_file(bench: Bench, judge: str, name: str) -> Path:
    """Where a person's check lies. Raises UserError for a name that is no file name."""
    return bench.folder / "blind_check" / file_name(judge) / f"{file_name(name)}.jsonl"


def load(file: Path) -> Check | None:
    """A check as far as it has come; None when there is none. Raises UserError for a broken line."""
    if not file.is_file():
        return None
    rows = list(jsonl.read(file, dict))
    if not rows or "plan" not in rows[0]:
        return None
    plan = msgspec.convert([with_names(game) for game in rows[0]["plan"]], list[Planned])
    last = {row["place"]: row for row in rows[1:] if 0 <= row["place"] < len(plan)}
    decisions = {place: row["verdict"] or SKIP for place, row in last.items()}
    old_layout = {place for place, row in last.items() if "version" not in row and decisions[place] != SKIP}
    return Check(file, rows[0]["name"], rows[0]["judge"], plan, decisions, old_layout)


def checks(bench: Bench, judge: str) -> list[Check]:
    """All checks of a judge, by the person's name."""
    folder = bench.folder / "blind_check" / file_name(judge)
    return [check for check in map(load, record_files(folder)) if check is not None]


def agreement(
    checked: Sequence[Check],
    seed: int = 42,
    level: float = 0.95,
    longer: Callable[[Planned], int] | None = None,
) -> Agreement:
    """How far the judge agrees with the decisions of one or several persons, game by game.

    `longer`: 1 where the first answer of a game is the longer one, -1 where the second is, else 0. Intervals are
    clustered by question, on which one or several persons may have decided several games.
    """
    decided = [
        (planned, LABELS.index(check.decisions[place]))
        for check in checked
        for place, planned in enumerate(check.plan)
        if check.decisions.get(place, SKIP) != SKIP
    ]
    both = np.array([(own, LABELS.index(planned.verdict)) for planned, own in decided], np.int64).reshape(-1, 2)
    names = np.array([planned.question_id for planned, _ in decided])
    question = np.unique(names, return_inverse=True)[1]
    first = -np.sign(both - judge_stats.TIE)  # 1 where the first answer won
    more = 0.5 * (first[:, 1] - first[:, 0])
    side = np.array([longer(planned) if longer else 0 for planned, _ in decided], np.int64)
    known = side != 0
    found = judge_stats.agreement(both[:, 0], both[:, 1])
    ends = kappa_interval(both, question, np.random.default_rng(seed), level)
    place = _twice(_mean(more, question, level))
    return Agreement(
        games=len(both),
        same_winner=found.same_sign,
        same_verdict=found.same_grade,
        kappa=found.kappa,
        lower=ends[0] if ends else None,
        upper=ends[1] if ends else None,
        winner=_share(first[:, 0] == first[:, 1], question, level),
        verdict=_share(both[:, 0] == both[:, 1], question, level),
        place=place,
        longer=_twice(_mean((more * side)[known], question[known], level)),
        answer=_answer(len(both), found.kappa, ends, place),
    )


def _answer(games: int, kappa: float | None, ends: tuple[float, float] | None, place: Estimate | None) -> str:
    """Whether they agree, by the rule for judges; with few games only if both ends of κ's interval say yes or none."""
    bias = place.value if place and not place.lower <= 0.0 <= place.upper else 0.0
    if games >= judge_trust.FEWEST:
        return judge_trust.answer(bias, kappa)
    answers = {judge_trust.answer(bias, end) for end in ends or ()}
    if len(answers) > 1 and "yes" in answers:
        return "not known"
    return judge_trust.answer(bias, kappa) if answers else "not known"


def kappa_interval(
    both: IntArray, question: IntArray, generator: np.random.Generator, level: float, most_apart: int = _MOST_APART
) -> tuple[float, float] | None:
    """The interval of κ of verdicts [n, 2]: a bootstrap of questions; None where that says nothing.

    most_apart: what κ counts for the two verdicts that differ most.

    Games without spread are no certainty. Where all agree, the lower end leaves room for games that were not met
    (unseen.py); where a person always gives the same verdict, and of few questions, nothing is known.
    """
    tables = np.zeros((int(question.max(initial=-1)) + 1, len(LABELS), len(LABELS)), np.int64)
    np.add.at(tables, (question, both[:, 0], both[:, 1]), 1)
    whole = contingency(both[:, 0], both[:, 1])
    kappa = weighted_kappa(whole)
    if kappa == 1.0:
        grade = np.arange(len(LABELS))
        distance = (grade[:, None] - grade[None, :]) ** 2
        by_chance = (distance * np.outer(whole.sum(axis=1), whole.sum(axis=0))).sum() / whole.sum() ** 2
        unseen = float(unseen_share(len(tables), level))
        return max(-1.0, 1.0 - float(unseen * most_apart / by_chance)), 1.0
    if kappa is None or len(tables) <= _FEW:
        return None
    drawn = generator.multinomial(len(tables), np.full(len(tables), 1.0 / len(tables)), ROUNDS)
    values = weighted_kappas(np.tensordot(drawn, tables, 1))
    values = values[~np.isnan(values)]
    if len(values) < ROUNDS / 2 or np.ptp(values) < 1e-9:
        return None
    tail = (1.0 - level) / 2.0
    lower, upper = np.quantile(values, [tail, 1.0 - tail]).tolist()
    return lower, upper


def _mean(values: FloatArray, question: IntArray, level: float) -> Estimate | None:
    """The mean of values (-1 to 1) in points, by the rule of paired differences; None on fewer than two questions."""
    _, places = np.unique(question, return_inverse=True)
    games = np.bincount(places).astype(float)
    if len(games) < 2:
        return None
    wins = weight_sums(places, 0.5 * (1.0 + values), len(games))
    pair = pair_rule.pairs_of((wins[None], games[None]), ((games - wins)[None], games[None]), float(games.max()))
    return judge_stats.estimate(pair, level)


def _share(alike: FloatArray, question: IntArray, level: float) -> Estimate | None:
    """A share in percent: its interval is computed where it runs from -100 to 100."""
    found = _mean(2.0 * alike - 1.0, question, level)
    if found is None:
        return None
    ends = [min(100.0, max(0.0, 50.0 + end / 2.0)) for end in (found.value, found.lower, found.upper)]
    return Estimate(ends[0], found.error / 2.0, ends[1], ends[2])


def _twice(found: Estimate | None) -> Estimate | None:
    """From win rates to what one answer's win rate has over the other's."""
    if found is None:
        return None
    lower, upper = (max(-200.0, min(200.0, 2.0 * end)) for end in (found.lower, found.upper))
    return Estimate(2.0 * found.value, 2.0 * found.error, lower, upper)
