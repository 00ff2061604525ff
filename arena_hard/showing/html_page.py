"""The leaderboard as one self-contained page: opens from disk, needs no network, escapes every text."""

from __future__ import annotations

import html as escaping
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from arena_hard.rating import ratings
from arena_hard.showing import figures
from arena_hard.showing.leaderboard import Row, judged_text, percent, score_texts
from arena_hard.showing.notes import whole
from arena_hard.showing.sections import Section

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1000px;padding:0 1rem;color:#1c2330;background:#fff}
h1{font-size:1.6rem}h2{margin-top:2.5rem}h3{margin-bottom:.3rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;margin:.5rem 0}
th,td{padding:.25rem .7rem;border-bottom:1px solid #dde2ea;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
th button{font:inherit;font-weight:600;border:0;background:none;cursor:pointer;padding:0;color:inherit}
th[aria-sort=ascending] button::after{content:" ▲"}th[aria-sort=descending] button::after{content:" ▼"}
tr.baseline{background:#f3f5f9}.note{color:#4a5568}
svg{width:100%;height:auto;font-size:12px}svg text{fill:currentColor}.tick{stroke:#e2e6ee}
.middle{stroke:#8892a6;stroke-dasharray:4 3}
.interval{stroke:#4466aa;stroke-width:3}circle{fill:#223355}
.matrix td{font-size:12px;padding:.15rem .35rem}.matrix th{font-size:12px;font-weight:400}
@media(prefers-color-scheme:dark){body{background:#14171d;color:#dde3ee}tr.baseline{background:#1d222b}
.note{color:#a3adbf}th,td{border-color:#2c3340}.tick{stroke:#2c3340}circle{fill:#9db4e6}.matrix td{color:#14171d}}
"""

_SCRIPT = """
for (const head of document.querySelectorAll('table.sortable th')) head.querySelector('button').onclick = () => {
  const body = head.closest('table').tBodies[0], column = head.cellIndex;
  const down = head.getAttribute('aria-sort') !== 'descending';
  const key = row => { const v = row.cells[column].dataset.value; return v === undefined ? null : v; };
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)], [m, n] = [parseFloat(x), parseFloat(y)];
    if (x === '' || y === '') return (x === '') - (y === '');
    const order = isNaN(m) || isNaN(n) ? x.localeCompare(y) : m - n;
    return down ? -order : order;
  };
  [...body.rows].sort(compare).forEach(row => body.append(row));
  for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
};
"""


def html(page: Any) -> str:
    """The page of a run (presenting.Page)."""
    title = f"{page.args.bench_name}: leaderboard"
    judges = ", ".join(page.args.judge_name)
    source = f"battles of {page.args.battles}" if page.args.battles else f"judged by {judges}"
    parts = [f"<h1>{_text(title)}</h1>", f'<p class="note">{_text(source)}</p>']
    for number, result in enumerate(page.results):
        if page.title_of(number):
            parts.append(f"<h2>{_text(page.title_of(number))}</h2>")
        parts.append(_table(result.rows, result.part.baseline, page.args.level))
        parts.append("".join(f'<p class="note">{_text(whole(note))}</p>' for note in result.notes))
        parts.append(f"<h3>Win rates with intervals</h3>{figures.svg(result.rows)}")
        parts.append(_matrix(result.rows))
        parts += [_section(section) for section in page.sections[number]]
    if page.overall:
        parts.append("<h2>Mean over categories</h2>" + _table(page.overall, "", page.args.level))
    parts += [f'<p class="note">{_text(whole(note))}</p>' for note in page.notes]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}<script>{_SCRIPT}</script></body></html>"
    )


def _text(value: object) -> str:
    return escaping.escape(str(value))


def _table(rows: Sequence[Row], baseline: str, level: float) -> str:
    judges = list(dict.fromkeys(judge for row in rows for judge in row.by_judge))
    ranks, partial = any(row.ranks for row in rows), any(row.is_partial for row in rows)
    head = ["Model", "Score", f"{percent(level)} % CI", "Rating", "Tokens", *(["Judged"] if partial else [])]
    head += [*(["Ranks"] if ranks else []), *judges]
    lines = []
    for row in rows:
        score, interval = score_texts(row)
        width = "" if math.isnan(row.lower) else row.upper - row.lower
        cells = [(row.model, row.model), (score, _key(row.score)), (interval, width)]
        cells.append((f"{row.rating:.0f}" if math.isfinite(row.rating) else "–", _key(row.rating)))
        tokens = row.avg_tokens
        cells.append(("n/a", "") if tokens is None else (str(int(tokens)), tokens))
        if partial:
            cells.append((judged_text(row), "" if row.judged is None else row.judged))
        if ranks:
            cells.append((f"{row.ranks[0]}–{row.ranks[1]}", row.ranks[0]) if row.ranks else ("", ""))
        own = [row.by_judge.get(judge, float("nan")) for judge in judges]
        cells += [("n/a" if math.isnan(value) else f"{value:.1f}", _key(value)) for value in own]
        kind = ' class="baseline"' if row.model == baseline else ""
        shown = "".join(f'<td data-value="{_text(key)}">{_text(text)}</td>' for text, key in cells)
        lines.append(f"<tr{kind}>{shown}</tr>")
    heads = "".join(f'<th><button type="button">{_text(name)}</button></th>' for name in head)
    table = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll"><table class="sortable">{table}</table></div>'


def _key(value: float) -> float | str:
    """What a cell is sorted by; empty keys go last."""
    return "" if math.isnan(value) else max(-1e9, min(1e9, value))


def _matrix(rows: Sequence[Row]) -> str:
    """Expected win rate of each model (down) against each other (across), from the ratings."""
    known = [row for row in rows if math.isfinite(row.rating)]
    points = np.array([row.rating for row in known])
    expected = ratings.win_rate(points[:, None], points[None, :])
    heads = "".join(f'<th title="{_text(row.model)}">{place}</th>' for place, row in enumerate(known, 1))
    lines = []
    for place, row in enumerate(known):
        cells = "".join(_matrix_cell(value, place == other) for other, value in enumerate(expected[place].tolist()))
        lines.append(f"<tr><th>{place + 1} {_text(row.model)}</th>{cells}</tr>")
    return (
        "<h3>Expected win rate of the row against the column, from the ratings</h3>"
        f'<div class="scroll"><table class="matrix"><tr><th></th>{heads}</tr>{"".join(lines)}</table></div>'
    )


def _matrix_cell(value: float, itself: bool) -> str:
    if itself:
        return "<td></td>"
    hue, light = (215 if value >= 50 else 20), 96 - 0.6 * abs(value - 50)
    return f'<td style="background:hsl({hue} 70% {light:.0f}%)">{value:.0f}</td>'


def _section(section: Section) -> str:
    table, shown = section.table(), ""
    if table:
        heads = "".join(f"<th>{_text(name)}</th>" for name in table[0])
        rows = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in table[1:])
        shown = f'<div class="scroll"><table><tr>{heads}</tr>{rows}</table></div>'
    remark = f'<p class="note">{_text(" ".join(map(whole, section.remarks)))}</p>' if section.remarks else ""
    return f"<h3>{_text(section.title)}</h3>{section.picture}{shown}{remark}"
