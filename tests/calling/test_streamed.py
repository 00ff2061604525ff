"""Replies that have to be streamed are asked for as streams, and come as the one reply that they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from arena_hard.calling.providers import anthropic_messages
from arena_hard.calling.providers.anthropic_messages import ADAPTER as ANTHROPIC
from arena_hard.calling.providers.base import Request
from arena_hard.calling.providers.batches import unstreamed
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.support.direct_calls import outcomes
from tests.support.odd_bodies import TEN, anthropic, batched
from tests.support.small_server import Answered, ask, completion, error
from tests.support.threaded_server import serving


def event(kind: str, **values: Any) -> bytes:
    """One of Anthropic's events."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **values})}\n\n".encode()


def delta(index: int, **values: Any) -> bytes:
    return event("content_block_delta", index=index, delta=values)


USAGE = {"input_tokens": 10, "output_tokens": 1}
BEGIN = event("message_start", message={"model": "m", "content": [], "stop_reason": None, "usage": USAGE})
EVENTS = [
    BEGIN,
    event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
    delta(0, type="thinking_delta", thinking="Hm."),
    delta(0, type="signature_delta", signature="abc"),
    event("content_block_stop", index=0) + event("ping"),
    event("content_block_start", index=1, content_block={"type": "text", "text": ""}),
    delta(1, type="text_delta", text="fi") + delta(1, type="text_delta", text="ne"),
    event("content_block_stop", index=1),
    event("message_delta", delta={"stop_reason": "max_tokens"}, usage={"output_tokens": 20}) + event("message_stop"),
]
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def stream_of(tries: Sequence[tuple[Sequence[bytes], float, bool]], **settings: Any) -> tuple[Any, list[Any]]:
    """What comes of a long call to a server that streams, and the bodies that arrived.

    tries: for each request its events, the seconds before each, and whether the connection breaks behind them.
    """
    bodies: list[Any] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        bodies.append(await request.json())
        events, pause, breaks = tries[min(len(bodies), len(tries)) - 1]
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for each in events:
            await asyncio.sleep(pause)
            await response.write(each)
        if breaks and request.transport:
            request.transport.close()
        return response

    with serving(answer) as root:
        values = {"api_type": "anthropic", "max_tokens": 64_000, "backoff": 0.01} | settings
        (got,) = outcomes(ModelSettings("m", "m", [EndpointSettings(root, "k")], **values))
    return got, bodies


@pytest.mark.parametrize(
    ("model", "most", "dialect", "streams"),
    [
        ("claude-sonnet-4-5", 21_333, set[str](), None),
        ("claude-sonnet-4-5", 21_334, set[str](), True),
        ("claude-sonnet-4-5", 64_000, {"no stream"}, None),
        ("claude-sonnet-4-5", 100, {"stream"}, True),
        ("claude-opus-4-20250514", 8_193, set[str](), True),
        ("claude-opus-4-1", 8_193, set[str](), True),
        ("claude-opus-4-5", 8_193, set[str](), None),
    ],
)
def test_long_replies_are_asked_for_as_streams(model: str, most: int, dialect: set[str], streams: bool | None) -> None:
    request = Request(model, [{"role": "user", "content": "x"}], None, most)
    assert ANTHROPIC.body(request, dialect).get("stream") is streams
    assert "stream" not in unstreamed(ANTHROPIC.body(request, dialect))
    mine = Request(model, request.messages, None, most, extra={"stream": False})
    assert ANTHROPIC.body(mine, dialect)["stream"] is False


@pytest.mark.slow
def test_a_stream_is_one_reply_however_long_it_takes_in_all() -> None:
    got, bodies = stream_of([(EVENTS, 0.25, False)], timeout=2.0, attempts=1)
    assert (got.content, got.thought, got.finish_reason, got.usage) == ("fine", "Hm.", "length", TEN)
    assert [body["stream"] for body in bodies] == [True]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param((EVENTS[:7], 0.0, True), id="the connection breaks"),
        pytest.param((EVENTS[:7], 0.0, False), id="no end comes"),
        pytest.param(([*EVENTS[:7], OVERLOADED], 0.0, False), id="an error comes"),
        pytest.param((EVENTS[:2], 1.0, False), id="silence"),
    ],
)
def test_a_stream_that_breaks_off_is_asked_for_again(broken: Any) -> None:
    got, bodies = stream_of([broken, (EVENTS, 0.0, False)], timeout=0.6, attempts=4)
    assert got.content == "fine" and len(bodies) >= 2


@pytest.mark.parametrize(("api_type", "more"), [("anthropic", set[str]()), ("openai", {"stream_options"})])
def test_a_server_that_wants_to_stream_is_asked_so_from_then_on(api_type: str, more: set[str]) -> None:
    fine = completion("fine")[2] if api_type == "openai" else anthropic()

    def answer(body: dict[str, Any], _: int) -> Answered:
        if not body.get("stream"):
            return error(400, "This model only support stream mode, please enable the stream parameter.")
        return 200, {}, fine

    found = ask(answer, prompts=2, one_by_one=True, api_type=api_type)
    assert found.contents == ["fine", "fine"]
    assert [body.keys() & {"stream", "stream_options"} for body in found.bodies] == [
        set(),
        {"stream", *more},
        {"stream", *more},
    ]


def test_a_server_that_streams_nothing_is_asked_without() -> None:
    def answer(body: dict[str, Any], _: int) -> Answered:
        return error(400, "stream: this server does not stream") if body.get("stream") else (200, {}, anthropic())

    found = ask(answer, api_type="anthropic", max_tokens=64_000)
    assert (found.contents, len(found.bodies)) == (["fine"], 2)


def test_nothing_is_streamed_by_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic_messages, "_MOST_UNSTREAMED", 50)
    got, requests = batched(tmp_path, anthropic(), "anthropic")
    assert (got.content, requests) == ("fine", 1)
    sent = "".join(file.read_text() for file in (tmp_path / "box").iterdir())
    assert '"max_tokens":100' in sent and "stream" not in sent
