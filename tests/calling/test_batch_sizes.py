"""Batches that are too much at once, and what goes over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from arena_hard.calling.batch import Mailbox, Waiting
from arena_hard.calling.batch_sizes import split
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.providers.batch_answers import TooMuch
from arena_hard.calling.providers.batches import AnthropicBatches, Limits, Line, OpenAIBatches
from arena_hard.calling.providers.openai_chat import ADAPTER
from tests.support.mailboxes import Provider, contents, mailbox, play, request


def until_all_is_there(box: Mailbox, texts: list[str]) -> dict[str, Any]:
    """What each text came to, after as many exchanges as it takes."""
    for _ in range(30):
        found = play(box, texts)
        if not any(isinstance(each, Waiting) for each in found.values()):
            return found
        asyncio.run(box.exchange())
    raise AssertionError("no end")


@pytest.mark.parametrize("limit", ["queue", "largest"])
def test_what_is_too_much_is_halved_until_it_is_taken(tmp_path: Path, limit: str) -> None:
    provider, texts = Provider(), [f"q{n}" for n in range(9)]
    provider.limits = Limits(100, 1_000_000)
    setattr(provider, limit, 2)
    with mailbox(tmp_path, provider) as box:
        assert contents(until_all_is_there(box, texts)) == {text: f"re: {text}" for text in texts}
    assert provider.requests == 9  # nothing was paid for twice
    assert provider.refused[:2] == [9, 4] and len(provider.refused) <= 6
    with mailbox(tmp_path, provider) as box:
        assert not box.busy


def test_a_full_queue_is_waited_for_and_nothing_fails(tmp_path: Path) -> None:
    provider = Provider()
    provider.queue = 0
    with mailbox(tmp_path, provider, finish_live=True) as box:
        for _ in range(8):
            assert all(isinstance(each, Waiting) for each in play(box, ["a", "b"]).values())
            asyncio.run(box.exchange())
        provider.queue = 1000
        assert contents(until_all_is_there(box, ["a", "b"])) == {"a": "re: a", "b": "re: b"}


def test_a_queue_that_takes_some_of_several_batches_gets_the_others_next(tmp_path: Path) -> None:
    provider, texts = Provider(), [f"q{n}" for n in range(5)]
    provider.queue = 2  # of lots of 3 and 2
    with mailbox(tmp_path, provider) as box:
        play(box, texts)
        asyncio.run(box.exchange())
        assert provider.refused == [3]
        provider.queue = 3
        until_all_is_there(box, texts)
    assert provider.refused == [3] and len(provider.taken) == 2


def test_a_request_that_is_too_large_alone_fails_and_the_others_do_not(tmp_path: Path) -> None:
    provider = Provider()
    provider.largest = 0
    with mailbox(tmp_path, provider) as box:
        found = until_all_is_there(box, ["a"])
        assert isinstance(found["a"], CallError) and "413: too large" in found["a"].message
        provider.largest = 1000
        assert contents(until_all_is_there(box, ["b"])) == {"b": "re: b"}


def sdk_client(sdk: Any, name: str, answer: Callable[[httpx2.Request], httpx2.Response]) -> Any:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return getattr(sdk, name)(api_key="k", base_url="http://server.test", max_retries=0, http_client=http)


@pytest.mark.parametrize(
    ("status", "code", "refusal", "kind"),
    [
        (413, "x", TooMuch, "final"),
        (429, "x", CallError, "rate limit"),
        (400, "x", CallError, "final"),
        (400, "token_limit_exceeded", TooMuch, "rate limit"),
    ],
)
def test_refusals_say_whether_it_was_too_much(status: int, code: str, refusal: type[CallError], kind: str) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, json={"error": {"type": "x", "code": code, "message": "no"}})

    of_openai = OpenAIBatches(sdk_client(openai, "AsyncOpenAI", refuse))
    of_anthropic = AnthropicBatches(sdk_client(anthropic, "AsyncAnthropic", refuse))
    for batches in (of_openai, of_anthropic) if code == "x" else (of_openai,):
        with pytest.raises(CallError) as raised:
            asyncio.run(batches.submit([("a", {"model": "m"})], "marker"))
        assert type(raised.value) is refusal and raised.value.kind == kind


@pytest.mark.parametrize("size", [30_000, 1_000_000])
def test_what_goes_over_the_wire_keeps_the_limits(size: int) -> None:
    """Texts that JSON makes longer, as the body of a request or of a file."""
    wide = ['é\n"\x01' * 999, "问" * 999, "x" * 999, ""]
    lines: list[Line] = [(f"{n:032x}", ADAPTER.body(request(wide[n % 4]), set())) for n in range(400)]
    sizes: list[int] = []

    def take(request: httpx2.Request) -> httpx2.Response:
        sizes.append(len(request.content))
        return httpx2.Response(200, json={"id": "some-id"})

    lots = split(lines, 50, size)
    assert [line for lot in lots for line in lot] == lines and max(map(len, lots)) <= 50
    for batches in (
        OpenAIBatches(sdk_client(openai, "AsyncOpenAI", take)),
        AnthropicBatches(sdk_client(anthropic, "AsyncAnthropic", take)),
    ):
        for number, lot in enumerate(lots):
            asyncio.run(batches.submit(lot, f"{number:012x}"))
    assert len(sizes) == 3 * len(lots) and max(sizes) <= size + 1000  # the form around a file


def test_lots_keep_both_limits() -> None:
    lines: list[Line] = [(str(n), {"text": "x" * 100}) for n in range(10)]
    assert [len(lot) for lot in split(lines, 4, 10_000)] == [4, 4, 2]
    assert [len(lot) for lot in split(lines, 100, 700)] == [2] * 5
    assert [len(lot) for lot in split(lines, 100, 1)] == [1] * 10  # the provider may refuse it; nothing is lost
