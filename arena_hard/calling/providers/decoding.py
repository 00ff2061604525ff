"""The bytes of a reply → its JSON, also where a gateway has changed its encoding or written more than it around it.

What is no JSON at all comes back as the text that it is: there are the server's words in it.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from arena_hard.calling.providers import streams
from arena_hard.calling.providers.addresses import web_page
from arena_hard.calling.providers.base import CallError, whole_characters

_MOST_DIGITS = 1000
_MOST_BYTES = 256_000_000  # of what was packed
_PAGE_BYTES = 4096  # in which a web page has its title
_DECODER = msgspec.json.Decoder()
_LENIENT = json.JSONDecoder(strict=False)
_GAP = re.compile(r"[\s,\x1e]*")  # between values that stand one after the other
_PACKED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda")  # how gzip and zlib begin, and no text does
_EITHER = 47  # of them, in zlib's terms
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_COMMENT = re.compile(r"^:.*$", re.MULTILINE)  # of a stream, by which a connection is kept
# what is usually meant by the smaller of two encodings, and decodes all of it
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252"}


class NoText(CallError):
    """A body that nobody can read, and nobody should be shown."""


def readable(content: bytes, charset: str | None = None) -> Any:
    """The same as `decoded`, with a message in place of bytes that are no text."""
    try:
        return decoded(content, charset)
    except NoText as error:
        return error.message


def unpacked(content: bytes, most: int = _MOST_BYTES) -> bytes:
    """A body that a gateway packed, whether or not its headers say so; what came of it where it broke off.

    most: bytes that it may unfold to; the rest is left out.
    """
    if not content.startswith(_PACKED):
        return content
    with contextlib.suppress(zlib.error):
        return zlib.decompressobj(_EITHER).decompress(content, most) or content
    return content


def decoded(content: bytes, charset: str | None = None) -> Any:
    """A reply's JSON, or its text where it is none. Raises CallError for one that cannot be read.

    charset: what its Content-Type says, which holds where it is no UTF-8.
    An emoji that was cut at max_tokens leaves half a character, which strict JSON knows not: it becomes �. NaN, raw
    line ends within texts and a byte order mark are read too, and so is a stream that nobody asked for.
    """
    came, content = content, unpacked(content)
    try:
        found = _DECODER.decode(content)
        is_json = isinstance(found, str) and found.lstrip().startswith("{")
        found = decoded(found.encode()) if is_json else found  # some encode it twice
        parts = found if isinstance(found, list) else [found]
        return streams.reply_of(parts, False) if streams.is_parts(parts) else found
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = error
    with contextlib.suppress(RecursionError):
        for text in _texts(content, charset):
            with contextlib.suppress(ValueError):
                whole = json.dumps(_lenient(text), ensure_ascii=False)
                return json.loads(whole_characters(whole))
    page = web_page(content[:_PAGE_BYTES].decode(errors="replace"))
    if page:
        raise CallError("transient", f"the server answered with {page}, not JSON", wrong_address=True) from None
    words = next(_texts(content, charset)).strip()
    if _NO_TEXT.search(words):
        raise NoText("transient", f"the server's reply is not readable ({len(content)} bytes that are no text)")
    if not words or words.startswith(("{", "[")):
        unread = CallError if came is content else NoText
        raise unread("transient", f"the server's reply is not readable ({problem})") from None
    return words


def _texts(content: bytes, charset: str | None) -> Iterator[str]:
    """What the bytes may say, the likeliest first."""
    declared = _known(charset)
    for name in ("utf-8-sig", _WIDER.get(declared, declared), declared, json.detect_encoding(content)):
        with contextlib.suppress(UnicodeDecodeError):
            if name:
                yield content.decode(name)
    yield content.decode("utf-8-sig", "replace")


def _known(charset: str | None) -> str:
    """Python's name of a text encoding; empty for one that it does not know."""
    with contextlib.suppress(LookupError, ValueError, TypeError):
        found = codecs.lookup(charset or "")
        if found._is_text_encoding:
            return found.name
    return ""


def _lenient(text: str) -> Any:
    """The JSON in a text that strict readers refuse. Raises ValueError where there is none."""
    with contextlib.suppress(ValueError):
        return json.loads(text, strict=False, parse_int=_integer)
    if streams.is_stream(text):
        events, ended = streams.events_of(text)
    else:
        events, ended = list(_one_after_the_other(_COMMENT.sub("", text))), False
    found = streams.reply_of(events, ended)
    if found is None or not isinstance(found, (Mapping, list)):
        raise ValueError("no JSON")
    return found


def _integer(digits: str) -> int | float:
    """A number of the JSON; one of thousands of digits, which Python does not read, is infinite."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float("inf")


def _one_after_the_other(text: str) -> Iterator[Any]:
    """The values that a text begins with."""
    at = 0
    with contextlib.suppress(ValueError):
        while True:
            gap = _GAP.match(text, at)
            value, at = _LENIENT.raw_decode(text, gap.end() if gap else at)
            yield value
