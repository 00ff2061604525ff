"""Redirections: where one is followed, and that no key and no prompt goes to another server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.calling.providers.transport import http_client
from tests.support.small_server import KEY, completion, outcomes
from tests.support.threaded_server import serving

KINDS = ["openai", "anthropic"]


class Moving:
    """A server that sends all under /v1 on, and answers the rest."""

    def __init__(self, status: int, location: str, answers: Any = None) -> None:
        self.status, self.location = status, location
        self.answers = completion("fine")[2] if answers is None else answers
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, request.path, headers, await request.read()))
        if request.path.startswith("/v1"):
            return web.Response(status=self.status, headers={"location": self.location})
        return web.json_response(self.answers)


@pytest.fixture
def elsewhere() -> Iterator[tuple[Moving, str]]:
    """Another server, which would answer, and its address."""
    other = Moving(307, "/unused", {"data": [{"id": "m"}]})
    with serving(other) as address:
        yield other, address


def asked(server: Moving, api_type: str, prompts: int = 1) -> list[Reply | CallError]:
    base = "http://{}/v1" if api_type == "openai" else "http://{}"
    with serving(server) as address:
        host = address.removeprefix("http://")
        settings = {"bases": [base], "api_type": api_type, "attempts": 3, "context_length": 10_000}
        return asyncio.run(outcomes(host, prompts, True, settings))


@pytest.mark.parametrize("api_type", KINDS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_post_goes_to_another_server(elsewhere: tuple[Moving, str], api_type: str, status: int) -> None:
    other, there = elsewhere
    path = "/new/v1/chat/completions" if api_type == "openai" else "/new/v1/messages"
    server = Moving(status, there + path)
    first, second = asked(server, api_type, 2)
    assert len(server.asked) == 1 and not other.asked, "final, and for all"
    for error in (first, second):
        assert isinstance(error, CallError) and f"{status}: redirected to {there}{path}, another server" in str(error)
        assert str(error).endswith(f"write api_base: {there}/new/v1")


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirection_that_makes_a_get_of_it_says_where_to(status: int) -> None:
    server = Moving(status, "/new/v1/chat/completions")
    (error,) = asked(server, "openai")
    assert [each[0] for each in server.asked] == ["POST"]
    assert "write api_base: http://127.0.0.1:" in str(error) and str(error).endswith("/new/v1")
    assert "another server" not in str(error)


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("location", ["/v1/chat/completions", "/v1/other/chat/completions"])
def test_a_circle_ends_at_once(status: int, location: str) -> None:
    server = Moving(status, location)
    (error,) = asked(server, "openai")
    assert len(server.asked) <= 2
    assert f"{status}: redirected in a circle" in str(error) and "Check api_base" in str(error)


def test_a_page_to_log_in_at_is_no_address_to_write() -> None:
    server = Moving(302, "/login?next=x")
    (error,) = asked(server, "openai")
    assert "302: redirected to http://127.0.0.1:" in str(error) and str(error).endswith("/login. Check api_base.")


@pytest.mark.parametrize("location", ["http://[half", "mailto:you"])
def test_what_is_no_address_is_not_asked_again(location: str) -> None:
    server = Moving(307, location)
    (error,) = asked(server, "openai")
    assert len(server.asked) == 1 and "redirected to" in str(error) and "Check api_base" in str(error)


def test_a_redirection_without_an_address_ends_the_run() -> None:
    server = Moving(304, "")
    first, second = asked(server, "openai", 2)
    assert len(server.asked) == 1 and isinstance(first, CallError) and isinstance(second, CallError)


def test_on_the_same_server_the_request_goes_on_as_it_is() -> None:
    server = Moving(307, "/new/chat/completions")
    first, second = asked(server, "openai", 2)
    assert isinstance(first, Reply) and isinstance(second, Reply)
    (_, _, before, sent), (method, _, after, again) = server.asked[:2]
    assert method == "POST" and sent == again and before["authorization"] == after["authorization"]


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "api-key", "X-Of-My-Own"])
def test_a_look_at_another_server_goes_without_the_key(elsewhere: tuple[Moving, str], header: str) -> None:
    other, there = elsewhere

    async def look(address: str) -> Any:
        async with http_client(address) as client:
            return (await client.get(f"{address}/v1/models", headers={header: KEY})).json()

    server = Moving(302, f"{there}/list")
    with serving(server) as address:
        assert asyncio.run(look(address)) == {"data": [{"id": "m"}]}
    ((method, path, headers, _),) = other.asked
    assert (method, path) == ("GET", "/list") and "user-agent" in headers
    assert KEY in str(server.asked[0][2]) and KEY not in str(headers)
