"""Bodies of replies, and what comes of a call to which a server says one of them, live or by batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arena_hard.calling.batch import Mailbox, Waiting
from arena_hard.calling.kept_replies import key_of
from arena_hard.calling.models import Models
from arena_hard.calling.providers.base import CallError, Reply, Request
from arena_hard.calling.providers.batches import batches_of
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.usage import Usage
from tests.support.batch_server import batch_server
from tests.support.small_server import ask

USAGE = {"prompt_tokens": 10, "completion_tokens": 20}
TEN = Usage(prompt_tokens=10, completion_tokens=20)


def openai(
    message: Any = None, usage: Any = USAGE, more: dict[str, Any] | None = None, **choice: Any
) -> dict[str, Any]:
    """A completion; `more` stands beside its choices."""
    whole = {"finish_reason": "stop", "message": {"content": "fine"} if message is None else message} | choice
    return {"model": "m", "choices": [whole], "usage": usage} | (more or {})


def said(content: Any, **more: Any) -> dict[str, Any]:
    return openai({"role": "assistant", "content": content, **more})


def anthropic(content: Any = "fine", **more: Any) -> dict[str, Any]:
    whole = {"type": "message", "model": "m", "content": content, "stop_reason": "end_turn"}
    return whole | {"usage": {"input_tokens": 10, "output_tokens": 20}} | more


def live(body: Any, api_type: str = "openai", **settings: Any) -> tuple[Any, int]:
    """What comes of a call to which a server always says this, and how often it was asked."""
    raw = body.encode() if isinstance(body, str) else body
    asked = ask(lambda *_: (200, {}, raw), api_type=api_type, **settings)
    return asked.first, len(asked.bodies)


def batched(
    folder: Path, body: Any, api_type: str = "openai", instead: Sequence[tuple[int, bytes]] = (), **settings: Any
) -> tuple[Any, int]:
    """The same by batch. instead: what comes first in place of what the batch interface is asked for, by GET."""

    async def run(model: ModelSettings) -> Reply | CallError:
        opened = Models().open(model)
        batches = batches_of(api_type, opened.endpoints[0].client)
        assert batches is not None
        request = Request("m", [{"role": "user", "content": "x"}], 0.0, 100)
        box = Mailbox(folder / "box", batches, opened.adapter, lambda _: None, poll=(0.0, 0.0), model=model)
        try:
            with box:
                return await played(box, request)
        finally:
            await opened.adapter.close(opened.endpoints[0].client)

    with batch_server(lambda _: body) as server:
        server.instead = list(instead)
        endpoints = [EndpointSettings(server.address + ("/v1" if api_type == "openai" else ""), "k")]
        model = ModelSettings(name="m", model_name="m", api_type=api_type, endpoints=endpoints, **settings)
        return asyncio.run(asyncio.wait_for(run(model), 30)), len(server.batched)


async def played(box: Mailbox, request: Request) -> Reply | CallError:
    while True:
        try:
            found = box.reply(key_of(request, "x", {}), request)
            assert found is not None
            return found
        except Waiting:
            await box.exchange()
        except CallError as error:
            return error


def by(way: str, folder: Path, body: Any, api_type: str = "openai", **settings: Any) -> tuple[Any, int]:
    return live(body, api_type, **settings) if way == "live" else batched(folder, body, api_type, **settings)
