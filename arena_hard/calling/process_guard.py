"""Runs a command until it ends or the pipe on stdin closes, then stops all that it started.

Run as a script by local_server.py, in a session of its own; it imports nothing of the project.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

STOP_SECONDS = 15.0


def main(command: list[str]) -> int:
    """Run a command in this process's group until it ends or the pipe on stdin closes."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # sent to the whole group below, also to this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_default_signals)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", flush=True)
        return 127
    threading.Thread(target=_stop_group_when_closed, args=(server,), daemon=True).start()
    code = server.wait()
    _kill_group()
    return code


def _default_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _stop_group_when_closed(server: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    os.killpg(os.getpgrp(), signal.SIGTERM)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        _kill_group()


def _kill_group() -> None:
    """The end of all that the server started, and of this process with it."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
