"""The blind check: a person decides games without names, and how far the judge agrees with that.

data/BENCH/blind_check/JUDGE/NAME.jsonl holds one line with the plan (which games, drawn once) and one for
each decision, the last of which counts for its game. It can be stopped after any decision.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from arena_hard import jsonl, judge_stats
from arena_hard.browse.index import BenchIndex
from arena_hard.paths import Bench, file_name, record_files
from arena_hard.records import UserError
from arena_hard.verdicts import LABELS, standard_label

GAMES = 50
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
    """A person's check of one judge: `decisions` holds a label or SKIP for each place that is decided."""

    file: Path
    name: str
    judge: str
    plan: list[Planned]
    decisions: dict[int, str]

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


# --------------------------------------------------------------------------------------- the plan


def draw(index: BenchIndex, judge: str, baselines: dict[tuple[int, int], str], seed: int) -> list[Planned]:
    """GAMES games with a readable verdict and both answers, as evenly as can be over models and verdicts.

    `baselines`: the baseline's name for each (model, question) that can be shown.
    """
    table = index.judged[judge]
    generator = np.random.default_rng(seed)
    strata: dict[tuple[int, int], list[Planned]] = {}
    for (model, question), baseline in sorted(baselines.items()):
        for game, codes in ((1, table.first), (2, table.second)):
            code = int(codes[model, question])
            if code >= 0:
                planned = Planned(index.question_ids[question], index.models[model], baseline, game, LABELS[code])
                strata.setdefault((model, code), []).append(planned)
    piles = [[pile[i] for i in generator.permutation(len(pile))] for _, pile in sorted(strata.items())]
    chosen: dict[tuple[str, str], Planned] = {}  # a question and model is drawn once, in one of its games
    while piles and len(chosen) < GAMES:
        for i in generator.permutation(len(piles)):
            _take(piles[i], chosen)
        piles = [pile for pile in piles if pile]
    drawn = list(chosen.values())[:GAMES]
    return [drawn[i] for i in generator.permutation(len(drawn))]


def _take(pile: list[Planned], chosen: dict[tuple[str, str], Planned]) -> None:
    """Move the next game of a pile whose question and model is not drawn yet."""
    while pile:
        planned = pile.pop()
        if (planned.question_id, planned.model) not in chosen:
            chosen[planned.question_id, planned.model] = planned
            return


# ---------------------------------------------------------------------------------------- on disk


def check_file(bench: Bench, judge: str, name: str) -> Path:
    """Where a person's check lies. Raises UserError for a name that is no file name."""
    return bench.folder / "blind_check" / file_name(judge) / f"{file_name(name)}.jsonl"


def start(bench: Bench, judge: str, name: str, plan: list[Planned]) -> Check:
    """Write the plan of a new check."""
    file = check_file(bench, judge, name)
    row = {"name": name, "judge": judge, "tstamp": time.time(), "plan": msgspec.to_builtins(plan)}
    file.parent.mkdir(parents=True, exist_ok=True)
    _append(file, row)
    return Check(file, name, judge, plan, {})


def load(file: Path) -> Check | None:
    """A check as far as it has come; None when there is none. Raises UserError for a broken line."""
    if not file.is_file():
        return None
    rows = list(jsonl.read(file, dict))
    if not rows or "plan" not in rows[0]:
        return None
    plan = msgspec.convert(rows[0]["plan"], list[Planned])
    decisions = {row["place"]: row["verdict"] or SKIP for row in rows[1:] if 0 <= row["place"] < len(plan)}
    return Check(file, rows[0]["name"], rows[0]["judge"], plan, decisions)


def decide(check: Check, place: int, label: str) -> None:
    """Store a decision: one of LABELS, or SKIP. Raises UserError for anything else."""
    if not 0 <= place < len(check.plan) or (label != SKIP and standard_label(label) != label):
        raise UserError(f"{label!r} for game {place + 1} is no decision; known are {', '.join(LABELS)} and {SKIP}.")
    planned = check.plan[place]
    row: dict[str, Any] = {
        "place": place,
        "question_id": planned.question_id,
        "model": planned.model,
        "baseline": planned.baseline,
        "judge": check.judge,
        "game": planned.game,
        "verdict": None if label == SKIP else label,
        "name": check.name,
        "tstamp": time.time(),
    }
    _append(check.file, row)
    check.decisions[place] = label


def _append(file: Path, row: dict[str, Any]) -> None:
    jsonl.repair(file)
    with open(file, "ab") as stream:
        stream.write(jsonl.encode(row))
        stream.flush()
        os.fsync(stream.fileno())


def checks(bench: Bench, judge: str) -> list[Check]:
    """All checks of a judge, by the person's name."""
    folder = bench.folder / "blind_check" / file_name(judge)
    return [check for check in map(load, record_files(folder)) if check is not None]


# -------------------------------------------------------------------------------------- agreement


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
    generator, rounds = np.random.default_rng(seed), []
    for _ in range(ROUNDS if len(both) > 1 else 0):
        drawn = both[generator.integers(0, len(both), len(both))]
        kappa = judge_stats.weighted_kappa(judge_stats.contingency(drawn[:, 0], drawn[:, 1]))
        rounds.append(np.nan if kappa is None else kappa)
    known = np.array(rounds)[~np.isnan(rounds)] if rounds else np.array([])
    tail = (1.0 - level) / 2.0
    ends = np.quantile(known, [tail, 1.0 - tail]).tolist() if len(known) > ROUNDS / 2 else [None, None]
    return Agreement(len(both), result.same_sign, result.same_grade, result.kappa, *ends)
