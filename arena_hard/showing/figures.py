"""The figure of a leaderboard as a file, by matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arena_hard.data import secrets
from arena_hard.data.paths import file_name
from arena_hard.data.records import UserError
from arena_hard.showing.leaderboard import Row, percent


def draw_parts(results: Sequence[Any], file: Path, level: float) -> list[str]:
    """The figure of each part, which has a part and rows; of several each has its category in its name.

    Returns what to say of them. Raises UserError.
    """
    if len(results) == 1:
        draw(results[0].rows, file, level, results[0].part.baseline)
        return []
    said: list[str] = []
    for result in results:
        own = file.with_name(f"{file.stem}_{file_name(result.part.category)}{file.suffix}")
        draw(result.rows, own, level, result.part.baseline)
        said.append(f"written: {own}")
    return said


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
