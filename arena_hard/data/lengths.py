"""How long a model's answers are on average: the leaderboard's last column."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data.bench_files import ERROR_MARK
from arena_hard.data.beside import Copy
from arena_hard.data.paths import Bench, name_of
from arena_hard.data.record_folder import is_there, record_files
from arena_hard.data.record_values import token_count
from arena_hard.data.typed_jsonl import Reader

_LARGE = 16 << 20  # bytes of answers; fewer are read as quickly as another process begins
_ERROR_MARK = msgspec.Raw(msgspec.json.encode(ERROR_MARK))

Odd = list[Any] | str | float | bool | None  # what public files hold where an object is meant; nobody needs it


class _Turn(msgspec.Struct, gc=False):
    content: msgspec.Raw = msgspec.Raw()
    token_len: Any = None


_Turns = list[_Turn | str | list[Any] | None]


class _Choice(msgspec.Struct, gc=False):
    turns: _Turns | _Turn | str = []


class _Metadata(msgspec.Struct):
    token_len: Any = None


class _Usage(msgspec.Struct):
    completion_tokens: Any = None
    reasoning_tokens: Any = 0


class AnswerRow(msgspec.Struct, gc=False):
    """What the length of an answer is read from: a count for each turn, one for all of them, or the server's."""

    question_id: str = ""
    uid: str = ""
    choices: list[_Choice | str | None] | _Choice | str | None = None
    metadata: _Metadata | Odd = None
    conv_metadata: _Metadata | Odd = None
    usage: _Usage | Odd = None


class AnswerLengths(msgspec.Struct, frozen=True):
    """average: tokens per answer, None without a countable answer; answers: how many were counted;
    by_server: how many of them by the server's own count, which is another tokenizer's; of: how many answers there are.
    """

    average: float | None
    answers: int = 0
    by_server: int = 0
    of: int = 0


def answer_lengths(bench: Bench, model: str) -> AnswerLengths:
    """The average length of a model's answers; of several for one question the last counts.

    Raises UserError for a broken line.
    """
    file = bench.answer_file(model)
    if not is_there(file):
        return AnswerLengths(None)
    return _average(file)


def lengths_ahead(bench: Bench, judges: Sequence[str], copy: Copy) -> Callable[[str], AnswerLengths]:
    """What gives `answer_lengths` of a model; those of the models that were judged are left to a copy of this process
    where they are large.
    """
    folders = [each.folder for judge in judges for each in bench.judgment_sets(judge)]
    names = {name_of(file) for folder in folders for file in record_files(folder)}
    files = [file for file in map(bench.answer_file, sorted(names)) if file.is_file()]
    if sum(file.stat().st_size for file in files) < _LARGE:
        return lambda model: answer_lengths(bench, model)
    read = copy.leave(lambda: {name: answer_lengths(bench, name) for name in names})
    known = functools.cache(lambda: read() or {})
    return lambda model: known().get(model) or answer_lengths(bench, model)


def _average(file: Path) -> AnswerLengths:
    lengths: dict[str, tuple[float, bool] | None] = {}
    failed: set[str] = set()
    reader: Reader[AnswerRow] = Reader(AnswerRow)
    for rows in reader.blocks(file):
        ids, turns = [row.question_id or row.uid for row in rows], [_turns_of(row) for row in rows]
        lengths.update((key, _length(row, said)) for key, row, said in zip(ids, rows, turns))
        failed |= {key for key, said in zip(ids, turns) if _has_failed(said)}
    reader.check_ids(file, lengths)
    known = [length for length in lengths.values() if length is not None]
    there = len(lengths) - sum(lengths[key] is None for key in failed)
    if not known:
        return AnswerLengths(None, of=there)
    total = sum(length for length, _ in known)
    return AnswerLengths(total / len(known), len(known), sum(server for _, server in known), there)


def is_failed(row: AnswerRow) -> bool:
    """Whether the original wrote this record for a call that failed."""
    return _has_failed(_turns_of(row))


def _has_failed(turns: _Turns) -> bool:
    return any(turn.content == _ERROR_MARK if isinstance(turn, _Turn) else turn == ERROR_MARK for turn in turns)


def length_of(row: AnswerRow) -> tuple[float, bool] | None:
    """(tokens of all turns of the first choice, whether the server counted them); None where nobody did."""
    return _length(row, _turns_of(row))


def _length(row: AnswerRow, turns: _Turns) -> tuple[float, bool] | None:
    if _has_failed(turns):
        return None
    counted = sum_of_counts([getattr(turn, "token_len", None) for turn in turns])
    if counted is None:
        counted = first_count([getattr(each, "token_len", None) for each in (row.metadata, row.conv_metadata)])
    if counted is not None:
        return counted, False
    served = served_length(row.usage)
    return None if served is None else (served, True)


def _turns_of(row: AnswerRow) -> _Turns:
    """The turns of the first choice, where others may have put a text or one object in the place of a list."""
    choices = row.choices if isinstance(row.choices, list) else [row.choices]
    first = choices[0] if choices else None
    turns = first.turns if isinstance(first, _Choice) else []
    return turns if isinstance(turns, list) else [turns]


def sum_of_counts(values: list[Any]) -> float | None:
    """The sum of the turns' counts; None where one of them has none, or there are no turns."""
    total = 0.0 if values else None
    for value in values:
        count = token_count(value)
        total = None if total is None or count is None else total + count
    return total


def first_count(values: list[Any]) -> float | None:
    """The first of some values that is a count of tokens."""
    return next((count for count in map(token_count, values) if count is not None), None)


def served_length(usage: Any) -> float | None:
    """What the server counted, without the tokens of thoughts; None where it did not say."""
    tokens = token_count(getattr(usage, "completion_tokens", None))
    thought = token_count(getattr(usage, "reasoning_tokens", None)) or 0
    return tokens if tokens is None or thought > tokens else tokens - thought  # more than all was counted beside it
