"""A server of /v1/embeddings in a thread: the vector of a text depends on its words; what arrives is counted."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.threaded_server import serving

DIMENSIONS = 24


@dataclass
class EmbeddingServer:
    """What has arrived. refuses: texts that it takes for too long; breaks: texts of which it sends no numbers; after:
    how many requests are answered before it only says 500; seconds: that each takes."""

    base: str = ""
    requests: int = 0
    texts: Counter[str] = field(default_factory=Counter[str])
    refuses: Callable[[str], bool] = lambda text: False
    breaks: Callable[[str], bool] = lambda text: False
    after: int = 10**9
    seconds: float = 0.0

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """One call."""
        body = await request.json()
        await asyncio.sleep(self.seconds)
        self.requests += 1
        if request.path != "/v1/embeddings" or self.requests > self.after:
            return web.json_response({"error": {"message": "out of order"}}, status=500)
        if any(map(self.refuses, body["input"])):
            refusal = "This model's maximum context length is 512 tokens. Please reduce your input."
            return web.json_response({"error": {"message": refusal}}, status=400)
        broken = any(map(self.breaks, body["input"]))
        self.texts.update([] if broken else body["input"])
        data = [{"index": at, "embedding": self._of(text)} for at, text in enumerate(body["input"])]
        tokens = sum(len(text) for text in body["input"]) // 4
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return web.json_response({"object": "list", "model": body["model"], "data": data, "usage": usage})

    def _of(self, text: str) -> list[float] | list[None]:
        return [None] * DIMENSIONS if self.breaks(text) else vector(text)


def vector(text: str) -> list[float]:
    """Of a text, by its words."""
    found = [0.01] * DIMENSIONS
    for word in text.lower().split():
        found[zlib.crc32(word.encode()) % DIMENSIONS] += 1.0
    return found


@contextmanager
def embedding_server() -> Iterator[EmbeddingServer]:
    """One that runs while the context lasts."""
    server = EmbeddingServer()
    with serving(server.handle) as root:
        server.base = f"{root}/v1"
        yield server
