"""A server that bills all that it received: what came back late, empty, broken or to nobody too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support.pipeline_bench import Scratch
from tests.support.threaded_server import serving

PRICE = {"input": 1.0, "output": 100.0}  # that of `Billing`, per million tokens


@dataclass
class Billing:
    """How it answers: the ways of odd requests come round in this order, one for each request.

    ways: "well", "empty", "cut", "500", "hang", "hang up", "silent" (no usage), "429", "page" (a web page in place
        of the reply), "refused" (a 400 that tells its usage).
    hidden: prompt tokens beside the text's; beyond: tokens of a reply beyond max_tokens; price: dollars per token.
    replies: those that a script can take; seconds: until one comes.
    cached, thought: tokens that it counts beside the prompt and the completion, as some gateways do.
    """

    ways: tuple[str, ...] = ("well",)
    hidden: int = 0
    beyond: int = 0
    cached: int = 0
    thought: int = 0
    price: tuple[float, float] = (1e-6, 1e-4)
    words: int = 400
    seconds: float = 0.0
    text: str = "[[A>B]]"
    dollars: float = 0.0
    requests: int = 0
    replies: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    address: str = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "POST":
            return web.Response(status=404)
        body = json.loads(await request.read())
        way = self.ways[self.requests % len(self.ways)]
        self.requests += 1
        self.bodies.append(body)
        if way == "429":
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"retry-after": "0.02"})
        usage = self._bill(body, way)
        await asyncio.sleep(self.seconds)
        if way == "hang":
            await asyncio.sleep(30)
        if way == "hang up":
            assert request.transport is not None
            request.transport.close()
        if way == "500":
            return web.json_response({"error": {"message": "after the work"}}, status=500)
        if way == "page":
            return web.Response(text="<html>Just a moment</html>", content_type="text/html")
        if way == "refused":
            return web.json_response({"error": {"message": "blocked"}, "usage": usage}, status=400)
        self.replies += way != "empty"
        text, finish = {"empty": ("", "stop"), "cut": ("half", "length")}.get(way, (self.text, "stop"))
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
        found: dict[str, Any] = {"model": "m", "choices": [choice]}
        return web.json_response(found if way == "silent" else found | {"usage": usage})

    def _bill(self, body: dict[str, Any], way: str) -> dict[str, Any]:
        """As many prompt tokens as the text has bytes, which is the most that a tokenizer makes of it."""
        prompt = sum(len(each["content"].encode()) for each in body["messages"]) + self.hidden
        most = body.get("max_completion_tokens") or body["max_tokens"]
        completion = min(self.words, most) if way == "well" else most + self.beyond
        total = prompt + completion + self.cached + self.thought
        self.dollars += (prompt + self.cached) * self.price[0] + (completion + self.thought) * self.price[1]
        beside = {"prompt_tokens_details": {"cached_tokens": self.cached}, "total_tokens": total}
        return {"prompt_tokens": prompt, "completion_tokens": completion, **beside}


@contextmanager
def billing_server(billing: Billing) -> Iterator[Billing]:
    """A running server; its `address` ends with /v1."""
    with serving(billing) as root:
        billing.address = f"{root}/v1"
        yield billing


def bench(folder: Path, billing: Billing, script: str = "gen_answer.py", questions: int = 30, **entry: Any) -> Scratch:
    """Questions, and a model and a judge whose replies may have 100 tokens, a cent each."""
    timeout = 0.4 if "hang" in billing.ways else 20.0  # what a busy machine holds up is not asked for again
    made = Scratch(folder, billing.address, questions=questions)
    if script == "gen_judgment.py":
        made.put_answers("m", "base", count=questions)
    for name in ("m", "judge"):
        made.models[name] |= {"price": PRICE, "max_tokens": 100, "timeout": timeout, "attempts": 3, "parallel": 4}
        made.models[name] |= entry
    return made


def quoted_at_most(printed: str) -> float:
    """The dollars below `at most` in a quote."""
    lines = printed.splitlines()
    head = next(line for line in lines if "at most" in line)
    row = lines[lines.index(head) + 1]
    return float(row[: head.index("at most") + len("at most")].split()[-1].removeprefix("$"))
