"""The HTTP transport that the SDKs get: aiohttp under their own client.

The SDKs' own transport parses HTTP in Python and looks through all connections of its pool whenever a request
begins or ends; with hundreds in flight that costs more than the rest of a request (benchmarks/calls.py).
"""

from __future__ import annotations

import asyncio
import os
import urllib.request
from typing import Any

import aiohttp
import httpx2
from yarl import URL

CONNECT_SECONDS = 30.0
HEADER_BYTES = 65_536  # some gateways send policies and cookies longer than aiohttp's 8 KB


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Sends requests through one aiohttp session; how many at once is for others to decide."""

    def __init__(self) -> None:
        self._context = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request, answered as a whole. Raises httpx2.TransportError."""
        waits = request.extensions.get("timeout", {})
        try:
            async with self._opened().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,  # the client above follows them
                timeout=aiohttp.ClientTimeout(sock_connect=waits.get("connect"), sock_read=waits.get("read")),
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise transport_error(error, request) from error
        return httpx2.Response(response.status, headers=response.raw_headers, content=content, request=request)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """The session; made by the first request, because it belongs to the loop that runs."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._context),
                auto_decompress=False,  # httpx2.Response does it
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=HEADER_BYTES,
                max_field_size=HEADER_BYTES,
            )
        return self._session


def transport_error(error: Exception, request: httpx2.Request) -> httpx2.TransportError:
    """What aiohttp raised, in the terms that the SDKs understand."""
    text = _reason(error.os_error) if isinstance(error, aiohttp.ClientConnectorError) else str(error)
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
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


def http_client() -> httpx2.AsyncClient:
    """The client for an endpoint; behind a proxy it is httpx2's own, which knows proxies."""
    options: dict[str, Any] = {"timeout": httpx2.Timeout(None, connect=CONNECT_SECONDS), "follow_redirects": True}
    if any(kind in urllib.request.getproxies() for kind in ("http", "https", "all")):
        return httpx2.AsyncClient(limits=httpx2.Limits(max_connections=None), **options)
    return httpx2.AsyncClient(transport=AiohttpTransport(), **options)
