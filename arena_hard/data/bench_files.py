"""The record files of a bench as the stages use them: questions, answers and judgments by question_id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data import jsonl, record_lines
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench, name_of
from arena_hard.data.record_folder import is_there
from arena_hard.data.records import (
    Answer,
    NothingSaid,
    Question,
    UserError,
    answer_from_row,
    question_from_row,
)

ERROR_MARK = "$ERROR$"  # what the original wrote in place of an answer that it could not get


def load_questions(bench: Bench) -> list[Question]:
    """The questions in the order of the file. Raises UserError for a bad or torn line or an id that is there twice."""
    bench.check()
    questions = list(jsonl.read(bench.question_file, question_from_row, complete=True))
    if not questions:
        raise UserError(f"{bench.question_file} contains no question.")
    seen: set[str] = set()
    for question in questions:
        if question.question_id in seen:
            raise UserError(
                f"{bench.question_file}: question_id {question.question_id} occurs twice. Remove one of the two."
            )
        seen.add(question.question_id)
    return questions


def load_answers(file: Path) -> dict[str, Answer]:
    """Answers by question_id, the last of several; empty when there is no file.

    What the original wrote for a failed call is no answer, nor is null in the place of a text, which is said.
    """
    said: list[jsonl.Remark] = []
    try:
        return read_answers(file, said) if is_there(file) else {}
    finally:
        jsonl.say(said)


def read_answers(
    file: Path, said: list[jsonl.Remark], places: dict[str, tuple[int, int]] | None = None
) -> dict[str, Answer]:
    """The answers of a file that is there. said: gets what there is to say of them; places: the bytes of each."""
    lines: list[tuple[int, int]] | None = None if places is None else []
    found = list(jsonl.read(file, answer_if_any, said=said, places=lines))
    if places is not None and lines is not None:
        places.update((answer.question_id, place) for answer, place in zip(found, lines) if answer is not None)
    answers = {answer.question_id: answer for answer in found if answer is not None}
    if empty := found.count(None):
        said.append(
            jsonl.Remark(
                f"{file}: {counted(empty, 'record')} without an answer (null or an empty list in its place) "
                "not counted. gen_answer.py asks for what is missing."
            )
        )
    whole = {key: answer for key, answer in answers.items() if not has_error_mark(answer)}
    nameless = {key: answer for key, answer in whole.items() if not answer.model}
    return whole | {key: msgspec.structs.replace(answer, model=name_of(file)) for key, answer in nameless.items()}


def answer_if_any(row: dict[str, Any]) -> Answer | None:
    """An answer from a row of either format; None where it holds none. Raises ValueError with the key that is wrong."""
    try:
        return answer_from_row(row)
    except NothingSaid:
        return None


def has_error_mark(answer: Answer) -> bool:
    """Whether the original wrote this record for a call that failed."""
    return any(turn.content == ERROR_MARK for turns in answer.choices for turn in turns)


def put_in_order(file: Path, questions: list[Question]) -> None:
    """Sort a finished record file by question, the last line of each: equal runs leave equal files.

    The bootstrap draws rows by their place in the file, so the order is part of the result. Lines
    that a later one replaced are kept in FILE.superseded.
    """
    if not file.exists():  # a run that wrote nothing leaves no file
        return
    place = {question.question_id: index for index, question in enumerate(questions)}
    record_lines.sort(file, place, file.with_name(file.name.removesuffix(".jsonl") + ".superseded"))
