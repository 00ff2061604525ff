"""Which of a bench's questions each model was judged on, and whether they are a sample as --sample draws it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from arena_hard.data.records import Question
from arena_hard.data.sample import in_sample_order
from arena_hard.rating.arrays import BoolArray, occurring
from arena_hard.rating.battles import Battles
from arena_hard.rating.games import GameTable, select

_FEW_UNREADABLE = 0.05  # of a model's questions: so few move no score by much, and are counted elsewhere
_NO_CHANCE = 100  # choices of as many questions, among which nobody hits the sample's by accident


class JudgedQuestions(msgspec.Struct, frozen=True):
    """What was judged, small enough for the note beside cached battles, which lack what could not be read.

    bits: a packed mask [judges, models, questions]. `judges` is empty where battles are all that is known:
    they say on which questions some verdict could be read.
    """

    judges: list[str]
    models: list[str]
    questions: list[str]
    bits: bytes

    @property
    def mask(self) -> BoolArray:
        """The mask [judges (1 where they are not known), models, questions]."""
        shape = max(1, len(self.judges)), len(self.models), len(self.questions)
        bits = np.unpackbits(np.frombuffer(self.bits, dtype=np.uint8), count=int(np.prod(shape)))
        return bits.reshape(shape).astype(bool)

    def known_models(self) -> list[str]:
        """The models that were judged on some question, in their order."""
        there: list[bool] = np.any(self.mask, axis=(0, 2)).tolist()
        return [name for name, is_there in zip(self.models, there) if is_there]


def is_clearly_fewer(read: int, judged: int) -> bool:
    """Whether more than a few of the judged questions have no readable verdict."""
    return read < (1.0 - _FEW_UNREADABLE) * judged


def judged_in(table: GameTable) -> JudgedQuestions:
    """What was judged by a table; an unreadable verdict is a judgment, too."""
    mask = np.zeros((len(table.judges), len(table.models), len(table.questions)), dtype=bool)
    mask[table.judge, table.model, table.question] = True
    return JudgedQuestions(table.judges, table.models, table.questions, np.packbits(mask).tobytes())


def read_in(table: GameTable) -> JudgedQuestions:
    """On which questions a table has readable verdicts."""
    return judged_in(select(table, table.verdict >= 0))


def fought_in(battles: Battles) -> JudgedQuestions:
    """What is known to have been judged from battles alone; no question where they do not name theirs."""
    mask = np.zeros((1, len(battles.models), len(battles.questions)), dtype=bool)
    if battles.questions:
        mask[0, battles.model_a, battles.question] = mask[0, battles.model_b, battles.question] = True
    return JudgedQuestions([], battles.models, battles.questions, np.packbits(mask).tobytes())


def listed(table: GameTable, questions: Sequence[Question]) -> tuple[GameTable, int]:
    """The games on a bench's questions, and how many other questions were judged."""
    ids = {question.question_id for question in questions}
    known = np.array([name in ids for name in table.questions], dtype=bool)[table.question]
    return select(table, known), len(occurring(table.question[~known]))


@dataclass(frozen=True)
class Coverage:
    """What was judged, held against the bench.

    judges: as in JudgedQuestions. judged: mask [judges, models, questions of the bench], the questions in
    the order of samples, so that every stratified sample is a beginning of it.
    strays: how many of the judged questions the bench does not have. readable: mask [models, questions], on which some
    verdict could be read.
    """

    judges: list[str]
    models: list[str]
    judged: BoolArray
    strays: int
    readable: BoolArray

    @property
    def n_questions(self) -> int:
        """How many questions the bench has."""
        return self.judged.shape[2]

    def counts(self) -> dict[str, int]:
        """How many questions each model was judged on; of several judges' counts the smallest above none."""
        counts = self.judged.sum(axis=2)
        least = np.where(counts > 0, counts, self.n_questions).min(axis=0)
        return dict(zip(self.models, np.where(counts.any(axis=0), least, 0).tolist()))

    def groups(self, judge: int) -> dict[tuple[int, bool], list[str]]:
        """The models that a judge has not judged on every question, by (questions, whether they are a sample)."""
        found: dict[tuple[int, bool], list[str]] = {}
        for model, mask in zip(self.models, self.judged[judge]):
            number = int(mask.sum())
            if number < self.n_questions:
                is_sample = bool(mask[:number].all()) and math.comb(self.n_questions, number) >= _NO_CHANCE
                found.setdefault((number, is_sample), []).append(model)
        return dict(sorted(found.items()))

    def read(self) -> dict[str, int]:
        """On how many questions a verdict of each model could be read."""
        return dict(zip(self.models, self.readable.sum(axis=1).tolist()))

    def half_read(self) -> dict[int, list[str]]:
        """The models whose score rests on clearly fewer questions than they were judged on, by their number."""
        found: dict[int, list[str]] = {}
        judged: list[int] = np.any(self.judged, axis=0).sum(axis=1).tolist()
        for of, (model, number) in zip(judged, self.read().items()):
            if number and is_clearly_fewer(number, of):
                found.setdefault(number, []).append(model)
        return dict(sorted(found.items()))

    def shared(self) -> int | None:
        """How many questions all scores rest on; None where they rest on the same ones, but for a few unreadable."""
        masks: BoolArray = self.readable if self.half_read() else np.any(self.judged, axis=0)
        masks = masks[np.any(masks, axis=1)]
        return int(masks.all(axis=0).sum()) if (masks != masks[:1]).any() else None


def coverage(
    known: JudgedQuestions, read: JudgedQuestions, questions: Sequence[Question], models: Sequence[str]
) -> Coverage | None:
    """What some models were judged on, of a bench's questions; None where either does not name questions.

    read: where a verdict could be read.
    """
    if not questions or not known.questions:
        return None
    place = {question.question_id: column for column, question in enumerate(in_sample_order(questions))}
    judged, strays = _placed(known, place, models)
    readable: BoolArray = np.any(_placed(read, place, models)[0], axis=0)
    return Coverage(known.judges, list(models), judged, strays, readable)


def _placed(known: JudgedQuestions, place: Mapping[str, int], models: Sequence[str]) -> tuple[BoolArray, int]:
    """The mask [judges, models, questions of the bench], and how many questions have no place."""
    columns = np.array([place.get(name, -1) for name in known.questions], dtype=np.int64)
    rows = {name: row for row, name in enumerate(known.models)}
    there = [one for one, name in enumerate(models) if name in rows]
    mask = known.mask[:, [rows[models[one]] for one in there]]
    judged = np.zeros((len(mask), len(models), len(place)), dtype=bool)
    within = np.zeros((len(mask), len(there), len(place)), dtype=bool)
    within[:, :, columns[columns >= 0]] = mask[:, :, columns >= 0]
    judged[:, there] = within
    return judged, int(mask[:, :, columns < 0].any(axis=(0, 1)).sum())
