"""Ctrl-C ends a script with one line and the exit code 130, also while it is being imported."""

from __future__ import annotations

import os
import signal

SAID = "\nInterrupted. Everything received so far is saved; rerun the same command to continue."
CODE = 130


def end_at_once() -> None:
    """From now on Ctrl-C ends the process where it stands: nothing has been begun that would have to be ended."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it to be ignored
        signal.signal(signal.SIGINT, _end)


def end_in_order() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: object) -> None:
    """Uses nothing more than there is already: what else it needs may be half imported."""
    try:
        os.write(2, f"{SAID}\n".encode())
    finally:  # also where stderr is closed
        os._exit(CODE)
