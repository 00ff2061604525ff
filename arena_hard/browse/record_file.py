"""One record file as the index keeps it: where each row lies, and the few facts that pages filter by; no texts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np

from arena_hard.data import jsonl
from arena_hard.data.foreign_files import misfit
from arena_hard.data.line_notes import LineNotes
from arena_hard.data.record_folder import rank
from arena_hard.data.record_index import Stamp, stamp_from
from arena_hard.data.records import UserError
from arena_hard.data.verdicts import LABELS, standard_label
from arena_hard.rating.arrays import BoolArray, IntArray
from arena_hard.rating.same_records import Overruled

K = TypeVar("K")
T = TypeVar("T")

UNREADABLE = -1  # the judge wrote, but no verdict could be read
NO_GAME = -2  # there is no such game, or no judgment at all


class _GameHead(msgspec.Struct):
    score: Any = None
    truncated: Any = None


class JudgmentHead(msgspec.Struct):
    """What the index keeps of a judgment; the rest of the line is passed over while decoding."""

    games: list[_GameHead | None] | None = None
    question_id: str = ""
    uid: str = ""
    model: str | None = None
    baseline: str | None = None


class RecordFile(NamedTuple):
    """One record file: a row for each record, in the file's order.

    question: [n] codes of the questions; offset, length: [n] bytes; facts: [n, 5] what the kind of
    file has to say (judgments: verdict of game 1 and 2, codes of the baseline and the model, whether the answers were
    shortened; answers: tokens or -1, whether it was cut off, whether the call failed, 0, 0). problems: lines that could
    not be read, said in words; notes: what else is odd.
    """

    path: Path
    stamp: Stamp
    question: IntArray
    offset: IntArray
    length: IntArray
    facts: IntArray
    problems: list[str]
    notes: list[str]


def part_of(file: RecordFile, rows: IntArray | BoolArray) -> RecordFile:
    """The file as if it held these rows alone."""
    columns = (file.question[rows], file.offset[rows], file.length[rows], file.facts[rows])
    return RecordFile(file.path, file.stamp, *columns, file.problems, file.notes)


def renumbered(files: dict[K, RecordFile], now: IntArray) -> dict[K, RecordFile]:
    """The files with other codes of the questions. now: [codes] the new code of each."""
    return {key: file._replace(question=now[file.question]) for key, file in files.items()}


def each_once(files: list[RecordFile], model: str) -> tuple[list[RecordFile], list[Overruled]]:
    """The files with a model's judgments, each without those that count in another one; and what that leaves out.

    Of several records of a question and baseline, that of the file named after the model counts, else that of the last
    file. The first of the files is the one that counts most.
    """
    ranked = sorted(files, key=lambda file: (rank(file.path, model), file.path), reverse=True)
    kept: list[RecordFile] = []
    overruled: list[Overruled] = []
    for file in ranked:
        mask = np.ones(len(file.question), dtype=bool)
        for better in kept:
            again = mask & np.isin(_cases(file), _cases(better))
            mask &= ~again
            by_name = rank(file.path, model) < rank(better.path, model)
            overruled += [Overruled(file.path, better.path, int(again.sum()), by_name)] if again.any() else []
        kept.append(file if mask.all() else part_of(file, mask))
    return kept, overruled


def _cases(file: RecordFile) -> IntArray:
    """[n] what tells judgments apart: question and baseline, but the question alone where not all name theirs."""
    baseline = file.facts[:, 2] if (file.facts[:, 2] >= 0).all() else -1
    return (file.question.astype(np.int64) << 32) + baseline


def last_rows(file: RecordFile) -> IntArray:
    """The rows of a file in its order; of several records for one question only the last."""
    n = len(file.question)
    _, from_the_end = np.unique(file.question[::-1], return_index=True)
    return np.sort(n - 1 - from_the_end)


def verdict_code(label: Any) -> int:
    """Index of a verdict in LABELS, in whatever spelling; UNREADABLE for anything else."""
    known = standard_label(label)
    return UNREADABLE if known is None else LABELS.index(known)


def spans_of(path: Path, decode: Callable[[bytes], Any], problems: list[str], notes: list[str]) -> Iterator[jsonl.Span]:
    """The records of a file; what cannot be read is said in `problems`, what is odd in `notes`.

    A torn end is being written, or was cut off.
    """
    odd = LineNotes()
    try:
        with open(path, "rb", buffering=1 << 20) as stream:
            for span in jsonl.spans(stream, decode, notes=odd):
                if span.error is None:
                    yield span
                elif not span.is_torn:
                    foreign = misfit(path)
                    problems.append(foreign or f"{path}:{span.number}: {span.error}")
                    if foreign:
                        return
        notes += odd.said(path)
    except OSError as error:
        problems.append(str(jsonl.unreadable(path, error)))


class Changed(UserError):
    """A record file was changed under the index, so that another record may be where one was."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} was changed, and is being read again.")
        self.file = file


def read_row(file: RecordFile, row: int, is_it: Callable[[RecordFile, int, bytes], bool]) -> dict[str, Any] | None:
    """One record as it stands in the file; None where it cannot be read.

    is_it: whether a line is the record that the index knows in this row, which is asked where the file is not as it
    was: others may only have been added. Raises Changed where it is another one, or none.
    """
    try:
        with open(file.path, "rb") as stream:
            is_same = stamp_from(os.fstat(stream.fileno())) == file.stamp
            stream.seek(int(file.offset[row]))
            line = stream.read(int(file.length[row]))
    except FileNotFoundError:
        raise Changed(file.path) from None
    if not is_same and not is_it(file, row, line):
        raise Changed(file.path)
    return first_in(line, jsonl.decode_object)


def first_in(line: bytes, decode: Callable[[bytes], T]) -> T | None:
    """The first record in some bytes; None where they begin with something else."""
    span = next(jsonl.spans([line], decode), None)
    return span.value if span else None


def read_record(
    file: RecordFile,
    row: int,
    is_it: Callable[[RecordFile, int, bytes], bool],
    parse: Callable[[dict[str, Any]], T | None],
) -> T | None:
    """One record as `parse` understands it; None where it cannot. Raises Changed, as `read_row` does."""
    values = read_row(file, row, is_it)
    try:
        return None if values is None else parse(values)
    except (ValueError, AttributeError, TypeError, msgspec.ValidationError):
        return None
