"""Files that may be lost: written in one step, and believed only as they were written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

MARK = 16  # bytes of a digest
_MAGIC = b"arenaidx"


def digest_of(data: bytes) -> bytes:
    """The digest of some bytes."""
    return hashlib.blake2b(data, digest_size=MARK).digest()


def save(file: Path, head: bytes, rest: bytes = b"") -> None:
    """Write something in one step; a disk that is full or may only be read stays as it is."""
    with contextlib.suppress(OSError):
        write(file, [_MAGIC + len(head).to_bytes(8, "little") + digest_of(head), head, rest])


def write(file: Path, chunks: Iterable[bytes]) -> int:
    """Write a file that may be lost in one step: what can be made again needs no fsync.

    Returns the inode of what was put there. Raises OSError, and leaves nothing behind then.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    make_open(file.parent)
    try:
        with open(temporary, "wb") as stream:
            stream.writelines(chunks)
        inode = temporary.stat().st_ino
        os.replace(temporary, file)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return inode


def make_open(folder: Path) -> None:
    """Make a folder for what may be lost. Raises OSError, also where its permissions let nobody write.

    Root may write there all the same, and would leave files where nobody is to leave any.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.stat().st_mode & 0o222:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))
    folder.mkdir(parents=True, exist_ok=True)


def remove(files: Iterable[Path]) -> None:
    """Take away what may be lost, by the rule of `make_open`; what cannot be taken away stays."""
    for file in files:
        with contextlib.suppress(OSError):
            if file.exists():
                make_open(file.parent)
                file.unlink(missing_ok=True)


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
