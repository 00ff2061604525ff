"""How long a model's answers are on average: the leaderboard's last column."""

from __future__ import annotations

from pathlib import Path

import msgspec

from arena_hard.data.paths import Bench
from arena_hard.data.typed_jsonl import Reader

_ERROR_MARK = b'"$ERROR$"'  # what the original wrote in place of an answer that it could not get


class _Turn(msgspec.Struct, gc=False):
    content: msgspec.Raw = msgspec.Raw()
    token_len: float | None = None


class _Choice(msgspec.Struct, gc=False):
    turns: list[_Turn]


class _Metadata(msgspec.Struct):
    token_len: float | None = None


class _Usage(msgspec.Struct):
    completion_tokens: int | None = None
    reasoning_tokens: int = 0


class _Row(msgspec.Struct, gc=False):
    question_id: str = ""
    uid: str = ""
    choices: list[_Choice] | None = None
    metadata: _Metadata | None = None
    usage: _Usage | None = None


class AnswerLengths(msgspec.Struct, frozen=True):
    """average: tokens per answer, None without a countable answer; answers: how many were counted;
    by_server: how many of them by the server's own count, which is another tokenizer's."""

    average: float | None
    answers: int = 0
    by_server: int = 0


def answer_lengths(bench: Bench, model: str) -> AnswerLengths:
    """The average length of a model's answers; of several for one question the last counts.

    Raises UserError for a broken line.
    """
    file = bench.answer_file(model)
    if not file.is_file():
        return AnswerLengths(None)
    return _average(file)


def _average(file: Path) -> AnswerLengths:
    lengths: dict[str, tuple[float, bool]] = {}
    reader: Reader[_Row] = Reader(_Row)
    for rows in reader.blocks(file):
        for row in rows:
            key = row.question_id or row.uid
            length = _length(row)
            if length is None:
                lengths.pop(key, None)
            else:
                lengths[key] = length
    if not lengths:
        return AnswerLengths(None)
    total = sum(length for length, _ in lengths.values())
    return AnswerLengths(total / len(lengths), len(lengths), sum(server for _, server in lengths.values()))


def _length(row: _Row) -> tuple[float, bool] | None:
    """(tokens of all turns of the first choice, whether the server counted them), or None."""
    turns = row.choices[0].turns if row.choices else ()
    total = 0.0
    for turn in turns:
        if bytes(turn.content) == _ERROR_MARK:
            return None
        total += float("nan") if turn.token_len is None else turn.token_len
    if turns and total == total:
        return total, False
    if row.metadata is not None and row.metadata.token_len is not None:
        return row.metadata.token_len, False
    if row.usage is not None and row.usage.completion_tokens is not None:
        return row.usage.completion_tokens - row.usage.reasoning_tokens, True
    return None
