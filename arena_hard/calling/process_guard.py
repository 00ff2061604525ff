"""Runs a command until it ends or the pipe on stdin closes, then stops all that it started.

Run as a script by local_server.py, in a session of its own; it imports nothing of the project. It is two processes, one
within the other, so that each still stops the command when the other one is killed. On Linux both adopt what is left
behind by its parent, so that nothing gets away in a session of its own; elsewhere that does whose parent has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

STOP_SECONDS = 15.0
KILL_SECONDS = 3.0
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_stopping = threading.Lock()


def main(told: int, command: list[str]) -> int:
    """Run a command in this process's group until it ends or the pipe on stdin closes.

    told: a pipe for its exit code, written at once; to end what it has left behind may take a while.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # sent to the whole group below, also to these processes
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _adopt()
    read_end, write_end = os.pipe()
    inner = os.fork()
    if inner:
        os.close(told)
        os.close(read_end)  # the other end stays open as long as this process lives
        return _guarded(inner, sys.stdin.fileno())
    os.close(write_end)
    _adopt()
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_as_server)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", flush=True)
        return 127
    return _guarded(server.pid, read_end, told)


def _adopt() -> None:
    """Have this process be the parent of what the ones below it leave behind; a fork does not inherit that."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _as_server() -> None:
    """What the command's process has of its own: the usual signals, and an end when both guards are killed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _guarded(child: int, pipe: int, told: int | None = None) -> int:
    """The exit code of a child, once it has ended and nothing is left of what it started.

    told: where it is written as soon as it has ended.
    """
    threading.Thread(target=_stop_when_closed, args=(pipe,), daemon=True).start()
    ended, status = os.wait()
    while ended != child:  # one that was adopted
        ended, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    if told is not None:
        with contextlib.suppress(OSError):  # the run has ended itself
            os.write(told, str(code).encode())
    _stop_all()
    return code


def _stop_when_closed(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    _stop_all()


def _stop_all() -> None:
    """Ask all that was started to end, and make it end after a while."""
    with _stopping:
        for sent, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
            until = time.monotonic() + seconds
            asked: set[int] = set()
            while (left := _started()) and time.monotonic() < until:
                for pid in left - asked:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, sent)
                asked |= left
                time.sleep(0.1)


def _started() -> set[int]:
    """The processes that descend from this one, or are of its group; those that only wait to be reaped are none."""
    own, above = os.getpid(), os.getppid()
    table = {pid: (parent, group) for pid, state, parent, group in _processes() if not state.startswith("Z")}
    found = {pid for pid, (_, group) in table.items() if group == os.getpgrp()} - {above}
    found |= {own}
    more = found
    while more:
        more = {pid for pid, (parent, _) in table.items() if parent in found} - found
        found |= more
    return found - {own, above}


def _processes() -> Iterator[tuple[int, str, int, int]]:
    """(pid, state, parent, group) of all processes."""
    files = list(Path("/proc").glob("[0-9]*/stat"))
    for file in files:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, parent, group = file.read_text(errors="replace").rpartition(")")[2].split()[:3]
            yield int(file.parent.name), state, int(parent), int(group)
    if not files:
        columns = ["ps", "-A", "-o", "pid=,stat=,ppid=,pgid="]
        for line in subprocess.run(columns, capture_output=True, text=True).stdout.splitlines():
            pid, state, parent, group = line.split()
            yield int(pid), state, int(parent), int(group)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
