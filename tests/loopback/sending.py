"""The last steps to the wire: words and headers of errors, and connections that break."""

from __future__ import annotations

import asyncio
import math
import time
from email.utils import formatdate
from typing import Any

from aiohttp import web

from .asks import Refused
from .settings import Settings
from .stats import Visit
from .wires import masked

# A request that sleeps this long ends when its client leaves, or with the server.
FOREVER = 24 * 3600.0


def facts_of(visit: Visit, refused: Refused, told: float | None, settings: Settings) -> dict[str, Any]:
    """What the words of an error may speak of."""
    window = settings.context_window or 8192
    facts = {
        "model": visit.model,
        "masked": masked(visit.key),
        "limit": int(settings.rpm or 3),
        "window": window,
        "tokens": window + 808,
        "param": refused.param,
        "value": "",
        "instead": "",
        "hint": "" if told is None else f" Please try again in {told:g}s.",
        "request_id": request_id(visit),
    }
    return facts | refused.facts


def request_id(visit: Visit) -> str:
    return f"req_{visit.digest.hex()}{visit.attempt}"


def retry_after(refused: Refused, settings: Settings) -> tuple[float | None, dict[str, str]]:
    """The seconds to wait that a refusal tells (None for none), and the header which says so."""
    seconds = refused.retry_after
    if seconds is None and refused.kind == "429":
        seconds = settings.retry_after
    form = refused.form or settings.retry_after_form
    if seconds is None or form == "none":
        return None, {}
    if form == "ms":
        return seconds, {"retry-after-ms": str(math.ceil(seconds * 1000))}
    if form == "date":
        until = math.ceil(time.time() + seconds)
        return until - time.time(), {"retry-after": formatdate(until, usegmt=True)}
    return seconds, {"retry-after": f"{seconds:g}"}


async def abort(request: web.BaseRequest) -> None:
    """Reset the connection; aiohttp then cancels this request's task."""
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(FOREVER)


async def cut_body(request: web.BaseRequest, payload: bytes) -> None:
    """Promise the whole body, send half of it and close."""
    assert request.transport is not None
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    request.transport.write(head.encode() + payload[: len(payload) // 2])
    request.transport.close()
    await asyncio.sleep(FOREVER)
