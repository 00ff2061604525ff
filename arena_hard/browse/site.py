"""Address → page: reads the state out of the query string and renders the template of its page."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from arena_hard.browse import (
    address,
    blind_page,
    breakdown_page,
    compare_page,
    game_selection,
    games_page,
    judge_page,
    leaderboard_page,
)
from arena_hard.browse.address import View
from arena_hard.browse.commands import Commands
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.numbers import places, signed, with_commas
from arena_hard.data.paths import Bench, benches
from arena_hard.data.records import UserError
from arena_hard.data.settings import JudgeSettings
from arena_hard.data.verdicts import LABELS
from arena_hard.showing.config_values import CONFIG
from arena_hard.showing.leaderboard import score_text

if TYPE_CHECKING:
    from jinja2 import Environment

Builder = Callable[[BenchIndex, View, "JudgeSettings | None"], tuple[str, dict[str, Any]]]


class Page(NamedTuple):
    """A page of the browser. build: its template and what is put into it; exported: whether it is also a file."""

    title: str
    build: Builder
    exported: bool = True


PAGES = {
    "leaderboard": Page("Leaderboard", leaderboard_page.build),
    "breakdown": Page("Breakdown", breakdown_page.build),
    "games": Page("Games", games_page.build),
    "judge": Page("Judge", judge_page.build),
    "compare": Page("Compare", compare_page.build),
    "blind": Page("Blind check", blind_page.build, exported=False),  # its decisions are written into the bench
}
DEMO = "demo"


@dataclass
class Site:
    """All benches of a data folder. One page is rendered at a time; each is ready in milliseconds.

    in_background: whether pages are shown while large files are still being read.
    """

    data_dir: Path
    settings: JudgeSettings | None = None
    indexes: dict[str, BenchIndex] = field(default_factory=dict)
    config_file: Path = CONFIG
    in_background: bool = False

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def benches(self) -> list[str]:
        """Names of the folders that hold questions, answers or judgments."""
        return benches(self.data_dir, with_questions=False)

    def first_bench(self) -> str:
        """The bench of the config when it is there, else another (judged ones first), else the demo."""
        benches = self.benches()
        if self.settings and self.settings.bench_name in benches:
            return self.settings.bench_name
        own = [name for name in benches if name != DEMO]
        judged = [name for name in own if Bench(self.data_dir, name).judges()]
        return (judged or own or benches or [""])[0]

    def show(self, query: str) -> str:
        """The page of an address as safe HTML; a file that cannot be read is said in words."""
        view = address.parse(query)
        with self._lock:
            try:
                return self._render(view)
            except (UserError, OSError) as error:
                return render("error.html", view, title="Error", words=str(error), pages={}, benches=[])

    def decide(self, bench: str, judge: str, name: str, place: int, label: str, mark: str = "") -> str:
        """Store a decision of a blind check, as blind_page does; returns what went wrong in words, or nothing."""
        with self._lock:
            try:
                index = self.index(bench if bench in self.benches() else "")
                blind_page.decide(index, judge, name, place, label, mark)
            except (UserError, OSError) as error:
                return str(error)
        return ""

    def _render(self, view: View) -> str:
        benches = self.benches()
        bench = view.bench if view.bench in benches else self.first_bench()
        if not bench:
            return render("empty.html", view, title="No data", data_dir=self.data_dir, pages={}, benches=[])
        index = self.index(bench)
        settings, asked = self.settings_of(bench), view
        view = completed(view.but(bench=bench), index, settings)
        template, context = PAGES[view.tab].build(index, view, settings)
        view = context.pop("own_view", view)
        context |= {"benches": benches, "pages": titles(), "data_dir": self.data_dir}
        return render(template, view, index=index, not_shown=not_shown(asked, view, index, settings), **context)

    def index(self, bench: str) -> BenchIndex:
        """The index of a bench, brought up to date."""
        if bench not in self.indexes:
            self.indexes[bench] = BenchIndex(Bench(self.data_dir, bench), commands=self._commands(bench))
        self.indexes[bench].refresh(self.in_background)
        return self.indexes[bench]

    def _commands(self, bench: str) -> Commands:
        """The commands for a bench; a config that speaks of another one would make that one's records."""
        return Commands(self.data_dir, self.config_file if self.settings_of(bench) else CONFIG)

    def settings_of(self, bench: str) -> JudgeSettings | None:
        """The judge's config where it speaks of this bench."""
        return self.settings if self.settings and self.settings.bench_name == bench else None


def completed(view: View, index: BenchIndex, settings: JudgeSettings | None) -> View:
    """The view with a judge and a page that exist, and without models that do not."""
    judges = index.judges
    wanted = [label for label in _sets_of(settings, index) if label in judges] if settings else []
    judge = view.judge if view.judge in judges else (wanted or judges or [""])[0]
    tab = view.tab if view.tab in PAGES else next(iter(PAGES))
    names = game_selection.comparable(index, judge, settings) if tab == "compare" else index.models
    known = {
        "model": view.model if view.model in names else "",
        "other": view.other if view.other in names else "",
        "tab": tab,
        **dict.fromkeys(_unknown_filters(view), ""),
    }
    if known["model"] and known["tab"] == "games":
        known["at"] = ""
    return view.but(judge=judge, **known)


def _unknown_filters(view: View) -> list[str]:
    """The filters of games that an address sets to what there is not."""
    verdicts = ("", *LABELS, *game_selection.NO_VERDICTS)
    known = {"show": address.SHOWN, "first": verdicts, "second": verdicts}
    return [name for name, values in known.items() if getattr(view, name) not in values]


def _unknown_values(asked: View, view: View, index: BenchIndex) -> list[str]:
    """What an address asks for that is nowhere, whatever was judged."""
    said: list[str] = []
    if asked.tab not in PAGES:
        said.append(f"There is no page {asked.tab}; {PAGES[view.tab].title} is shown.")
    if view.tab == "leaderboard" and asked.rule not in ("", *leaderboard_page.RULES):
        words = leaderboard_page.RULES[leaderboard_page.DEFAULT_RULE]
        said.append(f"There are no intervals {asked.rule}; {words} ones are shown.")
    if view.tab == "games":
        unknown = [getattr(asked, name) for name in _unknown_filters(asked)]
        said += [f"There is no filter {value}; games are shown without it." for value in unknown]
        if asked.question not in ("", *index.question_ids):
            where = " in what has been read so far" if index.reading else ""
            said.append(f"There is no question {asked.question}{where}; another one is shown.")
    if view.tab == "compare" and asked.model and asked.model == asked.other:
        said.append(f"{asked.model} cannot be compared with itself; another model is shown.")
    return said


INSTEAD = {
    "breakdown": "another model is shown",
    "compare": "another model is shown",
    "games": "other games are shown",
    "judge": "all models are shown",
}


def not_shown(asked: View, view: View, index: BenchIndex, settings: JudgeSettings | None) -> list[str]:
    """What an address asks for and its page cannot show, a sentence each; view: the completed one."""
    if asked.bench not in ("", view.bench):
        return [f"There is no benchmark {asked.bench}; {view.bench} is shown."]
    said = _unknown_values(asked, view, index)
    if not view.judge:
        return said
    if asked.judge not in ("", view.judge):
        which = " that have been read yet" if index.reading else ""
        said.append(f"There are no judgments by {asked.judge}{which}; those of {view.judge} are shown.")
    names = [name for name in dict.fromkeys((asked.model, asked.other if view.tab == "compare" else "")) if name]
    if view.tab not in INSTEAD or not names:
        return said
    comparable = game_selection.comparable(index, view.judge, settings)
    rated = game_selection.rated_models(index, view.judge, settings)
    known = {"breakdown": rated, "compare": comparable}.get(view.tab, index.models)
    lacking = f"has no judgments by {view.judge}" + (" that have been read yet" if index.reading else "")
    for name in names if rated else ():
        if name not in known:
            why = "is the baseline, at 50 by definition" if name in comparable else lacking
            said.append(f"{name} {why}; {INSTEAD[view.tab]}.")
    return said


def _sets_of(settings: JudgeSettings, index: BenchIndex) -> list[str]:
    """The config's judges, first with its baseline where it is a further one."""
    own = settings.only_baseline
    sets = [each for each in index.sets.values() if each.judge in settings.judges]
    return [each.label for each in sets if own and each.baseline == own] + settings.judges


def titles(exported: bool = False) -> dict[str, str]:
    """The titles of all pages, or of those that are exported, by name."""
    return {name: page.title for name, page in PAGES.items() if page.exported or not exported}


# ------------------------------------------------------------------------------------ templates


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The templates in pages/; everything that is put into them is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["signed"] = signed
    made.filters["counted"] = with_commas
    made.filters["places"] = places
    made.filters["score"] = score_text
    return made


def render(template: str, view: View, link: Callable[[View], str] = address.href, **context: Any) -> str:
    """One page as HTML; `link` turns a view into what stands in an href."""
    return templates().get_template(template).render(**{"view": view, "link": link, "static": False, **context})
