"""Records that are made anew by batch: of their mailbox, only what came for that counts.

A mailbox keeps the replies of a run in which something failed, also those for records that were written. Before a run
asks for such a record anew (--redo, --retry-unreadable), older replies are put away, and a note says what the record
was. While it is that still, a run that goes on reads what has come since; once it is written its replies are used up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from arena_hard.calling.batch import Mailbox
from arena_hard.calling.open_batches import notes_of
from arena_hard.calling.run_tally import RunOutput
from arena_hard.calling.stored_requests import append_rows, rows_in
from arena_hard.data import record_lines
from arena_hard.data.records import UserError

_TAKE_IN = "Take their replies in by the same command without --redo and --retry-unreadable, then ask anew."


def records_of(outputs: Iterable[RunOutput]) -> dict[str, str]:
    """The records that a run makes anew, each with what tells this making from another one.

    That is a digest of what is there, and the name of the --redo, which takes nothing from before it, also for records
    that are not there.
    """
    found: dict[str, str] = {}
    for output in outputs:
        tally, there = output.tally, [label for label in output.missing if label in output.written]
        redo = (tally.redo.name if tally.redo else tally.redo_name) if tally.redo_name else ""
        digests = _digests(output.path) if there else {}
        for label in output.missing if redo else there:
            found[output.record(label)] = f"{redo} {digests.get(output.written.get(label, ''), '')}".strip()
    return found


def _digests(records: Path) -> dict[str, str]:
    """Of the last line for each question id."""
    lines = record_lines.lines(records) if records.exists() else ()
    return {record_lines.name_of_line(line): hashlib.blake2b(line, digest_size=8).hexdigest() for line in lines}


def begin(mailbox: Mailbox, folder: Path, records: Mapping[str, str]) -> None:
    """Put away what a mailbox holds from before for these records. Raises UserError while it has open batches."""
    known = _begun(folder)
    new = {record: digest for record, digest in records.items() if known.get(record) != digest}
    if not new:
        return
    if mailbox.busy:
        raise UserError(f"--batch: {folder} has open batches of an earlier run. {_TAKE_IN}")
    mailbox.archive({"", *new})
    folder.mkdir(exist_ok=True)
    append_rows(notes_of(folder), [{"step": "anew", "made": new}])


def end(folder: Path, written: Iterable[str]) -> None:
    """Note which records a run has written."""
    used_up = sorted(_begun(folder).keys() & set(written))
    if used_up:
        append_rows(notes_of(folder), [{"step": "written", "made": used_up}])


def _begun(folder: Path) -> dict[str, str]:
    """The records that are being made anew, each as `records_of` tells."""
    found: dict[str, str] = {}
    for row in rows_in(notes_of(folder)):
        if row["step"] == "anew":
            found |= row["made"]
        elif row["step"] == "written":
            found = {record: digest for record, digest in found.items() if record not in row["made"]}
    return found
