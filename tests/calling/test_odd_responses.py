"""Responses of servers that keep to no rule, through each transport: what is whole is read, and nothing else is."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

import aiohttp
import httpx2
import pytest

from arena_hard.calling.providers.lenient import LenientSender
from arena_hard.calling.providers.transport import AiohttpTransport, http_client
from tests.support.raw_wire import answering
from tests.support.tls_server import Authority, served

P = ParamSpec("P")


def in_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    @functools.wraps(test)
    def run(*args: P.args, **named: P.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **named), 60))

    return run


def answer(body: bytes, *headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", "connection: close", *headers, "", ""]).encode("latin-1") + body


@in_a_loop
async def test_a_cookie_that_no_header_can_carry_is_not_sent_back() -> None:
    cookies = ["set-cookie: name=été; Path=/", "set-cookie: other=1; Path=/"]
    async with answering(answer(b"{}", "content-length: 2", *cookies)) as (base, seen), http_client(base) as client:
        for _ in range(2):
            assert (await client.get(base)).json() == {}
    assert b"cookie: other=1\r\n" in seen[1].lower()


@pytest.mark.parametrize("way", ["straight", "proxy"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@in_a_loop
async def test_a_plain_body_that_is_told_to_be_packed_is_read(
    encoding: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"a": 1}'
    told = answer(body, f"content-length: {len(body)}", f"content-encoding: {encoding}")
    async with answering(told) as (base, _):
        if way == "proxy":
            monkeypatch.setenv("http_proxy", base)
            base = "http://model.invalid"
        async with http_client(base) as client:
            assert (await client.get(base)).json() == {"a": 1}


CUT = [  # the texts of answers that are not at their end
    b"",
    b'data: {"choices": [{"message": {"content": "[DONE]"}}]}\n\n',
    b'data: {"type": "content_block_delta", "delta": {"text": "\\"type\\": \\"message_stop\\""}}\n\n',
]
DOUBLE = answer(b"{}", "content-length: 2", "content-length: 2")  # of which aiohttp takes none


@pytest.mark.parametrize("way", ["straight", "lenient", "proxy"])
@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b'event: message_stop\ndata: {"type": "message_stop"}\n\n', *CUT])
@in_a_loop
async def test_a_stream_whose_last_event_has_come_is_whole(
    way: str, end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks before the transfer is at its end."""
    events = b'data: {"choices": []}\n\n' + end
    chunk = f"{len(events):x}\r\n".encode() + events + b"\r\n"
    broken = answer(chunk, "transfer-encoding: chunked", "content-type: text/event-stream; charset=utf-8")
    async with answering(*[DOUBLE] * (way == "lenient"), broken) as (base, _):
        if way == "proxy":
            monkeypatch.setenv("http_proxy", base)
            base = "http://model.invalid"
        async with http_client(base) as client:
            if way == "lenient":
                with pytest.raises(httpx2.RemoteProtocolError, match="cannot be read"):
                    await client.post(base)
            if end not in CUT:
                assert (await client.post(base)).content == events
            else:
                with pytest.raises(httpx2.RemoteProtocolError):
                    await client.post(base)


def test_the_lenient_transport_trusts_no_server_that_another_sent_it_on_to() -> None:
    strict = AiohttpTransport()

    async def run(address: str) -> None:
        sender = LenientSender()
        async with answering(answer(b"{}", "content-length: 2")) as (base, _):
            await sender.send(strict.sendable(httpx2.Request("POST", base)), b"")
            with pytest.raises(aiohttp.ClientError, match="self-signed"):
                await sender.send(strict.sendable(httpx2.Request("POST", address)), b"")
        await sender.aclose()

    with served(Authority().self_signed()) as address:
        asyncio.run(asyncio.wait_for(run(address), 60))
