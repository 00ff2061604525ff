"""Of several records of the same judgment, in one file or in several: which one counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arena_hard.data.record_folder import rank
from arena_hard.rating.arrays import BoolArray, IntArray


@dataclass(frozen=True)
class Overruled:
    """Records of one file that do not count, because another one has the same judgments.

    by_name: whether the other one is better named after the model; else it comes later.
    """

    file: Path
    by: Path
    count: int
    by_name: bool


@dataclass(frozen=True)
class Counted:
    """kept: mask [n] of the rows that count; duplicates: rows by file that a later line of it replaced."""

    kept: BoolArray
    duplicates: dict[str, int]
    overruled: list[Overruled]


def ranks(files: Sequence[Path], file: IntArray, models: Sequence[str], model: IntArray) -> IntArray:
    """[n] how well each row's file is named after its model."""
    pairs, rows = np.unique(file.astype(np.int64) * len(models) + model, return_inverse=True)
    of_pair = [rank(files[int(pair) // len(models)], models[int(pair) % len(models)]) for pair in pairs]
    return np.array(of_pair, dtype=np.int32)[rows]


def named_elsewhere(keys: Sequence[IntArray], unnamed: BoolArray) -> BoolArray:
    """Mask [n] of the rows without a baseline that are there with one, too: what names it counts."""
    if not unnamed.any() or unnamed.all():
        return np.zeros(len(unnamed), dtype=bool)
    key = _joined(keys)
    return unnamed & np.isin(key, key[~unnamed])


def counting(keys: Sequence[IntArray], rank: IntArray, file: IntArray, files: Sequence[Path]) -> Counted:
    """Of the rows with the same keys the one in the file that is named best counts, of several such the last.

    keys: each [n] codes; rank, file: [n].
    """
    key = _joined(keys)
    order = np.argsort(rank, kind="stable")
    _, from_the_end, group = np.unique(key[order][::-1], return_index=True, return_inverse=True)
    winner = np.empty(len(key), dtype=np.int64)  # of each row, the row that counts
    winner[order[::-1]] = order[len(key) - 1 - from_the_end][group]
    lost = np.flatnonzero(winner != np.arange(len(key)))
    kept = np.ones(len(key), dtype=bool)
    kept[lost] = False
    duplicates: dict[str, int] = {}
    overruled: list[Overruled] = []
    cases = np.column_stack([file[lost], file[winner[lost]], rank[lost] < rank[winner[lost]]])
    found, counts = np.unique(cases, axis=0, return_counts=True)
    for case, count in zip(found, counts):
        loser, by, by_name = map(int, case)
        if loser == by:
            duplicates[str(files[loser])] = int(count)
        else:
            overruled.append(Overruled(files[loser], files[by], int(count), bool(by_name)))
    return Counted(kept, duplicates, overruled)


def _joined(keys: Sequence[IntArray]) -> IntArray:
    """Several codes as one."""
    key = np.zeros(len(keys[0]), dtype=np.int64)
    for codes in keys:
        key = key * (int(codes.max(initial=0)) + 1) + codes
    return key
