"""Judgment files read in two processes, by bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

from arena_hard.data.beside import Copy, beside
from arena_hard.data.record_index import stamp_of

T = TypeVar("T")

_LARGE = 16 << 20  # bytes of judgments; fewer are read as quickly as another process begins


def size_of(files: Sequence[Path]) -> int:
    """The bytes of some files."""
    return sum(stamp.size for file in files if (stamp := stamp_of(file)))


def read_all(
    files: Sequence[Path], read: Callable[[Path], T], may_divide: bool = True, copy: Copy | None = None
) -> list[T]:
    """What `read` says of each file; where they are large, the second half is read in a copy of this process.

    copy: which does it first and then what else was left to it; it begins in any case.
    """
    half = _second_half(files) if may_divide else len(files)
    with beside(lambda: [read(file) for file in files[half:]], half < len(files), copy) as others:
        found = [read(file) for file in files[:half]]
        rest = others()
    return found + ([read(file) for file in files[half:]] if rest is None else rest)


def _second_half(files: Sequence[Path]) -> int:
    """The place of the first file of the second half, by bytes; behind the last where all are small."""
    sizes = list(accumulate(map(size_of, ([file] for file in files))))
    if not sizes or sizes[-1] < _LARGE:
        return len(files)
    return next(place for place, size in enumerate(sizes, 1) if 2 * size >= sizes[-1])
