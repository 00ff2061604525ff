"""The questions of a bench as they are in its file, which is read again when it has changed."""

from __future__ import annotations

from pathlib import Path

from arena_hard.browse.record_file import spans_of
from arena_hard.data import jsonl
from arena_hard.data.record_folder import in_place_of
from arena_hard.data.record_index import Stamp, stamp_of
from arena_hard.data.records import Question, question_from_row


class QuestionFile:
    """Questions by id, in the order of the file. problems: lines that could not be read; notes: what else is odd."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.known: dict[str, Question] = {}
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._state: tuple[str, Stamp | None] | None = None

    def refresh(self) -> bool:
        """Read what is there now. Returns whether it may be another than the last time."""
        instead, stamp = in_place_of(self.file), stamp_of(self.file)
        if not instead and stamp is None:
            instead = f"{self.file} is not there: questions are shown by their ids."
        if (instead, stamp) == self._state:
            return False
        self._state = instead, stamp
        self.known, self.problems, self.notes = {}, [], [instead] * bool(instead)
        if not instead:
            self._read()
        return True

    def _read(self) -> None:
        for span in spans_of(self.file, jsonl.decode_object, self.problems, self.notes):
            try:
                question = question_from_row(span.value)
                self.known.setdefault(question.question_id, question)
            except (ValueError, AttributeError, TypeError) as error:
                self.problems.append(f"{self.file}:{span.number}: {error}")
