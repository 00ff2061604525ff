"""A --redo that is broken off and goes on: which records it is about, and which of them it has made.

What is asked for anew is paid for anew, so a redo that was killed, stopped by a limit, or failed in part makes what it
has not made yet when it is repeated. It stands in the entries of its runs in the manifest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data import jsonl


class Redo(msgspec.Struct):
    """name: of all runs of one redo; ids: the question ids that it is about; done: those whose records it has made.

    size: bytes of the record file when its last run began; what stands behind them is that run's. failed: those that
    had no record before, and got none: any run asks for them again.
    """

    name: str
    ids: list[str]
    done: list[str] = []
    size: int = 0
    failed: list[str] = []

    @property
    def left(self) -> set[str]:
        """Those that it is still to make."""
        return set(self.ids) - {*self.done, *self.failed}

    @property
    def is_open(self) -> bool:
        """Whether something is left to make."""
        return bool(self.left)

    def with_more(self, written: Iterable[str], failed: Iterable[str] = ()) -> Redo:
        """The redo after these records were written, and others failed that were not there before."""
        ids = set(self.ids)
        done, lost = {*self.done, *ids & set(written)}, {*self.failed, *ids & set(failed)}
        return Redo(self.name, self.ids, sorted(done), self.size, sorted(lost - done))


def begun(before: Redo | None, ids: set[str], name: str, new: Set[str] = frozenset()) -> Redo:
    """The redo of records with these question ids: a new one of that name, or the one that was broken off before.

    new: the ids of further records that it makes, which were not there.
    """
    goes_on = before and (before.name == name or (before.is_open and not ids & set(before.done)))
    if before and goes_on:
        return Redo(before.name, sorted(ids | new | set(before.ids)), before.done, failed=before.failed)
    return Redo(name, sorted(ids | new))


def left_of(before: Redo | None, ids: Iterable[str], missing: Set[str] = frozenset()) -> set[str]:
    """Those of the records to make anew that the redo which was broken off has not made; all where it made each.

    missing: the ids of records that are not there; while it is still to make one of them, nothing is made once more.
    """
    ids = set(ids)
    if before is None or not before.is_open:
        return ids
    left = ids - set(before.done)
    return left if left or before.left & missing else ids


def written_since(records: Path, size: int) -> set[str]:
    """The question ids of the records behind so many bytes of a file that runs have only added to."""
    return {str(row["question_id"]) for row in rows_since(records, size) if row.get("question_id") is not None}


def rows_since(records: Path, size: int) -> Iterator[dict[str, Any]]:
    """The records behind so many bytes of a file; those that cannot be read, or a file that is gone, are none."""
    with contextlib.suppress(OSError), records.open("rb") as file:
        file.seek(size)
        for line in file:
            with contextlib.suppress(*jsonl.BROKEN):
                row: Any = msgspec.json.decode(line)
                if isinstance(row, dict):
                    yield row
