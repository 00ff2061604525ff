"""Asking a batch interface until it answers: what is paid for there is not given up for a lost connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from arena_hard.calling.providers.base import CallError, Kind
from arena_hard.calling.providers.batch_answers import Failed, TooMuch, Unread, understood

READ_TRIES = 5  # what is refused, or came in part, is asked for so often
_PASSES: tuple[Kind, ...] = ("rate limit", "transient")

T = TypeVar("T")


class Patience:
    """Asks again, with longer and longer pauses. pauses: the first one and the longest, in seconds; say: a line."""

    def __init__(self, pauses: tuple[float, float], say: Callable[[str], None]) -> None:
        self._pauses, self._say = pauses, say

    async def ask(self, ask: Callable[[], Awaitable[T]], kinds: tuple[Kind, ...] = _PASSES, tries: int = 1) -> T:
        """What is answered. kinds: the errors that pass by themselves; tries: how often others may come.

        Raises CallError.
        """
        pause, longest = self._pauses
        while True:
            try:
                return await understood(ask)
            except CallError as error:
                passes = error.kind in kinds
                tries -= not passes
                if isinstance(error, (TooMuch, Failed)) or not passes and (tries < 1 or _is_shut_off(error)):
                    raise
                wait = max(pause, error.retry_after or 0.0)
                self._say(f"{error.message}; retrying in {wait:.0f} s")
            await asyncio.sleep(wait)
            pause = min(longest, pause * 1.5)

    async def read(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What is answered of a batch that is there, where a refusal may be of a moment.

        Raises CallError: Unread, where it says nothing of other batches.
        """
        try:
            return await self.ask(ask, tries=READ_TRIES)
        except (TooMuch, Failed, Unread):
            raise
        except CallError as error:
            if _is_shut_off(error):
                raise
            raise Unread(error.message, {}) from None


def _is_shut_off(error: CallError) -> bool:
    """Whether there is no way to the server at all, or no key for it: all else may be of one batch alone."""
    return error.kind == "final" and error.endpoint_wide and not error.wrong_address
