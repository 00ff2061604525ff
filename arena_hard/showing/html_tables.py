"""Tables and bars of a report that fit every width: what is too wide for a window stands there as paragraphs or lists.

A style sheet cannot know how wide a table will be, but whoever writes the table can: each one is marked with the width
that its texts need, below which its rows are laid out as paragraphs (`widths_css`).
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from arena_hard.showing.leaderboard import Row, score_text

_LETTER, _PADDING, _WORDS = 8.6, 24, 200  # pixels: of a letter on average, of a cell's sides, of a column of words
_LONG = 26  # letters, from which a cell's text is broken into lines
_STEP = 40  # pixels, by which widths differ
_WIDEST = 1400  # pixels: as wide as a report becomes
_TICKS = (0, 25, 50, 75, 100)

_STACKED = """@container (max-width: {width}px) {{
.w{width}, .w{width} tbody, .w{width} thead {{ display: block; }}
.w{width} tr {{ display: flex; flex-wrap: wrap; gap: .1rem 1rem; padding: .45rem 0; }}
.w{width} tr {{ border-bottom: 1px solid var(--line); }}
.w{width} tr > * {{ border: 0; padding: 0; text-align: left; white-space: normal; min-width: 0; }}
.w{width} tbody th {{ flex: 1 0 100%; font-weight: 650; }} .w{width} td:empty {{ display: none; }}
.w{width} td::before {{ content: attr(data-label) " "; color: var(--dim); font-size: 13px; }}
.w{width}:not(.sortable) thead {{ display: none; }}
.grid{width} {{ display: none; }} }}
@container (min-width: {width}.02px) {{ .list{width} {{ display: none; }} }}
"""


class Cell(NamedTuple):
    """A text, and what it is sorted by; an empty key goes last."""

    text: str
    key: float | str = ""


def escaped(value: object) -> str:
    """A text as HTML."""
    return html.escape(str(value))


def widths_css(body: str) -> str:
    """The rules for the widths that a body's tables need."""
    widths = {int(width) for width in re.findall(r'class="[a-z ]*?(?:w|grid)(\d+)"', body)}
    return "".join(_STACKED.format(width=width) for width in sorted(widths))


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    sortable: bool = False,
    baseline: str = "",
    anchors: Sequence[str] = (),
) -> str:
    """A table whose first column names its rows; `baseline`: the row with a ground of its own; anchors: ids of rows."""
    longest = [max([len(name), *(len(row[i].text) for row in rows)]) for i, name in enumerate(columns)]
    wordy = [length > _LONG for length in longest]
    needed = sum(_WORDS if words else _LETTER * length + _PADDING for words, length in zip(wordy, longest))
    kinds = [' class="words"' if words else "" for words in wordy]
    heads = "".join(_head(name, kind, sortable) for name, kind in zip(columns, kinds)) if any(columns) else ""
    lines: list[str] = []
    for place, row in enumerate(rows):
        shown = [f'<th scope="row"{kinds[0]}{_key(row[0], sortable)}>{escaped(row[0].text)}</th>']
        for name, cell, kind in list(zip(columns, row, kinds))[1:]:
            label = f' data-label="{escaped(name)}"'
            shown.append(f"<td{kind}{label}{_key(cell, sortable)}>{escaped(cell.text)}</td>")
        ground = ' class="baseline"' if baseline and row[0].text == baseline else ""
        anchor = f' id="{escaped(anchors[place])}"' if anchors else ""
        lines.append(f"<tr{anchor}{ground}>{''.join(shown)}</tr>")
    kind = f"{'sortable ' if sortable else ''}w{_rounded(needed)}"
    inside = f"<thead><tr>{heads}</tr></thead>" * bool(heads) + f"<tbody>{''.join(lines)}</tbody>"
    return f'<div class="fit"><table role="table" class="{kind}">{inside}</table></div>'


def _rounded(width: float) -> int:
    return _STEP * math.ceil(width / _STEP)


def _head(name: str, kind: str, sortable: bool) -> str:
    if not name:
        return "<td></td>"
    shown = f'<button type="button">{escaped(name)}</button>' if sortable else escaped(name)
    return f'<th scope="col"{kind}>{shown}</th>'


def _key(cell: Cell, sortable: bool) -> str:
    return f' data-value="{escaped(cell.key)}"' if sortable else ""


# ------------------------------------------------------------------------------------------ pictures


def bars(rows: Sequence[Row]) -> str:
    """Scores with their intervals, a line for each model."""
    scale = "".join(f"<span>{tick}</span>" for tick in _TICKS)
    lines = [_bar(row) for row in rows if not math.isnan(row.score)]
    ticks = f'<div class="bar"><span></span><span class="scale">{scale}</span></div>'
    return f'<div class="bars">{"".join(lines)}{ticks}</div>'


def _bar(row: Row) -> str:
    lines = [
        f'<line class="{"tick middle" if at == 50 else "tick"}" x1="{at}%" x2="{at}%" y1="0" y2="22"/>' for at in _TICKS
    ]
    words = f"{score_text(row.score)}, interval not known"
    if not math.isnan(row.lower) and not math.isnan(row.upper):
        lines.append(f'<line class="interval" x1="{row.lower}%" x2="{row.upper}%" y1="11" y2="11"/>')
        words = f"{score_text(row.score)} ({score_text(row.lower)} to {score_text(row.upper)})"
    lines.append(f'<circle cx="{row.score}%" cy="11" r="4"/>')
    words = escaped(f"{row.model}: {words}")
    picture = (
        f'<svg width="100%" height="22" role="img" aria-label="{words}"><title>{words}</title>{"".join(lines)}</svg>'
    )
    return f'<div class="bar"><span>{escaped(row.model)}</span>{picture}</div>'


def matrix(names: Sequence[str], percents: Sequence[Sequence[float]]) -> str:
    """The row's share against the column: a grid where there is room for it, else a folded list for each row."""
    width = _rounded(112 + 33 * len(names))
    lists = f'<div class="list{width}">{_lists(names, percents)}</div>'
    if width > _WIDEST:
        return lists
    heads = "".join(f'<th scope="col" title="{escaped(name)}">{place}</th>' for place, name in enumerate(names, 1))
    lines = []
    for place, name in enumerate(names):
        shown = "".join(
            "<td></td>" if place == other else f'<td style="{_ground(value)}">{value:.0f}</td>'
            for other, value in enumerate(percents[place])
        )
        lines.append(f'<tr><th scope="row">{place + 1} {escaped(name)}</th>{shown}</tr>')
    grid = f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="fit"><table class="matrix grid{width}">{grid}</table>{lists}</div>'


def _lists(names: Sequence[str], percents: Sequence[Sequence[float]]) -> str:
    parts = []
    for place, name in enumerate(names):
        shown = "".join(
            f'<li><span class="share" style="{_ground(percents[place][other])}">{percents[place][other]:.0f}</span> '
            f"{escaped(against)}</li>"
            for other, against in enumerate(names)
            if place != other
        )
        parts.append(f"<details><summary>{escaped(name)} against each</summary><ul>{shown}</ul></details>")
    return "".join(parts)


def _ground(value: float) -> str:
    """Blue where the row wins, red where it loses, the stronger the clearer."""
    hue, light = (215 if value >= 50 else 20), 96 - 0.6 * abs(value - 50)
    return f"background:hsl({hue} 70% {light:.0f}%);color:#14171d"
