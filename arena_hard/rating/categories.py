"""A bench cut into what is rated on its own: one part for each category asked for, with its own baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from arena_hard.data.baselines import Standing, standing
from arena_hard.data.paths import Bench
from arena_hard.data.presets import categories_of, usual_baseline
from arena_hard.data.records import Question, UserError
from arena_hard.rating.arrays import occurring
from arena_hard.rating.battles import Battles, baseline_of
from arena_hard.rating.coverage import Coverage, JudgedQuestions, coverage, fought_in
from arena_hard.rating.games import GameTable, against, in_categories, question_categories, select


@dataclass(frozen=True)
class Part:
    """Games against one baseline; `category` is empty for a whole bench, `table` None for battles from a file.

    judged: what was judged, where it is known besides the table.
    """

    category: str
    baseline: str
    battles: Battles
    table: GameTable | None = None
    judged: JudgedQuestions | None = None

    @property
    def anchor(self) -> int:
        return self.battles.models.index(self.baseline)


def covered(part: Part, questions: Sequence[Question]) -> Coverage | None:
    """What the models of a part were judged on, of its category's questions; None where no question is known.

    A model that was judged in other categories only is there, with no question.
    """
    known = part.judged or fought_in(part.battles)
    own = [question for question in questions if part.category in ("", question.category)]
    return coverage(known, own, [name for name in known.models if name != part.baseline])


class Cut(NamedTuple):
    """The games of a category against its baseline, and what has to be said of how it was found."""

    category: str
    baseline: str
    games: GameTable
    notes: list[str]


def cut(table: GameTable, bench: Bench, baseline: str | None, categories: Sequence[str] | None) -> list[Cut]:
    """The games of each part. Raises UserError for an unknown category or a wrong baseline.

    Without --category a bench is one part, unless its records name a baseline for each category, as
    v2.0's do, or it is known to have one for each. A baseline that was not asked for is the benchmark's usual one,
    where there are games against it, else the one that all records of the category name, or show without a name.
    """
    by_category = _is_known_by_category(table, bench, baseline) or _is_named_by_category(table, baseline)
    if categories is None and not by_category:
        return [_part("", table, bench, baseline)]
    if any(not table.categories[code] for code in occurring(table.category)):
        table = in_categories(table, question_categories(bench.question_file))
    parts: list[Cut] = []
    for name in _names(table, categories or ["all"]):
        games = select(table, table.category == table.categories.index(name))
        if categories is not None or baseline in (None, _baseline_for(games, bench, name)):
            parts.append(_part(name, games, bench, baseline or _baseline_for(games, bench, name)))
    return parts or [_part("", table, bench, baseline)]


def assumed_baseline(bench: Bench, judges: Sequence[str], category: str = "") -> str:
    """Whom judgments that name no baseline are against where nobody says it."""
    usual = usual_baseline(bench.name, category)
    shown = {standing(bench, judge, usual, category).origin.baseline for judge in judges} - {""}
    return shown.pop() if len(shown) == 1 else usual


def _part(category: str, games: GameTable, bench: Bench, asked: str | None) -> Cut:
    """A part's games against its baseline. Raises UserError where there are none."""
    recorded = _recorded(games)
    judges = [games.judges[code] for code in occurring(games.judge)]
    usual = usual_baseline(bench.name, category)
    baseline = asked or (assumed_baseline(bench, judges, category) if recorded == [""] else usual)
    stands = [standing(bench, judge, baseline, category) for judge in judges] if "" in recorded else []
    unnamed = bool(stands) and all(each.counts for each in stands)
    if baseline in recorded or unnamed:
        games = against(games, baseline, unnamed)
    elif recorded == [""]:
        raise _other_baseline(baseline, stands)
    said = _nameless_note(baseline, stands, asked) if unnamed else []
    return Cut(category, baseline_of(games, baseline), games, said)


def _nameless_note(baseline: str, stands: Sequence[Standing], asked: str | None) -> list[str]:
    """What shows whom judgments are against that do not say it; nothing where they show the one asked for."""
    if not all(each.is_shown for each in stands):
        return [f"The judgments do not name their baseline, and nothing in them shows it: {baseline} is assumed."]
    why = stands[0].origin.why
    return [] if asked else [f"The judgments do not name their baseline: it is {baseline}, because {why}."]


def _other_baseline(baseline: str, stands: Sequence[Standing]) -> UserError:
    """The message for judgments that name no baseline, and are not against the one asked for."""
    origin = next(each.origin for each in stands if not each.counts)
    remedy = f"Run with --baseline {origin.baseline}" if origin.baseline else "Name the right one with --baseline"
    return UserError(
        f"The judgments do not name their baseline, and are not against {baseline}: {origin.why}. "
        f"{remedy}, or judge against {baseline} first."
    )


def _baseline_for(games: GameTable, bench: Bench, category: str) -> str:
    """The usual baseline where any game may be against it, else the one that all others name."""
    usual, named = usual_baseline(bench.name, category), [name for name in _recorded(games) if name]
    return named[0] if len(named) == 1 and usual not in named else usual


def _is_known_by_category(table: GameTable, bench: Bench, baseline: str | None) -> bool:
    """Whether the benchmark has a baseline for each category, and some games are against these."""
    usual = {category["baseline_model"] for category in categories_of(bench.name).values()}
    recorded = set(_recorded(table))
    return bool(usual) and (not recorded - {""} or bool(recorded & usual)) and (baseline is None or baseline in usual)


def _is_named_by_category(table: GameTable, baseline: str | None) -> bool:
    """Whether the records name several baselines, exactly one for each category."""
    if baseline is not None:
        return False
    pairs = {(int(c), int(b)) for c, b in np.unique(np.column_stack([table.category, table.baseline]), axis=0)}
    names = {table.baselines[baseline] for _, baseline in pairs}
    return len(names) > 1 and "" not in names and len(pairs) == len({category for category, _ in pairs})


def _recorded(table: GameTable) -> list[str]:
    return [table.baselines[code] for code in occurring(table.baseline)]


def _names(table: GameTable, wanted: Sequence[str]) -> list[str]:
    known = sorted(table.categories[code] for code in occurring(table.category) if table.categories[code])
    if not known:
        raise UserError("Neither the judgments nor question.jsonl name categories. Run without --category.")
    if "all" in wanted and "all" not in known:
        return known
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UserError(f"No games in the category {unknown[0]!r}. Categories here: {', '.join(known)}; or all.")
    return list(dict.fromkeys(wanted))
