"""Blind checks on disk, and how far a judge agrees with the persons who made them.

data/BENCH/blind_check/JUDGE/NAME.jsonl holds one line with the plan (which games, drawn once) and one for
each decision, the last of which counts for its game.
"""

from __future__ import annotations

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
from arena_hard.rating import judge_stats

SKIP = "skip"


ROUNDS = 2000


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
    """How a person and the judge agree on `games` that the person did not skip; κ has quadratic weights."""

    games: int
    same_winner: float | None
    same_verdict: float | None
    kappa: float | None
    lower: float | None
    upper: float | None


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


def agreement(checked: list[Check], seed: int = 42, level: float = 0.95) -> Agreement:
    """How far the judge agrees with the decisions of one or several persons, game by game.

    The interval of κ is a percentile bootstrap over games.
    """
    pairs = [
        (LABELS.index(check.decisions[place]), LABELS.index(planned.verdict))
        for check in checked
        for place, planned in enumerate(check.plan)
        if check.decisions.get(place, SKIP) != SKIP
    ]
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    result = judge_stats.agreement(both[:, 0], both[:, 1])
    generator = np.random.default_rng(seed)
    rounds: list[float] = []
    for _ in range(ROUNDS if len(both) > 1 else 0):
        drawn = both[generator.integers(0, len(both), len(both))]
        kappa = judge_stats.weighted_kappa(judge_stats.contingency(drawn[:, 0], drawn[:, 1]))
        rounds.append(np.nan if kappa is None else kappa)
    known = np.array(rounds)[~np.isnan(rounds)] if rounds else np.array([])
    tail = (1.0 - level) / 2.0
    ends = np.quantile(known, [tail, 1.0 - tail]).tolist() if len(known) > ROUNDS / 2 else [None, None]
    return Agreement(len(both), result.same_sign, result.same_grade, result.kappa, *ends)
