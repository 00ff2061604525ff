"""A server on loopback that keeps a limit, and counts what it took and refused."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.server_limits import Limit
from tests.support.threaded_server import Handler, serving


@dataclass
class Limited:
    """seconds: for a reply; tells: 'nothing' of when to come again, 'seconds' (whole ones), or 'exactly'.

    status: of a refusal; key: the only one that is taken, any other is refused after `key_seconds`.
    inner: what says the replies to what is taken, where it is not always the same.
    began, ended: when the first request came and the last reply went.
    """

    limit: Limit | None = None
    seconds: float = 0.5
    tells: str = "nothing"
    status: int = 429
    key: str | None = None
    key_seconds: float = 0.0
    inner: Handler | None = None
    in_work: int = 0
    requests: int = 0
    taken: int = 0
    began: float = 0.0
    ended: float = 0.0
    address: str = ""
    asked: list[str] = field(default_factory=list)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "GET":  # it lists no models
            return web.Response(status=404)
        body = json.loads(await request.read())
        self.began = self.began or time.monotonic()
        self.requests += 1
        self.asked.append(body["messages"][-1]["content"])
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            await asyncio.sleep(self.key_seconds)
            return web.json_response({"error": {"message": "No such key."}}, status=401)
        wait = self.limit.refuses(self.in_work, self.requests) if self.limit else None
        if wait is not None:
            return web.json_response({"error": {"message": "slow down"}}, status=self.status, headers=self._told(wait))
        self.in_work += 1
        try:
            await asyncio.sleep(self.seconds)
            reply = await (self.inner or self._well)(request)
        finally:
            self.in_work -= 1
        self.taken += 1
        self.ended = time.monotonic()
        return reply

    async def _well(self, _: web.BaseRequest) -> web.StreamResponse:
        message = {"role": "assistant", "content": "fine"}
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 3, "completion_tokens": 1}
        return web.json_response({"model": "m", "choices": [choice], "usage": usage})

    def _told(self, wait: float) -> dict[str, str]:
        if self.tells == "nothing":
            return {}
        return {"retry-after": f"{max(1, math.ceil(wait))}" if self.tells == "seconds" else f"{wait:.3f}"}

    @property
    def took(self) -> float:
        """Seconds from the first request to the last reply."""
        return self.ended - self.began


@contextmanager
def limited_server(limited: Limited) -> Iterator[Limited]:
    """A running server; its `address` ends with /v1."""
    with serving(limited) as root:
        limited.address = f"{root}/v1"
        yield limited
