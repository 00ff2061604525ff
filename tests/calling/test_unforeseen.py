"""What nobody foresaw on the way of a reply: one failed call each, with its kind and place, and no end of the run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from arena_hard.calling import reading
from arena_hard.calling.calls import GIVE_UP_AFTER, chat_completion
from arena_hard.calling.models import Models
from arena_hard.calling.providers.base import CallError, Dialect, Reply, Request
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.usage import Usage

REPLY = Reply("fine", "stop", Usage(10, 20), "m")


class Scripted:
    """An adapter that raises or returns one of these after the other, and the last one for ever."""

    def __init__(self, *told: Any) -> None:
        self.told, self.calls = list(told), 0

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        return {}

    async def send(self, client: Any, body: dict[str, Any]) -> Reply:
        told = self.told[min(self.calls, len(self.told) - 1)]
        self.calls += 1
        if isinstance(told, Exception):
            raise told
        return told


def outcomes(adapter: Any, prompts: int) -> list[Any]:
    async def run() -> list[Any]:
        models = Models()
        model = models.open(ModelSettings("m", "m", [EndpointSettings("http://127.0.0.1:9/v1", "k")], parallel=1))
        model.adapter = adapter
        found: list[Any] = []
        for number in range(prompts):
            try:
                found.append(await chat_completion(model, [{"role": "user", "content": str(number)}], 0.0, 100))
            except CallError as error:
                found.append(error)
        await models.close()
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("error", [KeyError("usage"), RecursionError("too deep"), AssertionError(), ValueError("x")])
def test_an_error_in_an_adapter_is_one_failed_call(error: Exception) -> None:
    adapter = Scripted(error, REPLY)
    first, second = outcomes(adapter, 2)
    assert isinstance(first, CallError) and first.kind == "final" and not first.endpoint_wide
    assert type(error).__name__ in first.message and "test_unforeseen.py:" in first.message
    assert second.content == "fine" and adapter.calls == 2  # it is not paid for again


def test_an_error_in_the_reading_of_a_reply_keeps_what_it_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> list[str]:
        raise IndexError("no such turn")

    monkeypatch.setattr(reading, "template_remains", broken)
    (failed,) = outcomes(Scripted(REPLY), 1)
    assert "IndexError: no such turn (calling/test_unforeseen.py:" in failed.message
    assert failed.usage == REPLY.usage


def test_a_call_that_always_ends_so_is_not_paid_for_a_thousand_times() -> None:
    adapter = Scripted(TypeError("never"))
    found = outcomes(adapter, GIVE_UP_AFTER + 5)
    assert adapter.calls == GIVE_UP_AFTER
    assert "the rest was not sent" in found[-1].message
