"""One record file as the index keeps it: where each row lies, and the few facts that pages filter by; no texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.verdicts import LABELS, standard_label
from arena_hard.rating.arrays import IntArray

UNREADABLE = -1  # the judge wrote, but no verdict could be read
NO_GAME = -2  # there is no such game, or no judgment at all
CUT_OFF = frozenset({"length", "max_tokens", "MAX_TOKENS", "model_length"})


class _GameHead(msgspec.Struct):
    score: Any = None


class JudgmentHead(msgspec.Struct):
    """What the index keeps of a judgment; the rest of the line is passed over while decoding."""

    games: list[_GameHead | None]
    question_id: str = ""
    uid: str = ""
    baseline: str | None = None


class _TurnHead(msgspec.Struct):
    token_len: int | float | None = None


class _ChoiceHead(msgspec.Struct):
    turns: list[_TurnHead] = []


class _UsageHead(msgspec.Struct):
    completion_tokens: int | None = None


class AnswerHead(msgspec.Struct):
    question_id: str = ""
    uid: str = ""
    choices: list[_ChoiceHead] = []
    finish_reason: str | None = None
    usage: _UsageHead | None = None
    metadata: _TurnHead | None = None


class RecordFile(NamedTuple):
    """One record file: a row for each record, in the file's order.

    question: [n] codes of the questions; offset, length: [n] bytes; facts: [n, 3] what the kind of
    file has to say (judgments: verdict of game 1 and 2, code of the baseline; answers: tokens or -1,
    whether it was cut off, 0). problems: lines that could not be read, said in words.
    """

    path: Path
    stamp: tuple[int, int]
    question: IntArray
    offset: IntArray
    length: IntArray
    facts: IntArray
    problems: list[str]


def verdict_code(label: Any) -> int:
    """Index of a verdict in LABELS, in whatever spelling; UNREADABLE for anything else."""
    known = standard_label(label) if isinstance(label, str) else None
    return UNREADABLE if known is None else LABELS.index(known)


def answer_facts(row: AnswerHead) -> tuple[int, int, int]:
    return _tokens(row), int(row.finish_reason in CUT_OFF), 0


def _tokens(row: AnswerHead) -> int:
    """Tokens of an answer: as counted, else as the server counted them, else -1."""
    turns = row.choices[0].turns if row.choices else [row.metadata] if row.metadata else []
    lengths = [turn.token_len for turn in turns if turn.token_len is not None]
    if lengths and len(lengths) == len(turns):
        return int(sum(lengths))
    served = row.usage.completion_tokens if row.usage else None
    return -1 if served is None else served


def stamp_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def lines_of(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """(line number, byte offset, line) of each line that is not blank."""
    with open(path, "rb", buffering=1 << 20) as stream:
        offset = len(jsonl.BOM) if stream.read(len(jsonl.BOM)) == jsonl.BOM else 0
        stream.seek(offset)
        for number, line in enumerate(stream, 1):
            if not line.isspace():
                yield number, offset, line
            offset += len(line)


def read_row(file: RecordFile, row: int) -> dict[str, Any] | None:
    """One record as it stands in the file; None when the file was changed under the index."""
    with open(file.path, "rb") as stream:
        stream.seek(int(file.offset[row]))
        line = stream.read(int(file.length[row]))
    try:
        values = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return values if isinstance(values, dict) else None


def read_record(file: RecordFile, row: int, parse: Callable[[dict[str, Any]], Any]) -> Any:
    values = read_row(file, row)
    try:
        return None if values is None else parse(values)
    except (ValueError, AttributeError, TypeError, msgspec.ValidationError):
        return None
