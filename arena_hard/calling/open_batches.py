"""The folders of mailboxes: batches that were begun and not collected, and replies that have not been read."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
import uuid
from collections.abc import Sequence, Set
from pathlib import Path

import filelock
import msgspec

from arena_hard.calling.stored_requests import append_rows, rows_in
from arena_hard.data import jsonl
from arena_hard.data.records import UserError

_NAME = re.compile(
    r"(?P<whole>(?P<model>.*?)(?: against .*?)?)(?P<part>, shard (?P<number>\d+) of (?P<count>\d+))?", re.DOTALL
)


class Batch(msgspec.Struct):
    """One batch: what went into it, and how far it is."""

    marker: str
    keys: list[str]
    batch_id: str | None = None
    fresh: bool = True  # prepared by this run: the provider cannot have it yet

    @property
    def name(self) -> str:
        """What to call it: the provider's id, or what it is marked with."""
        return self.batch_id or self.marker


def notes_of(folder: Path) -> Path:
    """Where a mailbox notes each step."""
    return folder / "batch.jsonl"


def replies_of(folder: Path) -> Path:
    """Where it keeps what came."""
    return folder / "replies.jsonl"


def requests_of(folder: Path, batch: Batch) -> Path:
    """Where the requests of a batch are; without this file an open one is given up."""
    return folder / f"{batch.marker}.jsonl"


def way_out(folder: Path, batch: Batch, problem: str) -> str:
    """What to do about a batch of which something cannot be read."""
    return (
        f"--batch: batch {batch.name}: {problem.rstrip('.')}. It stays open, and the same command looks again. If its "
        "results are gone for good (OpenAI and Anthropic keep them for some 30 days), remove "
        f"'{requests_of(folder, batch)}': then that command asks anew for what is missing, which is paid for again."
    )


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
        elif row["step"] == "collected":
            found.pop(row["marker"], None)
    return list(found.values()), known


def records_in(folder: Path) -> dict[str, str]:
    """The records that the replies of a mailbox are for, by key, as far as its notes tell them."""
    told = (zip(row["keys"], row["records"]) for row in rows_in(notes_of(folder)) if "records" in row)
    return {key: record for pairs in told for key, record in pairs}


def put_away(folder: Path, left: Sequence[bytes] = ()) -> None:
    """Put a mailbox aside whose replies were read, or taken over; these lines of them stay, and no batch is open."""
    done = folder.parent / "done"
    done.mkdir(exist_ok=True)
    place = done / f"{folder.name}-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:4]}"
    if not left:
        folder.rename(place)
        return
    shutil.copytree(folder, place)
    jsonl.replace(replies_of(folder), left)
    for file in _requests_in(folder):
        file.unlink()


def _requests_in(folder: Path) -> list[Path]:
    return [file for file in folder.glob("*.jsonl") if file not in (notes_of(folder), replies_of(folder))]


def lock_of(folder: Path) -> filelock.FileLock:
    """Held by the one run that uses a mailbox."""
    return filelock.FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)


def take_over(folder: Path, records: Set[str]) -> None:
    """Take in what mailboxes hold for these records that are of runs against other sets of baselines.

    Which baselines a run is about changes with what is missing. What another run is using is of other records. Killed
    on the way, it is done again: what was taken in stands in the notes twice then, which says the same.
    """
    for other in _beside(folder, records):
        with contextlib.suppress(filelock.Timeout), lock_of(other):
            for file in _requests_in(other):
                shutil.copyfile(file, folder / file.name)
            for file_of in (replies_of, notes_of):
                if rows := rows_in(file_of(other)):
                    append_rows(file_of(folder), rows)
            put_away(other)


def _beside(folder: Path, records: Set[str]) -> list[Path]:
    """Mailboxes of the same model and part, against other sets of baselines, that may hold something for these records.

    Those of an earlier version do not tell for which they do.
    """
    own = _name(folder)
    found = (each for each in folder.parent.iterdir() if each != folder) if folder.parent.is_dir() else ()
    alike = (each for each in found if (name := _name(each))["model"] == own["model"] and name["part"] == own["part"])
    told = {each: set(records_in(each).values()) for each in alike if notes_of(each).exists()}
    return sorted(each for each, those in told.items() if not those or those & {"", *records})


def _name(folder: Path) -> dict[str, str | None]:
    found = _NAME.fullmatch(folder.name)
    assert found is not None
    return found.groupdict()


def check_division(folder: Path) -> None:
    """Whether the records of a mailbox are in no open batch of another division of them. Raises UserError.

    One of as many parts is of other records.
    """
    own = _name(folder)
    for other in sorted(folder.parent.iterdir()) if folder.parent.is_dir() else ():
        name = _name(other)
        if (name["whole"], name["count"] == own["count"]) != (own["whole"], False):
            continue
        if begun_in(other)[0]:
            how = f"with --shard {name['number']}/{name['count']}" if name["count"] else "without --shard"
            raise UserError(
                f"--batch: {other} has open batches, of another division of the same records, which would be paid for "
                f"twice. Run the same command {how} first: it takes their replies in."
            )


def notes_of_open(folder: Path, records: Set[str]) -> list[str]:
    """What a run over these records without --batch should say of batches that are open."""
    return [
        f"{each} has open batches, which --batch takes in; what is asked for without it is paid for besides."
        for each in (folder, *_beside(folder, records))
        if begun_in(each)[0]
    ]
