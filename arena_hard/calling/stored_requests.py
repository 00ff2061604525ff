"""Requests on disk that are sent from there: keys in them are kept away from the disk, and put back for sending."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from arena_hard.data import jsonl, secrets
from arena_hard.data.records import UserError

_PLACE = re.compile(r"\[key of ([^\[\]\n]+)\]")


def stored(body: dict[str, Any]) -> dict[str, Any]:
    """A line's part for the disk: the body, with each key of this run replaced by where it comes from."""
    named = sorted(secrets.RUN.named.items(), key=lambda each: -len(each[1]))
    used: set[str] = set()
    kept = {"body": secrets.each_text(body, lambda text: _named(text, named, used))}
    return kept | ({"keys": sorted(used)} if used else {})


def restored(row: dict[str, Any]) -> dict[str, Any]:
    """The body of a line as it is sent, with today's keys. Raises UserError where one of them is not there any more."""
    used, named = set(row.get("keys", ())), secrets.RUN.named
    if used - named.keys():
        raise UserError(
            f"A batch that is under way needs the key of {sorted(used - named.keys())[0]}. Put it back into the config "
            "or the environment, then run again."
        )
    return secrets.each_text(row["body"], lambda text: _filled(text, named, used)) if used else row["body"]


def _named(text: str, named: list[tuple[str, str]], used: set[str]) -> str:
    for name, key in named:
        if key in text:
            text = text.replace(key, f"[key of {name}]")
            used.add(name)
    return text


def _filled(text: str, named: dict[str, str], used: set[str]) -> str:
    return _PLACE.sub(lambda found: named[found[1]] if found[1] in used else found[0], text)


def rows_in(file: Path) -> list[dict[str, Any]]:
    """The lines of a mailbox's file; none where it is not there yet."""
    return list(jsonl.read(file, dict)) if file.exists() else []


def append_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    """On disk before it returns; a torn end of an earlier run is cut off first."""
    if file.exists():
        jsonl.repair(file)
    jsonl.append(file, b"".join(map(jsonl.encode, rows)))
