"""Answers and judgments without their texts, by the index of their files: which there are, and how they were made.

Texts are read where they are needed: those of a file of answers together, the first time that one is asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.bench_files import answer_if_any, load_answers, read_answers
from arena_hard.data.paths import Bench
from arena_hard.data.record_folder import is_there
from arena_hard.data.record_index import (
    Column,
    Records,
    Row,
    Stamp,
    found_in,
    index_file,
    known,
    mark_of,
    records_of,
    stamp_of,
)
from arena_hard.data.records import Answer, Game, Judgment, Question, UserError, judgment_from_row
from arena_hard.data.saved import MARK
from arena_hard.data.verdicts import standard_label

NO_MARK = bytes(MARK)

# ----------------------------------------------------------------------------------------- judgments


class Judged(msgspec.Struct, frozen=True, array_like=True):
    """What many judgments have in common. verdicts: of each game, None for none; an odd one that is no label is `?`.

    shown: whether there is a first game; kept: the share of the answers that its prompt shows.
    """

    model: str
    baseline: str | None
    settings_hash: str | None
    verdicts: tuple[str | None, ...]
    shown: bool
    kept: float = 1.0

    @property
    def games(self) -> tuple[Game, ...]:
        """The games, with nothing but their verdicts."""
        return tuple(map(Game, self.verdicts))


Played = Judgment | Judged


def judged_row(judgment: Judgment) -> Row[Judged]:
    """What is known of a judgment. Its mark is that of the first game's prompt."""
    first = judgment.games[0] if judgment.games else None
    kept = (first.truncated or {}).get("kept", 1.0) if first else 1.0
    kind = Judged(
        judgment.model,
        judgment.baseline,
        judgment.settings_hash,
        tuple(_verdict(game) for game in judgment.games),
        first is not None,
        kept,
    )
    return judgment.question_id, kind, (mark_of([first.user_prompt]) if first else NO_MARK,)


def _verdict(game: Game | None) -> str | None:
    verdict: Any = game and game.verdict  # whatever the record holds
    if verdict is None or isinstance(verdict, str):
        return verdict
    return standard_label(verdict) or "?"


def known_judgments(bench: Bench, file: Path) -> tuple[Records[Judged], list[jsonl.Remark]]:
    """What is known of a file of judgments, and what there is to say of it. Raises UserError."""

    def read(said: list[jsonl.Remark]) -> Iterator[Row[Judged]]:
        yield from map(judged_row, jsonl.read(file, judgment_from_row, said=said))

    return known(index_file(bench, file), file, Judged, read)


def judgments_at_hand(bench: Bench, file: Path) -> Records[Judged] | None:
    """What is known of a file of judgments by its index; None where there is none that fits.

    For those who ask whom the judgments are against, also in folders where they write nothing: no index is made. There
    is nothing to say of what has one.
    """
    return found_in(index_file(bench, file), file, Judged)


# ------------------------------------------------------------------------------------------- answers


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """What many answers have in common. turns: how many; hashed: whether they carry the hash of their question."""

    model: str
    settings_hash: str | None
    turns: int
    hashed: bool


def answered_row(key: str, answer: Answer) -> Row[Answered]:
    """What is known of an answer. Its marks are those of what is judged of its texts, and of its question's hash."""
    kind = Answered(answer.model, answer.settings_hash, len(answer.turns), answer.question_hash is not None)
    return key, kind, (_texts_mark(answer), mark_of([answer.question_hash or ""]))


def _texts_mark(answer: Answer) -> bytes:
    return mark_of(turn.content for turn in answer.turns)


class Answers(Mapping[str, Answer]):
    """The answers of a file by question_id, as bench_files.load_answers has them; texts are read when one is needed."""

    def __init__(self, bench: Bench, file: Path) -> None:
        self.file = file
        self._loaded: dict[str, Answer] | None = None
        self._found: dict[str, Answer] = {}
        self._stamp: Stamp | None = stamp_of(file)
        if not is_there(file):
            self._loaded, self.records = {}, records_of([], Answered)
            return
        self.records, said = known(index_file(bench, file), file, Answered, self._read)
        jsonl.say(said)

    def _read(self, said: list[jsonl.Remark]) -> Iterator[Row[Answered]]:
        self._loaded = read_answers(self.file, said)
        for key, answer in self._loaded.items():
            yield answered_row(key, answer)

    @functools.cached_property
    def facts(self) -> Column[Answered]:
        """What is known of each without its texts."""
        return self.records.by_id

    @functools.cached_property
    def marks(self) -> dict[str, bytes]:
        """The mark of each one's texts."""
        return dict(self.records.marked())

    def __getitem__(self, key: str) -> Answer:
        if key not in self.facts:
            raise KeyError(key)
        if key in self._found:
            return self._found[key]
        if self._loaded is None:
            self._loaded = load_answers(self.file)
        if key not in self._loaded:
            raise UserError(f"{self.file} was changed while this run was planned. Run again.")
        return self._loaded[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)

    def __contains__(self, key: object) -> bool:
        return key in self.facts

    def forget(self) -> None:
        """Let the texts go until one is needed again."""
        self._loaded = None if self.file.is_file() else self._loaded

    def find(self, key: str) -> None:
        """Look for one answer, to be had without those behind it in the file."""
        if self._loaded is not None or key not in self.facts:
            return
        for answer in jsonl.read(self.file, answer_if_any, said=[]):
            if answer and answer.question_id == key and _texts_mark(answer) == self.marks[key]:
                self._found[key] = msgspec.structs.replace(answer, model=self.facts[key].model)
                return

    def stamp(self) -> Stamp | None:
        """That of the file before anything was read of it."""
        return self._stamp

    def to_other_words(self, questions: list[Question]) -> set[str]:
        """The ids of those that answer other questions than today's, as Answer.is_to_other_words says it."""
        hashes, turns = _hashes(questions)
        hashed = self.facts.where(lambda each: each.hashed)
        edited = {key for key, mark in self.records.marked(1) if hashes.get(key, mark) != mark and key in hashed}
        ours = self.facts.where(lambda each: not each.hashed and each.settings_hash is not None)
        return edited | {key for key in ours & turns.keys() if self.facts[key].turns != turns[key]}


_last: tuple[list[Question], dict[str, bytes], dict[str, int]] = [], {}, {}


def _hashes(questions: list[Question]) -> tuple[dict[str, bytes], dict[str, int]]:
    """The mark of each question's hash, and its turns, by id; those of the last list are kept for the next model."""
    global _last
    if _last[0] is not questions:
        hashes = {question.question_id: mark_of([question.hash]) for question in questions}
        _last = questions, hashes, {question.question_id: len(question.turns) for question in questions}
    return _last[1], _last[2]
