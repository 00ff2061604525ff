"""The lines of a record file by the records that they hold: brought into order, told from each other, compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from arena_hard.data.jsonl import Span, append, decode_object, repair, replacing, span_error, spans, torn_file


class _Keys(msgspec.Struct):
    """The key of a record in either format."""

    question_id: str = ""
    uid: str = ""


_KEYS = msgspec.json.Decoder(_Keys)


def sort(file: Path, order: Mapping[str, int], replaced: Path) -> None:
    """Bring the records of a file into the order of their questions; unknown ones come last.

    Of several records of a question the last one stays, the others move to the end of `replaced`, torn ones to
    FILE.torn. Only the places of the lines are held in memory, not the lines. Raises UserError for a broken line.
    """
    repair(file)
    last: dict[str, Span] = {}
    old: list[Span] = []
    torn: list[Span] = []
    with open(file, "rb") as stream:
        for span in spans(stream, _KEYS.decode):
            if span.is_torn:
                torn.append(span)
                continue
            if span.error is not None:
                raise span_error(file, span)
            key = span.value.question_id or span.value.uid
            old += [last.pop(key)] if key in last else []
            last[key] = span
        in_order = [last[key] for key in sorted(last, key=lambda key: order.get(key, len(order)))]
        if not old and in_order == list(last.values()):
            return
        old.sort(key=lambda span: span.start)  # oldest first
        with replacing(file, _lines_at(stream, in_order)):  # which needs the most room, and is tried first
            for target, moved in ((replaced, old), (torn_file(file), torn)):
                if moved:
                    append(target, b"".join(_lines_at(stream, moved)))


def lines(file: Path) -> Iterator[bytes]:
    """Each record of a file as a line of its own, and each line that is none, but torn ones. Raises OSError."""
    with open(file, "rb") as stream, open(file, "rb") as source:
        yield from _lines_at(source, (span for span in spans(stream, _KEYS.decode) if not span.is_torn))


def name_of_line(line: bytes) -> str:
    """What a line is told from others by: its question id, or all of it where it has none."""
    keys = next(spans([line], _KEYS.decode), None)
    known = keys.value.question_id or keys.value.uid if keys and keys.value else ""
    return known or line.decode("utf-8", errors="replace").strip()


def equal(line: bytes, other: bytes) -> bool:
    """Whether two lines hold the same record, however it is spaced and ordered."""
    one, two = ([span.value for span in spans([each], decode_object)] for each in (line, other))
    return line.strip() == other.strip() or (one == two and None not in one)


def _lines_at(stream: BinaryIO, places: Iterable[Span]) -> Iterator[bytes]:
    for place in places:
        stream.seek(place.start)
        line = stream.read(place.end - place.start)
        yield line if line.endswith(b"\n") else line + b"\n"
