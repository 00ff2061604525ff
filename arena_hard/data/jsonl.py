"""JSONL files: read with errors that name the line, written so that nothing finished is lost.

A file is only ever appended to, one line a record, each on disk before it counts. The beginning of
a record without its newline at the end of a file is what a power cut or kill -9 leaves: readers pass
over it with a warning, the next writer moves it to FILE.torn.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import msgspec

from arena_hard.data.records import UserError, is_object

T = TypeVar("T")


BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what a line that is no JSON raises
BOM = b"\xef\xbb\xbf"  # some editors and Excel begin a file with it


class TornLine(UserWarning):
    """A file ends within a record, and the beginning of that record is passed over."""


def read_lines(file: Path, complete: bool = False) -> Iterator[tuple[int, bytes]]:
    """(line number, line) of each line that is not blank; a torn last line is left out with a warning.

    Raises UserError for a file that cannot be read and, with `complete`, for a torn last line.
    """
    try:
        with open(file, "rb") as stream:
            for number, line in enumerate(stream, 1):
                line = line.removeprefix(BOM) if number == 1 else line
                if is_torn(line):
                    return _torn(file, number, complete)
                if line.strip():
                    yield number, line
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}.") from None


def _torn(file: Path, number: int, complete: bool) -> None:
    if complete:
        raise UserError(
            f"{file}:{number}: the file ends within this line. Fetch or copy it again, or delete the line if it is "
            "not wanted."
        )
    warn_torn(file)


def warn_torn(file: Path) -> None:
    """Warn of a torn last line that a reader passes over."""
    warnings.warn(f"{file}: the last line is torn and was passed over.", TornLine, stacklevel=1)


def is_torn(line: bytes) -> bool:
    """Whether a line is the beginning of a record that was never finished.

    A whole record without its newline is none (an editor may leave the newline out), nor is what does not
    begin as a record does: that is somebody's own text.
    """
    if line.endswith(b"\n") or not line.removeprefix(BOM).lstrip().startswith(b"{"):
        return False
    try:
        msgspec.json.decode(line.removeprefix(BOM))
    except BROKEN:
        return True
    return False


def line_error(file: Path, number: int, error: Exception) -> UserError:
    """The message for a line that cannot be read."""
    return UserError(f"{file}:{number}: {error}. Mend this line or delete it; nothing was changed.")


def read(file: Path, parse: Callable[[dict[str, Any]], T], complete: bool = False) -> Iterator[T]:
    """Each record of a file, through `parse`. Raises UserError with file and line, as `read_lines` does too."""
    for number, line in read_lines(file, complete):
        try:
            row = msgspec.json.decode(line)
            if not is_object(row):
                raise ValueError("a JSON object is expected")
            yield parse(row)
        except BROKEN as error:
            raise line_error(file, number, ValueError(f"not a readable record ({error})")) from None
        except ValueError as error:
            raise line_error(file, number, error) from None
        except (AttributeError, TypeError):
            raise line_error(file, number, ValueError("a key holds a value of another kind than it should")) from None


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


def torn_file(file: Path) -> Path:
    """Where the torn lines of a file are kept."""
    return file.with_name(file.name.removesuffix(".jsonl") + ".torn")


def repair(file: Path) -> int:
    """Move a torn last line to FILE.torn, or end a whole one with its newline. Returns the bytes moved.

    Raises UserError for a last line without its newline that is no record: it is not ours to cut off.
    """
    if not file.exists() or file.stat().st_size == 0:
        return 0
    with open(file, "r+b") as stream:
        tail = _last_line(stream)
        if tail.endswith(b"\n"):
            return 0
        torn = is_torn(tail)
        if torn:
            _append(torn_file(file), tail + b"\n")
            stream.truncate(file.stat().st_size - len(tail))
        else:
            _check_last_line(file, stream, tail)
            stream.seek(0, os.SEEK_END)
            stream.write(b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    return len(tail) if torn else 0


def _check_last_line(file: Path, stream: BinaryIO, line: bytes) -> None:
    """Raises UserError for a line that is neither blank nor a record."""
    if not line.strip() or line.removeprefix(BOM).lstrip().startswith(b"{"):
        return
    stream.seek(0)
    number = 1 + sum(1 for each in stream if each.endswith(b"\n"))
    raise line_error(file, number, ValueError("the last line is no record"))


def _append(file: Path, data: bytes) -> None:
    with open(file, "ab") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


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


_KEYS = msgspec.json.Decoder(_Keys)


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
                target.writelines(_lines_at(stream, sorted(old)))  # oldest first
        replace(file, _lines_at(stream, sorted_places))


def name_of_line(line: bytes) -> str:
    """What a line is told from others by: its question id, or all of it where it has none."""
    try:
        keys = _KEYS.decode(line)
    except BROKEN:
        return line.decode("utf-8", errors="replace").strip()
    return keys.question_id or keys.uid or line.decode("utf-8", errors="replace").strip()


def equal(line: bytes, other: bytes) -> bool:
    """Whether two lines hold the same record, however it is spaced and ordered."""
    try:
        return line.strip() == other.strip() or msgspec.json.decode(line) == msgspec.json.decode(other)
    except BROKEN:
        return False


def _places(stream: BinaryIO) -> Iterator[tuple[str, _Place]]:
    start = len(BOM) if stream.read(len(BOM)) == BOM else 0  # it belongs to the file, not to the first record
    stream.seek(start)
    for line in stream:
        if line.strip() and not is_torn(line):  # Ctrl-C may leave a line half written
            keys = _KEYS.decode(line)
            yield keys.question_id or keys.uid or "", _Place(start, start + len(line))
        start += len(line)


def _lines_at(stream: BinaryIO, places: Iterable[_Place]) -> Iterator[bytes]:
    for place in places:
        stream.seek(place.start)
        yield stream.read(place.end - place.start)
