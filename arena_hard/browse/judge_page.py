"""The page *Judge*: can the verdicts be trusted?"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from arena_hard.browse import game_selection, tables
from arena_hard.browse.address import View
from arena_hard.browse.index import BenchIndex
from arena_hard.data.settings import JudgeSettings
from arena_hard.data.verdicts import LABELS
from arena_hard.rating import judge_stats, judge_trust
from arena_hard.rating.arrays import BoolArray
from arena_hard.rating.games import GameTable, select
from arena_hard.showing import caveats, unequal_sets
from arena_hard.showing.notes import whole, with_minus


class Cell(NamedTuple):
    """A cell of the 5×5 table: how often, the share in percent, what the pair of verdicts means, its view."""

    games: int
    share: float
    kind: str
    view: View


def build(index: BenchIndex, view: View, settings: JudgeSettings | None) -> tuple[str, dict[str, Any]]:
    """Template and values of the page."""
    model = view.model
    context: dict[str, Any] = {
        "title": "Judge",
        "judges": index.judges,
        "models": game_selection.rated_models(index, view.judge, settings),
        "report": None,
        "notes": [],
        "pairs": None,
        "labels": LABELS,
        "limits": judge_trust,
    }
    if not view.judge:
        return "judge.html", context
    key = tables.Snapshot(index, view.judge, settings)
    trust = trust_of(key, model)
    context |= {"report": report_of(key, model), "trust": trust}
    if trust:
        context |= {
            "trust_answer": caveats.ANSWERS[trust.answer],
            "trust_facts": with_minus(caveats.trust_facts(trust)),
        }
    context["notes"] = coverage_notes(key, model)
    own = game_selection.against_itself(index, view.judge, settings)
    context["cells"] = cells_of(index, view, model, ~own)
    several = len({each.judge for each in index.sets.values()}) > 1
    context["pairs"] = agreement_of(key, tuple(index.judges)) if several else None
    return "judge.html", context


@lru_cache(maxsize=16)
def report_of(key: tables.Snapshot, model: str) -> judge_stats.JudgeReport | None:
    """The judge's report over one model, or over all of them."""
    reports = judge_stats.judge_reports(games_of(key, model))
    return reports[0] if reports else None


@lru_cache(maxsize=16)
def trust_of(key: tables.Snapshot, model: str) -> judge_trust.Trust | None:
    """Whether the judge can be trusted, by its games of one model, or of all."""
    found = judge_trust.trust(games_of(key, model))
    return found[0] if found else None


def caution_of(key: tables.Snapshot) -> tuple[str, str] | None:
    """A warning of the judge and why, by all of its games; None where there is nothing to be said."""
    said = caveats.caution(trust_of(key, "")) if key.judge else None
    return (said[0], with_minus(said[1])) if said else None


def games_of(key: tables.Snapshot, model: str) -> GameTable:
    """The judge's games of one model, or of all."""
    table = tables.game_table(key.index, [key.judge], key.settings)
    return select(table, table.model == key.index.models.index(model)) if model else table


@lru_cache(maxsize=16)
def coverage_notes(key: tables.Snapshot, model: str) -> list[str]:
    """What the judge has not judged of the bench's questions, by one model or all of them."""
    table = tables.game_table(key.index, [key.judge], key.settings)
    found = [tables.coverage_of(key.index, table, code, model) for code in tables.baselines_of(table)]
    return [whole(note) for each in found if each for note in unequal_sets.coverage_notes(each)]


@lru_cache(maxsize=8)
def agreement_of(key: tables.Snapshot, judges: tuple[str, ...]) -> judge_stats.EnsembleAgreement:
    """How the judges of a bench agree on the games that they share, which are against the same baseline."""
    table = tables.game_table(key.index, list(judges), key.settings)
    baselines = len(table.baselines)
    apart = replace(
        table,
        question=table.question * baselines + table.baseline,
        questions=[question for question in table.questions for _ in range(baselines)],
    )
    found, sets = judge_stats.ensemble_agreement(apart), key.index.sets
    pairs = tuple(pair for pair in found.pairs if sets[pair.judge].judge != sets[pair.other].judge)
    return replace(found, pairs=pairs)


def cells_of(index: BenchIndex, view: View, model: str, counted: BoolArray | None = None) -> list[list[Cell]]:
    """Verdict of game 1 down, of game 2 across, as the judge wrote them; each with the view of its games.

    counted: mask [model, question] of the judgments that count; None: all of them.
    """
    table = index.judged[view.judge]
    rows = [index.models.index(model)] if model else slice(None)
    first, second = table.first[rows].ravel(), table.second[rows].ravel()
    read = (first >= 0) & (second >= 0)
    read &= True if counted is None else counted[rows].ravel()
    n = len(LABELS)
    codes = first[read].astype(np.int64) * n + second[read]
    counts = np.bincount(codes, minlength=n * n).reshape(n, n)
    total = max(1, int(counts.sum()))
    games = View(tab="games", bench=view.bench, judge=view.judge, model=model)
    return [
        [
            Cell(
                int(counts[i, j]),
                100.0 * counts[i, j] / total,
                kind_of(i, j),
                games.but(first=LABELS[i], second=LABELS[j]),
            )
            for j in range(n)
        ]
        for i in range(n)
    ]


def kind_of(first: int, second: int) -> str:
    """Whether two verdicts agree, contradict each other by following the position, or neither."""
    one, two = np.sign(first - 2), np.sign(2 - second)
    if one == two:
        return "agree"
    return "position" if one == -two and one != 0 else "half"
