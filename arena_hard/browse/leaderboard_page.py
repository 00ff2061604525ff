"""The page *Leaderboard*: who won, how sure that is, and the way to the games."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from arena_hard.browse import judge_page, tables
from arena_hard.browse.address import View
from arena_hard.browse.game_selection import nameless_words
from arena_hard.browse.index import BenchIndex
from arena_hard.data.settings import JudgeSettings
from arena_hard.rating import battles, intervals, same_place, stopped
from arena_hard.rating.games import GameTable, without_own
from arena_hard.rating.outcomes import outcomes
from arena_hard.rating.stopped import Looked
from arena_hard.showing import caveats, comparisons, footnotes, leaderboard, unequal_sets
from arena_hard.showing.notes import whole
from arena_hard.showing.sections import Section

# the first is shown where none is chosen: the published intervals hold the truth in 74 to 84 of 100 cases (README)
RULES = {
    "sandwich": "honest (clustered by question)",
    "rows": "as published (bootstrap of rows)",
}
DEFAULT_RULE = next(iter(RULES))
SORTS = ("score", "model", "tokens", "judged", "unreadable")


class Row(NamedTuple):
    """A model on the leaderboard; score, lower and upper are win rates in percent; judged: on how many questions."""

    rank: int
    model: str
    is_baseline: bool
    score: float
    lower: float
    upper: float
    tokens: float | None
    judged: int
    unreadable: int


class Board(NamedTuple):
    """The leaderboard of all models that were judged against one baseline.

    questions: how many could be judged against it; notes: what of them was not judged; looks: the table of what holds
    although judging was monitored as it ran, if it was.
    """

    baseline: str
    rows: list[Row]
    missing: list[str]
    questions: int
    notes: list[str]
    looks: Section | None = None


def build(index: BenchIndex, view: View, settings: JudgeSettings | None) -> tuple[str, dict[str, Any]]:
    """Template and values of the page."""
    rule = view.rule if view.rule in RULES else DEFAULT_RULE
    boards = boards_of(tables.Snapshot(index, view.judge, settings), rule) if view.judge else []
    sort = view.sort.removeprefix("-")
    column = sort if sort in SORTS else "score"
    context = {
        "title": "Leaderboard",
        "boards": [board._replace(rows=ordered(board.rows, column, view.sort.startswith("-"))) for board in boards],
        "judges": index.judges,
        "rules": RULES,
        "rule": rule,
        "column": column,
        "reverse": view.sort.startswith("-"),
        "summary": summary(boards),
        "caution": judge_page.caution_of(tables.Snapshot(index, view.judge, settings)),
    }
    return "leaderboard.html", context


@lru_cache(maxsize=8)
def boards_of(key: tables.Snapshot, rule: str) -> list[Board]:
    """One board for each baseline that a judge's games were played against."""
    every = tables.game_table(key.index, [key.judge], key.settings, with_own=True)
    return [board_of(key.index, every, code, rule, key.settings) for code in tables.baselines_of(every)]


def board_of(index: BenchIndex, every: GameTable, code: int, rule: str, settings: JudgeSettings | None) -> Board:
    """The board of the games against one baseline, best first; `every`: with those of a baseline against itself."""
    baseline, games = every.baselines[code], without_own(every)
    table = tables.of_baseline(games, code)
    fought = battles.from_games(table, baseline)
    covered = tables.coverage_of(index, games, code)
    judged = covered.counts() if covered else {}
    own = footnotes.own_notes(tables.of_baseline(every, code), table, baseline)
    covering = unequal_sets.coverage_notes(covered) if covered else []
    lengths = {name: tables.lengths_of(index, name) for name in fought.models}
    silent = same_place.same_place(table)
    looked = stopped.looked_in([index.sets[judge].folder for judge in table.judges], fought.models)
    own += [*caveats.same_place_notes(silent), *caveats.by_place_notes(same_place.mostly_by_place(table))]
    own += caveats.looks_notes(looked, table, "What holds at all looks is in the table below.")
    own += caveats.shortened_notes(table)
    said = (*own, *footnotes.single_game_notes(table), *covering, *footnotes.part_length_notes(lengths))
    notes = [whole(note) for note in said]
    notes = _nameless_notes(index, every, baseline, settings) + notes
    about = (covered.n_questions if covered else 0, notes)
    if len(fought) == 0:
        return Board(baseline, [], fought.models[1:], *about)
    cells = battles.cells_of(fought)
    nulls = np.bincount(table.model[table.verdict < 0], minlength=len(table.models))
    fit = intervals.fit_with_intervals(fought, cells, 0, intervals.Rule(kind=rule))
    fit = intervals.without_ends(fit, silent)
    place = {model: code for code, model in enumerate(table.models)}
    rows = []
    for order, one in enumerate(leaderboard.rows_of(fit, {}), 1):  # rounded and in order as in the terminal
        model, is_baseline = one.model, one.model == baseline
        own = place.get(model)
        counts = (judged.get(model, 0), int(nulls[own])) if own is not None and not is_baseline else (0, 0)
        ends = (one.score, one.lower, one.upper)
        rows.append(Row(order, model, is_baseline, *ends, tables.tokens_of(index, model), *counts))
    known = [row for row in rows if row.score == row.score]
    missing = [row.model for row in rows if row.score != row.score]
    return Board(baseline, known, missing, *about, looks_of(table, baseline, looked, silent))


def looks_of(table: GameTable, baseline: str, looked: Mapping[str, Looked], silent: Sequence[str]) -> Section | None:
    """The table of looks of the terminal, with scores as published ones count."""
    if not looked:
        return None
    heard = same_place.without_models(table, silent)
    pairs, found = stopped.differences_after(outcomes(heard, baseline=baseline), looked), outcomes(heard)
    scores = [one for name, looks in looked.items() for one in stopped.scores_after(found, [name], looks)]
    return next(iter(comparisons.looks_sections([*pairs, *scores])), None)


def _nameless_notes(index: BenchIndex, every: GameTable, baseline: str, settings: JudgeSettings | None) -> list[str]:
    """What shows that judgments which name no baseline are against this one."""
    if baseline in index.baselines:
        return []
    words = nameless_words(index, every.judges[0], baseline, settings)
    return [f"The judgments do not name their baseline: {words}."]


def ordered(rows: list[Row], column: str, reverse: bool) -> list[Row]:
    """The rows by a column: numbers from the highest, names from a; `reverse` turns it round."""
    if column == "model":
        return sorted(rows, key=lambda row: row.model.lower(), reverse=reverse)
    return sorted(
        rows, key=lambda row: -1.0 if getattr(row, column) is None else getattr(row, column), reverse=not reverse
    )


def summary(boards: list[Board]) -> str:
    """Who won, in a sentence or two."""
    if len(boards) != 1 or len(boards[0].rows) < 2:
        return ""
    rows = boards[0].rows
    first, second = rows[0], rows[1]
    score = leaderboard.score_text(first.score)
    if boards[0].looks:
        return f"{first.model} is first with {score}; the table of looks shows how sure that is."
    if any(row.lower != row.lower and not row.is_baseline for row in (first, second)):
        return f"{first.model} is first with {score}, but the intervals of the first two are not both known."
    if second.is_baseline and first.lower > second.score:
        return f"{first.model} is first with {score}, and its interval lies above the baseline's 50."
    told = "" if first.lower > second.upper else f", but its interval overlaps that of {second.model}"
    told = told or f", clearly ahead of {second.model} (the intervals do not overlap)"
    return f"{first.model} is first with {score}{told}."
