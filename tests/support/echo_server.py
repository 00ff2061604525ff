"""A server that sends the keys back that it was sent: in errors, answers, headers, lists, batches and redirections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.support.batch_server import BatchServer
from tests.support.key_forms import forms_of
from tests.support.threaded_server import Handler, serving

KINDS = ("answered", "told", "odd", "400", "429", "500", "page", "401")  # by the number of the question, from 1


class EchoServer(BatchServer):
    """What it says depends on the number in the last message; more: keys that it knows from elsewhere."""

    def __init__(self, more: tuple[str, ...] = ()) -> None:
        super().__init__(lambda body: self._said(_kind_of(body), self._keys, "messages" in self._last_path))
        self._more = more
        self._keys: list[str] = list(more)
        self._last_path = ""

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self._last_path = request.path
        self._keys = [*self._more, *_keys_of(request)]
        if "batches" in request.path or "files" in request.path:
            return await super().__call__(request)
        if "/elsewhere" in request.path:
            return web.json_response({"error": {"message": f"no POST at {request.path}"}}, status=404)
        if request.method == "GET":
            return web.json_response({"data": [{"id": text} for key in self._keys for text in forms_of(key)]})
        if "/moved" in request.path:
            return web.Response(status=301, headers={"Location": f"/elsewhere/{self._keys[-1]}/v1/chat/completions"})
        body = json.loads(await request.read() or b"{}")
        self.live.append(body)
        kind = _kind_of(body)
        if kind == "429" and self.live.count(body) > 1:
            kind = "400"  # else it would be asked again until the deadline
        if kind == "page":
            return web.Response(text=f"<html><title>{_words(self._keys)}</title></html>", content_type="text/html")
        status = int(kind) if kind.isdigit() else 200
        said = self._said(kind, self._keys, "messages" in request.path)
        return web.json_response(said, status=status, headers=_headers(self._keys))

    def _said(self, kind: str, keys: list[str], anthropic: bool) -> Any:
        words = _words(keys)
        if kind not in ("answered", "odd"):
            return {
                "error": {"message": f"bad token {words} given", "type": keys[-1], "code": keys[-1], "param": words}
            }
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "input_tokens": 1, "output_tokens": 1}
        text = f"You said {words} and [[A>B]] EMPTY test"
        if anthropic:
            return {"type": "message", "model": keys[-1], "content": text, "stop_reason": "end_turn", "usage": usage}
        message = {"role": "assistant", "content": text, "reasoning_content": words}
        choice = {"index": 0, "finish_reason": "stop" if kind == "answered" else keys[-1], "message": message}
        more = {} if kind == "answered" else {"usage": {"prompt_tokens": words}}
        return {"model": keys[-1], "system_fingerprint": words, "choices": [choice], "usage": usage} | more

    def _openai(self, body: dict[str, Any]) -> web.Response:
        answered = super()._openai(body)
        name = f"batch-{len(self._batches) - 1}"
        first, *others = self._batches[name]
        error = {"code": self._keys[-1], "message": f"refused: {_words(self._keys)}"}
        row = {"custom_id": json.loads(first)["custom_id"], "response": None, "error": error}
        self._batches[name] = [json.dumps(row).encode(), *others]
        return answered


def _kind_of(body: dict[str, Any]) -> str:
    """By the first number in what is asked; what asks nothing is told an error."""
    text = str((body.get("messages") or [{}])[-1].get("content"))
    numbers = [int(word) for word in "".join(sign if sign.isdigit() else " " for sign in text).split()]
    return KINDS[(numbers[0] - 1) % len(KINDS)] if numbers else "told"


def _keys_of(request: web.BaseRequest) -> list[str]:
    given = [request.headers.get(name, "") for name in ("authorization", "x-api-key", "api-key")]
    return [each.removeprefix("Bearer ").removeprefix("Basic ") for each in given if each] or ["nothing-was-sent"]


def _words(keys: list[str]) -> str:
    return " ; ".join(form for key in keys for form in forms_of(key))


def _headers(keys: list[str]) -> dict[str, str]:
    return {"x-request-id": keys[-1], "www-authenticate": f"Bearer {keys[-1]}", "retry-after": "0",
            "x-ratelimit-limit-requests": keys[-1], "x-ratelimit-remaining-requests": keys[-1]}  # fmt: skip


@dataclass
class Echoing:
    """What another server answers, with all keys in all forms besides; an empty reply stays empty."""

    inner: Handler
    more: tuple[str, ...] = ()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        keys = [*self.more, *_keys_of(request)]
        answered = await self.inner(request)
        if not isinstance(answered, web.Response) or not answered.text:
            return answered
        headers = _headers(keys) | {
            name: value for name, value in answered.headers.items() if name.lower() == "retry-after"
        }
        said = _with_words(json.loads(answered.text), keys)
        return web.json_response(said, status=answered.status, headers=headers)


def _with_words(body: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    words = _words(keys)
    if "error" in body:
        return {"error": {"message": f"{body['error']['message']}: {words}", "type": keys[-1], "code": keys[-1]}}
    for choice in body["choices"]:
        said = choice["message"]
        said |= {"content": f"{words} {said['content']}", "reasoning_content": words} if said["content"] else {}
    return body | {"model": keys[-1], "system_fingerprint": words}


@contextmanager
def echo_server(*more: str) -> Iterator[EchoServer]:
    """A running server; its `address` is a URL without a path. more: keys that it says besides."""
    server = EchoServer(more)
    with serving(server) as server.address:
        yield server
