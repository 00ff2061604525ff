"""Streams whose last event has come when their connection breaks: nothing of the reply is missing, and it was paid for.

Gateways that are restarted, and proxies that count seconds, leave the end of the transfer out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

_TAIL = 200  # bytes in which the last event is
_ENDS = (b"[DONE]", b"message_stop")  # OpenAI's and Anthropic's; whoever reads the events looks at them closely


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
        if not any(end in found[-_TAIL:] for end in _ENDS):
            raise
    return bytes(found)
