"""From a fit to what people read: rows, the printed table, CSV, Markdown, JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from arena_hard import ratings
from arena_hard.intervals import Fit
from arena_hard.paths import Bench
from arena_hard.typed import Reader


@dataclass(frozen=True)
class Row:
    """One model's line: win rates in percent with 2 decimals, or ratings cut to whole numbers.

    tokens: mean length of its answers, None where it is not known; ranks: its rank interval.
    """

    model: str
    score: float
    lower: float
    upper: float
    tokens: float | None = None
    questions: int = 0
    ranks: tuple[int, int] | None = None


def rows_of(fit: Fit, tokens: Mapping[str, float], show_elo: bool = False) -> list[Row]:
    """The rows of a fit, best first. As in the original: percentiles on the rating scale, then win rates."""
    scale = _whole if show_elo else _win_rate
    rows = [
        Row(
            model,
            scale(fit.ratings[index]),
            scale(fit.lower[index]),
            scale(fit.upper[index]),
            tokens.get(model),
            int(fit.questions[index]),
        )
        for index, model in enumerate(fit.models)
    ]
    return sorted(rows, key=lambda row: -row.score)


def _win_rate(rating: float) -> float:
    return round(float(ratings.win_rate(np.asarray(rating))), 2)


def _whole(rating: float) -> float:
    return float(rating) if math.isinf(rating) else int(rating)


def with_ranks(rows: Sequence[Row], ranks: Mapping[str, tuple[int, int]]) -> list[Row]:
    """The rows with the rank intervals of those models that have one."""
    return [replace(row, ranks=ranks.get(row.model)) for row in rows]


# ----------------------------------------------------------------------------------------- printed


def table_lines(rows: Sequence[Row], show_elo: bool = False, level: float = 0.95) -> list[str]:
    """The original's lines; a level of its own and rank intervals come beside them when asked for."""
    return [_line(row, show_elo, f"{level * 100:g}% CI") for row in rows]


def _line(row: Row, show_elo: bool, interval_name: str) -> str:
    digits = None if show_elo else 1
    interval = str((_rounded(row.lower - row.score, digits), _rounded(row.upper - row.score, digits)))
    tokens = "n/a" if row.tokens is None else int(row.tokens)
    line = (
        f"{row.model:<30} | score: {_rounded(row.score, digits):^5} | {interval_name}: {interval:^12} "
        f"| average #tokens: {tokens}"
    )
    return line if row.ranks is None else f"{line} | rank: {row.ranks[0]}-{row.ranks[1]}"


def _rounded(value: float, digits: int | None) -> float:
    """`value` rounded for the table; the difference of two infinite ratings is none."""
    if math.isnan(value):
        return 0 if digits is None else 0.0
    if math.isinf(value):
        return value
    return int(value) if digits is None else round(value, digits) + 0.0


def markdown_lines(rows: Sequence[Row], level: float = 0.95) -> list[str]:
    """A Markdown table of the rows."""
    lines = [f"| model | score | {level * 100:g}% CI | tokens |", "|---|---:|---|---:|"]
    for row in rows:
        tokens = "n/a" if row.tokens is None else str(int(row.tokens))
        name = row.model.replace("|", "\\|")
        lines.append(f"| {name} | {row.score:.1f} | {_interval(row)} | {tokens} |")
    return lines


def _interval(row: Row) -> str:
    return f"({row.lower - row.score:+.1f}, {row.upper - row.score:+.1f})"


# --------------------------------------------------------------------------------------- for files


def csv_text(rows: Sequence[Row], date: str) -> str:
    """The original's leaderboard file: model,score,rating_q025,rating_q975,CI,avg_tokens,date."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["model", "score", "rating_q025", "rating_q975", "CI", "avg_tokens", "date"])
    for row in rows:
        interval = f"({row.lower - row.score:+.2f}, {row.upper - row.score:+.2f})"
        tokens = "" if row.tokens is None else float(int(row.tokens))
        writer.writerow([row.model, row.score, row.lower, row.upper, interval, tokens, date])
    return out.getvalue()


def json_rows(rows: Sequence[Row]) -> list[dict[str, object]]:
    """The rows as plain values; infinite ends are null, for JSON has no number for them."""
    return [
        {key: None if isinstance(value, float) and math.isinf(value) else value for key, value in asdict(row).items()}
        for row in rows
    ]


# -------------------------------------------------------------------------------------------- tokens


class _Turn(msgspec.Struct, gc=False):
    token_len: float | None = None


class _Choice(msgspec.Struct, gc=False):
    turns: list[_Turn] = []


class _Usage(msgspec.Struct, gc=False):
    completion_tokens: int | None = None
    reasoning_tokens: int = 0


class _Metadata(msgspec.Struct, gc=False):
    token_len: float | None = None


class _Answer(msgspec.Struct, gc=False):
    choices: list[_Choice] = []
    metadata: _Metadata | None = None
    usage: _Usage | None = None


@dataclass(frozen=True)
class TokenCounts:
    """Mean tokens of each model's answers; `by_server`: models counted by the server's own tokenizer."""

    means: dict[str, float]
    by_server: list[str]


def average_tokens(bench: Bench, models: Sequence[str]) -> TokenCounts:
    """Mean tokens of the answers (all turns of the first choice; the original took the first turn only).

    Where tiktoken could not count, the server's own count stands in, without reasoning tokens.
    """
    means: dict[str, float] = {}
    by_server = []
    for model in models:
        file = bench.answer_file(model)
        if not file.is_file():
            continue
        counted = [_tokens_of(answer) for block in Reader(_Answer).blocks(file) for answer in block]
        known = [tokens for tokens, _ in counted if tokens is not None]
        if known:
            means[model] = sum(known) / len(known)
        if any(from_server for _, from_server in counted):
            by_server.append(model)
    return TokenCounts(means, by_server)


def _tokens_of(answer: _Answer) -> tuple[float | None, bool]:
    """(tokens of an answer, whether the server counted them)."""
    lengths = [turn.token_len for turn in answer.choices[0].turns] if answer.choices else []
    if lengths and None not in lengths:
        return sum(length for length in lengths if length is not None), False
    if answer.metadata is not None and answer.metadata.token_len is not None:
        return answer.metadata.token_len, False
    if answer.usage is not None and answer.usage.completion_tokens is not None:
        return float(answer.usage.completion_tokens - answer.usage.reasoning_tokens), True
    return None, False


def write_csv(rows: Sequence[Row], folder: Path, date: str) -> Path:
    """Write the CSV under the original's name; `date` is YYYY-MM-DD. Returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"arena_hard_leaderboard_{date.replace('-', '')}.csv"
    file.write_text(csv_text(rows, date), encoding="utf-8")
    return file
