"""The HTTP client that the SDKs get: many small connection pools instead of a large one.

httpcore looks through all connections of a pool, with a system call for each, whenever a request
begins or ends; with hundreds in flight that costs more than the requests themselves.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

import httpx2

_CONNECTIONS_PER_POOL = 8
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class ManyPools(httpx2.AsyncBaseTransport):
    """Hands requests to its pools in turn; together they hold `connections` and more when asked."""

    def __init__(self, connections: int) -> None:
        context = httpx2.create_ssl_context()
        count = -(-connections // _CONNECTIONS_PER_POOL)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=2 * _CONNECTIONS_PER_POOL)
        self._pools = [httpx2.AsyncHTTPTransport(verify=context, limits=limits) for _ in range(count)]
        self._turn = itertools.cycle(self._pools)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send through the pool whose turn it is."""
        return await next(self._turn).handle_async_request(request)

    async def aclose(self) -> None:
        """Close every pool."""
        for pool in self._pools:
            await pool.aclose()


def http_client(connections: int) -> httpx2.AsyncClient:
    """A client for so many requests in flight; behind a proxy it is httpx's own, which knows proxies."""
    timeouts: dict[str, Any] = {"timeout": httpx2.Timeout(None, connect=30.0), "follow_redirects": True}
    if any(os.environ.get(name) or os.environ.get(name.upper()) for name in _PROXIES):
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        return httpx2.AsyncClient(limits=limits, **timeouts)
    return httpx2.AsyncClient(transport=ManyPools(connections), **timeouts)
