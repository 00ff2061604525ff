"""A simulation of the providers' prompt caches: which part of a prompt was seen a short time ago."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from .asks import Ask


@dataclass(frozen=True)
class PrefixHits:
    """What was found for one request, and what storing it would add. Sizes in tokens."""

    cached: int
    stored: int
    keys: tuple[bytes, ...]


class PrefixCache:
    """Remembers prefixes by their hash, the least recently used go first.

    `size`: prefixes kept; `ttl`: seconds since the last use; `minimum`: tokens below which nothing is cached.
    Where a prefix may end is the wire format's affair: every 128 tokens (OpenAI), marked blocks (Anthropic).
    """

    def __init__(self, size: int = 100_000, ttl: float = 300.0, minimum: int = 1024) -> None:
        self.size, self.ttl, self.minimum = size, ttl, minimum
        self._until: OrderedDict[bytes, float] = OrderedDict()

    @classmethod
    def of(cls, setting: Any) -> PrefixCache | None:
        """The cache that the setting `prefix_cache` asks for: true, or its keywords."""
        if not setting:
            return None
        return cls() if setting is True else cls(**setting)

    def look(self, ask: Ask) -> PrefixHits:
        """The longest known prefix. Nothing is stored yet: a prefix is known once its reply is made."""
        now = time.monotonic()
        running = hashlib.blake2b(ask.model.encode("utf-8", "surrogatepass"), digest_size=8)
        start = cached = storable = 0
        keys: list[bytes] = []
        for end, stored in ask.boundaries:
            running.update(ask.prompt[start:end])
            start = end
            if end // 4 < self.minimum:
                continue
            key = running.digest()
            known = self._until.get(key, 0.0) > now
            cached = end // 4 if known else cached
            if stored or known:
                keys.append(key)
            storable = end // 4 if stored else storable
        return PrefixHits(cached, max(0, storable - cached), tuple(keys))

    def store(self, hits: PrefixHits) -> None:
        """Keep a request's prefixes. The longest first: a long one without its beginning would be useless."""
        until = time.monotonic() + self.ttl
        for key in reversed(hits.keys):
            self._until[key] = until
            self._until.move_to_end(key)
        while len(self._until) > self.size:
            self._until.popitem(last=False)

    def clear(self) -> None:
        self._until.clear()
