"""The leaderboard as one self-contained page: opens from disk, needs no network, escapes every text."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arena_hard.rating import ratings
from arena_hard.showing import caveats
from arena_hard.showing.html_tables import Cell, bars, escaped, matrix, table, widths_css
from arena_hard.showing.leaderboard import Row, judged_text, percent, score_text, score_texts
from arena_hard.showing.notes import Text, whole, with_minus
from arena_hard.showing.sections import Section

_PARTS = Path(__file__).parent


def html(page: Any) -> str:
    """The page of a run (presenting.Page)."""
    title = heading(page, datetime.date.today())
    judges = ", ".join(page.args.judge_name)
    source = f"battles of {page.args.battles}" if page.args.battles else f"judged by {judges}"
    parts = [f"<h1>{escaped(title)}</h1>", *_cautions(page), f'<p class="note">{escaped(source)}</p>']
    for number, result in enumerate(page.results):
        if page.title_of(number):
            parts.append(f"<h2>{escaped(page.title_of(number))}</h2>")
        parts.append(_leaderboard(result.rows, result.part.baseline, page.args.level))
        parts += [f'<p class="note">{_words(note)}</p>' for note in result.notes if not caveats.is_caution(note)]
        level = "h3" if page.title_of(number) else "h2"
        parts.append(f"<{level}>Win rates with intervals</{level}>{bars(result.rows)}")
        parts.append(_expected(result.rows, level))
        parts += [_section(section, level) for section in page.sections[number]]
    if page.overall:
        parts.append("<h2>Mean over categories</h2>" + _leaderboard(page.overall, "", page.args.level))
    parts += [f'<p class="note">{_words(note)}</p>' for note in page.notes]
    return document(title, "".join(parts))


def document(title: str, body: str, style: str = "") -> str:
    """A page that needs nothing but itself: a body of safe HTML with the look and the sorting of a report.

    style: further rules, which come after the report's own.
    """
    look = (_PARTS / "report.css").read_text(encoding="utf-8") + style
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escaped(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{look}{widths_css(body)}</style></head><body><main>{body}</main>"
        f"<script>{(_PARTS / 'report.js').read_text(encoding='utf-8')}</script></body></html>"
    )


def _cautions(page: Any) -> list[str]:
    """What has to be known before any number: a judge not to be trusted, and intervals that are too narrow."""
    said: list[str] = []
    for number, result in enumerate(page.results):
        start = f"{page.title_of(number)}: " if page.title_of(number) else ""
        found = filter(caveats.is_caution, result.notes)
        said += [f'<p class="warn">{escaped(start)}{_words(note)}</p>' for note in found]
    narrow = caveats.narrow_intervals(page.args.interval, [result.fit.ratio for result in page.results])
    return [*said, *([f"<p>{escaped(narrow)}</p>"] if narrow else [])]


def heading(page: Any, date: datetime.date) -> str:
    """What the page is of, when it was made, and who is first against whom."""
    battles = page.args.battles
    start = f"{Path(battles).name if battles else page.args.bench_name}, {date.isoformat()}"
    if len(page.results) > 1:
        first = _first(page.overall, "the baselines of the categories")
        return f"{start}: {first or 'the leaderboards of its categories'}"
    rows, baseline = page.results[0].rows, page.results[0].part.baseline
    return f"{start}: {_first(rows, baseline) or f'no scores against {baseline}'}"


def _first(rows: Sequence[Row], baseline: str) -> str:
    """Who is first, in words; empty where nobody has a score."""
    known = [row for row in rows if not math.isnan(row.score)]
    if not any(row.model != baseline for row in known):
        return ""
    best = [row.model for row in known if row.score == known[0].score]
    if baseline in best:
        return f"no model is ahead of the baseline, {baseline}"
    verb = "is" if len(best) == 1 else "are"
    return f"{' and '.join(best)} {verb} first with {score_texts(known[0])[0]} against {baseline}"


def _leaderboard(rows: Sequence[Row], baseline: str, level: float) -> str:
    judges = list(dict.fromkeys(judge for row in rows for judge in row.by_judge))
    ranks, partial = any(row.ranks for row in rows), any(row.is_partial or row.is_half_read for row in rows)
    head = ["Model", "Score", f"{percent(level)}% CI", "Rating", "Tokens", *(["Judged"] if partial else [])]
    head += [*(["Ranks"] if ranks else []), *judges]
    lines: list[list[Cell]] = []
    for row in rows:
        score, interval = score_texts(row)
        width = "" if math.isnan(row.lower) else row.upper - row.lower
        cells = [Cell(row.model, row.model), Cell(score, _key(row.score)), Cell(with_minus(interval), width)]
        cells.append(Cell(with_minus(f"{row.rating:.0f}") if math.isfinite(row.rating) else "–", _key(row.rating)))
        tokens = row.avg_tokens
        cells.append(Cell("n/a") if tokens is None else Cell(str(int(tokens)), tokens))
        if partial:
            cells.append(Cell(judged_text(row), "" if row.judged is None else row.judged))
        if ranks:
            cells.append(Cell(f"{row.ranks[0]}–{row.ranks[1]}", row.ranks[0]) if row.ranks else Cell(""))
        own = [row.by_judge.get(judge, float("nan")) for judge in judges]
        lines.append([*cells, *(Cell(score_text(each), _key(each)) for each in own)])
    return table(head, lines, sortable=True, baseline=baseline)


def _key(value: float) -> float | str:
    """What a cell is sorted by."""
    return "" if math.isnan(value) else max(-1e9, min(1e9, value))


def _expected(rows: Sequence[Row], level: str) -> str:
    """Expected win rate of each model (down) against each other (across), from the ratings."""
    known = [row for row in rows if math.isfinite(row.rating)]
    points = np.array([row.rating for row in known])
    expected = ratings.win_rate(points[:, None], points[None, :])
    title = "Expected win rate of the row against the column, from the ratings"
    return f"<{level}>{title}</{level}>" + matrix([row.model for row in known], expected.tolist())


def _words(*notes: Text) -> str:
    return escaped(with_minus(" ".join(map(whole, notes))))


def _cells(row: Sequence[str]) -> list[Cell]:
    """The cells of a row: its name as it is, and numbers."""
    return [Cell(text if place == 0 else with_minus(text)) for place, text in enumerate(row)]


def _section(section: Section, level: str) -> str:
    lines = section.table()
    shown = table(lines[0], [_cells(row) for row in lines[1:]]) if lines else ""
    remark = f'<p class="note">{_words(*section.remarks)}</p>' if section.remarks else ""
    return f"<{level}>{escaped(section.title)}</{level}>{section.picture}{shown}{remark}"
