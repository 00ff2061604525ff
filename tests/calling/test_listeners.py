"""Whose server listens at an address: found by its socket, its process, and what started that."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arena_hard.calling import listeners
from arena_hard.calling.listeners import Watch, watch_over, watching

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who listens")


@pytest.fixture(params=["127.0.0.1", "::1", "::"])
def base(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a socket of this process."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        sock = socket.create_server((request.param, 0), family=family)
    except OSError:
        pytest.skip("no IPv6 here")
    with sock:
        yield f"http://localhost:{sock.getsockname()[1]}/v1"


def watched(base: str, guard: int) -> Watch:
    watch = Watch(base)
    watch.guard = guard
    return watch


def test_what_the_guard_did_not_start_is_a_stranger_with_a_name(base: str) -> None:
    assert f"process {os.getpid()}" in (watched(base, guard=2**30).stranger() or "")


@pytest.mark.parametrize("guard", [os.getpid, os.getppid])
def test_what_is_below_the_guard_is_none(base: str, guard: Callable[[], int]) -> None:
    assert watched(base, guard()).stranger() is None


def test_nor_is_what_carries_the_mark_of_the_run(base: str) -> None:
    watch = watched(base, guard=2**30)
    variables = dict(line.split(b"=", 1) for line in Path("/proc/self/environ").read_bytes().split(b"\0") if line)
    name, value = next(iter(variables.items()))
    watch.mark = value.decode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listeners, "MARK", name.decode())
        assert watch.stranger() is None


def test_nor_is_what_forwards_to_a_container(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "_name", lambda pid: "rootlesskit")
    assert watched(base, guard=2**30).stranger() is None


def test_nor_is_what_nobody_can_see(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "_holders", lambda sockets: iter([]))
    assert watched(base, guard=2**30).stranger() is None


def test_an_address_of_another_machine_says_nothing_of_this_one(base: str) -> None:
    assert watched(base.replace("localhost", "gpu-7.example"), guard=2**30).stranger() is None


def test_another_socket_at_the_same_port_is_looked_at_anew() -> None:
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        watch = watched(f"http://127.0.0.1:{port}/v1", guard=os.getpid())
        assert watch.stranger() is None
    watch.guard = 2**30
    assert watch.stranger() is None  # nobody listens
    with socket.create_server(("127.0.0.1", port)):
        assert watch.stranger()


def test_only_what_is_watched_is_looked_up() -> None:
    assert watch_over("http://127.0.0.1:1/v1") is None
    with watching("http://127.0.0.1:1/v1") as watch:
        assert watch_over("http://127.0.0.1:1/v1/") is watch
        assert watch_over("http://127.0.0.1:2/v1") is None
    assert watch_over("http://127.0.0.1:1/v1") is None
