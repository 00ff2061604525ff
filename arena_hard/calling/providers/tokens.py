"""Access tokens that expire: fetched when one is needed, once for all calls, and anew before they end."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

from arena_hard.data import secrets

EARLY_SECONDS = 60.0  # the most that a token is renewed before its end; a tenth of a short life
_AGAIN_SECONDS = 60.0  # a fresh token that is refused so soon after another says that the account is refused


class Tokens:
    """The access token of one endpoint.

    fetch: gets a new one, as (token, seconds that it lives); it raises CallError when there is none to be had.
    """

    def __init__(self, fetch: Callable[[], Awaitable[tuple[str, float]]]) -> None:
        self._fetch = fetch
        self._token = ""
        self._until = -math.inf
        self._fetching: asyncio.Task[None] | None = None
        self._refused_at = -math.inf

    async def get(self) -> str:
        """A token that lives; calls that come together wait for the same one. Raises what `fetch` raises."""
        if time.monotonic() >= self._until:
            if self._fetching is None:
                self._fetching = asyncio.create_task(self._renew())
                self._fetching.add_done_callback(_look_at)
            await asyncio.shield(self._fetching)  # one call that ends early takes nothing from the others
        return self._token

    def refused(self, token: str) -> bool:
        """Note that a server refused a token (status 401). True where asking again with another one may help."""
        if token != self._token:
            return True  # another call has noted it
        now = time.monotonic()
        again = now - self._refused_at < _AGAIN_SECONDS
        self._token, self._until, self._refused_at = "", -math.inf, now
        return not again

    async def _renew(self) -> None:
        try:
            self._token, life = await self._fetch()
            secrets.know(self._token)
            self._until = time.monotonic() + life - min(EARLY_SECONDS, life / 10)
        finally:
            self._fetching = None


def _look_at(task: asyncio.Task[None]) -> None:
    """An error that nobody waits for any more is no error of the loop."""
    if not task.cancelled():
        task.exception()
