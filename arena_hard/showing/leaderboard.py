"""The leaderboard: its rows, and how they are printed as a table, CSV, Markdown and JSON."""

from __future__ import annotations

import csv
import datetime
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from arena_hard.rating.category_mean import CategoryMean
from arena_hard.rating.coverage import Coverage, is_clearly_fewer
from arena_hard.rating.intervals import Fit
from arena_hard.rating.ratings import win_rate
from arena_hard.rating.stopped import AfterLooks
from arena_hard.showing.notes import one_line


@dataclass(frozen=True)
class Row:
    """One model. score, lower, upper: win rate against the baseline in percent, with 2 decimals as in
    published tables; rating and its ends: the baseline's is 1000. NaN where nothing can be said.

    avg_tokens: mean length of its answers, None where it is not known; ranks: best and worst rank that
    the data do not exclude; by_judge: score of each judge alone; judged: on how many of the bench_questions
    it was judged, None for the baseline and where the bench is not known; readable: on how many of them with a
    readable verdict; at_all_looks: where judging was looked at while it went on, how often (looks), and
    the interval that holds at all looks (lower, upper).
    """

    model: str
    score: float
    lower: float
    upper: float
    rating: float
    rating_lower: float
    rating_upper: float
    avg_tokens: float | None
    questions: int
    ranks: tuple[int, int] | None = None
    by_judge: Mapping[str, float] = field(default_factory=dict)
    judged: int | None = None
    bench_questions: int | None = None
    readable: int | None = None
    at_all_looks: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_partial(self) -> bool:
        """Whether the bench has questions that the model was not judged on."""
        return self.judged is not None and self.bench_questions is not None and self.judged < self.bench_questions

    @property
    def is_half_read(self) -> bool:
        """Whether the score rests on clearly fewer questions than the model was judged on."""
        return bool(self.judged and self.readable) and is_clearly_fewer(self.readable or 0, self.judged or 0)


def rows_of(
    fit: Fit,
    tokens: Mapping[str, float | None],
    ranks: Mapping[str, tuple[int, int]] | None = None,
    by_judge: Mapping[str, Mapping[str, float]] | None = None,
    covered: Coverage | None = None,
) -> list[Row]:
    """The rows of a fit, best first. As in the original: ends on the rating scale, then win rates."""
    score, lower, upper = (win_rate(ends).tolist() for ends in (fit.ratings, fit.lower, fit.upper))
    judged, read = (covered.counts(), covered.read()) if covered else ({}, {})
    rows = [
        Row(
            model=model,
            score=round(score[i], 2),
            lower=round(lower[i], 2),
            upper=round(upper[i], 2),
            rating=float(fit.ratings[i]),
            rating_lower=float(fit.lower[i]),
            rating_upper=float(fit.upper[i]),
            avg_tokens=tokens.get(model),
            questions=int(fit.questions[i]),
            ranks=(ranks or {}).get(model),
            by_judge={judge: found[model] for judge, found in (by_judge or {}).items() if model in found},
            judged=judged.get(model),
            bench_questions=covered.n_questions if covered and model in judged else None,
            readable=read.get(model),
        )
        for i, model in enumerate(fit.models)
    ]
    return in_order(rows)


def with_looks(rows: Sequence[Row], after: Sequence[AfterLooks]) -> list[Row]:
    """The rows with what holds of their scores at all looks."""
    found = {one.name: {"looks": one.looks, "lower": one.lower, "upper": one.upper} for one in after}
    return [replace(row, at_all_looks=found.get(row.model, {})) for row in rows]


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Best first, models without a score last, equal ones by name, those without a finite rating by its bound."""
    known = sorted((row for row in rows if not math.isnan(row.score)), key=_place)
    return known + sorted((row for row in rows if math.isnan(row.score)), key=lambda row: row.model)


def _place(row: Row) -> tuple[float, float, str]:
    bound = {math.inf: row.rating_lower, -math.inf: row.rating_upper}.get(row.rating, 0.0)
    return -row.score, -bound, row.model


def over_categories(mean: CategoryMean, covered: Sequence[Coverage | None] = ()) -> list[Row]:
    """The rows of the mean of the categories' win rates, for the models that all categories have; no ratings."""
    nan = float("nan")
    ends = np.round([mean.score, mean.lower, mean.upper], 2).T.tolist()
    rows = [Row(name, each[0], each[1], each[2], nan, nan, nan, None, 0) for name, each in zip(mean.models, ends)]
    return in_order([_judged_over_categories(row, covered) for row in rows])


def _judged_over_categories(row: Row, covered: Sequence[Coverage | None]) -> Row:
    """The row with its questions of all categories; as it is where one of them does not say."""
    known = [each for each in covered if each and row.model in each.models]
    if not known or len(known) < len(covered):
        return row
    judged = sum(each.counts()[row.model] for each in known)
    return replace(row, judged=judged, bench_questions=sum(each.n_questions for each in known))


# -------------------------------------------------------------------------------------- the table


def table_lines(rows: Sequence[Row], level: float = 0.95, show_elo: bool = False) -> list[str]:
    """The table as the original prints it, one line a model; ranks and judges come after it."""
    return [_line(row, level, show_elo) for row in rows]


def _line(row: Row, level: float, show_elo: bool) -> str:
    score, interval = _rating_texts(row) if show_elo else score_texts(row)
    tokens = "n/a" if row.avg_tokens is None else int(row.avg_tokens)
    line = f"{one_line(row.model):<30} | score: {score:^5} | {percent(level)}% CI: {interval:^12}"
    line += f" | average #tokens: {tokens}"
    if row.ranks is not None:
        line += f" | rank: {row.ranks[0]}-{row.ranks[1]}"
    return line + "".join(f" | {one_line(judge)}: {score_text(value)}" for judge, value in row.by_judge.items())


def score_text(score: float) -> str:
    """A win rate as it is read everywhere: rounded to the two digits of a row, and these to one; n/a for NaN."""
    return "n/a" if math.isnan(score) else f"{round(score, 2):.1f}"


def score_texts(row: Row) -> tuple[str, str]:
    """Score and interval as the original prints them; n/a where nothing is known."""
    if math.isnan(row.score):
        return "n/a", "n/a"
    score = score_text(row.score)
    if math.isnan(row.lower) or math.isnan(row.upper):
        return score, "n/a"
    return score, str((round(row.lower - row.score, 1), round(row.upper - row.score, 1)))


def _rating_texts(row: Row) -> tuple[str, str]:
    """Ratings cut to whole numbers, as the original cuts them."""
    if math.isnan(row.rating):
        return "n/a", "n/a"
    rating, lower, upper = (
        int(value) if math.isfinite(value) else value for value in (row.rating, row.rating_lower, row.rating_upper)
    )
    if math.isinf(rating):  # the ends stand for themselves where there is nothing to subtract them from
        return f"{rating:+}", f"[{lower}, {upper}]"
    return str(rating), str((lower - rating, upper - rating))


def percent(level: float) -> str:
    """0.95 → '95'."""
    return f"{round(100 * level, 6):g}"


# ---------------------------------------------------------------------------------- other formats

CSV_COLUMNS = ("model", "score", "rating_q025", "rating_q975", "CI", "avg_tokens", "date")
PARTIAL_COLUMNS = ("judged", "bench_questions")
READABLE_COLUMN = "readable"
LOOKS_COLUMNS = ("looks", "lower_at_all_looks", "upper_at_all_looks")


def csv_text(rows: Sequence[Row], date: datetime.date, level: float = 0.95) -> str:
    """The CSV of published leaderboards; with another level the columns of the ends are named after it.

    PARTIAL_COLUMNS come last, and only where a model was not judged on every question, or has readable
    verdicts on clearly fewer (READABLE_COLUMN): a complete leaderboard stays, byte for byte, as published ones are.
    LOOKS_COLUMNS the same, after looks at unfinished judging.
    """
    half_read, looked = any(row.is_half_read for row in rows), any(row.at_all_looks for row in rows)
    partial = half_read or any(row.is_partial for row in rows)
    columns: list[str] = list(CSV_COLUMNS)
    columns[2:4] = [_quantile_column((1 + sign * level) / 2) for sign in (-1, 1)]
    columns += (
        *(PARTIAL_COLUMNS if partial else ()),
        *([READABLE_COLUMN] * half_read),
        *(LOOKS_COLUMNS if looked else ()),
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        if math.isnan(row.score):
            continue
        known = not math.isnan(row.lower)
        ends = f"(-{row.score - row.lower:.2f}, +{row.upper - row.score:.2f})" if known else ""
        tokens = "" if row.avg_tokens is None else float(int(row.avg_tokens))
        judged = [*((row.judged, row.bench_questions) if partial else ()), *([row.readable] * half_read)]
        limits = (row.lower, row.upper) if known else ("", "")
        writer.writerow(
            [row.model, row.score, *limits, ends, tokens, date.isoformat(), *judged, *_looks_cells(row, looked)]
        )
    return out.getvalue()


def _looks_cells(row: Row, looked: bool) -> Sequence[float | str]:
    if not looked or not row.at_all_looks:
        return [""] * len(LOOKS_COLUMNS) * looked
    found = row.at_all_looks
    return [int(found["looks"]), round(found["lower"], 2), round(found["upper"], 2)]


def _quantile_column(share: float) -> str:
    """0.025 → 'rating_q025': the digits behind the point, three or as many as there are."""
    digits = f"{share:.12f}".partition(".")[2].rstrip("0")
    return f"rating_q{digits:0<3}"


def markdown_lines(rows: Sequence[Row], level: float = 0.95) -> list[str]:
    """The table in Markdown, with ranks, judges and judged questions where the rows have something to say of them."""
    judges = list(dict.fromkeys(judge for row in rows for judge in row.by_judge))
    ranks, partial = any(row.ranks for row in rows), any(row.is_partial or row.is_half_read for row in rows)
    head = ["model", "score", f"{percent(level)}% CI", "tokens", *(["judged"] if partial else [])]
    head += [*(["rank"] if ranks else []), *judges]
    lines = [cells(head), cells(["---"] + ["---:"] * (len(head) - 1))]
    for row in rows:
        shown = [row.model, *score_texts(row)]
        shown.append("n/a" if row.avg_tokens is None else str(int(row.avg_tokens)))
        if partial:
            shown.append(judged_text(row))
        if ranks:
            shown.append("" if row.ranks is None else f"{row.ranks[0]}–{row.ranks[1]}")
        lines.append(cells([*shown, *(score_text(row.by_judge.get(judge, math.nan)) for judge in judges)]))
    return lines


def judged_text(row: Row) -> str:
    """'100 of 500', empty for the baseline; with those that have a readable verdict where they are clearly fewer."""
    read = f", {row.readable} readable" * row.is_half_read
    return "" if row.judged is None else f"{row.judged} of {row.bench_questions}{read}"


def cells(texts: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(_SIGNS.sub(r"\\\1", one_line(text)) for text in texts) + " |"


_SIGNS = re.compile(r"([|*`<])")  # what Markdown would take for more than a letter; a lone _ within a name is one


def row_dict(row: Row) -> dict[str, Any]:
    """A row for JSON: what is not known is null, a rating without an end the text '+inf' or '-inf'."""
    values = {name: _plain(getattr(row, name)) for name in Row.__dataclass_fields__}
    return {name: value for name, value in values.items() if value != {}}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        return f"{value:+}"
    return value
