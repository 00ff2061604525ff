"""Typed reading of large JSONL files: only the declared fields are kept, the texts are passed over.

A file is read in blocks of whole lines, so that memory stays small, and its fingerprint is taken from
the same bytes, on a second thread where a core is left for it.
"""

from __future__ import annotations

import hashlib
import io
from array import array
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.beside import is_core_left
from arena_hard.data.line_notes import LineNotes
from arena_hard.data.record_index import Stamp, stamp_of

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

T = TypeVar("T")

_OPENS, _CLOSES = b"{}"
BLOCK_BYTES = 1 << 17  # what is read, looked at, hashed and decoded one after the other stays in the processor's cache


class InputFile(msgspec.Struct, frozen=True):
    """What a result was computed from: a file as it was when it was read.

    inode, ctime_ns: which tell on this machine whether somebody has written to it since; 0 where they are not known.
    """

    name: str
    size: int
    mtime_ns: int
    sha256: str
    inode: int = 0
    ctime_ns: int = 0


def input_file(name: str, stamp: Stamp, sha256: str) -> InputFile:
    """A file that had this stamp."""
    return InputFile(name, stamp.size, stamp.written, sha256, stamp.inode, stamp.changed)


class Reader(Generic[T]):
    """Reads files of one kind of row; with `fingerprints` it knows that of the file that it has read last."""

    def __init__(self, row: type[T], fingerprints: bool = False) -> None:
        self._fingerprints = fingerprints
        self._decoder = msgspec.json.Decoder(row)
        self._thread = _thread() if fingerprints and is_core_left() else None
        self._digest = hashlib.sha256()
        self._last: Future[None] | None = None

    def blocks(
        self, file: Path, said: list[jsonl.Remark] | None = None, places: array[int] | None = None
    ) -> Iterator[list[T]]:
        """The rows of a file, a block at a time; a torn one is passed over with a warning, given here or to `said`.

        places: gets of each row where it begins in the file and its bytes, as a Span has them.
        Raises UserError with the line that cannot be read.
        """
        tell = jsonl.say if said is None else said.extend
        digest = self._digest = hashlib.sha256()
        notes, place = LineNotes(), 0
        try:
            for block in blocks_of(file):
                notes.look(block, place)
                self.fingerprint()  # one block in flight is enough, and keeps memory small
                if self._thread is not None:
                    self._last = self._thread.submit(digest.update, block)
                elif self._fingerprints:
                    digest.update(block)
                yield self._decode(file, block, place, tell, places)
                place += len(block)
            tell(map(jsonl.Remark, notes.said(file)))
        except OSError as error:
            raise jsonl.unreadable(file, error) from None

    def fingerprint(self) -> str:
        """The SHA-256 of what was read of the last file."""
        if self._last is not None:
            self._last.result()
        return self._digest.hexdigest()

    def _decode(
        self,
        file: Path,
        block: bytes,
        start: int,
        tell: Callable[[Iterable[jsonl.Remark]], None],
        places: array[int] | None,
    ) -> list[T]:
        """All lines at once where each is one record in strict JSON, else line by line. start: the block's place."""
        try:
            rows = self._decoder.decode_lines(block.removeprefix(jsonl.BOM))
            if places is None and _has_lines(block, len(rows)):
                return rows
            if places is not None and len(ends := _line_ends(block)) == len(rows):
                places.extend(chain.from_iterable((start + at, end - at) for at, end in zip([0, *ends], ends)))
                return rows
        except jsonl.BROKEN:
            pass
        found: list[T] = []
        for span in jsonl.spans(io.BytesIO(block), self._decoder.decode):
            if span.error is None:
                found.append(span.value)
                if places is not None:
                    places.extend((start + span.start, span.end - span.start))
            elif span.is_torn:
                tell([jsonl.torn_line(file, span)])
            else:
                raise jsonl.span_error(file, self._broken(file))
        return found

    def _broken(self, file: Path) -> jsonl.Span:
        """The first broken span of a file, whose number is that in the whole file. Raises UserError."""
        with open(file, "rb") as stream:
            for each in jsonl.spans(stream, self._decoder.decode):
                if each.error is not None and not each.is_torn:
                    return each
        raise jsonl.changed_meanwhile(file)

    def line_of(self, file: Path, is_meant: Callable[[T], bool]) -> int:
        """The number of the first line whose row is meant, as a reading of the file has shown.

        Raises UserError when none is any more.
        """
        for number, row in jsonl.rows(file, self._decoder.decode):
            if is_meant(row):
                return number
        raise jsonl.changed_meanwhile(file)

    def check_ids(self, file: Path, ids: Container[str]) -> None:
        """Raises UserError with its line when one of a file's records has no id."""
        if "" in ids:
            line = self.line_of(file, lambda row: not (getattr(row, "question_id", "") or getattr(row, "uid", "")))
            raise jsonl.line_error(file, line, ValueError("the key question_id or uid is missing"))


def _thread() -> Executor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1)


def _has_lines(block: bytes, count: int) -> bool:
    """Whether a block has so many newlines; to hop from one to the next is quicker than to count in long lines."""
    if len(block) < 500 * count:
        return block.count(b"\n") == count
    place = block.find(b"\n")
    while place >= 0 and count >= 0:
        count -= 1
        place = block.find(b"\n", place + 1)
    return count == 0 and place < 0


def _line_ends(block: bytes) -> list[int]:
    """The places behind the newlines of a block; none where a line is not {…}, which may hold a part of a record.

    In JSON no { comes right after a }, so that each line holds whole records.
    """
    ends: list[int] = []
    start = 0
    while end := block.find(b"\n", start) + 1:
        if block[start] != _OPENS or block[end - 2] != _CLOSES:
            return []
        ends.append(end)
        start = end
    return ends if start == len(block) else []


def blocks_of(file: Path) -> Iterator[bytes]:
    """Blocks of whole lines; the last one may end without a newline."""
    parts: list[bytes] = []
    with open(file, "rb", buffering=0) as stream:
        while chunk := stream.read(BLOCK_BYTES):
            if cut := chunk.rfind(b"\n") + 1:
                yield b"".join([*parts, chunk[:cut]])
                parts = []
            parts.append(chunk[cut:])
    if rest := b"".join(parts):
        yield rest


def name_in(base: Path, file: Path) -> str:
    """A file's name in a result: relative to `base`, with slashes, or as it is when it lies elsewhere."""
    try:
        return file.relative_to(base).as_posix()
    except ValueError:
        return str(file)


def is_unchanged(file: Path, known: InputFile) -> bool:
    """Whether a file is still what it was; its bytes are read where its stamp is another, as that of a copy is."""
    stamp = stamp_of(file)
    if stamp is None or stamp.size != known.size:
        return False
    if input_file(known.name, stamp, known.sha256) == known:
        return True
    try:
        with open(file, "rb") as stream:
            digest = hashlib.sha256()
            while chunk := stream.read(BLOCK_BYTES):
                digest.update(chunk)
        return digest.hexdigest() == known.sha256
    except OSError:
        return False
