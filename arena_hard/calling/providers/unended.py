"""Streams whose last event has come when their connection breaks: nothing of the reply is missing, and it was paid for.

Gateways that are restarted, and proxies that count seconds, leave the end of the transfer out.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

_TAIL = 2000  # bytes in which the last event is
# OpenAI's and Anthropic's; in a text that says the same, the quotes are escaped
_END = re.compile(rb"data:\s*(?:\[DONE\]|\{.*\"type\"\s*:\s*\"message_stop\".*\})")


def is_stream(headers: Mapping[str, str]) -> bool:
    """Whether a response consists of events."""
    return headers.get("content-type", "").lower().startswith("text/event-stream")


async def read(parts: AsyncIterator[bytes], broken: type[Exception]) -> bytes:
    """All of a stream. Raises what breaks it off, unless its last event has come."""
    found = bytearray()
    try:
        async for part in parts:
            found += part
    except broken:
        if not _END.fullmatch(re.split(rb"[\r\n]", found[-_TAIL:].rstrip())[-1]):
            raise
    return bytes(found)
