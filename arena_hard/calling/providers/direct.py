"""Requests without the SDK's work on each: what an SDK prepared once is sent again and again with other bodies.

An SDK builds, for every request, its URL, its headers and two responses anew; that costs three times as much as to
send it (benchmarks/calls.py). Here it builds one that is not sent, for its transport to tell what would be. A plain
reply is handed on as it is. Whatever else comes (a refusal, a redirection, a cookie, a cut connection) is given to
the SDK as if it had asked, so that there is one way to read it. What the transport does not tell, or an SDK that
changes bodies, goes through the SDK alone. A client that can wait for its SDK (late_sdk.py) tells what would be sent
itself, and a refusal is read without it: to import an SDK then would hold up the replies that come meanwhile.
"""

from __future__ import annotations

import abc
import asyncio
import functools
import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import msgspec

if TYPE_CHECKING:
    import ssl

    import aiohttp
    import httpx2
    from multidict import CIMultiDict, CIMultiDictProxy
    from yarl import URL

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Sendable(NamedTuple):
    """A request but for its body, in aiohttp's terms."""

    method: str
    url: URL
    headers: CIMultiDict[str]
    ssl: ssl.SSLContext | bool
    timeout: aiohttp.ClientTimeout


class Came(NamedTuple):
    """A whole response, its content as it was sent."""

    status: int
    headers: CIMultiDictProxy[str]
    raw_headers: tuple[tuple[bytes, bytes], ...]
    content: bytes


class Transport(Protocol):
    """What sends them."""

    async def send(self, sendable: Sendable, content: bytes) -> Came:
        """Raises aiohttp.ClientError, TimeoutError, OSError."""
        ...


class Response(NamedTuple):
    """What is read of a reply; named as httpx2 does."""

    content: bytes
    headers: Mapping[str, str]
    charset_encoding: str | None


class Prepared(NamedTuple):
    """A request as the SDK sends it, but for its body, and the transport through which it goes."""

    transport: Transport
    sendable: Sendable


class CanWait(abc.ABC):
    """A client that knows what its SDK would send, so that this need not be there before something odd comes."""

    post: Any  # the SDK's

    @abc.abstractmethod
    def prepared(self, path: str) -> Prepared:
        """A plain POST, but for its body."""

    @abc.abstractmethod
    async def ready(self) -> None:
        """Have the SDK there. Raises UserError where it cannot be had."""


class Refused(Exception):
    """A response that tells why there is no reply, for which no SDK is needed."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(f"status {response.status_code}")
        self.response = response


# What a client has prepared, by all that its URL and headers depend on; None where its bodies are not ours.
_Known = dict[tuple[str, ...], Prepared | None]
_KNOWN: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


class Call(msgspec.Struct):
    """A request that an SDK builds. came: what came of it already; the transport takes it in place of sending.

    is_seen: whether the transport has told what would be sent.
    """

    key: tuple[str, ...]
    body: Mapping[str, Any]
    known: _Known
    came: Came | Exception | None
    is_seen: bool = False

    def sees(self, transport: Transport, sendable: Sendable, content: bytes) -> None:
        """Learn how the SDK sends it; where it is redirected to afterwards is no matter."""
        if not self.is_seen:
            is_ours = content == encoded(self.body)
            self.known[self.key] = Prepared(transport, sendable) if is_ours else None
        self.is_seen = True

    def take(self) -> Came | None:
        """What came already, once. Raises what was raised."""
        came, self.came = self.came, None
        if isinstance(came, Exception):
            raise came
        return came

    def heard(self, headers: Mapping[str, str]) -> None:
        """Forget all where the client has a cookie to send from now on."""
        if "set-cookie" in headers:
            self.known.clear()


CALL: ContextVar[Call | None] = ContextVar("CALL", default=None)


def encoded(body: Mapping[str, Any]) -> bytes:
    """A body as both SDKs write it. Raises ValueError, TypeError for what is no JSON."""
    return msgspec.json.encode(body) if _is_common(body) else _ENCODER.encode(body).encode()


def _is_common(value: Any) -> bool:
    """Whether msgspec, ten times as quick, writes the same as the SDKs' encoder: not of numbers with an exponent."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return True
    if kind is float:
        return value == 0 or 1e-4 <= abs(value) < 1e16
    if kind is dict:
        return all(type(name) is str and _is_common(each) for name, each in value.items())
    return kind is list and all(map(_is_common, value))


async def post(client: Any, path: str, body: dict[str, Any], **how: Any) -> Any:
    """The response to a POST of an SDK's client, or what that raises; of one that can wait for its SDK also Refused."""
    can_wait = isinstance(client, CanWait)
    known = _KNOWN.setdefault(client, {})
    key = (path, str(body.get("model")), str(body.get("stream")), str(how) if how else "")
    if can_wait and key not in known and not how and not body.get("stream"):
        known[key] = client.prepared(path)
    if key not in known:
        call = Call(key, body, known, _nothing())
        response = await _through_sdk(client, path, call, how)
        if not call.is_seen:  # by a transport that has sent it
            return response
    prepared = known.get(key)
    came = await _sent(prepared, body) if prepared else None
    if can_wait and came and (refusal := _refusal(came)):
        raise Refused(refusal)
    return came and _plain(came) or await _through_sdk(client, path, Call(key, body, known, came), how)


async def _through_sdk(client: Any, path: str, call: Call, how: dict[str, Any]) -> Any:
    import httpx2

    if isinstance(client, CanWait):
        await client.ready()
    token = CALL.set(call)
    try:
        return await client.post(path, body=call.body, cast_to=httpx2.Response, **how)
    finally:
        CALL.reset(token)


async def _sent(prepared: Prepared, body: dict[str, Any]) -> Came | Exception | None:
    """What came of a request, or was raised while it was sent; None where its body is no JSON."""
    import aiohttp

    try:
        content = encoded(body)
    except (ValueError, TypeError):
        return None
    try:
        return await prepared.transport.send(prepared.sendable, content)
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
        return error


@functools.cache
def _nothing() -> Came:
    """A reply for a request that is not sent."""
    from multidict import CIMultiDict, CIMultiDictProxy

    return Came(200, CIMultiDictProxy(CIMultiDict()), (), b"{}")


def _plain(came: Came | Exception) -> Response | None:
    """A reply that an SDK would hand on as it is; None for everything else."""
    import httpx2

    if isinstance(came, Exception) or came.status != 200 or "set-cookie" in came.headers:
        return None
    content = came.content
    if "content-encoding" in came.headers:
        try:
            content = response_of(came).content
        except httpx2.DecodingError:
            return None
    return Response(content, came.headers, _charset(", ".join(came.headers.getall("content-type", []))))


def response_of(came: Came, request: httpx2.Request | None = None) -> httpx2.Response:
    """What came, unpacked; of a body that is told to be packed and is plain, as it is. Raises httpx2.DecodingError."""
    import httpx2

    try:
        return httpx2.Response(came.status, headers=came.raw_headers, content=came.content, request=request)
    except httpx2.DecodingError:
        if not came.content.lstrip().startswith((b"{", b"[", b"data:", b"event:")):
            raise
        headers = [each for each in came.raw_headers if each[0].lower() != b"content-encoding"]
        return httpx2.Response(came.status, headers=headers, content=came.content, request=request)


def _refusal(came: Came | Exception) -> httpx2.Response | None:
    """A response with an error's status, which an SDK would hand on as it is; None for everything else."""
    import httpx2

    if isinstance(came, Exception) or came.status < 400 or "set-cookie" in came.headers:
        return None
    try:
        return response_of(came)
    except httpx2.DecodingError:
        return None


@functools.lru_cache
def _charset(content_type: str) -> str | None:
    """The charset that a Content-Type names."""
    import httpx2

    return httpx2.Response(200, headers={"content-type": content_type}).charset_encoding
