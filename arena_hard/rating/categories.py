"""A bench cut into what is rated on its own: one part for each category asked for, with its own baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arena_hard.data.paths import Bench
from arena_hard.data.records import Question, UserError
from arena_hard.rating.arrays import occurring
from arena_hard.rating.battles import Battles, baseline_of
from arena_hard.rating.coverage import Coverage, JudgedQuestions, coverage, fought_in
from arena_hard.rating.games import GameTable, in_categories, question_categories, select

DEFAULT_BASELINE = "gpt-4-0314"


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


def cut(
    table: GameTable, bench: Bench, baseline: str | None, categories: Sequence[str] | None
) -> list[tuple[str, str, GameTable]]:
    """(category, baseline, games) of each part. Raises UserError for an unknown category or a wrong baseline.

    Without --category a bench is one part, unless its records name a baseline for each category, as
    v2.0's do. A baseline that was not asked for is taken from the records where they name one.
    """
    if categories is None and not (baseline is None and _has_baselines_by_category(table)):
        wanted = baseline or DEFAULT_BASELINE
        return [("", baseline_of(table, wanted), table)]
    if any(not table.categories[code] for code in occurring(table.category)):
        table = in_categories(table, question_categories(bench.question_file))
    parts: list[tuple[str, str, GameTable]] = []
    for name in _names(table, categories or ["all"]):
        games = select(table, table.category == table.categories.index(name))
        parts.append((name, baseline_of(games, baseline or _recorded(games) or DEFAULT_BASELINE), games))
    return parts


def _has_baselines_by_category(table: GameTable) -> bool:
    """Whether the records name several baselines, exactly one for each category."""
    pairs = {(int(c), int(b)) for c, b in np.unique(np.column_stack([table.category, table.baseline]), axis=0)}
    names = {table.baselines[baseline] for _, baseline in pairs}
    return len(names) > 1 and "" not in names and len(pairs) == len({category for category, _ in pairs})


def _recorded(table: GameTable) -> str | None:
    names = [table.baselines[code] for code in occurring(table.baseline)]
    return names[0] if len(names) == 1 else None


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
