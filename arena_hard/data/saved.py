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
        if not _is_writable(file.parent):
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as stream:
            stream.write(_MAGIC + len(head).to_bytes(8, "little") + digest_of(head) + head + rest)
        os.replace(temporary, file)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _is_writable(folder: Path) -> bool:
    """Whether the permissions of a folder, or of the one that it would be made in, let somebody write; root always may.

    Raises OSError.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return bool(there.stat().st_mode & 0o222)


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
