"""Judgment files read in two processes: how they are divided, and how the second half's codes join the first's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from arena_hard.data.typed_jsonl import InputFile
from arena_hard.rating.arrays import IntArray
from arena_hard.rating.game_codes import Codes

_LARGE = 16 << 20  # bytes of judgments; fewer are read as quickly as another process begins


@dataclass(frozen=True)
class Half:
    """What was read of some files: columns of codes, whose names are those of `names` in the order of their codes."""

    names: Mapping[str, Sequence[str]]
    columns: Mapping[str, IntArray]
    unnamed: list[str]
    files: list[Path]
    is_renamed: bool
    inputs: tuple[InputFile, ...]


def second_half(files: Sequence[Path]) -> int:
    """The place of the first file of the second half, by bytes; behind the last where all are small."""
    sizes = list(accumulate(file.stat().st_size if file.is_file() else 0 for file in files))
    if not sizes or sizes[-1] < _LARGE:
        return len(files)
    return next(place for place, size in enumerate(sizes, 1) if 2 * size >= sizes[-1])


def join(names: Mapping[str, Codes], columns: Mapping[str, list[int]], half: Half, files: int) -> None:
    """Put a half behind what is there, with names in the order of one reading of all. files: how many were read."""
    for column, values in half.columns.items():
        if column in names:
            known = np.array([names[column][name] for name in half.names[column]], dtype=np.int32)
            values = known[values]
        elif column == "file":
            values = values + files
        columns[column].extend(values.tolist())
