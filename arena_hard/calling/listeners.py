"""Who listens at an address of this machine: the server that a run has started, or another one.

Another server may take the address while the run's own still loads, or once it has died; its answers would pass for the
model's. Linux tells who listens. Where nobody can tell (other systems, other users' processes), nothing is refused.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

MARK = "ARENA_HARD_SERVE"  # a variable of what a run has started, which also reaches what others start for it
_LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
_FORWARDERS = ("rootlesskit", "docker-proxy", "rootlessport", "slirp4netns", "pasta", "ssh", "systemd")
_LISTENS = "0A"
_HERE = ("0100007F", "0" * 8, "0" * 32, "0" * 24 + "01000000", "0000000000000000FFFF00000100007F")


class Holder(NamedTuple):
    """A process that holds a socket: where that stands among its files, and which socket it is."""

    pid: int
    file: str
    socket: str

    def still_holds_it(self) -> bool:
        """A look at one link, where to go through the machine's sockets would take milliseconds."""
        return _target(self.file) == self.socket


UNTOLD = "stopped together with its guard"


class Watch:
    """The address of a server that a run has started. `guard`: the process above all that it started.

    ends: the pipe into which the guard writes how the command has ended, as soon as it has.
    """

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
        self._place = parts.hostname or "", port
        self._port = port if parts.hostname in _LOCAL else None
        self.mark = os.urandom(8).hex()
        self.guard = 0
        self.ends: int | None = None
        self._cause: str | None = None
        self._own: Holder | None = None

    def stranger(self) -> str | None:
        """The server that listens there and is not this run's; None where it is, none listens, or nobody can tell."""
        if self._port is None or (self._own and self._own.still_holds_it()):
            return None
        there = _sockets_at(self._port)
        holders = list(_holders(there))
        self._own = next((each for each in holders if self._may_be_own(each.pid)), None)
        if holders and not self._own:
            return f"{_name(holders[0].pid)}, process {holders[0].pid}"
        if there and not holders:
            self._port = None  # nobody can tell, now or later
        return None

    def ended(self) -> str | None:
        """How the command has ended; None while it runs, or nobody knows."""
        if self._cause is None and self.ends is not None and select.select([self.ends], [], [], 0)[0]:
            told = os.read(self.ends, 20).decode()
            self._cause = _in_words(int(told)) if told else UNTOLD
        return self._cause

    def is_gone(self) -> bool:
        """Whether the command has ended and nothing listens in its place (a container may outlive what started it)."""
        if self.ended() is None:
            return False
        with contextlib.suppress(OSError), socket.create_connection(self._place, timeout=1):
            return False
        return True

    def close(self) -> None:
        """Nobody asks any more."""
        if self.ends is not None:
            os.close(self.ends)

    def _may_be_own(self, pid: int) -> bool:
        return _name(pid) in _FORWARDERS or self._is_ours(pid)

    def _is_ours(self, pid: int) -> bool:
        """Whether it is below the guard, or was started on behalf of something there (by a scheduler, say)."""
        above = pid
        while above > 1 and above != self.guard:
            above = _parent(above)
        if above == self.guard:
            return True
        with contextlib.suppress(OSError):
            return f"{MARK}={self.mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return True


_watches: dict[tuple[str | None, int | None], Watch] = {}


@contextlib.contextmanager
def watching(base: str) -> Iterator[Watch]:
    """A watch over the address of a server while the run uses it."""
    place = _place(base)
    _watches[place] = Watch(base)
    try:
        yield _watches[place]
    finally:
        _watches.pop(place).close()


def _in_words(code: int) -> str:
    """An exit code as Popen has it, or of a shell that tells a signal by it."""
    number = -code if code < 0 else code - 128
    with contextlib.suppress(ValueError):
        name = signal.Signals(number).name
        why = ", often for want of memory" if name == "SIGKILL" else ""
        return f"signal {number}, {name}{why}"
    return f"exit code {code}"


def watch_over(base: str | None) -> Watch | None:
    """The watch over an address, where the run has started the server there."""
    return _watches.get(_place(base)) if base and _watches else None


def _place(base: str) -> tuple[str | None, int | None]:
    parts = urlsplit(base)
    return parts.hostname, parts.port


def _sockets_at(port: int) -> set[str]:
    """The sockets that listen at a port of this machine's own addresses, as links to them read."""
    found: set[str] = set()
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(file) as table:
            next(table, None)
            for line in table:
                _, local, _, state, *rest = line.split()
                if state != _LISTENS:
                    break  # those that listen come first
                address, _, number = local.partition(":")
                if int(number, 16) == port and address in _HERE:
                    found.add(f"socket:[{rest[5]}]")
    return found


def _holders(sockets: set[str]) -> Iterator[Holder]:
    """The processes that hold one of these sockets, as far as this user may see them."""
    for folder in Path("/proc").glob("[0-9]*/fd") if sockets else ():
        with contextlib.suppress(OSError):
            for file in os.scandir(folder):
                if (target := _target(file.path)) in sockets:
                    yield Holder(int(folder.parent.name), file.path, target)


def _target(link: str) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(link)
    return ""


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    return "?"


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    return 0
