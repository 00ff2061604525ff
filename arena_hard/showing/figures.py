"""The figure of a leaderboard as a file, by matplotlib."""

from __future__ import annotations

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
    axes.set_xlabel(f"win rate against {baseline} in %, with {percent(level)}% intervals")
    axes.margins(y=0.02 if len(shown) > 20 else 0.06)
    try:
        figure.savefig(file, dpi=150, metadata={"Date": None} if file.suffix.lower() == ".svg" else None)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}.") from None
    finally:
        pyplot.close(figure)


def _ends(row: Row) -> tuple[float, float]:
    return (row.score if math.isnan(row.lower) else row.lower), (row.score if math.isnan(row.upper) else row.upper)
