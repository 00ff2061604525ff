"""Answers and judgments without their texts, by the index of their files: which there are, and how they were made.

Texts are read where they are needed, of a large file of answers one by one.
"""

from __future__ import annotations

import contextlib
import functools
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.bench_files import load_answers, read_answers
from arena_hard.data.columns import Column
from arena_hard.data.paths import Bench
from arena_hard.data.record_folder import is_there
from arena_hard.data.record_index import (
    Records,
    Row,
    Stamp,
    found_in,
    index_file,
    is_large,
    known,
    mark_of,
    records_of,
    stamp_of,
)
from arena_hard.data.records import Answer, Game, Judgment, Question, UserError, judgment_from_row
from arena_hard.data.saved import MARK
from arena_hard.data.single_answers import SingleAnswers, open_answers
from arena_hard.data.verdicts import standard_label

NO_MARK = bytes(MARK)
_PLACES = struct.Struct("<QQ")  # of a record: the bytes [start, end) of its file, as long as a mark

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


class _PlainGame(msgspec.Struct):
    user_prompt: str
    score: str | None = None
    truncated: None = None


class _PlainJudgment(msgspec.Struct):
    """A judgment as most are; one that has anything of another type is none."""

    question_id: str
    model: str
    games: list[_PlainGame | None]
    baseline: str | None = None
    category: str | None = None
    settings_hash: str | None = None


_PLAIN = msgspec.json.Decoder(_PlainJudgment)


def _decoded(line: bytes) -> _PlainJudgment | dict[str, Any]:
    """A plain judgment without what planning does not ask for, in a fifth of the time; any other as it is."""
    with contextlib.suppress(*jsonl.BROKEN):
        found = _PLAIN.decode(line)
        if found.question_id:
            return found
    return jsonl.decode_object(line)


def _row_of(found: _PlainJudgment | dict[str, Any]) -> Row[Judged]:
    """What is known of a judgment. Raises ValueError with the key that is wrong."""
    if isinstance(found, dict):
        return judged_row(judgment_from_row(found))
    first = found.games[0] if found.games else None
    verdicts = tuple(game and game.score for game in found.games)
    kind = Judged(found.model, found.baseline, found.settings_hash, verdicts, first is not None)
    return found.question_id, kind, (mark_of([first.user_prompt]) if first else NO_MARK,)


def _verdict(game: Game | None) -> str | None:
    verdict: Any = game and game.verdict  # whatever the record holds
    if verdict is None or isinstance(verdict, str):
        return verdict
    return standard_label(verdict) or "?"


def known_judgments(bench: Bench, file: Path) -> tuple[Records[Judged], list[jsonl.Remark]]:
    """What is known of a file of judgments, and what there is to say of it. Raises UserError."""

    def read(said: list[jsonl.Remark]) -> Iterator[Row[Judged]]:
        return jsonl.read(file, _row_of, said=said, decode=_decoded)

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


_TEXTS, _QUESTION, _PLACE = range(3)  # the columns of marks


def answered_row(key: str, answer: Answer, place: tuple[int, int]) -> Row[Answered]:
    """What is known of an answer. Its marks: of what is judged of its texts, of its question's hash, and its place."""
    kind = Answered(answer.model, answer.settings_hash, len(answer.turns), answer.question_hash is not None)
    return key, kind, (_texts_mark(answer), mark_of([answer.question_hash or ""]), _PLACES.pack(*place))


def _texts_mark(answer: Answer) -> bytes:
    return mark_of(turn.content for turn in answer.turns)


class Answers(Mapping[str, Answer]):
    """The answers of a file by question_id, as bench_files.load_answers has them; texts are read when one is needed."""

    def __init__(self, bench: Bench, file: Path) -> None:
        self.file = file
        self._loaded: dict[str, Answer] | None = None
        self._single: SingleAnswers | None = None
        self._stamp: Stamp | None = stamp_of(file)
        if not is_there(file):
            self._loaded, self.records = {}, records_of([], Answered)
            return
        self.records, said = known(index_file(bench, file), file, Answered, self._read)
        jsonl.say(said)

    def _read(self, said: list[jsonl.Remark]) -> Iterator[Row[Answered]]:
        places: dict[str, tuple[int, int]] = {}
        self._loaded = read_answers(self.file, said, places)
        for key, answer in self._loaded.items():
            yield answered_row(key, answer, places[key])

    @functools.cached_property
    def facts(self) -> Column[Answered]:
        """What is known of each without its texts."""
        return self.records.by_id

    @functools.cached_property
    def marks(self) -> dict[str, bytes]:
        """The mark of each one's texts."""
        return dict(self.records.marked(_TEXTS))

    def __getitem__(self, key: str) -> Answer:
        if key not in self.facts:
            raise KeyError(key)
        if self._loaded is None and (answer := self._alone(key)):
            return answer
        answers = self.load()
        if key not in answers:
            raise UserError(f"{self.file} was changed while this run was planned. Run again.")
        return answers[key]

    def load(self) -> dict[str, Answer]:
        """Have all texts there, for those who need most of them."""
        if self._loaded is None:
            self._loaded = load_answers(self.file)
        return self._loaded

    def _alone(self, key: str) -> Answer | None:
        """One answer at its place; None where it is not there any more."""
        self._single = self._single or open_answers(self.file, self.records.stamp)
        answer = self._single and self._single.at(*_PLACES.unpack(self.records.mark(key, _PLACE)))
        if not answer or answer.question_id != key or _texts_mark(answer) != self.records.mark(key, _TEXTS):
            return None
        return msgspec.structs.replace(answer, model=self.facts[key].model)

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)

    def __contains__(self, key: object) -> bool:
        return key in self.facts

    def forget(self) -> None:
        """Let the texts of a large file go: from now on each is read when it is needed."""
        if is_large(self._stamp):
            self._loaded = None
        if self._single:
            self._single.close()
            self._single = None

    def stamp(self) -> Stamp | None:
        """That of the file before anything was read of it."""
        return self._stamp

    def to_other_words(self, questions: list[Question]) -> set[str]:
        """The ids of those that answer other questions than today's, as Answer.is_to_other_words says it."""
        hashes, turns = _hashes(questions)
        hashed = self.facts.where(lambda each: each.hashed)
        edited = {
            key for key, mark in self.records.marked(_QUESTION) if hashes.get(key, mark) != mark and key in hashed
        }
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
