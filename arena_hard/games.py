"""Games as integer codes: what all statistics are computed from.

Texts are not kept: a judgment of 2.6 kB becomes two rows of a few bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GameTable:
    """One row for each game, in the order of the files; codes index the lists of names.

    question, model, judge, baseline, category: integer arrays [n].
    game: [n] 0 for the first game (A = baseline, B = model), 1 for the second (swapped).
    verdict: [n] index into `verdicts.LABELS` as the judge wrote it (A and B of that game),
        or -1 when no verdict could be read.
    """

    questions: list[str]
    models: list[str]
    judges: list[str]
    baselines: list[str]
    categories: list[str]
    question: np.ndarray
    model: np.ndarray
    judge: np.ndarray
    baseline: np.ndarray
    category: np.ndarray
    game: np.ndarray
    verdict: np.ndarray

    def __len__(self) -> int:
        return len(self.verdict)
