"""A server in the test's own loop that answers as a function says, and models that are asked through it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from arena_hard.calling.calls import chat_completion
from arena_hard.calling.models import Clock, Models
from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.data.settings import EndpointSettings, ModelSettings

KEY = "plain-looking-private-value-9876"
Answered = tuple[int, dict[str, str], Any]  # status, headers, JSON or bytes
Answer = Callable[[dict[str, Any], int], Answered]  # from a request's body and its number, from 1


@dataclass
class Asked:
    """What came of each prompt, and the bodies that arrived."""

    outcomes: list[Reply | CallError] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def first(self) -> Any:
        return self.outcomes[0]

    @property
    def contents(self) -> list[str]:
        """The replies' texts; a call that failed fails the test."""
        assert not (failed := [each for each in self.outcomes if isinstance(each, CallError)]), failed
        return [each.content for each in self.outcomes if isinstance(each, Reply)]

    @property
    def messages(self) -> list[str]:
        """The errors' texts; a reply fails the test."""
        assert not (well := [each for each in self.outcomes if isinstance(each, Reply)]), well
        return [each.message for each in self.outcomes if isinstance(each, CallError)]


def completion(text: str | None, finish: str = "stop", **message: Any) -> Answered:
    """A good reply of an OpenAI server, with 10 tokens in and 20 out."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
    return 200, {}, {"model": "m", "choices": [choice], "usage": usage}


def error(status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> Answered:
    """A refusal in OpenAI's format."""
    return status, headers or {}, {"error": {"message": message, **more}}


def ask(
    answer: Answer,
    prompts: int = 1,
    one_by_one: bool = False,
    seconds: float = 0.0,
    context: ssl.SSLContext | None = None,
    **settings: Any,
) -> Asked:
    """Send `Prompt 1` … to a server with this answer, which takes so many seconds. Retries are quick.

    context: of a server that speaks TLS.
    """
    asked = Asked()

    async def handle(request: web.BaseRequest) -> web.Response:
        asked.bodies.append(await request.json())
        number = len(asked.bodies)
        await asyncio.sleep(seconds)
        status, headers, body = answer(asked.bodies[number - 1], number)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(status=status, headers=headers, body=content, content_type="application/json")

    async def run() -> None:
        runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        address = f"127.0.0.1:{runner.addresses[0][1]}"
        try:
            asked.outcomes = await outcomes(address, prompts, one_by_one, settings)
        finally:
            await runner.cleanup()

    asyncio.run(asyncio.wait_for(run(), 60))
    return asked


async def outcomes(address: str, prompts: int, one_by_one: bool, more: dict[str, Any]) -> list[Reply | CallError]:
    """What comes of each prompt, asked of the server at this address."""
    verify = more.pop("verify", True)
    bases = more.pop("bases", ["http://{}/v1"])
    endpoints = [
        EndpointSettings(base.format(address, port=address.rpartition(":")[2]), KEY, "2024-10-21", verify)
        for base in bases
    ]
    asking = {name: more.pop(name) for name in ("choices", "fields", "logprobs") if name in more}
    values = {"name": "m", "model_name": "m", "backoff": 0.01, "parallel": 4, "timeout": 20.0} | more
    models = Models()
    model = models.open(ModelSettings(endpoints=endpoints, **values))

    async def one(number: int) -> Reply | CallError:
        messages = [{"role": "user", "content": f"Prompt {number}"}]
        try:
            return await chat_completion(model, messages, 0.0, 100, Clock(str(number)), **asking)
        except CallError as problem:
            return problem

    try:
        if one_by_one:
            return [await one(number) for number in range(1, prompts + 1)]
        return list(await asyncio.gather(*(one(number) for number in range(1, prompts + 1))))
    finally:
        await models.close()
