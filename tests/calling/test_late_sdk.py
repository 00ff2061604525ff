"""In a process that has not imported the SDK: what first needs it comes while other requests are in flight."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.pipeline_bench import Scratch
from tests.support.threaded_server import serving

pytestmark = pytest.mark.slow
QUESTIONS = 60
OPENAI = {"choices": [{"message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}]}
ANTHROPIC = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "fine"}], "model": "m"}
REPLIES: dict[str, dict[str, Any]] = {
    "openai": OPENAI,
    "anthropic": ANTHROPIC | {"stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}},
}


class OddServer:
    """Answers well, in a tenth of a second; some of its requests, counted from 1, in an odd way."""

    def __init__(self, odd: str, at: set[int], reply: dict[str, Any]) -> None:
        self.odd, self.at, self.reply = odd, at, reply
        self.requests = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "POST":
            return web.Response(status=404)
        await request.read()
        self.requests += 1
        is_odd = not self.at or self.requests in self.at
        await asyncio.sleep(0.1)
        if not is_odd:
            return web.json_response(self.reply)
        if self.odd == "cookie":
            return web.json_response(self.reply, headers={"set-cookie": "__cf_bm=abc; Path=/"})
        if self.odd == "moved":
            return web.Response(status=307, headers={"location": f"{request.rel_url.path}?again"})
        if self.odd == "no gzip":
            return web.Response(body=b"{}", headers={"content-encoding": "gzip", "content-type": "application/json"})
        assert request.transport is not None
        request.transport.close()
        return web.Response()


@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("odd", "at"),
    [("cookie", set[int]()), ("cut", {1}), ("cut", {5, 20}), ("no gzip", {5}), ("moved", {5})],
    ids=lambda each: each if isinstance(each, str) else "-".join(map(str, sorted(each))),
)
def test_it_holds_up_nobody_and_breaks_nothing(tmp_path: Path, api_type: str, odd: str, at: set[int]) -> None:
    server = OddServer(odd, at, REPLIES[api_type])
    with serving(server) as root:
        made = Scratch(tmp_path, f"{root}/v1" if api_type == "openai" else root, questions=QUESTIONS)
        made.models["m"] |= {"api_type": api_type, "parallel": 16, "attempts": 3}
        with made.start("gen_answer.py") as process:
            out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert len(made.answered_ids()) == QUESTIONS
    assert server.requests <= QUESTIONS + 2 * len(at)
