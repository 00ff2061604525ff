"""What one judge has judged, as matrices over the models and questions of a bench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arena_hard.browse.record_file import NO_GAME, RecordFile
from arena_hard.rating.arrays import IntArray


@dataclass
class Judged:
    """All judgments of one judge as matrices [model, question] over the bench's models and questions.

    first, second: verdict codes as the judge wrote them (index into LABELS, UNREADABLE or NO_GAME);
    baseline: code of the baseline's name, -1 where the judgment names none; file, row: which of the
    files with the model's judgments, and the row in it, -1 where there is no judgment.
    """

    first: IntArray
    second: IntArray
    baseline: IntArray
    file: IntArray
    row: IntArray

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> Judged:
        """Matrices [model, question] without a judgment."""
        return cls(
            first=np.full(shape, NO_GAME, dtype=np.int8),
            second=np.full(shape, NO_GAME, dtype=np.int8),
            baseline=np.full(shape, -1, dtype=np.int32),
            file=np.zeros(shape, dtype=np.int16),
            row=np.full(shape, -1, dtype=np.int32),
        )

    def fill(self, model: int, number: int, file: RecordFile) -> None:
        """Put the rows of a model's file in; of several lines for one question the last counts."""
        codes, from_the_end = np.unique(file.question[::-1], return_index=True)
        rows = len(file.question) - 1 - from_the_end
        self.file[model, codes] = number
        self.row[model, codes] = rows
        self.first[model, codes] = file.facts[rows, 0]
        self.second[model, codes] = file.facts[rows, 1]
        self.baseline[model, codes] = file.facts[rows, 2]

    def most_named(self, categories: Sequence[str], baselines: Sequence[str]) -> dict[str, str]:
        """The baseline that most judgments name by category, under "" that of all; categories: of each question."""
        groups = np.array(categories, dtype=object)
        named: dict[str, str] = {}
        for category in sorted({*categories} - {""}) + [""]:
            here = (self.row >= 0) & (self.baseline >= 0) & ((groups == category) | (not category))[None, :]
            counts = np.bincount(self.baseline[here], minlength=1)
            if counts.any():
                named[category] = baselines[int(counts.argmax())]
        return named
