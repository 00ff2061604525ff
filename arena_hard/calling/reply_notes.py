"""What is remarkable of a run's replies, counted by record, and said after the run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from arena_hard.calling.providers.base import Note
from arena_hard.calling.providers.template_remains import stop_for

_MOST_NAMED = 3


class Sighting(msgspec.Struct):
    """How many records something was seen in, and one of them; shown: what it looked like there."""

    records: int
    example: str
    shown: str = ""


class ReplyNotes(msgspec.Struct):
    """The sightings of each kind of Note, by what was seen; and how many records have any of the kind."""

    seen: dict[str, dict[str, Sighting]] = {}
    records: dict[str, int] = {}

    def add(self, question_id: str, notes: Iterable[Note]) -> None:
        """A record was written whose replies have these notes."""
        found: dict[tuple[str, str], str] = {}
        for kind, what in notes:
            name, _, shown = what.partition(": ") if kind in ("field", "end") else (what, "", "")
            found.setdefault((kind, name), shown)
        for (kind, name), shown in found.items():
            sighting = self.seen.setdefault(kind, {}).setdefault(name, Sighting(0, question_id, shown))
            sighting.records += 1
        for kind in {kind for kind, _ in found}:
            self.records[kind] = self.records.get(kind, 0) + 1

    def extend(self, other: ReplyNotes) -> None:
        """Take in what was seen in other records."""
        for kind, sightings in other.seen.items():
            for name, sighting in sightings.items():
                mine = self.seen.setdefault(kind, {}).setdefault(name, Sighting(0, sighting.example, sighting.shown))
                mine.records += sighting.records
            self.records[kind] = self.records.get(kind, 0) + other.records[kind]

    def remarks(self, unit: str) -> list[str]:
        """A line of each kind, for people. unit: what the records are called, in the plural."""
        says = {
            "finish": _of_reasons,
            "end": _of_no_reasons,
            "field": _of_fields,
            "thought": _of_thoughts,
            "template": _of_templates,
        }
        return [
            say(f"{self.records[kind]} {unit if self.records[kind] != 1 else unit.removesuffix('s')}", _ranked(seen))
            for kind, say in says.items()
            if (seen := self.seen.get(kind))
        ]

    def entry(self) -> dict[str, Any]:
        """Everything that was seen, for the manifest; without the kinds of which nothing was."""
        names = {
            "finish": "unknown_finish_reasons",
            "end": "no_finish_reason",
            "field": "unreadable_fields",
            "thought": "suspected_thoughts",
            "template": "chat_template_remains",
        }
        return {
            names[kind]: {name: {"records": s.records, "example": s.example} for name, s in _ranked(sightings)}
            for kind, sightings in self.seen.items()
        }


Ranked = Sequence[tuple[str, Sighting]]


def _ranked(sightings: dict[str, Sighting]) -> Ranked:
    return sorted(sightings.items(), key=lambda item: (-item[1].records, item[0]))


def _of_reasons(records: str, ranked: Ranked) -> str:
    return f"unknown finish_reason in {records}, kept as received: {_counted(ranked)}."


def _of_no_reasons(records: str, ranked: Ranked) -> str:
    return f"no finish_reason in {records}, which may be complete or cut: see question {ranked[0][1].example}."


def _of_fields(records: str, ranked: Ranked) -> str:
    shown = [f"{name} ({each.records}, e.g. {each.shown})" for name, each in ranked[:_MOST_NAMED]]
    tokens = any(name.startswith("usage") for name, _ in ranked)
    return (
        f"fields that could not be read and were ignored, in {records}: {', '.join(shown)}{_more(ranked)}."
        + " Token counts among them are missing from the totals." * tokens
    )


def _of_thoughts(records: str, ranked: Ranked) -> str:
    return (
        f"possible thoughts left in {records}: {_counted(ranked)}; see question {ranked[0][1].example}. If they are, "
        "set end_think_token or think_pattern in the endpoint entry and rerun with --redo."
    )


def _of_templates(records: str, ranked: Ranked) -> str:
    stops = list(dict.fromkeys(stop for name, _ in ranked if (stop := stop_for(name))))
    needed = [stop for stop in stops if not any(other in stop for other in stops if other != stop)]
    found = (
        f"leftover chat-template tokens in {records}, kept as received: {_counted(ranked)}; see question "
        f"{ranked[0][1].example}."
    )
    if not needed:
        return f"{found} The server's chat template does not begin the model's turn."
    return f"{found} stop: {json.dumps(needed, ensure_ascii=False)} in the endpoint entry ends a reply before them."


def _counted(ranked: Ranked) -> str:
    return ", ".join(f"{name} ({each.records})" for name, each in ranked[:_MOST_NAMED]) + _more(ranked)


def _more(ranked: Ranked) -> str:
    return f" and {len(ranked) - _MOST_NAMED} other kinds" if len(ranked) > _MOST_NAMED else ""
