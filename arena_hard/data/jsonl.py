"""JSONL files: read with errors that name the line, written so that nothing finished is lost.

A file is only ever appended to, one line a record, each on disk before it counts. The beginning of
a record without its newline at the end of a file is what a power cut or kill -9 leaves: readers pass
over it with a warning, the next writer moves it to FILE.torn. A line that is no strict JSON is looked at
again (odd_lines), so that each reader finds the same records.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from errno import EMFILE, ENOENT
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import msgspec

from arena_hard.data import secrets
from arena_hard.data.foreign_files import misfit
from arena_hard.data.line_notes import LineNotes
from arena_hard.data.odd_lines import FILE_ENDS, Torn, pieces
from arena_hard.data.record_values import is_object
from arena_hard.data.records import UserError

T = TypeVar("T")

BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what a line that is no JSON raises
BOM = b"\xef\xbb\xbf"  # some editors and Excel begin a file with it


class Remark(UserWarning):
    """Something of a file that its reader should know; the reading goes on."""


class TornLine(Remark):
    """A record was never finished, and its beginning is passed over."""


class Span(NamedTuple):
    """A record in a file: the number of its line, its bytes [start, end), and its value, or why it has none.

    The bytes of a record that has its line to itself include the newline.
    """

    number: int
    start: int
    end: int
    value: Any
    error: ValueError | None = None

    @property
    def is_torn(self) -> bool:
        """Whether this is the beginning of a record that was never finished."""
        return isinstance(self.error, Torn)


def spans(
    lines: Iterable[bytes], decode: Callable[[bytes], Any], start: int = 0, notes: LineNotes | None = None
) -> Iterator[Span]:
    """What stands in some lines, decoded; `decode` raises one of BROKEN. `start`: where in the file they begin.

    notes: gathers what is odd in the lines.
    """
    for number, line in enumerate(lines, 1):
        if notes is not None:
            notes.look(line, start)
        end = start + len(line)
        try:
            value = decode(line)
        except BROKEN:
            yield from _odd_spans(line, decode, number, start)
        else:
            yield Span(number, start, end, value)
        start = end


def _odd_spans(line: bytes, decode: Callable[[bytes], Any], number: int, start: int) -> Iterator[Span]:
    for piece in pieces(line):
        value, error = None, piece.error
        if error is None:
            try:
                value = decode(piece.record)
            except BROKEN as failure:
                error = ValueError(f"not a readable record ({failure})")
        yield Span(number + piece.breaks, start + piece.start, start + piece.end, value, error)


def rows(
    file: Path,
    decode: Callable[[bytes], T],
    complete: bool = False,
    said: list[Remark] | None = None,
    places: list[tuple[int, int]] | None = None,
) -> Iterator[tuple[int, T]]:
    """(line number, decoded record) of each record; a torn one is passed over with a warning, given here or to `said`.

    places: gets the bytes [start, end) of each record. Raises UserError for a file or line that cannot be read, and for
    a torn line with `complete`.
    """
    notes = LineNotes()
    tell = say if said is None else said.extend
    try:
        with open(file, "rb") as stream:
            for span in spans(stream, decode, notes=notes):
                if span.error is None:
                    if places is not None:
                        places.append((span.start, span.end))
                    yield span.number, span.value
                elif span.is_torn and not complete:
                    tell([torn_line(file, span)])
                else:
                    raise span_error(file, span)
        tell(map(Remark, notes.said(file)))
    except OSError as error:
        raise unreadable(file, error) from None


def say(remarks: Iterable[Remark]) -> None:
    """Say what the reader of a file should know; Python shows each once, as long as all are said here."""
    for remark in remarks:
        warnings.warn(remark, stacklevel=1)


def warn(notes: Iterable[str]) -> None:
    """Say it in words."""
    say(map(Remark, notes))


@contextlib.contextmanager
def hearing(kind: type[Warning] = Remark) -> Generator[list[str]]:
    """What of this kind is said in the body, and goes where it went before all the same."""
    heard: list[str] = []
    show = warnings.showwarning

    def noted(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        heard.extend([str(message)] * issubclass(category, kind))
        show(message, category, *place, **more)

    warnings.showwarning = noted
    try:
        yield heard
    finally:
        warnings.showwarning = show


def unreadable(file: Path, error: OSError) -> UserError:
    """The message for a file that the system does not give out."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"{file} is not there any more. Run again, or bring it back.")
    remedy = "Raise the limit: ulimit -n 4096" if error.errno == EMFILE else "Fix its permissions or move it away"
    return UserError(f"{file} cannot be read: {error.strerror or error}. {remedy}.")


def changed_meanwhile(file: Path) -> UserError:
    """The message for a file that is not, when it is looked into again, what it was when it was read."""
    return UserError(f"{file} was changed while it was read. Run again.")


def torn_line(file: Path, span: Span) -> TornLine:
    """The warning of the beginning of a record that a reader passes over."""
    ends = str(span.error) == FILE_ENDS
    what = "the last line is incomplete and was" if ends else "beginnings of lines are incomplete and were"
    return TornLine(f"{file}: {what} passed over.")


def span_error(file: Path, span: Span) -> UserError:
    """The message for a span that holds no record."""
    if span.is_torn and misfit(file) is None:
        return UserError(
            f"{file}:{span.number}: {span.error}. Fetch or copy it again, or delete the line if it is not wanted."
        )
    return line_error(file, span.number, span.error or ValueError("not a readable record"))


def line_error(file: Path, number: int, error: Exception) -> UserError:
    """The message for a line that cannot be read, or for what lies in the place of the file."""
    return UserError(misfit(file) or f"{file}:{number}: {error}. Fix this line or delete it; nothing was changed.")


def read(
    file: Path,
    parse: Callable[[Any], T],
    complete: bool = False,
    said: list[Remark] | None = None,
    places: list[tuple[int, int]] | None = None,
    decode: Callable[[bytes], Any] | None = None,
) -> Iterator[T]:
    """Each record of a file, through `parse`. Raises UserError with file and line, as `rows` does too.

    decode: what makes of a line what `parse` takes; the object in it if there is none.
    """
    for number, row in rows(file, decode or decode_object, complete, said, places):
        try:
            yield parse(row)
        except BROKEN as error:
            raise line_error(file, number, ValueError(f"not a readable record ({error})")) from None
        except ValueError as error:
            raise line_error(file, number, error) from None
        except (AttributeError, TypeError):
            raise line_error(file, number, ValueError("a key holds a value of the wrong type")) from None


def at(data: bytes, parse: Callable[[dict[str, Any]], T]) -> T | None:
    """The one record in the bytes of a place; None where there is none."""
    found = [span for span in spans([data], decode_object) if span.error is None]
    with contextlib.suppress(*BROKEN, ValueError, AttributeError, TypeError):
        return parse(found[0].value) if len(found) == 1 else None
    return None


def decode_object(line: bytes) -> dict[str, Any]:
    """The object of a line. Raises one of BROKEN."""
    row = msgspec.json.decode(line)
    if not is_object(row):
        raise msgspec.DecodeError("a JSON object is expected")
    return row


def _last_line(stream: BinaryIO, block: int = 1 << 16) -> tuple[int, bytes]:
    """(its place, the bytes) of what stands behind the last newline but one: with its newline if it has one."""
    end = stream.seek(0, os.SEEK_END)
    tail = b""
    while end > 0 and b"\n" not in tail[:-1]:
        start = max(0, end - block)
        stream.seek(start)
        tail = stream.read(end - start) + tail
        end = start
    first = tail.rfind(b"\n", 0, -1) + 1
    return end + first, tail[first:]


def torn_file(file: Path) -> Path:
    """Where the torn lines of a file are kept."""
    return file.with_name(file.name.removesuffix(".jsonl") + ".torn")


def repair(file: Path) -> int:
    """Move a torn end to FILE.torn, and end a whole last line with its newline. Returns the bytes moved.

    Raises UserError for a last line without its newline that is no record (it is not ours to cut off), and for what is
    no record file at all.
    """
    if not file.exists() or file.stat().st_size == 0:
        return 0
    if foreign := misfit(file):
        raise UserError(foreign)
    with open(file, "r+b") as stream:
        start, tail = _last_line(stream)
        if tail.endswith(b"\n"):
            return 0
        found = list(spans([tail], decode_object))
        for broken in (span for span in found if span.error is not None and not span.is_torn):
            stream.seek(0)
            before = stream.read(start).count(b"\n")
            raise span_error(file, broken._replace(number=before + broken.number))
        kept = len(tail)
        if found and found[-1].is_torn:
            kept = found[-1].start if found[:-1] else 0
            append(torn_file(file), tail[kept:] + b"\n")
            stream.truncate(start + kept)
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n" if kept else b"")
        stream.flush()
        os.fsync(stream.fileno())
    return len(tail) - kept


def append(file: Path, data: bytes) -> None:
    """Add whole lines to a file, on disk before it returns. Raises UserError, with the file as it was."""
    with written(file), open(file, "ab", buffering=0) as stream:
        append_to(stream, data, stream.tell())


def append_to(stream: BinaryIO, data: bytes, size: int) -> None:
    """Add whole lines to an unbuffered stream, on disk before it returns. Raises OSError, with `size` bytes kept."""
    try:
        view = memoryview(data)
        while view:
            view = view[stream.write(view) :]
        os.fsync(stream.fileno())
    except OSError:
        with contextlib.suppress(OSError):  # if this fails too, the next start repairs it
            os.ftruncate(stream.fileno(), size)
        raise


@contextlib.contextmanager
def written(file: Path) -> Generator[None]:
    """For writing a file: a full disk, or another reason why it cannot be written, is a UserError with its name."""
    try:
        yield
    except OSError as error:
        raise not_writable(file, error) from None


def not_writable(file: Path, error: OSError) -> UserError:
    """For a file or folder that cannot be written."""
    remedies = {ENOENT: "Bring back its folder", EMFILE: "Raise the limit of open files (ulimit -n 4096)"}
    remedy = f"{remedies.get(error.errno or 0, 'Free some space or fix its permissions')}, then run again"
    return UserError(f"{file} cannot be written: {error.strerror or error}. {remedy}; nothing that was there is lost.")


def encode(row: dict[str, Any]) -> bytes:
    """One line: JSON in UTF-8 with its newline, without keys; lone surrogates, which UTF-8 has not, become '?'."""
    try:
        line = msgspec.json.encode(row)
    except UnicodeEncodeError:
        import json

        line = json.dumps(row, ensure_ascii=False).encode("utf-8", errors="replace")
    return secrets.mask_json(line) + b"\n"


def replace(file: Path, lines: Iterable[bytes]) -> None:
    """Write a whole file anew in one step: the old one stays until the new one is on disk. Raises UserError."""
    with replacing(file, lines):
        pass


@contextlib.contextmanager
def replacing(file: Path, lines: Iterable[bytes]) -> Generator[None]:
    """Write a file anew; it takes the old one's place after the body, if that raises nothing. Raises UserError."""
    temporary = file.with_name(f".{file.name}.tmp")
    try:
        with written(file), open(temporary, "wb") as stream:
            stream.writelines(lines)
            stream.flush()
            os.fsync(stream.fileno())
        yield
        with written(file):
            os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
