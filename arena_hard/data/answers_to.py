"""A model's answers to a few questions: the lines that hold their ids are decoded, the others passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from arena_hard.data import jsonl
from arena_hard.data.bench_files import answer_if_any, has_error_mark, load_answers
from arena_hard.data.record_folder import is_there
from arena_hard.data.records import Answer
from arena_hard.data.typed_jsonl import blocks_of

_PLAIN = re.compile(r"[\w.:+-]+", re.ASCII)  # an id of such characters stands in JSON as it is


def answers_to(file: Path, question_ids: AbstractSet[str]) -> dict[str, Answer]:
    """Answers to these questions by question_id, the last of several; empty when there is no file.

    As `load_answers` gives them, but without a model's name that is in no record. Records that cannot be read are
    passed over: they are the business of those who read all. Raises UserError for a file that cannot be read.
    """
    if not is_there(file) or not question_ids:
        return {}
    if not all(_PLAIN.fullmatch(each) for each in question_ids):
        return {key: answer for key, answer in load_answers(file).items() if key in question_ids}
    try:
        found = list(_answers_on(_lines_with(file, question_ids)))
    except OSError as error:
        raise jsonl.unreadable(file, error) from None
    last = {answer.question_id: answer for answer in found if answer.question_id in question_ids}
    return {key: answer for key, answer in last.items() if not has_error_mark(answer)}


def _answers_on(lines: Iterator[bytes]) -> Iterator[Answer]:
    """The answers that lines hold."""
    for span in jsonl.spans(lines, jsonl.decode_object):
        try:
            answer = answer_if_any(span.value) if span.error is None else None
        except (*jsonl.BROKEN, ValueError, AttributeError, TypeError):
            continue
        if answer is not None:
            yield answer


def _lines_with(file: Path, question_ids: AbstractSet[str]) -> Iterator[bytes]:
    """The lines of a file that hold one of some plain ids, in their order."""
    ids = [each.encode() for each in question_ids]
    for block in blocks_of(file):
        for start, end in sorted({span for each in ids for span in _lines_around(block, each)}):
            yield block[start:end]


def _lines_around(block: bytes, text: bytes) -> Iterator[tuple[int, int]]:
    """Where in a block the lines lie that hold a text."""
    end = 0
    while (place := block.find(text, end)) >= 0:
        start = block.rfind(b"\n", 0, place) + 1
        end = block.find(b"\n", place) + 1 or len(block)
        yield start, end
