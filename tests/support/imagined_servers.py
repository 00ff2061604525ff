"""Servers in imagined time, and how long a model's line takes with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from arena_hard.calling.gate import Gate
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.waiting_line import Line, NoSlot, next_place
from tests.support.imagined_time import run_imagined
from tests.support.server_limits import Limit


@dataclass
class Server:
    """seconds: for a reply, `delay` for a refusal; tells: what of the time to wait is told (None: nothing)."""

    limit: Limit
    seconds: float
    tells: Callable[[float], float] | None = None
    delay: float = 0.005
    status: int = 429
    in_work: int = 0
    requests: int = 0
    taken: int = 0
    refused: int = 0

    async def answer(self) -> None:
        """Raises CallError."""
        await asyncio.sleep(self.delay / 2)
        self.requests += 1
        wait = self.limit.refuses(self.in_work, self.requests)
        if wait is not None:
            self.refused += 1
            await asyncio.sleep(self.delay / 2)
            kind: Any = "rate limit" if self.status == 429 else "transient"
            raise CallError(kind, str(self.status), self.tells(wait) if self.tells else None, busy=True)
        self.in_work += 1
        self.taken += 1
        await asyncio.sleep(self.seconds)
        self.in_work -= 1
        await asyncio.sleep(self.delay / 2)


def seconds_for(number: int, *servers: Server, parallel: Any = 64, **bounds: Any) -> float:
    """How long so many requests take, until all are answered or known to be in vain."""

    async def scene() -> float:
        gates = {Gate(parallel, **bounds): server for server in servers}
        line = Line(gates)

        async def one() -> None:
            place = next_place()
            while True:
                try:
                    gate, slot = await line.enter(place, 1.0)
                except NoSlot:
                    return
                try:
                    await gates[gate].answer()
                except CallError as error:
                    gate.failed(slot, error)
                    if error.kind == "transient":
                        await asyncio.sleep(1.0)
                else:
                    gate.succeeded(slot, None, {})
                    return

        began = time.monotonic()
        await asyncio.gather(*(one() for _ in range(number)))
        return time.monotonic() - began

    return run_imagined(scene)
