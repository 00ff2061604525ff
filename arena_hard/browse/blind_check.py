"""Making a blind check: games are drawn, a person decides them without names, and each decision is stored at once.

It can be stopped after any decision. How the file looks, and how far the judge agrees: rating/blind_agreement.py.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from arena_hard import __version__
from arena_hard.browse.index import BenchIndex
from arena_hard.data import jsonl
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.data.verdicts import LABELS, standard_label
from arena_hard.rating.blind_agreement import SKIP, Check, Planned, check_file

GAMES = 50


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


def start(bench: Bench, judge: str, name: str, plan: list[Planned]) -> Check:
    """Write the plan of a new check."""
    file = check_file(bench, judge, name)
    row = {
        "name": name,
        "judge": judge,
        "tstamp": time.time(),
        "version": __version__,
        "plan": msgspec.to_builtins(plan),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    _append(file, row)
    return Check(file, name, judge, plan, {})


def decide(check: Check, place: int, label: str) -> None:
    """Store a decision: one of LABELS, or SKIP. Raises UserError for anything else."""
    if not 0 <= place < len(check.plan) or (label != SKIP and standard_label(label) != label):
        raise UserError(f"{label!r} for game {place + 1} is not a decision; known are {', '.join(LABELS)} and {SKIP}.")
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
        "version": __version__,
    }
    _append(check.file, row)
    check.decisions[place] = label
    check.old_layout.discard(place)


def _append(file: Path, row: dict[str, Any]) -> None:
    jsonl.repair(file)
    jsonl.append(file, jsonl.encode(row))
