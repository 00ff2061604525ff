"""Text search over questions, answers and judgments, without holding any text in memory.

A file is scanned as bytes first; only lines that may hold the words are decoded and looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from arena_hard.browse.index import BenchIndex
from arena_hard.browse.record_file import Changed, RecordFile, last_rows, read_row
from arena_hard.data.records import Question, answer_from_row, judgment_from_row
from arena_hard.rating.arrays import BoolArray


def in_questions(index: BenchIndex, words: str) -> BoolArray:
    """[question] whether a turn of the question holds the words."""
    wanted = words.casefold()

    def holds(question: Question | None) -> bool:
        return question is not None and any(wanted in turn.casefold() for turn in question.turns)

    return np.fromiter((holds(question) for question in index.questions), bool, len(index.questions))


def in_answers(index: BenchIndex, model: str, words: str) -> BoolArray:
    """[question] whether the model's answer holds the words (the thoughts are not searched)."""
    return _of_file(index, index.answers.get(model), words, "answer")


def in_judgments(index: BenchIndex, judge: str, model: str, words: str) -> BoolArray:
    """[question] whether the judge's text about the model, in either game, holds the words."""
    found = np.zeros(len(index.question_ids), dtype=bool)
    for file in index.judgments.get((judge, model), []):
        found |= _of_file(index, file, words, "judgment")
    return found


def _of_file(index: BenchIndex, file: RecordFile | None, words: str, kind: str) -> BoolArray:
    found = np.zeros(len(index.question_ids), dtype=bool)
    if file is not None:
        is_it = index.is_answer if kind == "answer" else index.is_judgment
        rows = np.intersect1d(_rows_with(_Same(file, is_it), words.casefold(), kind), last_rows(file))
        found[file.question[rows.astype(np.int64)]] = True
    return found


class _Same:
    """A record file as a key: the same as long as path, stamp and the rows are."""

    def __init__(self, file: RecordFile, is_it: Callable[[RecordFile, int, bytes], bool]) -> None:
        self.file, self.is_it = file, is_it
        self.key = (file.path, file.stamp, file.offset.tobytes())

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.key == self.key


@lru_cache(maxsize=1024)
def _rows_with(same: _Same, words: str, kind: str) -> tuple[int, ...]:
    """The rows whose texts hold the words; `words` is casefolded."""
    file = same.file
    texts_of = _answer_texts if kind == "answer" else _judgment_texts
    return tuple(row for row in _candidates(file, words) if _row_holds(same, row, words, texts_of))


def _candidates(file: RecordFile, words: str) -> Iterable[int]:
    """Rows whose line holds the longest run of plain characters of the words."""
    key = _plain_run(words)
    if not key:
        return range(len(file.question))
    try:
        data = Path(file.path).read_bytes().lower()
    except FileNotFoundError:
        return []
    ends = file.offset + file.length
    rows: list[int] = []
    place = data.find(key.encode())
    while place >= 0:
        row = int(np.searchsorted(ends, place, side="right"))
        if row >= len(ends):
            break
        rows.append(row)
        place = data.find(key.encode(), int(ends[row]))
    return rows


def _plain_run(words: str) -> str:
    r"""The longest part of the words that stands in a JSON file as it is: no quotes, \\n or \\u00e9."""
    return max(re.findall(r"[ !#-.0-\[\]-~]+", words), key=len, default="")


def _row_holds(same: _Same, row: int, words: str, texts_of: Callable[[Any], Iterable[str]]) -> bool:
    try:
        values = read_row(same.file, row, same.is_it)
        return values is not None and any(words in text.casefold() for text in texts_of(values))
    except (Changed, ValueError, AttributeError, TypeError):
        return False


def _answer_texts(row: dict[str, Any]) -> list[str]:
    return [turn.content for turn in answer_from_row(row).turns]


def _judgment_texts(row: dict[str, Any]) -> list[str]:
    return [game.judgment for game in judgment_from_row(row).games if game is not None]
