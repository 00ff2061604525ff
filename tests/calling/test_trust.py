"""A server that lists its models for our key alone has shown that the key is right, and gets many requests sooner."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from arena_hard.calling.context_check import look
from arena_hard.calling.gate import Gate
from arena_hard.calling.models import Models
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.trust import trust
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.loopback import Server
from tests.support.gates import granted, queue, settle, too_many
from tests.support.imagined_time import run_imagined
from tests.support.pipeline_bench import Scratch
from tests.support.threaded_server import serving


def sent_while_unanswered(gate: Gate, *times: float) -> list[int]:
    """How many requests have gone after so many seconds, in imagined time, if none is answered."""

    async def scene() -> list[int]:
        tasks = queue(gate, 600)
        found: list[int] = []
        for before, now in itertools.pairwise((0.0, *times)):
            await asyncio.sleep(now - before)
            await settle()
            found.append(granted(tasks))
        for task in tasks:
            task.cancel()
        return found

    return run_imagined(scene)


def test_all_go_after_a_quarter_of_a_second() -> None:
    gate = Gate(512)
    gate.trust()
    assert sent_while_unanswered(gate, 0.01, 0.2, 0.3) == [4, 4, 512]
    assert sent_while_unanswered(Gate(512), 0.01, 0.2, 0.3)[-1] <= 2


@pytest.mark.parametrize("seconds", [0.05, 0.2])
def test_an_empty_account_costs_few_requests_all_the_same(seconds: float) -> None:
    async def scene() -> None:
        gate = Gate(200)
        gate.trust()
        tasks = queue(gate, 300)
        await asyncio.sleep(seconds)
        gate.failed(tasks[0].result(), CallError("final", "no quota", endpoint_wide=True))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(not isinstance(each, BaseException) for each in outcomes) <= 4

    run_imagined(scene)


def test_after_a_429_few_go_again_at_first() -> None:
    async def scene() -> None:
        gate = Gate(50)
        gate.trust()
        tasks = queue(gate, 100)
        await asyncio.sleep(0.2)
        for task in tasks[:4]:
            gate.failed(task.result(), too_many(1.0))
        await asyncio.sleep(1.1)
        assert granted(tasks) <= 8
        for task in tasks:
            task.cancel()

    run_imagined(scene)


async def is_trusted(server: Server, key: str = "sk-good", **more: Any) -> bool:
    models = Models()
    entry = {"name": "m", "model_name": "m", "endpoints": [EndpointSettings(server.openai_base, api_key=key)]}
    try:
        model = models.open(ModelSettings(**entry | more))
        gate = model.endpoints[0].gate
        trusted: list[bool] = []
        gate.trust = lambda: trusted.append(True)
        await look(model)
        await trust(model.endpoints)
        return bool(trusted)
    finally:
        await models.close()


@pytest.mark.parametrize(
    ("settings", "key", "trusted"),
    [
        ({"keys": ["sk-good"], "served_models": ["m"]}, "sk-good", True),
        ({"keys": ["sk-good"], "served_models": ["m", "n"]}, "sk-good", True),
        ({"keys": ["sk-good"], "served_models": ["n", "o"]}, "sk-good", False),  # the model may be wrong
        ({"keys": ["sk-good"]}, "sk-good", False),  # lists another one
        ({"keys": ["sk-good"], "served_models": ["m"]}, "sk-wrong", False),
        ({"served_models": ["m"]}, "sk-good", False),  # lists for any key, and may not take it for more
        ({"served_models": ["m"]}, "EMPTY", False),
    ],
)
def test_who_is_trusted(wire: Server, settings: dict[str, Any], key: str, trusted: bool) -> None:
    wire.configure(**settings)
    assert asyncio.run(is_trusted(wire, key)) == trusted


ODD_REFUSALS = ("drop by drop", "a cookie", "to nowhere", "to a long name", "to a port that is none", "500", "hangs up")


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD_REFUSALS)
def test_whatever_a_stranger_is_told_the_run_goes_on(tmp_path: Path, odd: str) -> None:
    """And what a stranger is given is not shown again by those who have a key."""
    cookies: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "POST":
            cookies.append(request.headers.get("cookie", ""))
            return web.json_response({"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]})
        if request.headers["authorization"] == "Bearer sk-secret-m-0123456789":
            return web.json_response({"data": [{"id": "m"}]})
        return await to_stranger(request, odd)

    with serving(answer) as root:
        made = Scratch(tmp_path, f"{root}/v1")
        began = time.monotonic()
        done = made.run("gen_answer.py")
        assert done.returncode == 0, done.stdout + done.stderr
        assert time.monotonic() - began < 20  # of thirty for all drops
    assert cookies == [""] * 3


async def to_stranger(request: web.BaseRequest, odd: str) -> web.StreamResponse:
    if odd == "hangs up":
        assert request.transport is not None
        request.transport.close()
    if odd == "drop by drop":
        response = web.StreamResponse(status=401)
        await response.prepare(request)
        for _ in range(30):
            await response.write(b".")
            await asyncio.sleep(1.0)
        return response
    names = {"to nowhere": "a..b", "to a long name": "a" * 64, "to a port that is none": "a:99999"}
    places = {kind: f"http://{name}/" for kind, name in names.items()}
    headers = {"set-cookie": "session=anon; Path=/"} | ({"location": places[odd]} if odd in places else {})
    return web.Response(status=302 if odd in places else int(odd) if odd.isdigit() else 401, headers=headers)


@pytest.mark.parametrize("base", ["http://my-host..svc:8000/v1", f"http://{'a' * 64}:8000/v1", "http://127.0.0.1:9/v1"])
def test_an_address_that_is_none_is_no_error_here(wire: Server, base: str) -> None:
    assert not asyncio.run(is_trusted(wire, endpoints=[EndpointSettings(base, api_key="sk-good")]))
