"""A loop whose time is imagined: it jumps to whatever is due next, so that an hour of waiting takes no time."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from unittest import mock

T = TypeVar("T")


class _Jumping(selectors.SelectSelector):
    """Where nothing is ready, the time that it would have waited has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and for nothing"
            self.now += max(timeout, 0.0) + (1e-9 if timeout > 0 else 0.0)
        return ready


def run_imagined(scene: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a scene to its end; `time.monotonic()` is the loop's time meanwhile."""
    selector = _Jumping()
    with mock.patch.object(time, "monotonic", lambda: selector.now):
        loop = asyncio.SelectorEventLoop(selector)
        try:
            return loop.run_until_complete(scene())
        finally:
            loop.close()
