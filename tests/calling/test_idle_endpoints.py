"""An endpoint that takes nothing, or nothing any more, while others of the same model carry the run: it is named."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from aiohttp import web

from arena_hard.calling.calls import GIVE_UP_AFTER, chat_completion
from arena_hard.calling.models import Models
from arena_hard.calling.providers.base import CallError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, question
from tests.support.threaded_server import serving

REPLY = {"model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "fine"}}]}
WRONG = {"error": {"message": "The key was withdrawn."}}


class Keys:
    """A server that takes so many requests by each key, and then refuses."""

    def __init__(self, status: int, **taken: int) -> None:
        self.status, self.taken = status, taken
        self.asked = Counter[str]()

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        await request.read()
        key = request.headers["authorization"].removeprefix("Bearer ")
        self.asked[key] += request.method == "POST"
        if self.asked[key] > self.taken.get(key, 1000):
            return web.json_response(WRONG, status=self.status)
        return web.json_response(REPLY)


def notes_after(requests: int, server: Keys, *keys: str) -> tuple[list[str], list[str]]:
    """The notes of idle endpoints after so many requests, one after the other, and why some failed."""

    async def run(bases: list[EndpointSettings]) -> tuple[list[str], list[str]]:
        models, failed = Models(), list[str]()
        settings: dict[str, Any] = {"attempts": 1, "backoff": 0.0, "timeout": 5.0}
        model = models.open(ModelSettings("m", "m", bases, **settings))
        for _ in range(requests):
            try:
                await chat_completion(model, [{"role": "user", "content": "?"}], 0.0, 10)
            except CallError as error:
                failed.append(error.message)
        notes = [*models.idle_notes(failed), *models.idle_notes(failed)]
        await models.close()
        return notes, failed

    with serving(server) as address:
        return asyncio.run(run([EndpointSettings(f"{address}/v1", key) for key in keys]))


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_from_some_time_on_is_told_once(status: int) -> None:
    server = Keys(status, a=2)
    (note,), failed = notes_after(9, server, "a", "b")
    assert not failed and server.asked == {"a": 3, "b": 7}
    assert "(endpoint 1 of 2) answered 2 requests, failed at 1, and was asked no more" in note
    assert f"({status}: The key was withdrawn); other endpoints did its part." in note


def test_an_endpoint_that_is_given_up_for_its_failures_is_told() -> None:
    server = Keys(500, a=2)
    (note,), failed = notes_after(2 * GIVE_UP_AFTER + 8, server, "a", "b")
    assert len(failed) == GIVE_UP_AFTER
    assert f"(endpoint 1 of 2) answered 2 requests, failed at {GIVE_UP_AFTER}, and was asked no more (500: " in note


def test_all_are_told_where_no_endpoint_is_left_but_what_the_failures_say_already() -> None:
    class Differently(Keys):
        async def __call__(self, request: web.BaseRequest) -> web.Response:
            self.status = 401 if request.headers["authorization"].endswith("a") else 403
            return await super().__call__(request)

    (note,), failed = notes_after(6, Differently(0, a=1, b=2), "a", "b")
    assert failed and not any("401" in reason for reason in failed)
    assert "(endpoint 1 of 2) answered 1 request, failed at 1, and was asked no more (401: " in note
    assert "other endpoints" not in note


def test_nothing_is_said_where_all_goes_well() -> None:
    assert notes_after(4, Keys(401), "a", "b") == ([], [])


@pytest.mark.slow
def test_a_run_that_lost_a_key_says_so_at_its_end(scratch: Scratch, wire: Server) -> None:
    scratch.set_questions([question(number) for number in range(8)])
    with serving(Keys(401, a=2)) as other:
        bases = {f"{other}/v1": "a", wire.openai_base: "b"}
        endpoints = [{"api_base": base, "api_key": key} for base, key in bases.items()]
        scratch.models["m"] |= {"endpoints": endpoints, "parallel": 1}
        done = scratch.run("gen_answer.py")
    assert done.returncode == 0 and "8 answers written, 0 failed." in done.stdout
    host = other.removeprefix("http://")
    told = f"note: m: {host} answered 2 requests, failed at 1, and was asked no more (401: The key was withdrawn); "
    assert told + "other endpoints did its part." in done.stderr
