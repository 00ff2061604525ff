"""What servers are asked beside the calls is asked once, for all models that are there for the same key."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from arena_hard.calling.context import Prompts
from arena_hard.calling.context_check import ContextChecks, planned_lines
from arena_hard.calling.looks import Looks
from arena_hard.calling.models import Models
from arena_hard.calling.providers.base import CallError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.support.threaded_server import serving

KEYS = ("sk-one", "sk-two")
NAMES = [f"m{number}" for number in range(10)]
PROMPTS = Prompts("answers", lambda: iter([[{"role": "user", "content": "word " * 3000}]]), 2048)


class Listing:
    """A llama.cpp that has all the models. asked: how often each key has asked for each path."""

    def __init__(self) -> None:
        self.asked = Counter[tuple[str, str]]()
        self.root = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.asked[request.path, key if key in KEYS else "stranger"] += 1
        if key not in KEYS:
            return web.Response(status=401)
        if request.path == "/props":
            return web.json_response({"default_generation_settings": {"n_ctx": 4096}})
        if request.path == "/v1/models":
            return web.json_response({"data": [{"id": name, "owned_by": "llamacpp"} for name in NAMES]})
        return web.Response(status=404)

    def entries(self, key: str = KEYS[0], path: str = "/v1") -> list[ModelSettings]:
        there = [EndpointSettings(self.root + path, api_key=key)]
        return [ModelSettings(name=f"{name} {key}", model_name=name, endpoints=there) for name in NAMES]


@pytest.fixture
def server() -> Iterator[Listing]:
    made = Listing()
    with serving(made.answer) as made.root:
        yield made


async def begun(models: Models, entries: Sequence[ModelSettings]) -> list[str]:
    opened = [models.open(entry) for entry in entries]
    said = await ContextChecks().begin((model, PROMPTS, [Path(model.settings.name)]) for model in opened)
    for model in opened:
        assert model.endpoints[0].context and model.endpoints[0].context.length == 4096
        assert model.endpoints[0].gate._opening.is_trusted  # elsewhere it shows in seconds alone
    return said


def test_ten_models_on_one_server_ask_it_once(server: Listing) -> None:
    async def scene() -> None:
        models = Models()
        try:
            assert len(await begun(models, server.entries())) == 10
            once = {("/v1/models", "sk-one"): 1, ("/props", "sk-one"): 1, ("/v1/models", "stranger"): 1}
            assert server.asked == once
            await begun(models, server.entries())  # as the next wave of judgments does
            assert server.asked == once
            await begun(models, server.entries("sk-two"))  # another key may see other models
            assert server.asked == once | {("/v1/models", "sk-two"): 1, ("/props", "sk-two"): 1}
        finally:
            await models.close()

    asyncio.run(scene())


def test_a_plan_asks_once_too(server: Listing) -> None:
    said = planned_lines((entry, PROMPTS) for entry in server.entries())
    assert [line.partition(" sk-one: ")[0] for line in said] == NAMES
    assert server.asked == {("/v1/models", "sk-one"): 1, ("/props", "sk-one"): 1}


def test_a_wrong_address_is_looked_into_once(server: Listing) -> None:
    async def scene() -> None:
        models = Models()
        try:
            endpoints = [models.open(entry).endpoints[0] for entry in server.entries(path="/api")]
            errors = [CallError("final", "404: nothing here", wrong_address=True) for _ in endpoints]
            await asyncio.gather(*(each.explain(error) for each, error in zip(endpoints, errors)))
        finally:
            await models.close()
        assert all(f"so write api_base: {server.root}/v1" in error.message for error in errors)

    asyncio.run(scene())
    assert set(server.asked.values()) == {1} and ("/v1/models", "sk-one") in server.asked


def test_who_is_stopped_while_he_asks_leaves_it_to_the_next() -> None:
    async def scene() -> None:
        looks = Looks()
        first, second = (asyncio.ensure_future(looks.once("it", lambda: asyncio.sleep(0.01, "found"))) for _ in "12")
        await asyncio.sleep(0)
        first.cancel()
        assert await second == "found"

    asyncio.run(scene())
