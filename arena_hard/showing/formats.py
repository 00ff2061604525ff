"""A finished result in each of the printed forms: table, Markdown, JSON, HTML."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from arena_hard.data.records import Question
from arena_hard.data.typed_jsonl import InputFile
from arena_hard.rating.categories import Part
from arena_hard.rating.intervals import Fit
from arena_hard.showing import leaderboard
from arena_hard.showing.analyses import sections_of
from arena_hard.showing.leaderboard import Row, row_dict
from arena_hard.showing.notes import Text, one_line, printed, whole
from arena_hard.showing.sections import Section


class Page:
    """All that is shown of a run. `results` have part, fit, rows and notes."""

    def __init__(
        self,
        args: argparse.Namespace,
        results: Sequence[Any],
        inputs: Sequence[InputFile],
        notes: Sequence[Text],
        overall: Sequence[Row],
        questions: Sequence[Question],
    ) -> None:
        self.args, self.results, self.inputs, self.notes, self.overall = args, results, inputs, notes, overall
        parts = [result.part for result in results]
        self.sections = [sections_of(args, part) for part in parts]
        if args.breakdown is not None or args.format == "html":
            from arena_hard.showing import breakdowns

            broken_down = breakdowns.sections_of(args, parts, questions)
            self.sections = [[*each, *further] for each, further in zip(self.sections, broken_down)]

    def title_of(self, number: int) -> str:
        """The heading of a part; empty where there is but one."""
        part = self.results[number].part
        return f"{part.category} (baseline {part.baseline})" if part.category else ""


# ------------------------------------------------------------------------------------------- table


def as_table(page: Page) -> str:
    """The original's lines, and below them what has to be known."""
    args, blocks = page.args, []
    for number, result in enumerate(page.results):
        lines = [page.title_of(number)] if page.title_of(number) else []
        lines += leaderboard.table_lines(result.rows, args.level, args.show_elo)
        blocks.append("\n".join(lines + ["", *map(printed, result.notes)]))
        blocks += [_plain_section(section) for section in page.sections[number]]
    if page.overall:
        lines = ["mean over categories", *leaderboard.table_lines(page.overall, args.level)]
        blocks.append("\n".join(line.replace(" | average #tokens: n/a", "") for line in lines))
    return "\n\n".join(blocks + (["\n".join(map(printed, page.notes))] if page.notes else []))


def _plain_section(section: Section) -> str:
    table = [[one_line(text) for text in row] for row in section.table()]
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in table]
    return "\n".join([one_line(section.title), *lines, *_remarks(section)])


def _remarks(section: Section) -> list[str]:
    """The remarks on one line, if there are any."""
    return [" ".join(map(printed, section.remarks))] if section.remarks else []


# ---------------------------------------------------------------------------------------- Markdown


def as_markdown(page: Page) -> str:
    """Tables for an issue or a README."""
    blocks = []
    for number, result in enumerate(page.results):
        if page.title_of(number):
            blocks.append(f"## {page.title_of(number)}")
        blocks.append("\n".join(leaderboard.markdown_lines(result.rows, page.args.level)))
        blocks.append("\n".join(f"- {printed(note)}" for note in result.notes))
        blocks += [_markdown_section(section) for section in page.sections[number]]
    if page.overall:
        blocks += ["## Mean over categories", "\n".join(leaderboard.markdown_lines(page.overall, page.args.level))]
    return "\n\n".join(blocks + (["\n".join(f"- {printed(note)}" for note in page.notes)] if page.notes else []))


def _markdown_section(section: Section) -> str:
    lines = [leaderboard.cells(row) for row in section.table()]
    if lines:
        lines = ["", lines[0], leaderboard.cells(["---"] * len(section.table()[0])), *lines[1:]]
    return "\n".join([f"### {one_line(section.title)}", *lines, *(["", *_remarks(section)] if section.remarks else [])])


# -------------------------------------------------------------------------------------------- JSON


def as_json(page: Page) -> str:
    """All that is needed to redo the table: rows, options, fingerprints of the inputs, versions."""
    run = {
        "parts": [
            _part_dict(result.part, result.fit, result.rows, result.notes, sections)
            for result, sections in zip(page.results, page.sections)
        ],
        "mean_over_categories": [row_dict(row) for row in page.overall] or None,
        "notes": list(map(whole, page.notes)),
        "options": {key: _plain_option(value) for key, value in sorted(vars(page.args).items())},
        "inputs": [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in page.inputs],
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "msgspec": msgspec.__version__},
    }
    return msgspec.json.format(msgspec.json.encode(run), indent=2).decode()


def _part_dict(part: Part, fit: Fit, rows: Sequence[Row], notes: Sequence[Text], sections: Sequence[Section]) -> Any:
    return {
        "category": part.category or None,
        "baseline": part.baseline,
        "battles": part.n_battles,
        "rows_of_battles": part.battles.n_rows,
        "clustered_over_rows": fit.ratio,
        "monte_carlo_error": fit.monte_carlo,
        "rows": [row_dict(row) for row in rows],
        "notes": list(map(whole, notes)),
        "analyses": {section.title: section.data for section in sections},
    }


def _plain_option(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, list, type(None))) else str(value)


def as_html(page: Page) -> str:
    """One self-contained page."""
    from arena_hard.showing import html_page

    return html_page.html(page)


FORMATS: dict[str, Callable[[Page], str]] = {
    "table": as_table,
    "json": as_json,
    "markdown": as_markdown,
    "html": as_html,
}
