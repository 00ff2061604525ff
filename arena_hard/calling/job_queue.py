"""Work on many jobs side by side, live and by batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from arena_hard.calling.batch import Mailbox, Waiting
from arena_hard.calling.providers.base import CallError
from arena_hard.data.records import UserError

J = TypeVar("J")


async def run_jobs(jobs: Iterable[J], work: Callable[[J], Awaitable[None]], width: int) -> None:
    """Work on the jobs, `width` at a time; the first exception stops all and is raised."""
    queue: Iterator[J] = iter(jobs)

    async def worker() -> None:
        for job in queue:  # one iterator for all workers: each job is taken once
            await work(job)

    await _all_of(worker() for _ in range(width))


async def run_groups(groups: Sequence[tuple[Iterable[J], int]], work: Callable[[J], Awaitable[None]]) -> None:
    """Run several groups of jobs side by side, each with its own width."""
    await _all_of(run_jobs(jobs, work, width) for jobs, width in groups)


async def _all_of(parts: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run the parts side by side; when one raises, the others are stopped before it is raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run_exchanges(
    groups: Sequence[tuple[Iterable[J], int]],
    work: Callable[[J], Awaitable[None]],
    mailboxes: list[Mailbox],
) -> None:
    """Run groups of jobs; those that wait for a batch run again when it has come. Raises UserError."""
    waiting: list[J] = []

    async def attempt(job: J) -> None:
        try:
            await work(job)
        except Waiting:
            waiting.append(job)

    try:
        if any(mailbox.busy for mailbox in mailboxes):
            await asyncio.gather(*(mailbox.exchange() for mailbox in mailboxes))
        while groups:
            await run_groups(groups, attempt)
            await asyncio.gather(*(mailbox.exchange() for mailbox in mailboxes))
            groups = [(list(waiting), 64)] if waiting else []
            waiting.clear()
    except CallError as error:
        raise UserError(f"--batch: {error.message.rstrip('.')}. Fix it and run the same command again.") from None
