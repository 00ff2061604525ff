"""Files that may be lost: written in one step, and believed only as they were written."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Generator
from pathlib import Path

MARK = 16  # bytes of a digest
_MAGIC = b"arenaidx"


def digest_of(data: bytes) -> bytes:
    """The digest of some bytes."""
    return hashlib.blake2b(data, digest_size=MARK).digest()


def save(file: Path, head: bytes, rest: bytes = b"") -> None:
    """Write something that may be lost, in one step; a disk that is full or may only be read stays as it is."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        if not _is_open(file.parent):
            return
        with open(temporary, "wb") as stream:
            stream.write(_MAGIC + len(head).to_bytes(8, "little") + digest_of(head) + head + rest)
        os.replace(temporary, file)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _is_open(folder: Path) -> bool:
    """Make a folder, unless the permissions of the one that it would be made in let nobody write: root always may.

    Returns whether files may be written into it. Raises OSError.
    """
    try:
        return bool(os.stat(folder).st_mode & 0o222)
    except FileNotFoundError:
        there = next(each for each in folder.absolute().parents if each.exists())
        is_writable = bool(there.stat().st_mode & 0o222)
        if is_writable:
            folder.mkdir(parents=True, exist_ok=True)
        return is_writable


@contextlib.contextmanager
def opened(file: Path) -> Generator[tuple[bytes, Callable[[], bytes]]]:
    """What `save` has written: the head, and what reads the rest. Raises ValueError and OSError for anything else."""
    start = len(_MAGIC) + 8 + MARK
    with open(file, "rb") as stream:
        begin = stream.read(start)
        size = int.from_bytes(begin[len(_MAGIC) : len(_MAGIC) + 8], "little")
        if not begin.startswith(_MAGIC) or len(begin) < start or size > os.fstat(stream.fileno()).st_size:
            raise ValueError("not what was saved here")
        head = stream.read(size)
        if digest_of(head) != begin[-MARK:]:
            raise ValueError("torn")
        yield head, stream.read
