"""The CSV files of --output: a name for each case, and no file written over by another case.

Beside each file a note says which case it is of. The original's name, which says the day alone, stands for its
default case. A file that may be of another case (an older version gave them all this name) is kept under a new one.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import hashlib
from pathlib import Path

import msgspec

from arena_hard.data import secrets
from arena_hard.data.paths import short_file_name
from arena_hard.data.presets import DEFAULT_BASELINE, DEFAULT_BENCH, DEFAULT_JUDGE
from arena_hard.data.records import UserError
from arena_hard.showing.leaderboard import percent


class CsvCase(msgspec.Struct, frozen=True):
    """What a leaderboard is of. source: the file of --battles, else the data folder; options: what else shapes it."""

    source: str
    bench: str
    judges: tuple[str, ...]
    baseline: str
    category: str
    options: tuple[str, ...]


class _Note(msgspec.Struct):
    case: CsvCase
    sha256: str


def case_of(args: argparse.Namespace, category: str, baseline: str) -> CsvCase:
    """The case of one part of a run."""
    source = str((args.battles or args.data_dir).resolve())
    options = [f"battles-{args.battles.stem}"] if args.battles else []
    options += [f"weight{args.weight}"] * (args.weight != 3) + ["first-game"] * args.first_game_only
    options += ["soft"] * args.soft
    options += [args.interval] * (args.interval != "rows") + ["unanchored"] * args.compat_unanchored
    options += [f"level{percent(args.level)}"] * (args.level != (0.9 if args.interval == "v2.0" else 0.95))
    if args.control_features or args.interval != "sandwich":  # which draws nothing
        options += [f"rounds{args.num_rounds}"] * (args.num_rounds != 100) + [f"seed{args.seed}"] * (args.seed != 42)
    if args.control_features:
        options += [f"style-{args.style_formula}", *sorted(args.control_features)]
        options += ["equal-style"] * args.at_equal_style
    return CsvCase(source, args.bench_name, tuple(args.judge_name), baseline, category, tuple(options))


def csv_file(case: CsvCase, day: datetime.date) -> Path:
    """Where the CSV of a case and a day is."""
    name = f"arena_hard_leaderboard_{day:%Y%m%d}"
    if (case.bench, case.judges, case.baseline, case.category, case.options) != _DEFAULT:
        parts = [name, case.bench, "+".join(case.judges), "vs", case.baseline]
        parts += [case.category] * bool(case.category) + list(case.options)
        name = short_file_name(parts)
    return Path("leaderboard") / f"{name}.csv"


_DEFAULT = (DEFAULT_BENCH, (DEFAULT_JUDGE,), DEFAULT_BASELINE, "", ())


def write(case: CsvCase, day: datetime.date, text: str) -> list[str]:
    """Write a CSV and its note. Returns what to say of it. Raises UserError where it cannot be written."""
    file = csv_file(case, day)
    data = secrets.mask(text).encode()
    said = []
    try:
        file.parent.mkdir(exist_ok=True)
        kept = _keep_other(file, case, data)
        said += [f"kept: what {file} held is not known to be of this case; it is {kept} now"] if kept else []
        file.write_bytes(data)
        _note_file(file).write_bytes(msgspec.json.encode(_Note(case, hashlib.sha256(data).hexdigest())))
    except OSError as error:
        raise UserError(f"{error.filename or file} cannot be written: {error.strerror}.") from None
    return [*said, f"written: {file}"]


def _note_file(file: Path) -> Path:
    return file.with_suffix(".meta.json")


def _keep_other(file: Path, case: CsvCase, data: bytes) -> Path | None:
    """Rename a file that is not known to be of this case. Returns its new name, None where nothing had to be kept."""
    if not file.exists():
        return None
    there = file.read_bytes()
    with contextlib.suppress(OSError, msgspec.DecodeError):
        note = msgspec.json.decode(_note_file(file).read_bytes(), type=_Note)
        if note.case == case and note.sha256 == hashlib.sha256(there).hexdigest():
            return None
    if there == data:
        return None
    number = 1
    while (kept := file.with_name(f"{file.stem}_kept{number}.csv")).exists():
        number += 1
    return file.rename(kept)
