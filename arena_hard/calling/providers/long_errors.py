"""Bodies of errors that are longer than any words: they are read up to a bound, packed ones too.

Only the first few hundred characters of an error are shown, and a server may send gigabytes of it to each of many
requests, or kilobytes that unfold to gigabytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import httpx2

from arena_hard.calling.providers.decoding import unpacked

_WORDS = 100_000  # bytes of an error that repeats nothing
_REPEATED = 1_000_000  # bytes of the request that it may repeat, each of them escaped
_ENCODING = b"content-encoding"


class Read(NamedTuple):
    """A body as far as it was read, and the headers that go with it. is_all: whether the connection is at its end."""

    content: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    is_all: bool


def most_of(request: bytes) -> int:
    """How many bytes of an error are read that came of a request."""
    return _WORDS + 2 * min(len(request), _REPEATED)


async def read(parts: AsyncIterator[bytes], headers: Sequence[tuple[bytes, bytes]], most: int) -> Read:
    """The body of an error up to a bound; one that unfolds to more comes unfolded, and no header tells otherwise."""
    found = bytearray()
    async for part in parts:
        found += part
        if len(found) > most:
            break
    is_all, content = len(found) <= most, bytes(found[:most])
    unfolded = _unfolded(content, headers, most)
    if len(unfolded) <= most:
        return Read(content, tuple(headers), is_all)
    return Read(unfolded[:most], tuple(each for each in headers if each[0].lower() != _ENCODING), is_all)


def _unfolded(content: bytes, headers: Sequence[tuple[bytes, bytes]], most: int) -> bytes:
    """What a body unfolds to, hardly longer than the bound."""
    if not any(name.lower() == _ENCODING for name, _ in headers):
        return unpacked(content, most + 1)
    found = bytearray()
    try:
        for part in httpx2.Response(400, headers=list(headers), stream=httpx2.ByteStream(content)).iter_bytes():
            found += part
            if len(found) > most:
                break
    except httpx2.DecodingError:  # which whoever reads the whole will meet, too
        return b""
    return bytes(found)
