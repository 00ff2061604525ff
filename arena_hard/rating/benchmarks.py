"""Reading benchmarks and references, and matching their models, for `--correlate`.

A source is given as FILE, or as FILE:BENCHMARK where one file holds several. Columns are known by name:
model and score (or rating); lower and upper (or rating_q025 and rating_q975, or those of another level, whose digits
stand behind the point: rating_q0005 and rating_q9995); mean, var (or variance), if there; benchmark in files that
hold several.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from arena_hard.data.foreign_files import foreign_kind
from arena_hard.data.name_lists import counted, shortened
from arena_hard.data.record_values import is_object
from arena_hard.data.records import UserError
from arena_hard.rating.metrics import Correlation, Source, correlate

_COLUMNS = {
    "score": ("score", "rating"),
    "lower": ("lower",),
    "upper": ("upper",),
    "mean": ("mean",),
    "variance": ("var", "variance"),
}
_LEVEL = 0.95  # of intervals that do not say theirs
_QUANTILE = re.compile(r"rating_q(\d{3,})")


@dataclass(frozen=True)
class Matched:
    """A benchmark and the reference cut to the models that both have, and the names left over."""

    source: Source
    reference: Source
    only_source: tuple[str, ...]
    only_reference: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """One column of the table: the metrics, and what could not be matched."""

    correlation: Correlation
    matched: Matched


def read_sources(spec: str, name: str | None = None) -> tuple[Source, ...]:
    """The sources of `FILE` or `FILE:BENCHMARK`, in the order of the file. Raises UserError.

    A file with several benchmarks gives all of them unless one is named; `name` renames a single one.
    """
    file, wanted = _split(spec)
    groups: dict[str, list[dict[str, str]]] = {}
    for row in _rows(file):
        groups.setdefault(row.get("benchmark") or file.stem, []).append(row)
    if wanted is not None and wanted not in groups:
        raise UserError(f"{file} holds no benchmark {wanted!r}. It holds: {shortened(list(groups))}.")
    sources = tuple(_source(file, key, rows) for key, rows in groups.items() if wanted in (None, key))
    return tuple(replace(source, name=name) for source in sources) if name and len(sources) == 1 else sources


def read_source(spec: str, name: str | None = None) -> Source:
    """The one source that `spec` means. Raises UserError where the file holds several."""
    sources = read_sources(spec, name)
    if len(sources) != 1:
        names = ", ".join(source.name for source in sources)
        raise UserError(f"{spec} holds several benchmarks: {names}. Name one as {spec}:{sources[0].name}.")
    return sources[0]


def read_benches(given: Sequence[str], reference: str) -> tuple[Source, ...]:
    """The benchmarks of `--bench NAME=FILE[:BENCHMARK]`; NAME= may be left out.

    With none given, all the other benchmarks in the reference's own file. Raises UserError.
    """
    if not given:
        file, wanted = _split(reference)
        others = tuple(source for source in read_sources(str(file)) if source.name != wanted)
        if wanted is None or not others:
            raise UserError(f"There is nothing to compare {reference} with. Name benchmarks: --bench NAME=FILE.")
        return others
    parts = [text.partition("=") if "=" in text else ("", "", text) for text in given]
    return tuple(source for name, _, spec in parts for source in read_sources(spec, name or None))


def _split(spec: str) -> tuple[Path, str | None]:
    """The file and the benchmark of a spec; a file whose name holds a colon wins."""
    file, colon, wanted = spec.rpartition(":")
    if not colon or Path(spec).is_file():
        return Path(spec), None
    return Path(file), wanted


def _rows(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        raise UserError(f"{file} does not exist. Name a CSV file with the columns model and score.")
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(foreign_kind(file) or f"{file} cannot be read as CSV: {error}.") from None
    if not rows:
        raise UserError(f"{file} contains no model.")
    has_score = any(name in rows[0] for name in _COLUMNS["score"])
    if "model" not in rows[0] or not has_score:
        said = f"{file} must have the columns model and score; it has {', '.join(map(str, rows[0]))}."
        raise UserError(foreign_kind(file) or said)
    return rows


def _source(file: Path, name: str, rows: list[dict[str, str]]) -> Source:
    models = tuple(row["model"] for row in rows)
    twice = {model for model in models if models.count(model) > 1}
    if twice:
        raise UserError(f"{file}: {sorted(twice)[0]} occurs twice in {name}. Keep one of its rows.")
    quantiles, level = _quantile_columns(file, rows[0])
    known = {key: (*names, *quantiles.get(key, ())) for key, names in _COLUMNS.items()}
    columns = {key: np.array([_number(file, row, names) for row in rows]) for key, names in known.items()}
    if np.isnan(columns["score"]).any():
        raise UserError(f"{file}: {models[int(np.isnan(columns['score']).argmax())]} has no score in {name}.")
    reach = NormalDist().inv_cdf((1.0 + (level or _LEVEL)) / 2.0)
    from_width = (columns["upper"] - columns["lower"]) / (2.0 * reach)
    std = np.where(np.isnan(columns["variance"]), from_width, np.sqrt(columns["variance"]))
    mean = np.where(np.isnan(columns["mean"]), columns["score"], columns["mean"])
    return Source(name, models, columns["score"], columns["lower"], columns["upper"], mean, std, level)


def _quantile_columns(file: Path, row: Mapping[str, str]) -> tuple[dict[str, tuple[str]], float | None]:
    """The columns of both ends where they are named after their quantiles, and the level that these say."""
    found = [(float(f"0.{name[1]}"), name[0]) for name in map(_QUANTILE.fullmatch, filter(None, row)) if name]
    if not found or any(row.get(name) for name in ("lower", "upper")):
        return {}, None
    (low, lower), (high, upper) = min(found), max(found)
    if len(found) != 2 or abs(low + high - 1.0) > 1e-9:
        names = ", ".join(name for _, name in found)
        digits = "as in rating_q0005 and rating_q9995, with the digits behind the point"
        said = f"{file} must have two columns for the ends of an interval, {digits}; it has {names}."
        raise UserError(f"{said} Rename them, or write the file again with --output.")
    return {"lower": (lower,), "upper": (upper,)}, round(high - low, 12)


def _number(file: Path, row: Mapping[str, str], names: Sequence[str]) -> float:
    """The first of several columns that the row has, NaN when it has none."""
    text = next((row[name] for name in names if row.get(name)), "nan")
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{file}: {row['model']}: {text!r} is not a number.") from None


# ------------------------------------------------------------------------------------------- matching


def read_name_map(file: Path) -> dict[str, str]:
    """A map of a benchmark's model names to the reference's, from a JSON object or a two-column CSV."""
    if not file.is_file():
        raise UserError(f"{file} does not exist. Name a JSON object or a CSV file with two columns of names.")
    try:
        if file.suffix == ".json":
            pairs: Any = json.loads(file.read_text(encoding="utf-8"))
        else:
            with file.open(newline="", encoding="utf-8-sig") as lines:
                pairs = {row[0].strip(): row[1].strip() for row in csv.reader(lines) if row}
    except (ValueError, IndexError) as error:
        raise UserError(f"{file} is not a name map: {error}.") from None
    if not is_object(pairs) or not all(isinstance(value, str) for value in pairs.values()):
        raise UserError(f"{file} must map names to names.")
    return pairs


def match(source: Source, reference: Source, names: Mapping[str, str] | None = None) -> Matched:
    """Both cut to the models that both have, in the reference's order.

    names: the source's spelling → the reference's. Raises UserError when two models map to one.
    """
    mapped = [(names or {}).get(model, model) for model in source.models]
    place = {model: position for position, model in enumerate(mapped)}
    if len(place) < len(mapped):
        twice = next(model for model in mapped if mapped.count(model) > 1)
        raise UserError(f"In {source.name} two models are mapped to {twice}. Fix the name map.")
    shared = [position for position, model in enumerate(reference.models) if model in place]
    cut = _cut(reference, shared)
    known = set(reference.models)
    return Matched(
        source=replace(_cut(source, [place[model] for model in cut.models]), models=cut.models),
        reference=cut,
        only_source=tuple(model for model, new in zip(source.models, mapped) if new not in known),
        only_reference=tuple(model for model in reference.models if model not in place),
    )


def _cut(source: Source, rows: Sequence[int]) -> Source:
    arrays = {key: getattr(source, key)[list(rows)] for key in ("score", "lower", "upper", "mean", "std")}
    return replace(source, models=tuple(source.models[row] for row in rows), **arrays)


def compare(
    sources: Iterable[Source],
    reference: Source,
    names: Mapping[str, str] | None = None,
    closed: bool = True,
    level: float = 0.95,
    rounds: int = 2000,
    seed: int = 42,
) -> tuple[Comparison, ...]:
    """Each benchmark against the reference. Raises UserError with fewer than three models in common."""
    comparisons: list[Comparison] = []
    for source in sources:
        matched = match(source, reference, names)
        if len(matched.reference.models) < 3:
            raise UserError(
                f"{source.name} and {reference.name} have {counted(len(matched.reference.models), 'model')} in common; "
                "at least three are needed. Give a map of names where they are spelt differently."
            )
        found = correlate(matched.source, matched.reference, closed, level, rounds, seed)
        comparisons.append(Comparison(found, matched))
    return tuple(comparisons)


# ------------------------------------------------------------------------------------------ the table
