"""How many files and connections this system lets a program have open at once."""

from __future__ import annotations

import contextlib
import math
import os
import resource

_FILES = 32  # that a run opens beside those that it has open when its requests begin
# of answers that are read at their places (single_answers.py): so many, and at most one in so many of what is allowed
_ANSWERS, _SHARE = 64, 8


def most_open() -> float:
    """How many this program may have open; infinite where nothing bounds it."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft


def most_answer_files() -> int:
    """How many files of answers may stay open."""
    return int(min(_ANSWERS, most_open() // _SHARE))


def needed_for(connections: int) -> int:
    """How many files and connections a run must be allowed to have so many connections beside its files."""
    return _others() + _ANSWERS + connections


def room_for_connections(wanted: int) -> int:
    """How many connections there may be beside the files of a run: `wanted` where they can be had, else maybe none.

    The bound that a program may raise itself, on macOS 256 at first, is raised as far as it is needed.
    """
    _raise_to(needed_for(wanted))
    return int(min(wanted, max(0, most_open() - _others() - most_answer_files())))


def _others() -> int:
    return len(os.listdir("/dev/fd")) + _FILES


def _raise_to(files: int) -> None:
    if most_open() >= files:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = files if hard == resource.RLIM_INFINITY else min(files, hard)
    with contextlib.suppress(OSError, ValueError):  # macOS has another bound, of which `hard` tells nothing
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
