"""One request tries whether a server takes a form of constraint; the others wait for what comes of it.

A server that ignores a form is paid for each reply to it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import msgspec

from arena_hard.calling.providers.base import Dialect
from arena_hard.calling.providers.constraints import asked_for
from arena_hard.calling.time_limits import timeout


def untried_form(body: Mapping[str, Any], dialect: Dialect) -> str | None:
    """The form that a body asks in, if nobody knows yet whether the server takes it."""
    asked = asked_for(body)
    return asked[0] if asked and f"{asked[0]} holds" not in dialect else None


class Turns(msgspec.Struct):
    """Who goes to the endpoints of a model while none of them is known to take a form: one request at a time."""

    _done: asyncio.Event | None = None

    @contextlib.asynccontextmanager
    async def turn(self, untried: Callable[[], list[bool]], left: Callable[[], float]) -> AsyncIterator[None]:
        """Wait without a slot while another request tries for all, but no longer than there is time.

        untried: of each endpoint, whether it is asked in a form that is not known; left: seconds.
        """
        while self._done is not None and all(untried()) and left() > 0:
            await _over(self._done, left())
        if self._done is not None or not any(untried()):
            yield
            return
        done = self._done = asyncio.Event()
        try:
            yield
        finally:
            self._done = None
            done.set()


class FormProbes(msgspec.Struct):
    """The forms that are being tried at one endpoint, of several that a model has."""

    _open: dict[str, asyncio.Event] = {}

    async def wait(self, body: Callable[[], Mapping[str, Any]], dialect: Dialect, left: Callable[[], float]) -> None:
        """While another request tries the form that this one would ask in; body: in what is known by now."""
        while (form := untried_form(body(), dialect)) in self._open and form is not None and left() > 0:
            await _over(self._open[form], left())

    @contextlib.contextmanager
    def trying(self, body: Mapping[str, Any], dialect: Dialect) -> Iterator[None]:
        """While a request with this body is under way."""
        form = untried_form(body, dialect)
        if form is None or form in self._open:
            yield
            return
        done = self._open[form] = asyncio.Event()
        try:
            yield
        finally:
            del self._open[form]
            done.set()


async def _over(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        async with timeout(seconds):
            await event.wait()
