"""The HTTP transport that the SDKs get: aiohttp under their own client.

The SDKs' own transport parses HTTP in Python and looks through all connections of its pool whenever a request
begins or ends; with hundreds in flight that costs more than the rest of a request (benchmarks/calls.py).
"""

from __future__ import annotations

import asyncio
import os
import ssl
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.request import Request

import aiohttp
import httpx2
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from arena_hard.calling.providers import direct, long_errors, redirects, tls, unended
from arena_hard.calling.providers.direct import Came, Sendable
from arena_hard.calling.providers.lenient import LenientSender, came_of, is_unparsed
from arena_hard.data.environment import Proxy, proxy_for
from arena_hard.data.records import UserError

TIMEOUT = httpx2.Timeout(None, connect=30.0)
HEADER_BYTES = 65_536  # some gateways send policies and cookies longer than aiohttp's 8 KB


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Sends requests through one aiohttp session; how many at once is for others to decide."""

    def __init__(self, verify: tls.Verify = True) -> None:
        self._verify = verify
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None
        self._lenient: LenientSender | None = None  # once a response has come that aiohttp does not read
        self._doubted = True  # whether the server might speak TLS where it is asked without, or want more of it

    def prepare_tls(self) -> ssl.SSLContext:
        """Whom this transport trusts, read when it is first needed. Raises UserError."""
        if self._context is None:
            self._context = tls.context_for(self._verify)
        return self._context

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request, answered as a whole. Raises httpx2.TransportError."""
        call = direct.CALL.get()
        content = await request.aread()
        try:
            sendable = self.sendable(request)
            if call:
                call.sees(self, sendable, content)
            came = call and call.take() or await self.send(sendable, content)
        except UserError as error:
            raise tls.Unusable(str(error), request=request) from None
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise await self._explained(error, request) from error
        if call:
            call.heard(came.headers)
        return direct.response_of(came, request)

    def sendable(self, request: httpx2.Request) -> Sendable:
        """A request in aiohttp's terms. Raises UserError."""
        waits = request.extensions.get("timeout", {})
        return Sendable(
            request.method,
            URL(str(request.url.copy_with(userinfo=b"")), encoded=True),  # the client has made a header of it
            CIMultiDict(request.headers.multi_items()),
            ssl=self.prepare_tls() if request.url.scheme == "https" else True,
            timeout=aiohttp.ClientTimeout(sock_connect=waits.get("connect"), sock_read=waits.get("read")),
        )

    async def send(self, sendable: Sendable, content: bytes) -> Came:
        """One request with its body, answered as a whole. Raises aiohttp.ClientError, TimeoutError, OSError."""
        if self._lenient:
            return await self._lenient.send(sendable, content)
        try:
            return await self._send(sendable, content)
        except aiohttp.ClientError as error:
            if is_unparsed(error) and not self._lenient:
                self._lenient = LenientSender()
            raise

    async def _send(self, sendable: Sendable, content: bytes) -> Came:
        headers = sendable.headers
        if content:
            headers = headers.copy()
            headers["content-length"] = str(len(content))
        async with self._opened().request(
            sendable.method,
            sendable.url,
            headers=headers,
            data=content or None,
            allow_redirects=False,  # the client above follows them
            ssl=sendable.ssl,
            timeout=sendable.timeout,
        ) as response:
            if response.status < 400:
                came = Came(response.status, response.headers, response.raw_headers, await _content(response))
            else:
                came = await _refusal(response, content)
        self._doubted = False
        return came

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
        if self._lenient is not None:
            await self._lenient.aclose()

    def _opened(self) -> aiohttp.ClientSession:
        """The session; made by the first request, because it belongs to the loop that runs."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                auto_decompress=False,  # httpx2.Response does it
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=HEADER_BYTES,
                max_field_size=HEADER_BYTES,
            )
        return self._session

    async def _explained(self, error: Exception, request: httpx2.Request) -> httpx2.TransportError:
        """What went wrong; a server that hangs up on its first request may have expected TLS, or more of it."""
        found = tls.fault(error, self._verify) or transport_error(error, request)
        url = request.url
        if not self._doubted or not isinstance(found, (httpx2.RemoteProtocolError, httpx2.ReadError)):
            return found
        if url.scheme == "http":
            self._doubted = await tls.speaks_tls(url.host, url.port or 80)
            return tls.Unusable(tls.SPEAKS_TLS) if self._doubted else found
        refused = await tls.refusal_after_handshake(url.host, url.port or 443, self.prepare_tls())
        self._doubted = refused is not None
        return type(found)(f"{found}{refused}", request=request) if isinstance(refused, str) else refused or found


async def _content(response: aiohttp.ClientResponse) -> bytes:
    if unended.is_stream(response.headers):
        return await unended.read(response.content.iter_any(), aiohttp.ClientPayloadError)
    return await response.read()


async def _refusal(response: aiohttp.ClientResponse, request: bytes) -> Came:
    """An error, read as far as there may be words in it; its connection is closed where more comes."""
    parts = response.content.iter_any()
    found = await long_errors.read(parts, response.raw_headers, long_errors.most_of(request))
    if not found.is_all:
        response.close()
    headers = CIMultiDict(
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in found.headers
    )
    return Came(response.status, CIMultiDictProxy(headers), found.headers, found.content)


class ProxiedTransport(httpx2.AsyncHTTPTransport):
    """httpx2's own transport, which knows proxies; its errors say which proxy a request went through."""

    def __init__(self, proxy: Proxy, verify: tls.Verify) -> None:
        self._proxy, self._verify = proxy, verify
        super().__init__(verify=tls.context_for(verify), proxy=proxy.url, limits=httpx2.Limits(max_connections=None))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request through the proxy. Raises httpx2.TransportError."""
        way = f"(through the proxy of {self._proxy.variable})"
        try:
            response = await super().handle_async_request(request)
            return direct.response_of(await came_of(response, await request.aread()), request)
        except httpx2.TransportError as error:
            found = tls.fault(error, self._verify) or error
            raise type(found)(f"{found or type(error).__name__} {way}", request=request) from error


def transport_error(error: Exception, request: httpx2.Request) -> httpx2.TransportError:
    """What aiohttp raised, in the terms that the SDKs understand."""
    text = _reason(error.os_error) if isinstance(error, aiohttp.ClientConnectorError) else str(error)
    if isinstance(error, aiohttp.ClientResponseError):  # whose status is aiohttp's own
        text = f"the server's response cannot be read ({' '.join(error.message.split())})"
    text = text or type(error).__name__
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx2.ConnectTimeout(text, request=request)
    if isinstance(error, asyncio.TimeoutError):
        return httpx2.ReadTimeout(text, request=request)
    if isinstance(error, aiohttp.InvalidURL):
        return httpx2.UnsupportedProtocol(text, request=request)
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx2.ConnectError(text, request=request)
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ClientResponseError, aiohttp.ServerDisconnectedError)):
        return httpx2.RemoteProtocolError(text, request=request)
    return httpx2.ReadError(text, request=request)


def _reason(error: OSError) -> str:
    """Why there is no connection, without the address: whoever reports it says whom they called."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"  # its number is none of the system's
    if isinstance(error, ConnectionResetError) and not error.errno:
        return "the server hung up while TLS was being set up"
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


class _OnlyWritable(DefaultCookiePolicy):
    """Takes no cookie that a request cannot carry: its headers are ASCII."""

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        return f"{cookie.name}{cookie.value or ''}".isascii() and super().set_ok(cookie, request)


def _usual() -> dict[str, Any]:
    """What all clients have, each its own."""
    return {
        "timeout": TIMEOUT,
        "follow_redirects": True,
        "event_hooks": {"request": [redirects.leave_behind], "response": [redirects.look]},
        "cookies": CookieJar(_OnlyWritable()),
    }


class DirectClient(httpx2.AsyncClient):
    """A client without a proxy."""

    def __init__(self, transport: AiohttpTransport) -> None:
        super().__init__(transport=transport, **_usual())
        self._direct = transport

    def prepared(self, method: str, url: str, headers: dict[str, str], timeout: float) -> direct.Prepared:
        """A request as this client would send it, but for its body."""
        sendable = self._direct.sendable(self.build_request(method, url, headers=headers, timeout=timeout))
        sendable.headers.popall("content-length", None)  # that of the body comes, behind all others
        return direct.Prepared(self._direct, sendable)

    async def status(self, method: str, url: str, headers: dict[str, str], timeout: float) -> int:
        """That of a response that leaves nothing here and is not followed. Raises what comes of it otherwise."""
        request = httpx2.Request(method, url, headers=headers, extensions={"timeout": {"read": timeout}})
        return (await self._direct.send(self._direct.sendable(request), b"")).status


def http_client(address: str, verify: tls.Verify = True) -> httpx2.AsyncClient:
    """The client for a server. Raises UserError for a proxy or certificate that cannot be used."""
    proxy = proxy_for(address)
    if proxy is not None:
        return httpx2.AsyncClient(transport=ProxiedTransport(proxy, verify), **_usual())
    transport = AiohttpTransport(verify)
    if address.startswith("https:"):
        transport.prepare_tls()  # a mistake in it is said before anything is asked
    return DirectClient(transport)
