"""Batches that a run has begun and not collected, as they stand in a mailbox's folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from arena_hard.calling.stored_requests import rows_in
from arena_hard.data.records import UserError

_PART = re.compile(r"(?P<whole>.*?)(?:, shard (?P<number>\d+) of (?P<count>\d+))?")


@dataclass
class Batch:
    """One batch: what went into it, and how far it is."""

    marker: str
    keys: list[str]
    batch_id: str | None = None
    fresh: bool = True  # prepared by this run: the provider cannot have it yet


def notes_of(folder: Path) -> Path:
    """Where a mailbox notes each step."""
    return folder / "batch.jsonl"


def begun_in(folder: Path) -> tuple[list[Batch], set[str]]:
    """The batches of a mailbox that are open, and the provider's ids of all that it has ever submitted."""
    found: dict[str, Batch] = {}
    known = set[str]()
    for row in rows_in(notes_of(folder)):
        if row["step"] == "prepared":
            found[row["marker"]] = Batch(row["marker"], row["keys"], fresh=False)
        elif row["step"] == "submitted":
            found[row["marker"]].batch_id = row["id"]
            known.add(row["id"])
        else:
            found.pop(row["marker"], None)
    return list(found.values()), known


def check_division(folder: Path) -> None:
    """Whether the records of a mailbox are in no open batch of another division of them. Raises UserError.

    One of as many parts is of other records.
    """
    own = _PART.fullmatch(folder.name)
    assert own is not None
    for other in sorted(folder.parent.iterdir()) if folder.parent.is_dir() else ():
        part = _PART.fullmatch(other.name)
        if part is None or (part["whole"], part["count"] == own["count"]) != (own["whole"], False):
            continue
        if begun_in(other)[0]:
            how = f"with --shard {part['number']}/{part['count']}" if part["count"] else "without --shard"
            raise UserError(
                f"--batch: {other} has open batches, of another division of the same records, which would be paid for "
                f"twice. Run the same command {how} first: it takes their replies in."
            )


def note_of_open(folder: Path) -> str | None:
    """What a run without --batch should say of batches that are open."""
    if not begun_in(folder)[0]:
        return None
    return f"{folder} has open batches, which --batch takes in; what is asked for without it is paid for besides."
