"""The report's heading, and tables that say how wide they are."""

from __future__ import annotations

import datetime
import math
import re
from argparse import Namespace
from typing import Any

import pytest

from arena_hard.showing import caveats, html_page, html_tables
from arena_hard.showing.html_tables import Cell
from arena_hard.showing.leaderboard import Row
from tests.rating.test_judge_trust import games_of

DATE = datetime.date(2026, 3, 1)


def row(model: str, score: float) -> Row:
    return Row(model, score, score - 1, score + 1, 1000.0, 990.0, 1010.0, None, 10)


def page(*boards: list[Row], overall: list[Row] | None = None, battles: str | None = None) -> Any:
    results = [Namespace(rows=rows, part=Namespace(baseline="base")) for rows in boards]
    return Namespace(args=Namespace(bench_name="demo", battles=battles), results=results, overall=overall or [])


@pytest.mark.parametrize(
    "shown, words",
    [
        (page([row("ann", 61.52), row("base", 50.0)]), "demo, 2026-03-01: ann is first with 61.5 against base"),
        (page([row("ann", 61.0), row("bob", 61.0)]), "demo, 2026-03-01: ann and bob are first with 61.0 against base"),
        (page([row("base", 50.0), row("ann", 40.0)]), "demo, 2026-03-01: no model is ahead of the baseline, base"),
        (page([row("base", 50.0), row("ann", math.nan)]), "demo, 2026-03-01: no scores against base"),
        (page([], [], overall=[row("ann", 70.0)]), "demo, 2026-03-01: ann is first with 70.0 against the baselines of"),
        (page([], []), "demo, 2026-03-01: the leaderboards of its categories"),
        (page([row("ann", 60.0)], battles="x/mine.jsonl"), "mine.jsonl, 2026-03-01: ann is first with 60.0"),
    ],
)
def test_the_heading_names_date_winner_and_baseline(shown: Any, words: str) -> None:
    assert html_page.heading(shown, DATE).startswith(words)


def test_the_page_begins_with_what_makes_its_numbers_unsure() -> None:
    (said,) = caveats.trust_notes(games_of([1] * 60, [1] * 60))
    parts = [Namespace(notes=[said, "Judged all."], fit=Namespace(ratio=ratio)) for ratio in (1.2, 1.8)]
    shown = Namespace(results=parts, args=Namespace(interval="rows"), title_of=("math", "").__getitem__)
    first, second, narrow = html_page._cautions(shown)
    assert first.startswith('<p class="warn">math: Do not trust these results: the judge')
    assert second.startswith('<p class="warn">Do not trust') and "1.80 times" in narrow and "sandwich" in narrow
    honest = Namespace(results=[Namespace(notes=[], fit=parts[1].fit)], args=Namespace(interval="sandwich"))
    honest.title_of = shown.title_of
    assert html_page._cautions(honest) == [] and caveats.narrow_intervals("rows", [math.nan, 1.0]) == ""


def width_of(table: str) -> int:
    return int(re.findall(r' class="[a-z ]*?(?:w|grid)(\d+)"', table)[0])


def test_a_table_says_how_wide_it_is_and_the_page_has_the_rules_for_it() -> None:
    narrow = html_tables.table(["Model", "Score"], [[Cell("ann"), Cell("61.5")]])
    wide = html_tables.table(["Model", *["a column"] * 12], [[Cell("ann"), *[Cell("61.5")] * 12]])
    assert width_of(narrow) < 320 < 1000 < width_of(wide)
    longest = html_tables.table(["Model", "Score"], [[Cell("x" * 300), Cell("61.5")]])
    assert width_of(longest) < 400  # a long name is broken into lines
    rules = html_tables.widths_css(narrow + wide)
    assert all(f"@container (max-width: {width_of(table)}px)" in rules for table in (narrow, wide))


def test_a_name_is_no_width() -> None:
    table = html_tables.table(["Model"], [[Cell('class="w99999"')]])
    assert "99999" not in html_tables.widths_css(table)


def test_many_models_are_lists_and_no_grid() -> None:
    few, many = (html_tables.matrix([f"m{i}" for i in range(n)], [[50.0] * n] * n) for n in (5, 60))
    assert width_of(few) < 320 and "<table" in few
    assert "<table" not in many and many.count("<details>") == 60
