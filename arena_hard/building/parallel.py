"""A function over many pieces in several processes: results come in the order of the pieces, whatever their number."""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
_AHEAD = 2  # pieces for each process that wait or are done, so that memory is flat
_FEW = 4  # pieces that are not worth the start of a process


def in_order(function: Callable[[A], B], pieces: Iterable[A], processes: int) -> Iterator[B]:
    """function(piece) for each piece, in order. With one process, or few pieces, all is done here."""
    pieces = iter(pieces)
    first = list(itertools.islice(pieces, _FEW))
    everything = itertools.chain(first, pieces)
    if processes <= 1 or len(first) < _FEW:
        yield from map(function, everything)
        return
    waiting: deque[Future[B]] = deque()
    try:
        for piece in everything:
            waiting.append(_pool(processes).submit(function, piece))
            if len(waiting) > _AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@functools.cache
def _pool(processes: int) -> ProcessPoolExecutor:
    """The processes of this run, which start when they are first needed."""
    ways = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in ways else "spawn")
    return ProcessPoolExecutor(processes, context, initializer=_begin)


def _begin() -> None:
    """A process leaves Ctrl-C to its parent, and ends when that was killed: it would wait for work for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
