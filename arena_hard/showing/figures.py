"""Figures of a leaderboard, as a file by matplotlib or as inline SVG without it."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from pathlib import Path

from arena_hard.data import secrets
from arena_hard.data.records import UserError
from arena_hard.showing.leaderboard import Row, percent


def draw(rows: Sequence[Row], file: Path, level: float, baseline: str) -> None:
    """Scores with their intervals, best on top, into a .png or .svg, by matplotlib. Raises UserError."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [row for row in reversed(rows) if not math.isnan(row.score)]
    figure, axes = pyplot.subplots(figsize=(8, 1.2 + 0.28 * len(shown)), layout="constrained")
    for place, row in enumerate(shown):
        lower, upper = _ends(row)
        axes.plot([lower, upper], [place, place], color="#4466aa", linewidth=2, solid_capstyle="butt")
        axes.plot(row.score, place, "o", color="#223355", markersize=4)
    axes.axvline(50, color="#999999", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(shown)), [secrets.mask(row.model) for row in shown])
    axes.set_xlabel(f"win rate against {baseline} in %, with {percent(level)} % intervals")
    axes.margins(y=0.02 if len(shown) > 20 else 0.06)
    try:
        figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}.") from None
    finally:
        pyplot.close(figure)


def _ends(row: Row) -> tuple[float, float]:
    return (row.score if math.isnan(row.lower) else row.lower), (row.score if math.isnan(row.upper) else row.upper)


def svg(rows: Sequence[Row], width: int = 860, label_width: int = 260, step: int = 22) -> str:
    """The same figure as an SVG element, for a page."""
    shown = [row for row in rows if not math.isnan(row.score)]
    span, bottom = width - label_width - 20, step * len(shown) + 8

    def x(points: float) -> str:
        return f"{label_width + span * points / 100:.1f}"

    parts = [f'<svg viewBox="0 0 {width} {bottom + 22}" role="img" aria-label="win rates with intervals">']
    for tick in range(0, 101, 10):
        style = "tick middle" if tick == 50 else "tick"
        parts.append(f'<line class="{style}" x1="{x(tick)}" x2="{x(tick)}" y1="0" y2="{bottom}"/>')
        parts.append(f'<text x="{x(tick)}" y="{bottom + 16}" text-anchor="middle">{tick}</text>')
    for place, row in enumerate(shown):
        y, (lower, upper) = step * place + step // 2 + 4, _ends(row)
        name = html.escape(row.model if len(row.model) <= 38 else row.model[:37] + "…")
        parts.append(f'<text x="{label_width - 8}" y="{y + 4}" text-anchor="end">{name}</text>')
        parts.append(f'<line class="interval" x1="{x(lower)}" x2="{x(upper)}" y1="{y}" y2="{y}"/>')
        title = html.escape(f"{row.model}: {row.score} ({lower} to {upper})")
        parts.append(f'<circle cx="{x(row.score)}" cy="{y}" r="4"><title>{title}</title></circle>')
    return "".join([*parts, "</svg>"])
