"""For SDKs that block: a call in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """What the call returns or raises, while the loop goes on.

    A call that is given up (its time is over, Ctrl-C) cannot be stopped, but it holds up nobody, the end of the
    program neither; that is what the threads of a pool would do. How many run at once is for the gates to decide.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(put: Callable[[], None]) -> None:
        if not done.cancelled():
            put()

    def work() -> None:
        try:
            put = functools.partial(done.set_result, call())
        except BaseException as error:
            put = functools.partial(done.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, put)

    threading.Thread(target=work, daemon=True, name="call").start()
    return await done
