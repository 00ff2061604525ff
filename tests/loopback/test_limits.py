"""Keys, models, parameters and rates that the loopback server refuses."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from .limits import Bucket
from .process import Server
from .sdks import ask, ask_anthropic, texts
from .settings import REASONER

pytestmark = pytest.mark.slow  # a server, asked through the SDKs


def test_keys_and_models_are_checked(wire: Server) -> None:
    wire.configure(keys=["sk-good", "sk-ant"], served_models=["m"])
    (refused,) = ask(wire, "a", key="sk-bad-secret-1234")
    assert isinstance(refused, openai.AuthenticationError) and "secret" not in str(refused)
    good, missing = ask(wire, "a", key="sk-good")[0], ask(wire, "a", key="sk-good", model="n")[0]
    assert good.model == "m" and isinstance(missing, openai.NotFoundError)
    assert ask_anthropic(wire).model == "m"
    assert wire.stats()["refused"] == {"401": 1, "404": 1}
    assert [each["key"] for each in wire.requests(4)] == [
        "sk-bad-secret-1234",
        "sk-good",
        "sk-good",
        "sk-ant",
    ]


def test_models_are_listed(wire: Server) -> None:
    async def names() -> list[str]:
        async with openai.AsyncOpenAI(base_url=wire.openai_base, api_key="k", max_retries=0) as client:
            return [model.id async for model in client.models.list()]

    wire.configure(served_models=["m", "n"])
    assert asyncio.run(names()) == ["m", "n"]


def test_a_reasoning_model_refuses_until_asked_in_its_terms(wire: Server) -> None:
    wire.configure(models={"reasoner-1": dict(REASONER)})
    old = {"model": "reasoner-1", "max_tokens": 900, "temperature": 0.0}
    steps = [
        ("max_tokens", old),
        ("temperature", {"model": "reasoner-1", "max_completion_tokens": 900, "temperature": 0.0}),
        ("messages[0].role", {"model": "reasoner-1", "max_completion_tokens": 900}),
    ]
    for param, request in steps:
        (refused,) = ask(wire, "a", role="system", **request)
        assert isinstance(refused, openai.BadRequestError) and refused.param == param
    (reply,) = ask(wire, "a", role="developer", model="reasoner-1", max_completion_tokens=900)
    assert reply.choices[0].finish_reason == "stop"
    assert texts(ask(wire, "a", role="system", max_tokens=900, temperature=0.0))


def test_a_model_of_its_own_kind(wire: Server) -> None:
    wire.configure(models={"broken": {"fault": "500"}, "long": {"reply": "size=999"}})
    assert isinstance(ask(wire, "a", model="broken")[0], openai.InternalServerError)
    assert len(texts(ask(wire, "a", model="long"))[0]) == 999
    assert wire.stats()["by_model"] == {"broken": 1, "long": 1}


def test_context_window(wire: Server) -> None:
    wire.configure(context_window=50)
    fits, too_long = ask(wire, "x" * 190, "x" * 220)
    assert fits.usage.prompt_tokens <= 50
    assert isinstance(too_long, openai.BadRequestError) and too_long.code == "context_length_exceeded"


def test_bucket_tells_the_time_to_wait() -> None:
    now = 100.0
    bucket = Bucket(120, burst=2, clock=lambda: now)
    assert [bucket.take(), bucket.take(), bucket.take()] == [0.0, 0.0, pytest.approx(0.5)]
    now += 0.3
    assert bucket.take() == pytest.approx(0.2)
    now += bucket.take()
    assert [bucket.take(), bucket.take()] == [0.0, pytest.approx(0.5)]
    now += 60
    assert [bucket.take(), bucket.take(), bucket.take() > 0] == [0.0, 0.0, True]


def test_requests_per_minute_for_each_key_and_model(wire: Server) -> None:
    wire.configure(rpm=6, burst=2)
    replies = ask(wire, "a", "b", "c")
    refused = [each for each in replies if isinstance(each, openai.RateLimitError)]
    assert len(refused) == 1 and 1 <= int(refused[0].response.headers["retry-after"]) <= 10
    assert texts(ask(wire, "a", key="sk-2")) and texts(ask(wire, "a", model="n"))
    stats = wire.stats()
    assert (stats["429s"], stats["refused"], stats["successes"]) == (1, {"429": 1}, 4)


def test_max_concurrency(wire: Server) -> None:
    async def call() -> None:
        async with openai.AsyncOpenAI(base_url=wire.openai_base, api_key="k", max_retries=0) as client:
            create: Any = client.chat.completions.create
            body = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
            waiting = [asyncio.create_task(create(**body)) for _ in range(3)]
            while (await asyncio.to_thread(wire.stats))["in_flight"] < 3:
                await asyncio.sleep(0.01)
            with pytest.raises(openai.RateLimitError):
                await create(**body)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            await create(**body)

    wire.configure(max_concurrency=3)
    wire.script(["hang", "hang", "hang"])
    asyncio.run(call())
    assert wire.stats()["max_in_flight"] == 4
