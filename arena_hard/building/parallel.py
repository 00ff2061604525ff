"""A function over many pieces in several processes: results come in the order of the pieces, whatever their number."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
_AHEAD = 2  # pieces for each process that wait or are done, so that memory is flat


def in_order(function: Callable[[A], B], pieces: Iterable[A], processes: int) -> Iterator[B]:
    """function(piece) for each piece, in order. With one process all is done here."""
    pieces = iter(pieces)
    first = list(itertools.islice(pieces, 2))
    if processes <= 1 or len(first) < 2:  # one piece is not worth a process
        yield from map(function, itertools.chain(first, pieces))
        return
    context = multiprocessing.get_context(
        "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    )
    pool = ProcessPoolExecutor(processes, context, initializer=_end_with_parent)
    waiting: deque[Future[B]] = deque()
    try:
        for piece in itertools.chain(first, pieces):
            waiting.append(pool.submit(function, piece))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
