"""Which of a bench's questions each model was judged on, and whether they are a sample as --sample draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from arena_hard.data.records import Question
from arena_hard.data.sample import in_sample_order
from arena_hard.rating.arrays import BoolArray
from arena_hard.rating.battles import Battles
from arena_hard.rating.games import GameTable


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
        there = self.mask.any(axis=(0, 2)).tolist()
        return [name for name, is_there in zip(self.models, there) if is_there]


def judged_in(table: GameTable) -> JudgedQuestions:
    """What was judged by a table; an unreadable verdict is a judgment, too."""
    mask = np.zeros((len(table.judges), len(table.models), len(table.questions)), dtype=bool)
    mask[table.judge, table.model, table.question] = True
    return JudgedQuestions(table.judges, table.models, table.questions, np.packbits(mask).tobytes())


def fought_in(battles: Battles) -> JudgedQuestions:
    """What is known to have been judged from battles alone; no question where they do not name theirs."""
    mask = np.zeros((1, len(battles.models), len(battles.questions)), dtype=bool)
    if battles.questions:
        mask[0, battles.model_a, battles.question] = mask[0, battles.model_b, battles.question] = True
    return JudgedQuestions([], battles.models, battles.questions, np.packbits(mask).tobytes())


@dataclass(frozen=True)
class Coverage:
    """What was judged, held against the bench.

    judges: as in JudgedQuestions. judged: mask [judges, models, questions of the bench], the questions in
    the order of samples, so that every stratified sample is a beginning of it.
    strays: how many of the judged questions the bench does not have.
    """

    judges: list[str]
    models: list[str]
    judged: BoolArray
    strays: int

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
                found.setdefault((number, number > 0 and bool(mask[:number].all())), []).append(model)
        return dict(sorted(found.items()))

    def shared(self) -> int | None:
        """How many questions all judged models have in common; None where they were judged on the same ones."""
        masks: BoolArray = np.any(self.judged, axis=0)
        masks = masks[np.any(masks, axis=1)]
        return int(masks.all(axis=0).sum()) if (masks != masks[:1]).any() else None


def coverage(known: JudgedQuestions, questions: Sequence[Question], models: Sequence[str]) -> Coverage | None:
    """What some models were judged on, of a bench's questions; None where either does not name questions."""
    if not questions or not known.questions:
        return None
    place = {question.question_id: column for column, question in enumerate(in_sample_order(questions))}
    columns = np.array([place.get(name, -1) for name in known.questions])
    mask = known.mask[:, [known.models.index(name) for name in models]]
    judged = np.zeros((*mask.shape[:2], len(place)), dtype=bool)
    judged[:, :, columns[columns >= 0]] = mask[:, :, columns >= 0]
    strays = mask[:, :, columns < 0].any(axis=(0, 1)).sum()
    return Coverage(known.judges, list(models), judged, int(strays))
