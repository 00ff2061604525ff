"""The transport under the SDKs' clients, against a real server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from aiohttp import web

from arena_hard.calling.providers.transport import http_client
from tests.support.raw_wire import answering

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def ask(handler: Handler, path: str = "/", **options: Any) -> httpx2.Response:
    """POST to a server with this handler, through a client of ours."""

    async def run() -> httpx2.Response:
        runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        client = http_client(base)
        try:
            return await client.post(base + path, **options)
        finally:
            await client.aclose()
            await runner.cleanup()

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


async def echo(request: web.BaseRequest) -> web.Response:
    return web.json_response({"body": (await request.read()).decode(), "path": request.path})


def test_the_body_and_the_path_arrive_as_they_are() -> None:
    got = ask(echo, "/a%2Fb?c=%C3%A4", json={"text": "äöü {braces} 🙂"}).json()
    assert "äöü {braces} 🙂" in got["body"] and got["path"] == "/a/b"


def test_a_compressed_reply_is_decoded() -> None:
    async def compressed(request: web.BaseRequest) -> web.Response:
        assert "gzip" in request.headers["accept-encoding"]
        headers = {"content-encoding": "gzip", "content-type": "application/json"}
        return web.Response(body=gzip.compress(b'{"a": 1}'), headers=headers)

    assert ask(compressed).json() == {"a": 1}


def test_a_redirect_is_followed_with_its_body() -> None:
    async def moved(request: web.BaseRequest) -> web.Response:
        if request.path == "/new":
            return await echo(request)
        return web.Response(status=307, headers={"location": "/new"})

    assert ask(moved, content=b"kept").json() == {"body": "kept", "path": "/new"}


def test_a_long_header_is_taken() -> None:
    async def long(request: web.BaseRequest) -> web.Response:
        return web.Response(headers={"content-security-policy": "x" * 30_000})

    assert len(ask(long).headers["content-security-policy"]) == 30_000


def test_a_server_that_hangs_up_is_a_protocol_error() -> None:
    async def hang_up(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    with pytest.raises(httpx2.RemoteProtocolError):
        ask(hang_up)


def test_a_body_that_is_cut_is_a_protocol_error() -> None:
    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    with pytest.raises(httpx2.RemoteProtocolError):
        ask(cut)


def test_a_server_that_says_nothing_is_a_read_timeout() -> None:
    async def silent(request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    with pytest.raises(httpx2.ReadTimeout):
        ask(silent, timeout=0.2)


def test_nobody_there_is_a_connect_error_with_the_bare_reason() -> None:
    async def run() -> None:
        async with http_client("http://127.0.0.1:9") as client:
            await client.get("http://127.0.0.1:9/")

    with pytest.raises(httpx2.ConnectError, match="^Connection refused$"):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (["content-length: 8", "content-length: 8"], b'{"a": 1}'),
        (["content-length: 8", "transfer-encoding: chunked"], b'8\r\n{"a": 1}\r\n0\r\n\r\n'),
        ([*(f"x-{number}: a" for number in range(150)), "content-length: 8"], b'{"a": 1}'),
    ],
)
def test_what_the_sdks_own_transport_reads_is_read_from_the_second_time_on(headers: list[str], body: bytes) -> None:
    """It is paid for, and asking again brings the same; the request is the same too."""
    sent = {"X-Odd": "a  b", "content-type": "text/plain"}
    answer = "\r\n".join(["HTTP/1.1 200 OK", *headers, "connection: close", "", ""]).encode() + body

    async def run() -> list[bytes]:
        async with answering(answer, body=4) as (base, seen), http_client(base) as client:
            got: list[int] = []
            for _ in range(4):
                with contextlib.suppress(httpx2.RemoteProtocolError):
                    response = await client.post(f"{base}/v1", content=b"asks", headers=sent)
                    got.append(response.json()["a"])
            assert got[-3:] == [1] * 3
            return seen

    first, *others = (sorted(each.lower().split(b"\r\n")) for each in asyncio.run(run()))
    assert [first] * 3 == others


@pytest.mark.parametrize("packed", [False, True])
def test_a_long_error_is_read_up_to_a_bound_by_that_transport_too(packed: bool) -> None:
    body = gzip.compress(bytes(30_000_000)) if packed else b"x" * 3_000_000
    told = ["HTTP/1.1 400 Bad Request", *[f"content-length: {len(body)}"] * 2, "content-encoding: gzip" * packed]
    head = "\r\n".join([*filter(None, told), "connection: close", "", ""])

    async def run() -> None:
        async with answering(head.encode() + body) as (base, _), http_client(base) as client:
            with pytest.raises(httpx2.RemoteProtocolError, match="response cannot be read"):
                await client.post(f"{base}/v1")
            response = await client.post(f"{base}/v1")
            assert response.status_code == 400 and 1000 < len(response.content) <= 100_001

    asyncio.run(run())


def test_a_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def run() -> None:
        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append((await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[0])
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with server, http_client("http://model.invalid") as client:
            assert (await client.get("http://model.invalid/v1/models")).text == "ok"

    asyncio.run(run())
    assert seen == ["GET http://model.invalid/v1/models HTTP/1.1"]


# ------------------------------------------------------------------------------------ long errors

LONG, FOLDED = b"y" * 5_000_000, gzip.compress(b"y" * 5_000_000)


def refused(
    way: str, body: bytes | None, headers: str, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> tuple[Any, int]:
    """The second of two refusals with this body, or one that never ends, and how many connections were made."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(len(sent))
                length = 10**12 if body is None else len(body)
                writer.write(f"HTTP/1.1 400 No\r\ncontent-length: {length}\r\n{headers}\r\n".encode() + (body or b""))
                while body is None:
                    writer.write(b"x" * 65_536)
                    await writer.drain()
        writer.close()

    async def run() -> Any:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        if way == "proxy":
            monkeypatch.setenv("http_proxy", base)
            base = "http://model.invalid"
        async with server, http_client(base) as client:
            await client.post(base, content=sent)
            return await client.post(base, content=sent)

    return asyncio.run(asyncio.wait_for(run(), 20)), connections


@pytest.mark.parametrize("way", ["straight", "proxy"])
@pytest.mark.parametrize(
    ("body", "headers"), [(None, ""), (LONG, ""), (FOLDED, "content-encoding: gzip\r\n"), (FOLDED, "")]
)
def test_a_long_error_is_read_up_to_a_bound(
    way: str, body: bytes | None, headers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    response, connections = refused(way, body, headers, monkeypatch, b"asked")
    assert response.status_code == 400 and 50_000 < len(response.content) < 200_000
    assert set(response.content) <= {ord("x"), ord("y")}
    assert connections == (1 if body is FOLDED else 2)  # what is not read to its end cannot go on


@pytest.mark.parametrize("way", ["straight", "proxy"])
def test_an_error_that_repeats_the_request_is_read_as_a_whole(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = b'"' * 300_000
    body = json.dumps({"input": sent.decode(), "message": "too long"}).encode()
    response, connections = refused(way, body, "", monkeypatch, sent)
    assert response.json()["message"] == "too long" and connections == 1
