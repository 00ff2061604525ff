"""A server in a thread that gives every request the body that a function says, live and in the providers' batches."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from tests.support.threaded_server import serving

Say = Callable[[dict[str, Any]], Any]  # a request's body → the body of its reply, as JSON or a text


class BatchServer:
    """OpenAI's files and batches, Anthropic's message batches, and calls. A batch has ended when it is made.

    holds: whether those of OpenAI have not ended yet.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, list[bytes]] = {}
        self.live: list[dict[str, Any]] = []
        self.batched: list[dict[str, Any]] = []
        self.address = ""
        self.holds = False
        self.instead: list[tuple[int, bytes]] = []  # what comes in place of what is asked for, one after the other
        self.knows = "/"  # what the paths begin with that it knows

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        parts = request.path.strip("/").split("/")
        if not request.path.startswith(self.knows):
            return web.json_response({"detail": "Not Found"}, status=404)
        if request.method == "POST" and parts[-1] == "files":
            return self._upload(await request.read())
        body = json.loads(await request.read() or b"{}")
        if request.method == "POST" and parts[-1] == "batches":
            return self._anthropic(body) if "messages" in parts else self._openai(body)
        if request.method == "POST":
            self.live.append(body)
            return _json(self._say(body))
        if self.instead:
            status, content = self.instead.pop(0)
            return web.Response(body=content, status=status)
        if parts[-1] in ("content", "results"):
            return web.Response(body=b"\n".join(self._batches[parts[-2]]) + b"\n")
        if parts[-1] == "batches":
            return _json({"data": [], "has_more": False})
        return _json(self._ended(parts[-1], "messages" in parts))

    def _upload(self, form: bytes) -> web.Response:
        """Only the lines matter of the form that the SDK sends."""
        lines = [line for line in form.splitlines() if line.startswith(b"{")]
        name = f"file-{len(self._files)}"
        self._files[name] = b"\n".join(lines)
        return _json({"id": name, "object": "file", "bytes": 1, "created_at": 0, "filename": "f", "purpose": "batch",
                      "status": "processed"})  # fmt: skip

    def _openai(self, body: dict[str, Any]) -> web.Response:
        name, rows = f"batch-{len(self._batches)}", []
        for line in map(json.loads, self._files[body["input_file_id"]].splitlines()):
            self.batched.append(line["body"])
            reply = f'{{"status_code": 200, "body": {_text(self._say(line["body"]))}}}'
            rows.append(
                f'{{"custom_id": {json.dumps(line["custom_id"])}, "response": {reply}, "error": null}}'.encode()
            )
        self._batches[name] = rows
        return _json(self._ended(name, anthropic=False))

    def _anthropic(self, body: dict[str, Any]) -> web.Response:
        name, rows = f"batch-{len(self._batches)}", []
        for row in body["requests"]:
            self.batched.append(row["params"])
            result = f'{{"type": "succeeded", "message": {_text(self._say(row["params"]))}}}'
            rows.append(f'{{"custom_id": {json.dumps(row["custom_id"])}, "result": {result}}}'.encode())
        self._batches[name] = rows
        return _json(self._ended(name, anthropic=True))

    def _ended(self, name: str, anthropic: bool) -> dict[str, Any]:
        if anthropic:
            counts = {"succeeded": len(self._batches[name])}
            return {"id": name, "processing_status": "ended", "request_counts": counts}
        status = "in_progress" if self.holds else "completed"
        return {"id": name, "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "f",
                "completion_window": "24h", "status": status, "created_at": 0, "output_file_id": name,
                "error_file_id": None, "metadata": {}, "request_counts": {"total": len(self._batches[name]),
                "completed": len(self._batches[name]), "failed": 0}}  # fmt: skip


def _text(said: Any) -> str:
    return said if isinstance(said, str) else json.dumps(said)


def _json(said: Any) -> web.Response:
    return web.Response(text=_text(said), content_type="application/json")


@contextmanager
def batch_server(say: Say, context: ssl.SSLContext | None = None) -> Iterator[BatchServer]:
    """A running server; its `address` is a URL without a path. context: of one that speaks TLS."""
    server = BatchServer(say)
    with serving(server, context) as server.address:
        yield server
