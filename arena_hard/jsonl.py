"""JSONL files: read with errors that name the line, written so that nothing finished is lost.

A file is only ever appended to, one line a record, each on disk before it counts. A line without
its newline at the end of a file is what a power cut or kill -9 leaves: readers pass over it, the
next writer cuts it off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import msgspec

from arena_hard.records import UserError

T = TypeVar("T")


def read_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """(line number, line) of each line that is not blank; a torn last line is left out."""
    with open(file, "rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            if not line.endswith(b"\n") and not is_whole(line):
                return
            yield number, line


def is_whole(line: bytes) -> bool:
    """Whether a line without a newline is a complete record (an editor may leave the newline out)."""
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def line_error(file: Path, number: int, error: Exception) -> UserError:
    """The message for a line that cannot be read."""
    return UserError(f"{file}:{number}: {error}. Mend this line or delete it; nothing was changed.")


def read(file: Path, parse: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """Each record of a file, through `parse`. Raises UserError with file and line."""
    for number, line in read_lines(file):
        try:
            row = msgspec.json.decode(line)
            if not isinstance(row, dict):
                raise ValueError("a JSON object is expected")
            yield parse(row)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
            raise line_error(file, number, ValueError(f"not a readable record ({error})")) from None
        except (ValueError, AttributeError, TypeError) as error:
            raise line_error(file, number, error) from None


def torn_bytes(file: Path) -> int:
    """How many bytes at the end of a file are a torn line (0: none)."""
    if not file.exists():
        return 0
    with open(file, "rb") as stream:
        tail = _last_line(stream)
    return 0 if tail.endswith(b"\n") or is_whole(tail) else len(tail)


def _last_line(stream: Any, block: int = 1 << 16) -> bytes:
    """The bytes after the second to last newline: the last line, with its newline if it has one."""
    end = stream.seek(0, os.SEEK_END)
    tail = b""
    while end > 0 and b"\n" not in tail[:-1]:
        start = max(0, end - block)
        stream.seek(start)
        tail = stream.read(end - start) + tail
        end = start
    return tail[tail.rfind(b"\n", 0, -1) + 1 :] if tail else b"\n"


def repair(file: Path) -> int:
    """Cut a torn last line off, or end a whole one with its newline. Returns the bytes cut off."""
    torn = torn_bytes(file)
    if not file.exists() or file.stat().st_size == 0:
        return 0
    with open(file, "r+b") as stream:
        if torn:
            stream.truncate(file.stat().st_size - torn)
        else:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        os.fsync(stream.fileno())
    return torn


def encode(row: dict[str, Any]) -> bytes:
    """One line: JSON in UTF-8 with its newline; lone surrogates, which UTF-8 has not, become '?'."""
    try:
        return msgspec.json.encode(row) + b"\n"
    except UnicodeEncodeError:
        import json

        text = json.dumps(row, ensure_ascii=False)
        return text.encode("utf-8", errors="replace") + b"\n"


def replace(file: Path, lines: Iterable[bytes]) -> None:
    """Write a whole file anew in one step: the old one stays until the new one is on disk."""
    temporary = file.with_name(f".{file.name}.tmp")
    try:
        with open(temporary, "wb") as stream:
            stream.writelines(lines)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


class _Keys(msgspec.Struct):
    """The key of a record in either format."""

    question_id: str | None = None
    uid: str | None = None


class _Place(NamedTuple):
    """Where a line lies in a file."""

    start: int
    end: int


def sort(file: Path, order: Mapping[str, int], replaced: Path) -> None:
    """Bring the records of a file into the order of their questions; unknown ones come last.

    Of several records of a question the last one stays, the others move to the end of `replaced`. Only the
    places of the lines are held in memory, not the lines.
    """
    repair(file)
    last: dict[str, _Place] = {}
    old: list[_Place] = []
    with open(file, "rb") as stream:
        for key, place in _places(stream):
            old += [last.pop(key)] if key in last else []
            last[key] = place
        sorted_places = [last[key] for key in sorted(last, key=lambda key: order.get(key, len(order)))]
        if not old and sorted_places == list(last.values()):
            return
        if old:
            with open(replaced, "ab") as target:
                target.writelines(_lines_at(stream, old))
        replace(file, _lines_at(stream, sorted_places))


def _places(stream: BinaryIO) -> Iterator[tuple[str, _Place]]:
    decoder = msgspec.json.Decoder(_Keys)
    start = 0
    for line in stream:
        if line.strip():
            keys = decoder.decode(line)
            yield keys.question_id or keys.uid or "", _Place(start, start + len(line))
        start += len(line)


def _lines_at(stream: BinaryIO, places: Iterable[_Place]) -> Iterator[bytes]:
    for place in places:
        stream.seek(place.start)
        yield stream.read(place.end - place.start)
