"""Typed reading of large JSONL files: only the declared fields are kept, the texts are passed over.

A file is read in blocks of whole lines, so that memory stays small, and its fingerprint is taken from
the same bytes on a second thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.records import UserError

T = TypeVar("T")

BLOCK_BYTES = 2 << 20


class InputFile(msgspec.Struct, frozen=True):
    """What a result was computed from: a file as it was when it was read."""

    name: str
    size: int
    mtime_ns: int
    sha256: str


class Reader(Generic[T]):
    """Reads files of one kind of row; with `fingerprints` it remembers theirs for `inputs`."""

    def __init__(self, row: type[T], fingerprints: bool = False) -> None:
        self._fingerprints = fingerprints
        self._decoder = msgspec.json.Decoder(row)
        self._pool = ThreadPoolExecutor(1)
        self._pending: list[tuple[Path, Any, Future[None] | None]] = []

    def blocks(self, file: Path) -> Iterator[list[T]]:
        """The rows of a file, a block at a time. Raises UserError with the line that cannot be read."""
        digest = hashlib.sha256()
        last: Future[None] | None = None
        try:
            for block, whole in _blocks(file):
                if last is not None:
                    last.result()  # one block in flight is enough, and keeps memory small
                if self._fingerprints:
                    last = self._pool.submit(digest.update, block)
                if whole:
                    yield self._decode(file, block.removeprefix(jsonl.BOM))
                else:
                    jsonl.warn_torn(file)
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror or error}.") from None
        self._pending.append((file, digest, last))

    def _decode(self, file: Path, block: bytes) -> list[T]:
        try:
            return self._decoder.decode_lines(block)
        except jsonl.BROKEN:
            for number, line in jsonl.read_lines(file):
                self._check(file, number, line)
            raise

    def _check(self, file: Path, number: int, line: bytes) -> None:
        try:
            self._decoder.decode(line)
        except jsonl.BROKEN as error:
            raise jsonl.line_error(file, number, ValueError(f"not a readable record ({error})")) from None

    def line_of(self, file: Path, is_meant: Callable[[T], bool]) -> int:
        """The number of the first line whose row is meant (0 when none is)."""
        for number, line in jsonl.read_lines(file):
            if is_meant(self._decoder.decode(line)):
                return number
        return 0

    def inputs(self, base: Path) -> tuple[InputFile, ...]:
        """The files read so far, named relative to `base` where they lie in it."""
        files: list[InputFile] = []
        for file, digest, last in self._pending:
            if last is not None:
                last.result()
            status = file.stat()
            files.append(InputFile(name_in(base, file), status.st_size, status.st_mtime_ns, digest.hexdigest()))
        return tuple(files)


def _blocks(file: Path) -> Iterator[tuple[bytes, bool]]:
    """(block, whether it is whole lines); the last block alone may be a torn line."""
    rest = b""
    with open(file, "rb", buffering=0) as stream:
        while chunk := stream.read(BLOCK_BYTES):
            cut = chunk.rfind(b"\n") + 1
            if cut == 0:
                rest += chunk
                continue
            yield rest + chunk[:cut], True
            rest = chunk[cut:]
    if rest.strip():
        yield rest, not jsonl.is_torn(rest)


def name_in(base: Path, file: Path) -> str:
    """A file's name in a result: relative to `base`, with slashes, or as it is when it lies elsewhere."""
    try:
        return file.relative_to(base).as_posix()
    except ValueError:
        return str(file)


def is_unchanged(file: Path, known: InputFile) -> bool:
    """Whether a file is still what it was; its bytes are read only when its time has changed."""
    try:
        status = file.stat()
        if status.st_size != known.size:
            return False
        if status.st_mtime_ns == known.mtime_ns:
            return True
        with open(file, "rb") as stream:
            digest = hashlib.sha256()
            while chunk := stream.read(BLOCK_BYTES):
                digest.update(chunk)
        return digest.hexdigest() == known.sha256
    except OSError:
        return False
