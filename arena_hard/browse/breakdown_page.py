"""The page *Breakdown*: where a model does better or worse than its overall score says, by cluster and category."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from markupsafe import Markup

from arena_hard.browse import game_selection, judge_page, tables
from arena_hard.browse.address import View
from arena_hard.browse.index import BenchIndex
from arena_hard.data.settings import JudgeSettings
from arena_hard.rating import same_place
from arena_hard.rating.arrays import occurring
from arena_hard.rating.breakdown import Breakdown, Group, breakdown
from arena_hard.rating.games import GameTable
from arena_hard.rating.outcomes import outcomes
from arena_hard.showing import breakdowns

SHOWN = 15  # groups that are seen at once; the others unfold
SORTS = {"": "surprise", "worst": "worst first", "best": "best first", "name": "name"}


class Row(NamedTuple):
    """A group with its picture and the view of its games."""

    group: Group
    picture: Markup
    view: View


class Card(NamedTuple):
    """A model's groups of one kind, against one baseline; sentence: what can be said of them."""

    by: str
    many: str
    baseline: str
    found: Breakdown
    sentence: str
    explained: str
    rows: list[Row]


def build(index: BenchIndex, view: View, settings: JudgeSettings | None) -> tuple[str, dict[str, Any]]:
    """Template and values of the page."""
    names = game_selection.rated_models(index, view.judge, settings)
    model = view.model if view.model in names else (names or [""])[0]
    context: dict[str, Any] = {"title": "Breakdown", "names": names, "model": model, "cards": [], "silent": False}
    if not model:
        return "breakdown.html", context
    sort = view.sort if view.sort in SORTS else ""
    key = tables.Snapshot(index, view.judge, settings)
    context["caution"] = judge_page.caution_of(key)
    silent, found = broken_down(key, model)
    several = len({baseline for baseline, _, _ in found}) > 1
    games = View(tab="games", bench=view.bench, judge=view.judge, model=model)
    cards = [
        Card(
            one.by,
            breakdowns.KINDS[one.by],
            baseline,
            one,
            breakdowns.sentence(one),
            breakdowns.explained(one.by),
            [_row(one, group, games.but(category=category if several else "")) for group in ordered(one.groups, sort)],
        )
        for baseline, category, one in found
    ]
    context |= {"cards": cards, "silent": silent, "sort": sort, "sorts": SORTS, "shown": SHOWN, "several": several}
    return "breakdown.html", context


def _row(one: Breakdown, group: Group, games: View) -> Row:
    view = games.but(cluster=group.name) if one.by == "cluster" else games.but(category=group.name)
    return Row(group, Markup(breakdowns.picture(one, group)), view)  # noqa: S704  texts in it are escaped


def ordered(groups: tuple[Group, ...], sort: str) -> list[Group]:
    """The groups as they are wanted; what is equal stays in the order of surprise."""
    keys = {
        "worst": lambda group: group.estimate if group.estimate else group.value,
        "best": lambda group: -(group.estimate if group.estimate else group.value),
        "name": lambda group: group.name.lower(),
    }
    return sorted(groups, key=keys[sort]) if sort in keys else list(groups)


@lru_cache(maxsize=16)
def broken_down(key: tables.Snapshot, model: str) -> tuple[bool, list[tuple[str, str, Breakdown]]]:
    """Whether the judge says nothing of a model, else its breakdowns with the baseline and its category, if one."""
    table = tables.game_table(key.index, [key.judge], key.settings)
    found: list[tuple[str, str, Breakdown]] = []
    silent = False
    for code in tables.baselines_of(table):
        own = tables.of_baseline(table, code)
        names = same_place.same_place(own)
        silent |= model in names
        found += [(table.baselines[code], *each) for each in _against(key.index, own, names, model)]
    return silent and not found, found


def _against(index: BenchIndex, table: GameTable, silent: list[str], model: str) -> list[tuple[str, Breakdown]]:
    """The breakdowns of a model's games against one baseline by what has more than one group."""
    compared = outcomes(same_place.without_models(table, silent))
    if model not in compared.models:
        return []
    categories = [table.categories[code] for code in occurring(table.category)]
    questions = [question for question in index.questions if question]
    every = (
        breakdown(compared, model, by, breakdowns.groups_of(questions, by)) for by in reversed(breakdowns.KINDS)
    )  # fmt: skip
    return [(categories[0] if len(categories) == 1 else "", one) for one in every if not one.is_one]
