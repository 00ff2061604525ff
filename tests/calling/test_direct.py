"""Requests that go past the SDKs: the same bytes are sent, and whatever comes is the same as through the SDK."""

from __future__ import annotations

import gzip
import json
import platform
import subprocess
import sys
import zlib
from collections.abc import Callable
from importlib import metadata
from typing import Any, TypeVar

import httpx2
import pytest
from anthropic import AsyncAnthropic
from hypothesis import example, given
from hypothesis import strategies as st
from openai import AsyncOpenAI

from arena_hard.calling.providers import direct, late_sdk, openai_chat
from arena_hard.calling.providers.base import CallError, Connection, Reply, Request
from arena_hard.calling.providers.late_sdk import LateClient, of_this_machine
from arena_hard.calling.providers.registry import PROVIDERS, adapter_of
from arena_hard.data.settings import ModelSettings
from tests.calling.test_errors_with_200 import ERRORS
from tests.calling.test_odd_replies import ODD as ODD_FIELDS
from tests.calling.test_odd_replies import ODD_ANTHROPIC, WRAPPED
from tests.support.odd_bodies import anthropic, openai, said
from tests.support.pipeline_bench import ROOT
from tests.support.raw_wire import KEY, Heard, asked, response

OURS = [name for name in PROVIDERS if PROVIDERS[name].adapter in ("openai_chat", "anthropic_messages")]
T = TypeVar("T")
TEXT = 'äöü {braces} 🙂 \u2028 \x7f \t"\\'


async def through_the_sdk(client: Any, path: str, body: dict[str, Any], **how: Any) -> Any:
    return await client.post(path, body=body, cast_to=httpx2.Response, **how)


def both(monkeypatch: pytest.MonkeyPatch, ask: Callable[[], T]) -> tuple[T, T]:
    """What is heard past the SDK, and through it alone."""
    past = ask()
    with monkeypatch.context() as patched:
        patched.setattr(direct, "post", through_the_sdk)
        return past, ask()


def body_of(adapter: Any, text: str = TEXT, model: str = "m") -> dict[str, Any]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return adapter.body(Request(model, messages, 1e-7, 100, extra={"top_p": 0.1, "seed": 2**63}), set())


# ------------------------------------------------------------------------------------- what is sent

WORDS = st.text() | st.characters(exclude_categories=["Cs"]).map(lambda letter: f"a{letter}b")
SCALARS = WORDS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSONS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner), max_leaves=8)


@given(st.dictionaries(WORDS, JSONS, max_size=4))
@example({"temperature": 1e-7, "top_p": 1e16, "min_p": 0.0001, "seed": 2**70, "bias": {"1": -0.0}})
def test_any_body_is_written_as_the_sdks_write_it(body: dict[str, Any]) -> None:
    assert direct.encoded(body) == httpx2.Request("POST", "http://127.0.0.1/", json=body).content


GOOD = response(200, json.dumps(anthropic() | openai() | {"data": [{"embedding": [1.0]}]}).encode())


def some_bodies(adapter: Any) -> list[dict[str, Any]]:
    first = body_of(adapter)
    return [first, body_of(adapter, "x" * 3000), {**first, "model": "n"}, {**first, "stream": True}, first]


@pytest.mark.parametrize("api_type", OURS)
def test_the_same_bytes_are_sent(monkeypatch: pytest.MonkeyPatch, api_type: str) -> None:
    past, through = both(monkeypatch, lambda: asked(api_type, [GOOD], some_bodies))
    assert past.requests == through.requests and len(past.requests) == 5
    assert KEY.encode() in past.requests[0]
    # without what is known beforehand: one for each model, and one for streams
    assert (past.through_sdk, through.through_sdk) == (3 if api_type == "azure" else 1, 5)


@pytest.mark.parametrize(("model", "asked_of_sdk"), [("gemini-x", 1), ("claude-x", 3)])
def test_the_same_bytes_are_sent_to_vertex(monkeypatch: pytest.MonkeyPatch, model: str, asked_of_sdk: int) -> None:
    options = {"project": "p", "region": "global", "claude": "claude" in model}
    past, through = both(
        monkeypatch, lambda: asked("vertex", [GOOD], lambda adapter: [body_of(adapter, model=model)] * 2, **options)
    )
    assert past.requests == through.requests and len(past.requests) == 2
    assert past.through_sdk == asked_of_sdk  # its SDK writes bodies anew for Claude


def test_the_same_bytes_are_sent_for_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request("m", [{"role": "user", "content": TEXT}], None, 0, embeds=True)
    past, through = both(
        monkeypatch, lambda: asked("openai", [GOOD], lambda adapter: [adapter.body(request, set())] * 2, embeds=True)
    )
    assert past.requests == through.requests and len(past.requests) == 2


ODD_BASES = ("/v1/", "/V1%20x", "/v1?a=b", "/v1#x", "//v1", "/ü", "/v1/./x")
VARIABLES = ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS")
LATE = pytest.mark.parametrize("api_type", ["openai", "anthropic"])
VERSIONS = {"openai": "4.0.0", "anthropic": "1.9.0"}  # of which nothing is known here


@LATE
@pytest.mark.parametrize("odd", [*ODD_BASES, *VARIABLES, "machine", "version"])
def test_the_same_bytes_are_sent_where_the_sdk_adds_its_own(
    monkeypatch: pytest.MonkeyPatch, api_type: str, odd: str
) -> None:
    """It is asked, unless it is known what it does."""

    def base(root: str) -> str:
        return root + (odd if "/" in odd else "/v1")

    if odd in VARIABLES:
        monkeypatch.setenv(odd, "x-own: 1")
    with monkeypatch.context() as patched:  # an SDK keeps what it has once found of a machine
        patched.setattr(late_sdk, "can_wait", lambda *_: False)
        asked(api_type, [GOOD], lambda adapter: [body_of(adapter)])
    with monkeypatch.context() as patched:
        if odd == "machine":
            patched.setattr(platform, "machine", lambda: "riscv64")
        if odd == "version":
            patched.setattr(metadata, "version", VERSIONS.__getitem__)
        of_this_machine.cache_clear()
        found = asked(api_type, [GOOD], some_bodies, base=base)
    of_this_machine.cache_clear()
    monkeypatch.setattr(late_sdk, "can_wait", lambda *_: False)
    of_sdk = asked(api_type, [GOOD], some_bodies, base=base)
    assert found.requests == of_sdk.requests and len(found.requests) == 5
    plain = ("/v1/", "/v1/./x", *(["//v1"] if api_type == "anthropic" else []))  # to whose base /v1 does not belong
    waits = odd in plain or odd in VARIABLES and not odd.startswith(api_type.upper())
    assert found.through_sdk == (1 if waits else 3)


def with_login(root: str) -> str:
    return root.replace("//", "//us%40er:pa%3Ass-9876@") + "/v1"


def test_a_login_in_the_address_is_sent_as_the_bare_sdk_sends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def bare(connection: Any, http: Any) -> Any:
        return AsyncOpenAI(base_url=connection.base_url, api_key=connection.api_key, timeout=20.0, max_retries=0)

    def lines(request: bytes) -> set[bytes]:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *headers = head.split(b"\r\n")
        return {
            first,
            body,
            *(name.lower() + b": " + value for name, value in (each.split(b": ", 1) for each in headers)),
        }

    past = asked("openai", [GOOD], some_bodies, base=with_login)
    monkeypatch.setattr(openai_chat, "_sdk_client", bare)
    of_sdk = asked("openai", [GOOD], some_bodies, base=with_login)
    assert all(isinstance(each, Reply) for each in past.outcomes)
    assert [*map(lines, past.requests)] == [*map(lines, of_sdk.requests)] and len(past.requests) == 5
    assert b"authorization: Basic dXNAZXI6cGE6c3MtOTg3Ng==" in lines(past.requests[-1])


@pytest.mark.parametrize("api_type", ["openai", "azure", "anthropic"])
def test_a_login_in_the_address_is_sent_by_all_and_never_told(monkeypatch: pytest.MonkeyPatch, api_type: str) -> None:
    answers = [GOOD, response(401, b"no"), b""]
    past, through = both(monkeypatch, lambda: asked(api_type, answers, some_bodies, base=with_login))
    assert past.requests == through.requests and len(past.requests) == 5
    assert all(b"authorization: Basic " in each for each in past.requests)
    assert past.told() == through.told() and "9876" not in str(past.told()) and "OTg3N" not in str(past.told())


@LATE
@pytest.mark.parametrize("key", ["sk-ant-api03-x", "sk-ant-oat01-x", "EMPTY", "a b"])
def test_the_same_bytes_are_sent_whatever_the_key_looks_like(
    monkeypatch: pytest.MonkeyPatch, api_type: str, key: str
) -> None:
    past, through = both(monkeypatch, lambda: asked(api_type, [GOOD], some_bodies, key=key))
    assert past.requests == through.requests and past.through_sdk == 1


@LATE
def test_the_same_bytes_look_around(monkeypatch: pytest.MonkeyPatch, api_type: str) -> None:
    def look() -> Heard:
        return asked(api_type, [GOOD], lambda _: [], looks=True)

    late = look()
    monkeypatch.setattr(late_sdk, "can_wait", lambda *_: False)
    assert late.requests == look().requests and late.requests[0].startswith(b"GET /v1/models ")


@LATE
def test_without_an_address_it_is_the_sdks_own(monkeypatch: pytest.MonkeyPatch, api_type: str) -> None:
    monkeypatch.delenv(f"{api_type.upper()}_BASE_URL", raising=False)
    client = adapter_of(ModelSettings(api_type=api_type)).open(Connection(api_type, None, KEY, None, 20.0))
    sdk = {"openai": AsyncOpenAI, "anthropic": AsyncAnthropic}[api_type](api_key=KEY)
    assert isinstance(client, LateClient) and client.base_url == f"{str(sdk.base_url).rstrip('/')}/"


@pytest.mark.slow
@LATE
def test_where_all_goes_well_the_sdk_is_not_even_imported(api_type: str) -> None:
    program = (
        "import sys; from tests.support.raw_wire import asked, response\n"
        "bodies = lambda adapter: [{'model': 'm', 'max_tokens': 9, 'messages': []}] * 2\n"
        f"heard = asked('{api_type}', [{GOOD!r}], bodies, looks=True)\n"
        f"print(len(heard.requests), len(heard.outcomes), '{api_type}' in sys.modules)\n"
        f"asked('{api_type}', [response(401, b'no')], bodies)\n"
        f"print('{api_type}' in sys.modules)\n"
        f"asked('{api_type}', [response(301, b'', 'location: /x')], bodies)\n"
        f"print('{api_type}' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("3 2 False\nFalse\nTrue\n", 0), done.stderr


# -------------------------------------------------------------------------------------- what comes

REASONS: dict[str, Any] = {"finish_reason": "tool_calls"}
TOOL = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}
PACKED = json.dumps(anthropic() | openai()).encode()
LIMITS = ("x-ratelimit-limit-requests: 9", "x-ratelimit-remaining-requests: 8", "x-ratelimit-reset-requests: 1s")
LATIN = json.dumps(said("fünf"), ensure_ascii=False).encode("latin-1")
NO = json.dumps({"type": "error", "error": {"message": f"no {KEY} 🙂", "type": "t", "code": "c"}}).encode()
EVENTS = b'data: {"choices": [{"index": 0, "delta": {"content": "fine"}}]}\n\ndata: [DONE]\n\n'


def reply(body: Any, *headers: str) -> list[bytes]:
    return [response(200, body if isinstance(body, bytes) else json.dumps(body).encode(), *headers)]


def refused(status: int, *headers: str) -> list[bytes]:
    return [response(status, NO, *headers)]


PLAIN = {
    "good": reply(openai()),
    "told to be gzip": reply(PACKED, "content-encoding: gzip"),
    "a message": reply(anthropic()),
    "blocks": reply(anthropic([{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "fine"}])),
    "a tool call": reply(openai(TOOL, **REASONS)),
    "reasoning": reply(said("fine", reasoning_content="Hm.")),
    "a list": reply(said([{"type": "text", "text": "fi"}, "ne"])),
    "null": reply(b"null"),
    "no text": reply(said(None)),
    "no body": reply(b""),
    "an error": reply({"error": {"message": "overloaded", "code": 503}}),
    "half of the JSON": reply(PACKED[:40], "content-type: application/json"),
    "latin-1": reply(LATIN, "content-type: application/json; charset=latin-1"),
    "a page": reply(b"<html><title>Sign in</title></html>", "content-type: text/html"),
    "a stream": reply(EVENTS, "content-type: text/event-stream"),
    "limits": reply(openai(), *LIMITS),
    "gzip": reply(gzip.compress(PACKED), "content-encoding: gzip"),
    "deflate": reply(zlib.compress(PACKED), "Content-Encoding: deflate"),
    "gzip that nobody told": reply(gzip.compress(PACKED)),
    "identity": reply(PACKED, "content-encoding: identity"),
    "another encoding": reply(PACKED, "content-encoding: unheard-of"),
}  # fmt: skip
ODD = {
    "not gzip": reply(b"\x1f not packed", "content-encoding: gzip"),
    "created": [response(201, PACKED)],
    "no content": [b"HTTP/1.1 204 Said\r\ncontent-length: 0\r\n\r\n"],
    "moved": [response(307, b"", "location: /v2/elsewhere"), response(200, PACKED)] * 2,
    "moved as GET": [response(301, b"", "location: /v2/elsewhere"), *refused(405)] * 2,
    "moved forever": [response(308, b"", "location: /v2/elsewhere")],
    "moved to nowhere": [response(307, b"")],
    "hangs up": [b""],
    "cut": [response(200, PACKED)[:-9]],
    "no HTTP": [b"SSH-2.0-OpenSSH_9.6\r\n"],
    "a packed refusal": [response(400, gzip.compress(NO), "content-encoding: gzip")],
    "a page of a proxy": [response(502, b"<html><title>Bad Gateway</title></html>", "content-type: text/html")],
    "a refusal without words": [response(500)],
    "a refusal of nothing": [response(500, b"{}")],
    "a refusal of null": [response(400, b"null")],
    "a refusal of an empty list": [response(429, b" [] ")],
    "a refusal in latin-1": [response(400, LATIN, "content-type: application/json; charset=latin-1")],
    "a refusal that is cut": [response(500, NO[:30], "content-type: application/json")],
    "a refusal with a cookie": refused(401, "set-cookie: a=1"),
    "a refusal that is told to be gzip": refused(400, "content-encoding: gzip"),
    "a refusal that is not gzip": [response(400, b"\x1f not packed", "content-encoding: gzip")],
    "busy": refused(429, "retry-after: 7"),
    "busy for milliseconds": refused(503, "retry-after-ms: 1500"),
    **{str(status): refused(status) for status in (400, 401, 403, 404, 409, 413, 422, 429, 500, 529)},
}  # fmt: skip


SDKS = ("a refusal with a cookie", "a refusal that is not gzip")  # of refusals


@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
@pytest.mark.parametrize("name", [*PLAIN, *ODD])
def test_what_comes_is_the_same(monkeypatch: pytest.MonkeyPatch, api_type: str, name: str) -> None:
    answers = (PLAIN | ODD)[name]
    past, through = both(monkeypatch, lambda: asked(api_type, answers, lambda adapter: [body_of(adapter)] * 2))
    assert past.told() == through.told() and len(past.outcomes) == 2
    assert past.requests == through.requests
    is_refused = all(each.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")) for each in answers)
    if name in PLAIN or is_refused and name not in SDKS:
        assert past.through_sdk == 0
    else:
        assert past.through_sdk > 0


BODIES = [row[0] for row in [*ODD_FIELDS.values(), *ODD_ANTHROPIC.values(), *WRAPPED.values(), *ERRORS]]


@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_what_is_odd_in_a_body_is_the_same(monkeypatch: pytest.MonkeyPatch, api_type: str) -> None:
    answers = [response(200, each.encode() if isinstance(each, str) else json.dumps(each).encode()) for each in BODIES]
    past, through = both(
        monkeypatch, lambda: asked(api_type, answers, lambda adapter: [body_of(adapter)] * len(answers))
    )
    assert past.told() == through.told() and len(past.outcomes) == len(answers)
    assert past.through_sdk == 0


def test_silence_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    past, through = both(
        monkeypatch, lambda: asked("openai", [b"..."], lambda adapter: [body_of(adapter)], timeout=0.1)
    )
    assert past.told() == through.told()
    assert isinstance(past.outcomes[0], CallError) and past.outcomes[0].message == "no answer within 0.1 s"


@pytest.mark.parametrize("key", ["two\nlines", "two\r\nx: lines", "nul\0", "schlüssel", "\ud800", ""])
@pytest.mark.parametrize("api_type", ["openai", "azure", "anthropic"])
def test_a_key_that_no_header_takes_is_the_same(monkeypatch: pytest.MonkeyPatch, api_type: str, key: str) -> None:
    def ask() -> Any:
        try:
            heard = asked(api_type, [GOOD], lambda adapter: [body_of(adapter)] * 2, key=key)
            return heard.told(), heard.requests
        except Exception as error:
            return type(error), str(error)

    past, through = both(monkeypatch, ask)
    assert past == through


@pytest.mark.parametrize("odd", [float("nan"), {1, 2}, "\ud800"])
def test_what_is_no_json_is_the_same(monkeypatch: pytest.MonkeyPatch, odd: Any) -> None:
    def bodies(adapter: Any) -> list[dict[str, Any]]:
        return [{**body_of(adapter), "top_p": odd}, body_of(adapter), {**body_of(adapter), "top_p": odd}]

    def ask() -> Any:
        try:
            return asked("openai", [GOOD], bodies).told()
        except TypeError as error:
            return str(error)

    past, through = both(monkeypatch, ask)
    assert past == through


# ------------------------------------------------------------------------------ what changes in a run


def test_a_cookie_is_sent_back(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [*reply(openai(), "set-cookie: a=1; Path=/"), *reply(openai())]
    past, through = both(monkeypatch, lambda: asked("openai", answers, lambda adapter: [body_of(adapter)] * 3))
    assert past.requests == through.requests
    assert [b"cookie: a=1" in each.lower() for each in past.requests] == [False, True, True]


def test_a_token_is_that_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As api_type vertex has them."""
    how = iter(["one", "one", "two", "two"])

    async def with_token(client: Any, path: str, body: dict[str, Any]) -> Any:
        return await post(client, path, body, options={"headers": {"Authorization": f"Bearer {next(how)}"}})

    post = direct.post
    monkeypatch.setattr(direct, "post", with_token)
    heard = asked("openai", [GOOD], lambda adapter: [body_of(adapter)] * 4)
    assert [each.partition(b"earer ")[2][:3] for each in heard.requests] == [b"one", b"one", b"two", b"two"]
    assert heard.through_sdk == 2


def test_through_a_proxy_each_request_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def base(root: str) -> str:
        monkeypatch.setenv("http_proxy", root)
        return "http://model.invalid/v1"

    for name in ("HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    heard = asked("openai", [GOOD], lambda adapter: [body_of(adapter)] * 3, base=base)
    assert [each.split(b" ")[1] for each in heard.requests] == [b"http://model.invalid/v1/chat/completions"] * 3
    assert heard.through_sdk == 3
