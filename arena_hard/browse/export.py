"""The pages as static files that open from disk, for sending along with a paper."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from arena_hard.browse import breakdown_page, compare_page, game_selection, games_page, leaderboard_page
from arena_hard.browse.address import View
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.site import PAGES, Site, completed, render, titles
from arena_hard.data import secrets
from arena_hard.data.jsonl import changed_meanwhile, written
from arena_hard.data.records import UserError
from arena_hard.data.settings import JudgeSettings

PARTS = Path(__file__).parent
MOST_PAIRS = 300  # pages of two models; beyond that only neighbours in the list of models are compared
ROWS = 100  # of the list of games in a part of it
BY_PARTS = ("games", "compare", "breakdown")  # pages that become many files
_FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' 'unsafe-inline' file:;
style-src 'self' 'unsafe-inline' file:; img-src 'none'"><title>{title}</title>
<link rel="stylesheet" href="style.css"></head>
<body>{body}<script src="page.js"></script><script>arenaHard(document.body, null);</script></body></html>
"""


@dataclass
class Export:
    """One bench and judge on its way into a folder; every view has one file name."""

    index: BenchIndex
    settings: JudgeSettings | None
    view: View
    folder: Path
    title: str = ""

    def __post_init__(self) -> None:
        self._numbers = {name: number for number, name in enumerate(self.index.models)}  # and baselines without answers
        self._rated = game_selection.rated_models(self.index, self.view.judge, self.settings)

    def link(self, view: View) -> str:
        """The file of a view; filters of the games are kept behind a '#'."""
        if view.tab != "games":
            name = view.tab
            if view.tab == "leaderboard":
                name = "index" if view.rule in ("", leaderboard_page.DEFAULT_RULE) else f"index-{view.rule}"
            if view.tab == "compare" and view.model and view.other:
                name = f"compare-{self._number(view.model)}-{self._number(view.other)}"
            if view.tab == "breakdown" and view.model in self._rated:
                name = f"breakdown-{self._number(view.model)}"
            return f"{name}.html"
        model = view.model or view.at
        if model and view.question:
            return f"game-{self._number(model)}-{self.index.question_code(view.question)}.html"
        wanted = {key: getattr(view, key) for key in ("model", "show", "first", "second", "category", "cluster")}
        return "games.html#" + "&".join(f"{key}={quote(value, safe='')}" for key, value in wanted.items() if value)

    def _number(self, model: str) -> int:
        return self._numbers.setdefault(model, len(self._numbers))

    def write(self, view: View, template: str, context: dict[str, Any], name: str | None = None) -> None:
        """Render one page into its file."""
        body = render(
            template,
            view,
            link=self.link,
            index=self.index,
            benches=[view.bench],
            pages=titles(exported=True),
            data_dir="",
            static=True,
            **context,
        )
        page = _FRAME.format(title=context["title"].replace("<", "&lt;"), body=body)
        file = self.folder / (name or self.link(view))
        with written(file):
            file.write_text(secrets.mask(page), encoding="utf-8")


def export(site: Site, folder: Path, progress: Callable[[Iterable[Any]], Iterable[Any]] = iter) -> int:
    """Write the pages of the first bench and judge. Returns how many; raises UserError.

    `progress` wraps the games as they are written.
    """
    bench = site.first_bench()
    if not bench:
        raise UserError(f"{site.data_dir}/ contains no benchmark. Run: bash run.sh demo")
    if folder.exists() and any(folder.iterdir()) and not (folder / "page.js").is_file():
        raise UserError(f"{folder}/ is not empty and holds no export. Name a new or empty folder.")
    index, settings = site.index(bench), site.settings_of(bench)
    view = completed(View(bench=bench), index, settings)
    case = _case_of(view, settings)
    _check_case(folder, case)
    folder.mkdir(parents=True, exist_ok=True)
    _case_file(folder).write_text(secrets.mask(json.dumps(case)), encoding="utf-8")
    work = Export(index, settings, view, folder)
    for source, target in (("page.css", "style.css"), ("page.js", "page.js")):
        shutil.copyfile(PARTS / source, folder / target)
    whole = [tab for tab in titles(exported=True) if tab not in BY_PARTS]
    for tab in whole:
        work.write(view.but(tab=tab), *PAGES[tab].build(index, view.but(tab=tab), settings))
    boards = [view.but(tab="leaderboard", rule=rule) for rule in leaderboard_page.RULES]
    for board in boards[1:]:
        work.write(board, *leaderboard_page.build(index, board, settings))
    pages = _write_pairs(work) + _write_breakdowns(work)
    return len(whole) + len(boards) - 1 + pages + _write_games(work, progress)


def _case_file(folder: Path) -> Path:
    return folder / "export.json"


def _case_of(view: View, settings: JudgeSettings | None) -> dict[str, str]:
    """Whose pages these are. baseline: the config's, which judgments that name none are taken to be against."""
    baseline = settings.only_baseline if settings else None
    return {"bench": view.bench, "judge": view.judge, "baseline": baseline or ""}


def _check_case(folder: Path, case: dict[str, str]) -> None:
    """Pages of another benchmark or judge are not written over, nor mixed with these. Raises UserError."""
    try:
        there = json.loads(_case_file(folder).read_bytes())
    except (OSError, ValueError):
        return  # an export of an older version does not say what it is of
    if there != {key: case.get(key) for key in there}:  # an older version does not name the baseline
        raise UserError(
            f"{folder}/ holds another export ({', '.join(map(str, there.values()))}). Name a new folder, or remove "
            "that one."
        )


def _write_pairs(work: Export) -> int:
    """The pages of two models; compare.html is the first of them."""
    names = game_selection.comparable(work.index, work.view.judge, work.settings)
    pairs = [(one, other) for one in names for other in names if one != other]
    if len(pairs) > MOST_PAIRS:
        pairs = list(zip(names[:-1], names[1:]))
    first = work.view.but(tab="compare")
    template, context = compare_page.build(work.index, first, work.settings)
    work.write(first, template, context | ({"pairs": pairs} if pairs else {}), name="compare.html")
    for one, other in pairs:
        view = first.but(model=one, other=other)
        template, context = compare_page.build(work.index, view, work.settings)
        work.write(view, template, context | {"pairs": pairs})
    return len(pairs) + 1


def _write_breakdowns(work: Export) -> int:
    """The page of each model; breakdown.html is the first of them."""
    first = work.view.but(tab="breakdown")
    names = game_selection.rated_models(work.index, first.judge, work.settings)
    work.write(first, *breakdown_page.build(work.index, first, work.settings), name="breakdown.html")
    for name in names:
        view = first.but(model=name)
        work.write(view, *breakdown_page.build(work.index, view, work.settings))
    return len(names) + 1


def _write_games(work: Export, progress: Callable[[Iterable[Any]], Iterable[Any]]) -> int:
    """One page for each judged question and model, and the list of them all."""
    base = work.view.but(tab="games")
    selection = game_selection.select(work.index, base, work.settings)
    rows = list(zip(selection.models.tolist(), selection.questions.tolist()))
    table = work.index.judged.get(base.judge)
    rows = [(model, question) for model, question in rows if table is not None and table.row[model, question] >= 0]
    listed = []
    own = game_selection.against_itself(work.index, base.judge, work.settings)
    kept = game_selection.Selection(np.array([m for m, _ in rows], int), np.array([q for _, q in rows], int), 0)
    for place, (model, question) in enumerate(progress(rows)):
        name, asked = work.index.models[model], work.index.question_ids[question]
        view = base.but(model=name, question=asked)
        context = games_page.page_of(
            work.index, view, game_selection.Selection(kept.models, kept.questions, place), work.settings
        )
        if changed := context["pair"].changed:
            raise changed_meanwhile(changed.file)
        work.write(view, "games.html", context)
        listed.append(games_page.listed(work.index, view, model, question, bool(own[model, question])))
    return len(rows) + _write_lists(work, base, listed)


class Part(NamedTuple):
    """Some rows of the list of games, in a file of their own for readers without scripts."""

    first: int
    last: int
    file: str


def _write_lists(work: Export, base: View, listed: list[games_page.Listed]) -> int:
    """The list of all games, which a script folds and filters, and the same in parts; returns how many pages."""
    starts = range(0, len(listed), ROWS)
    parts = [Part(at + 1, min(at + ROWS, len(listed)), f"games-list-{at // ROWS + 1}.html") for at in starts]
    context = {"title": "Games", "judge": base.judge, "parts": parts}
    work.write(base, "list.html", context | {"rows": listed, "part": None}, name="games.html")
    for part in parts if parts[1:] else []:
        work.write(base, "list.html", context | {"rows": listed[part.first - 1 : part.last], "part": part}, part.file)
    return 1 + (len(parts) if parts[1:] else 0)
