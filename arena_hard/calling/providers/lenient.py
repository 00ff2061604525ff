"""Responses that aiohttp's parser refuses and the SDKs' own transport reads, such as one that tells its length twice.

They are paid for, and to ask again brings the same. So after the first one a server is asked through that transport.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import httpx2
from multidict import CIMultiDict, CIMultiDictProxy

from arena_hard.calling.providers import long_errors, unended
from arena_hard.calling.providers.direct import Came, Sendable

if TYPE_CHECKING:
    import ssl


def is_unparsed(error: BaseException) -> bool:
    """Whether a response came that aiohttp's parser refuses."""
    return isinstance(error, aiohttp.ClientResponseError)


class LenientSender:
    """Sends through the transport that the SDKs have of their own."""

    def __init__(self) -> None:
        self._by_trust: dict[ssl.SSLContext | bool, httpx2.AsyncHTTPTransport] = {}

    def _transport(self, trusted: ssl.SSLContext | bool) -> httpx2.AsyncHTTPTransport:
        """For requests that trust the same: one may be sent on from http to https."""
        if trusted not in self._by_trust:
            limits = httpx2.Limits(max_connections=None)
            self._by_trust[trusted] = httpx2.AsyncHTTPTransport(verify=trusted, limits=limits)
        return self._by_trust[trusted]

    async def send(self, sendable: Sendable, content: bytes) -> Came:
        """As AiohttpTransport.send does. Raises aiohttp.ClientError, TimeoutError, OSError."""
        waits = {"connect": sendable.timeout.sock_connect, "read": sendable.timeout.sock_read}
        request = httpx2.Request(
            sendable.method,
            str(sendable.url),
            headers=[(name, value) for name, value in sendable.headers.items() if name.lower() != "content-length"],
            content=content or None,
            extensions={"timeout": waits},
        )
        try:
            response = await self._transport(sendable.ssl).handle_async_request(request)
            return await came_of(response, content)
        except httpx2.TimeoutException as error:
            raise asyncio.TimeoutError(str(error)) from error
        except httpx2.TransportError as error:
            raise aiohttp.ClientPayloadError(str(error) or type(error).__name__) from error

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._by_trust.values():
            await transport.aclose()


async def came_of(response: httpx2.Response, request: bytes) -> Came:
    """A response as it was sent, which is closed then; of an error as much as is read of any."""
    raw, parts = tuple(response.headers.raw), response.aiter_raw()
    try:
        if response.status_code >= 400:
            whole, raw, _ = await long_errors.read(parts, raw, long_errors.most_of(request))
        elif unended.is_stream(response.headers):
            whole = await unended.read(parts, httpx2.RemoteProtocolError)
        else:
            whole = b"".join([part async for part in parts])
    finally:
        await response.aclose()
    headers = httpx2.Headers(list(raw))
    return Came(response.status_code, CIMultiDictProxy(CIMultiDict(headers.multi_items())), raw, whole)
