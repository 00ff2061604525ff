"""Work in a copy of this process, on a second core: for what is slow in Python and whose result is small."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def beside(work: Callable[[], T], is_large: bool) -> Generator[Callable[[], T | None]]:
    """Begin some work; what is given waits for its result, once.

    None where it is not large, there is no second core or no copy can be made, or where the work raised an error or a
    warning: whoever wants the result then does the work, and so says what has to be said in its place.
    """
    if not is_large or not _is_possible():
        yield lambda: None
        return
    source, target = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of libraries, which the copy does not need
        copy = os.fork()
    if not copy:
        os.close(source)
        _work_and_end(work, target)
    os.close(target)
    with open(source, "rb") as stream:
        try:
            yield lambda: _result(stream.read())
        finally:
            os.kill(copy, signal.SIGKILL)  # whatever it still does, nobody waits for
            os.waitpid(copy, 0)


def _is_possible() -> bool:
    """Only where copies are cheap and safe: on Linux, without other threads."""
    return sys.platform == "linux" and threading.active_count() == 1 and len(os.sched_getaffinity(0)) > 1


def _work_and_end(work: Callable[[], object], target: int) -> NoReturn:
    """Nothing of this process's own end may run twice: no buffers are written, no one is called at exit."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            data = pickle.dumps(work())
        with open(target, "wb") as stream:
            stream.write(data)
    finally:
        os._exit(0)


def _result(data: bytes) -> Any:
    try:
        return pickle.loads(data) if data else None
    except (EOFError, pickle.UnpicklingError):  # a copy that was killed
        return None
