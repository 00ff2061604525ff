"""Azure's paths, keys and rules for files and batches before a server of OpenAI's: a thin proxy for tests.

No server that speaks them was found (llmock 0.2 and aimock 1.43 have /v1 only), so what Azure documents stands here:
POST /openai/files?api-version=… and so on, the header api-key, a file that is pending for a while after it was
uploaded and no batch before that, "/chat/completions" in each line and as the batch's endpoint.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.threaded_server import serving

KEY = "azure-key"
VERSION = "2024-10-21"
_PATHS = re.compile(r"/openai(/files(?:/[\w-]+(?:/content)?)?|/batches(?:/[\w-]+)?)")


class AzureFront:
    """The proxy. `refused` holds what it answered with an error itself; `pending` counts the looks at such files.

    queue: lines that a batch may have, as a queue full of tokens would have it; one with more fails.
    """

    def __init__(self, behind: str, pending_seconds: float) -> None:
        self.root = ""
        self.queue: int | None = None
        self.failed: dict[str, dict[str, Any]] = {}
        self._lines: dict[str, int] = {}
        self.refused: list[str] = []
        self.pending = 0
        self._behind, self._pending_seconds = behind, pending_seconds
        self._ready_at: dict[str, float] = {}

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        found = _PATHS.fullmatch(request.path)
        if found is None or request.query.get("api-version") != VERSION:
            return self._error(404, "404", f"Resource not found: {request.method} {request.path_qs}")
        if request.headers.get("api-key") != KEY:
            return self._error(401, "401", "Access denied due to invalid subscription key or wrong API endpoint.")
        path = "/v1" + found.group(1)
        if request.method == "POST":
            if path == "/v1/files":
                return await self._upload(await request.post())
            return await self._batch(await request.json())
        if (failed := self.failed.get(path.rpartition("/")[2])) is not None:
            return web.json_response(failed)
        query = {name: value for name, value in request.query.items() if name != "api-version"}
        return await self._passed_on("GET", path, params=query)

    async def _upload(self, form: Any) -> web.Response:
        rows = [json.loads(line) for line in form["file"].file.read().splitlines()]
        if form["purpose"] != "batch" or not rows:
            return self._error(400, "invalidPayload", "Invalid value for purpose, or no line.")
        for row in rows:
            if row["method"] != "POST" or row["url"] != "/chat/completions" or not row["body"]["model"]:
                return self._error(400, "invalidPayload", f"A line is not what is documented: {row}")
            row["url"] = "/v1/chat/completions"
        content = aiohttp.FormData({"purpose": "batch"})
        content.add_field("file", "".join(json.dumps(row) + "\n" for row in rows), filename=form["file"].filename)
        made = await self._passed_on("POST", "/v1/files", data=content)
        assert isinstance(made.body, bytes)
        self._lines[json.loads(made.body)["id"]] = len(rows)
        return made

    async def _batch(self, body: dict[str, Any]) -> web.Response:
        if body["endpoint"] != "/chat/completions":
            return self._error(400, "invalidPayload", f"Not an endpoint for batches: {body['endpoint']}")
        if time.monotonic() < self._ready_at.get(body["input_file_id"], 0.0):
            message = f"The input file '{body['input_file_id']}' is in 'pending' state."
            return self._error(400, "invalidPayload", message)
        if self.queue is not None and self._lines[body["input_file_id"]] > self.queue:
            return web.json_response(self._failure(body))
        return await self._passed_on("POST", "/v1/batches", json=body | {"endpoint": "/v1/chat/completions"})

    def _failure(self, body: dict[str, Any]) -> dict[str, Any]:
        message = "The number of enqueued tokens has surpassed the configured limit."
        errors = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": message, "line": None}]}
        batch = {"id": f"batch_failed{len(self.failed)}", "object": "batch", "status": "failed", "errors": errors}
        self.failed[batch["id"]] = body | batch | {"output_file_id": None, "error_file_id": None}
        return self.failed[batch["id"]]

    async def _passed_on(self, method: str, path: str, **options: Any) -> web.Response:
        async with aiohttp.request(method, self._behind + path, **options) as response:
            content, status = await response.read(), response.status
        if "/files" in path and not path.endswith("/content"):
            content = json.dumps(self._with_status(json.loads(content))).encode()
        return web.Response(body=content, status=status, content_type="application/json")

    def _with_status(self, file: dict[str, Any]) -> dict[str, Any]:
        ready = self._ready_at.setdefault(str(file.get("id")), time.monotonic() + self._pending_seconds)
        if time.monotonic() >= ready:
            return file
        self.pending += 1
        return file | {"status": "pending"}

    def _error(self, status: int, code: str, message: str) -> web.Response:
        self.refused.append(message)
        return web.json_response({"error": {"code": code, "message": message}}, status=status)


@contextmanager
def azure_before(root: str, pending_seconds: float = 0.2) -> Iterator[AzureFront]:
    """The proxy before the server at `root`, in a thread of its own."""
    front = AzureFront(root, pending_seconds)
    with serving(front) as front.root:
        yield front
