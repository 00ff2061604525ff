"""Where the browser listens: what is in use or no address of this machine is said with its remedy."""

from __future__ import annotations

import argparse
import socket

import pytest

from arena_hard.browse import listening
from arena_hard.data.records import UserError


def test_a_busy_port_is_named_with_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UserError, match=rf"Port {port} of 127.0.0.1 is in use.*--port (\d+)$") as refusal:
            listening.port_for("127.0.0.1", port)
    free = int(str(refusal.value).rpartition(" ")[2])
    assert listening.port_for("127.0.0.1", free) == free
    assert listening.port_for("127.0.0.1", port) == port  # it was let go


def test_the_first_free_port_is_taken_and_that_none_is_free_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(listening, "FIRST_PORT", server.getsockname()[1])
        assert listening.port_for("127.0.0.1", None) > server.getsockname()[1]
        monkeypatch.setattr(listening, "PORTS", 1)
        with pytest.raises(UserError, match=r"All ports from .* are in use.*--port"):
            listening.port_for("127.0.0.1", None)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(UserError, match=r"203.0.113.7 is no address of this machine.*--host takes"):
        listening.port_for("203.0.113.7", None)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80x", ""])
def test_what_is_no_port_is_said(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 to 65535"):
        listening.port_number(text)
    assert listening.port_number("7860") == 7860
