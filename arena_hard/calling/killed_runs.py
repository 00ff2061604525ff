"""A run that was killed says nothing of itself: what it wrote is counted from the records behind its beginning."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.calling.redo import rows_since
from arena_hard.data.name_lists import counted
from arena_hard.data.usage import Usage, usage_row
from arena_hard.data.writer import is_being_written


def is_killed(run: Mapping[str, Any]) -> bool:
    """Whether a run's entry, of which no process is at work, is that of one that did not come to its end."""
    return not run.get("ended")


def settled(records: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a killed run with what it wrote, and at least so many requests and tokens.

    That of an earlier version, which does not say where its records begin, stays as it is.
    """
    size = run.get("size")
    if not isinstance(size, int) or run.get("killed"):
        return dict(run)
    rows = list(rows_since(records, size))
    calls = [call for row in rows for call in _calls(row)]
    usage = sum(filter(None, map(_usage, [*rows, *calls])), _usage(run) or Usage())
    return {
        **run,
        "killed": True,
        "written": run.get("written", 0) + len(rows),
        "requests": run.get("requests", 0) + len(calls),
        "usage": usage_row(usage),
    }


def killed_note(records: Path, runs: Iterable[Mapping[str, Any]]) -> str | None:
    """A sentence about the last run where it was killed and wrote something; None otherwise."""
    last = next(reversed(list(runs)), None)
    if last is None or not is_killed(last) or is_being_written(records):
        return None
    written = settled(records, last).get("written")
    told = counted(written, "record") if written else ""
    return f"the run started at {last.get('started')} was killed after {told}." if told else None


def _calls(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What of a record came with a call of its own: the games of a judgment, the turns of an answer."""
    for name in ("games", "turns"):
        yield from (each for each in _list(row.get(name)) if isinstance(each, Mapping))
    for choice in _list(row.get("choices")):
        yield from _calls(choice) if isinstance(choice, Mapping) else ()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _usage(row: Mapping[str, Any]) -> Usage | None:
    with contextlib.suppress(msgspec.ValidationError):
        return msgspec.convert(row.get("usage"), Usage | None)
    return None
