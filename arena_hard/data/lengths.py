"""How long a model's answers are on average: the leaderboard's last column."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.bench_files import ERROR_MARK
from arena_hard.data.beside import Copy
from arena_hard.data.paths import Bench, name_of
from arena_hard.data.record_folder import is_there, record_files
from arena_hard.data.record_index import Gathered, Records, found_in, index_file, is_worth_keeping, known, stamp_of
from arena_hard.data.record_values import token_count
from arena_hard.data.typed_jsonl import Reader

_LARGE = 16 << 20  # bytes of answers; fewer are read as quickly as another process begins
CUT_OFF = frozenset({"length", "max_tokens", "MAX_TOKENS", "model_length"})
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
    """What the length of an answer is read from (a count for each turn, one for all of them, or the server's), and its
    reason to end."""

    question_id: str = ""
    uid: str = ""
    choices: list[_Choice | str | None] | _Choice | str | None = None
    metadata: _Metadata | Odd = None
    conv_metadata: _Metadata | Odd = None
    usage: _Usage | Odd = None
    finish_reason: Any = None


class AnswerKind(msgspec.Struct, frozen=True, array_like=True):
    """What is known of an answer: its tokens, None where nobody counted them, and whether the server did; whether the
    original wrote it for a call that failed; whether it ended because max_tokens was reached.
    """

    tokens: float | None
    by_server: bool
    has_failed: bool
    is_cut_off: bool


class AnswerLengths(msgspec.Struct, frozen=True):
    """average: tokens per answer, None without a countable answer; answers: how many were counted;
    by_server: how many of them by the server's own count, which is another tokenizer's; of: how many answers there are.
    """

    average: float | None
    answers: int = 0
    by_server: int = 0
    of: int = 0


def answer_lengths(bench: Bench, model: str, keep: bool = False) -> AnswerLengths:
    """The average length of a model's answers; of several for one question the last counts. keep: as in known_answers.

    Raises UserError for a broken line.
    """
    file = bench.answer_file(model)
    if not is_there(file):
        return AnswerLengths(None)
    records, said = known_answers(bench, file, keep)
    jsonl.say(said)
    return _lengths_in(records)


def lengths_ahead(
    bench: Bench, judges: Sequence[str], copy: Copy, keep: bool = False
) -> Callable[[str], AnswerLengths]:
    """What gives `answer_lengths` of a model; those of the models that were judged are left to a copy of this process
    where they are large. keep: whether indexes may be written, where all are large together.
    """
    folders = [each.folder for judge in judges for each in bench.judgment_sets(judge)]
    names = {name_of(file) for folder in folders for file in record_files(folder)}
    files = {name: file for name in sorted(names) if (file := bench.answer_file(name)).is_file()}
    keep = keep and is_worth_keeping(_size_of(files.values()))
    at_hand = {name: _lengths_in(found) for name, file in files.items() if (found := answers_at_hand(bench, file))}
    others = [name for name in files if name not in at_hand]
    if _size_of(files[name] for name in others) >= _LARGE:
        read = copy.leave(lambda: {name: answer_lengths(bench, name, keep) for name in others})
        found_by = functools.cache(lambda: at_hand | (read() or {}))
    else:
        found_by = functools.cache(lambda: at_hand)
    return lambda model: found_by().get(model) or answer_lengths(bench, model, keep)


def _size_of(files: Iterable[Path]) -> int:
    return sum(stamp.size for file in files if (stamp := stamp_of(file)))


# ------------------------------------------------------------------------------------------- of a file


def known_answers(
    bench: Bench, file: Path, keep: bool, with_places: bool = False
) -> tuple[Records[AnswerKind], list[jsonl.Remark]]:
    """What is known of a file's answers, and what there is to say of it. keep: whether an index may be written.

    Its marks are, with_places and where there is an index, where each record lies: its first byte, and how many they
    are. Raises UserError for a broken line.
    """
    places = array("q") if keep or with_places else None
    return known(_index(bench, file, keep), file, AnswerKind, lambda said: _gather(file, said, places), keep)


def answers_at_hand(bench: Bench, file: Path) -> Records[AnswerKind] | None:
    """What is known of a file's answers by its index; None where there is none that fits."""
    return found_in(_index(bench, file, False), file, AnswerKind)


def _index(bench: Bench, file: Path, keep: bool) -> Path | None:
    return index_file(bench, file, ".lengths", keep)


def _gather(file: Path, said: list[jsonl.Remark], places: array[int] | None) -> Gathered[AnswerKind]:
    ids: list[str] = []
    codes = array("I")
    numbers: dict[tuple[float | None, bool, bool, bool], int] = {}
    reader: Reader[AnswerRow] = Reader(AnswerRow)
    for rows in reader.blocks(file, said, places):
        ids += [row.question_id or row.uid for row in rows]
        codes.extend(numbers.setdefault(answer_kind(row), len(numbers)) for row in rows)
    reader.check_ids(file, ids)
    kinds = [AnswerKind(*each) for each in numbers]
    marks = [places.tobytes()] if places is not None else []
    return Gathered(ids, kinds, codes, marks, _average(ids, kinds, codes))


def answer_kind(row: AnswerRow) -> tuple[float | None, bool, bool, bool]:
    """What an AnswerKind says of an answer."""
    turns, why = _turns_of(row), row.finish_reason
    failed = _has_failed(turns)
    tokens, by_server = (None, False) if failed else _length(row, turns)
    return tokens, by_server, failed, isinstance(why, str) and why in CUT_OFF


def _average(ids: Sequence[str], kinds: Sequence[AnswerKind], codes: Sequence[int]) -> AnswerLengths:
    last = dict(zip(ids, codes))
    lost = {code for code, kind in enumerate(kinds) if kind.has_failed}
    failed = {key for key, code in zip(ids, codes) if code in lost} if lost else ()
    there = len(last) - sum(kinds[last[key]].tokens is None for key in failed)
    counted = [kind for code in last.values() if (kind := kinds[code]).tokens is not None]
    if not counted:
        return AnswerLengths(None, of=there)
    total = sum(kind.tokens or 0 for kind in counted)
    return AnswerLengths(total / len(counted), len(counted), sum(kind.by_server for kind in counted), there)


def _lengths_in(records: Records[AnswerKind]) -> AnswerLengths:
    return msgspec.convert(records.whole, AnswerLengths)


# ------------------------------------------------------------------------------------------ of an answer


def _has_failed(turns: _Turns) -> bool:
    """Whether the original wrote this record for a call that failed."""
    return any(turn.content == _ERROR_MARK if isinstance(turn, _Turn) else turn == ERROR_MARK for turn in turns)


def _length(row: AnswerRow, turns: _Turns) -> tuple[float | None, bool]:
    """(tokens of all turns, whether the server counted them); None where nobody did."""
    counted = sum_of_counts([getattr(turn, "token_len", None) for turn in turns])
    if counted is None:
        counted = first_count([getattr(each, "token_len", None) for each in (row.metadata, row.conv_metadata)])
    if counted is not None:
        return counted, False
    served = served_length(row.usage)
    return served, served is not None


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
