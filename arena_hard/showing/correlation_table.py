"""The table of `--correlate`: how benchmarks agree with a reference."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import msgspec
import numpy as np

from arena_hard.data.name_lists import shortened
from arena_hard.rating import benchmarks
from arena_hard.rating.benchmarks import Comparison
from arena_hard.rating.metrics import Correlation, Metric
from arena_hard.showing.analyses import plain_data
from arena_hard.showing.leaderboard import percent

_UNKNOWN = "not known"


def text_of(args: argparse.Namespace) -> str:
    """How benchmarks agree with a reference (--correlate), as it is printed. Raises UserError."""
    sources = benchmarks.read_benches(args.bench, args.correlate)
    reference = benchmarks.read_source(args.correlate)
    names = benchmarks.read_name_map(args.name_map) if args.name_map else None
    found = benchmarks.compare(sources, reference, names, not args.as_published, args.level, seed=args.seed)
    return as_json(found) if args.format == "json" else as_table(found, args.level)


def table_lines(comparisons: Sequence[Comparison], level: str = "95", intervals: bool = True) -> list[str]:
    """The table as Markdown lines, a column for each benchmark, then what could not be matched."""
    found = [comparison.correlation for comparison in comparisons]
    rows = [
        ["", *(one.name for one in found)],
        ["---"] * (len(found) + 1),
        ["models in common", *(str(one.models) for one in found)],
        ["separability % (overlapping pairs)", *(_separability(one, intervals) for one in found)],
        ["agreement, signed", *(_text(one.agreement, 4, intervals) for one in found)],
        ["agreement, half credit", *(_text(one.half_credit, 4, intervals) for one in found)],
        ["pairs the reference separates", *(_separated(one) for one in found)],
        ["Spearman", *(_text(one.spearman, 4, intervals) for one in found)],
        ["Kendall τ-b", *(_text(one.kendall, 4, intervals) for one in found)],
        ["Brier (lower is better)", *(_text(one.brier, 6, intervals) for one in found)],
    ]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    shown = [f"In brackets: {level}% intervals, by a bootstrap over the models in common."] if intervals else []
    return lines + level_lines(comparisons) + shown + unmatched_lines(comparisons)


def as_table(comparisons: Sequence[Comparison], level: float = 0.95) -> str:
    """The table, the level of its intervals and what could not be matched, for people."""
    return "\n".join(table_lines(comparisons, percent(level)))


def as_json(comparisons: Sequence[Comparison]) -> str:
    """All comparisons with both sources of each, and all models that only one side has; what is not known is null."""
    return msgspec.json.format(msgspec.json.encode(plain_data(comparisons)), indent=2).decode()


def _separability(one: Correlation, intervals: bool) -> str:
    percent = Metric(*(None if end is None else 100.0 * end for end in vars(one.separability).values()))
    text = _text(percent, 2, intervals)
    value, _, interval = text.partition(" ")
    return text if one.overlapping is None else f"{value} ({one.overlapping}) {interval}".rstrip()


def _separated(one: Correlation) -> str:
    return _UNKNOWN if one.reference_pairs is None else f"{one.reference_pairs} of {one.pairs}"


def _text(metric: Metric, digits: int, intervals: bool) -> str:
    if metric.value is None:
        return _UNKNOWN
    value = f"{metric.value:.{digits}f}"
    if not intervals or metric.lower is None or metric.upper is None:
        return value
    places = min(digits, 3)
    return f"{value} [{metric.lower:.{places}f}, {metric.upper:.{places}f}]"


def level_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """Of which level the intervals are that were read; those of different levels are not alike."""
    sources = [source for one in comparisons for source in (one.matched.source, one.matched.reference)]
    levels = {one.name: one.level for one in sources if not np.isnan(one.lower).all()}
    said = [f"{name} {'not said, 95% assumed' if x is None else f'{percent(x)}%'}" for name, x in levels.items()]
    return [f"Level of the intervals that were read: {', '.join(said)}."] if said else []


def unmatched_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """One line for each list of models that only one side has."""
    lines = []
    for comparison in comparisons:
        name, reference = comparison.correlation.name, comparison.correlation.reference
        matched = comparison.matched
        for one, other, left in ((name, reference, matched.only_source), (reference, name, matched.only_reference)):
            if left:
                lines.append(f"Only in {one}, not in {other} ({len(left)}): {shortened(left)}")
    return lines
