"""Answers of a large file, of which each is read at its place when it is asked for: a run needs few at a time.

The file stays open meanwhile, so that the answers are those that were planned with, also where it is replaced.
"""

from __future__ import annotations

import functools
import os
import weakref
from pathlib import Path

from arena_hard.data import jsonl
from arena_hard.data.bench_files import answer_if_any
from arena_hard.data.open_files import most_answer_files
from arena_hard.data.record_index import Stamp, stamp_from
from arena_hard.data.records import Answer

_KEPT = 128  # answers of each file, which are shown again and again

_now_open = weakref.WeakSet["SingleAnswers"]()


class SingleAnswers:
    """The answers of a file that stays open until `close`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)
        self.at = functools.lru_cache(_KEPT)(functools.partial(_read, descriptor))
        _now_open.add(self)

    def close(self) -> None:
        """Give the file back; nothing may be asked for any more."""
        _now_open.discard(self)
        self._close()


def open_answers(file: Path, stamp: Stamp) -> SingleAnswers | None:
    """The answers of a file in this state; None where it is in another one, or too many are open."""
    if len(_now_open) >= most_answer_files():
        return None
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return None
    if stamp_from(os.fstat(descriptor)) != stamp:
        os.close(descriptor)
        return None
    return SingleAnswers(descriptor)


def _read(descriptor: int, start: int, end: int) -> Answer | None:
    """The answer in the bytes [start, end); None where there is none."""
    try:
        return jsonl.at(os.pread(descriptor, end - start, start), answer_if_any)
    except OSError:
        return None
