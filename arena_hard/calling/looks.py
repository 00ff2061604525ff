"""What a run asks of servers beside its calls: the models they list, the length of prompts, the right address."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from arena_hard.calling.providers.base import Connection
from arena_hard.data.settings import short_hash

T = TypeVar("T")


class Looks:
    """Each of them once: what a server tells is known to all models that are asked there with the same key."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}
        self._asking: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def once(self, what: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` brings, of the first who asks for this. Raises what `ask` raises, after which others ask again."""
        async with self._asking[what]:
            if what not in self._found:
                self._found[what] = await ask()
            return self._found[what]


def server_and_key(connection: Connection) -> tuple[Hashable, ...]:
    """What all connections have in common to which a server tells the same."""
    there = connection
    return (there.api_type, there.base_url, there.verify, short_hash(there.options), there.api_key)
