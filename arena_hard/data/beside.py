"""Work in a copy of this process, on a second core: for what is slow in Python and whose result is small."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from typing import Any, BinaryIO, NoReturn, TypeVar

T = TypeVar("T")
Work = tuple[int, Callable[[], object]]  # with its number

_PIPE_BYTES = 1 << 20  # so much of a result waits to be read while the copy goes on; more than Linux gives by itself


class Copy:
    """A copy of this process that does what is left to it, one piece of work after the other, from when it is begun."""

    def __init__(self) -> None:
        self._works: list[Work] = []
        self._found: dict[int, Any] = {}
        self._process = 0
        self._stream: BinaryIO | None = None

    def leave(self, work: Callable[[], T], first: bool = False) -> Callable[[], T | None]:
        """Leave some work to the copy; what is given waits for its result. first: before what was left to it so far.

        None where the copy has already begun, there is no second core or no copy can be made, or where the work raised
        an error or a warning: whoever wants the result then does the work, and so says what there is to say in its
        place.
        """
        if self._process:
            return lambda: None
        number = len(self._works)
        self._works.insert(0 if first else number, (number, work))
        return lambda: self._result(number)

    def begin(self) -> None:
        """Let the copy begin, where there is work and one can be made."""
        if self._process or not self._works or not _is_possible():
            return
        source, target = os.pipe()
        _enlarge(target)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of libraries, which the copy does not need
            self._process = os.fork()
        if not self._process:
            os.close(source)
            _work_and_end(self._works, target)
        os.close(target)
        self._stream = os.fdopen(source, "rb")

    def end(self) -> None:
        """Whatever the copy still does, nobody waits for."""
        if self._process:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
        if self._stream is not None:
            self._stream.close()

    def _result(self, number: int) -> Any:
        while number not in self._found and self._stream is not None:
            try:
                done, found = pickle.load(self._stream)
            except (EOFError, pickle.UnpicklingError):  # it is at its end, or was killed
                self._stream.close()
                self._stream = None
            else:
                self._found[done] = found
        return self._found.get(number)


@contextlib.contextmanager
def copying() -> Generator[Copy]:
    """A copy to leave work to, gone at the end."""
    copy = Copy()
    try:
        yield copy
    finally:
        copy.end()


@contextlib.contextmanager
def beside(work: Callable[[], T], is_large: bool, copy: Copy | None = None) -> Generator[Callable[[], T | None]]:
    """Begin some work, where it is large; what is given waits for its result as that of Copy.leave does.

    copy: which does it before what was left to it so far, and then goes on with that; else one is made for it alone.
    """
    with contextlib.nullcontext(copy) if copy else copying() as other:
        read = other.leave(work, first=True) if is_large else lambda: None
        other.begin()
        yield read


def is_core_left() -> bool:
    """Whether there is a core beside those of this process and its copy."""
    return _cores() > 2


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _is_possible() -> bool:
    """Only where copies are cheap and safe: on Linux, without other threads."""
    return sys.platform == "linux" and threading.active_count() == 1 and _cores() > 1


def _enlarge(pipe: int) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # more than this system allows
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _work_and_end(works: Sequence[Work], target: int) -> NoReturn:
    """Nothing of this process's own end may run twice: no buffers are written, no one is called at exit."""
    try:
        with warnings.catch_warnings(), open(target, "wb", buffering=0) as stream:
            warnings.simplefilter("error")
            for number, work in works:
                found = None
                with contextlib.suppress(Exception):
                    found = work()
                pickle.dump((number, found), stream)
    finally:
        os._exit(0)
