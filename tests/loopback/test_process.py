"""The loopback server as a process: it starts, says what is wrong, and never outlives its parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import Any

import openai
import pytest

from tests.support.pipeline_bench import ROOT
from tests.support.processes import wait_until

from .process import running_server
from .sdks import ask, texts
from .settings import Settings

pytestmark = pytest.mark.slow  # a server, asked through the SDKs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latancy": 1}, "did you mean 'latency'"),
        ({"faults": {"no": 0.1}}, "unknown fault 'no'"),
        ({"faults": {"429": 0.7, "500": 0.7}}, "more than 1"),
        ({"reply": "size=x"}, "size=BYTES"),
        ({"models": {"m": {"reasonings": "think"}}}, "unknown setting 'reasonings'"),
        ({"fault": {"fault": "429", "retry": 1}}, "unknown .'retry'"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings().changed(settings)


def test_a_server_that_cannot_start_says_why() -> None:
    with pytest.raises(ValueError, match="unknown setting 'color'"), running_server(color="red"):
        pass


def test_wrong_settings_change_nothing_in_a_running_server() -> None:
    with running_server(reply="size=7") as server:
        with pytest.raises(ValueError, match="did you mean 'latency'"):
            server.configure(latancy=1, reply="echo")
        with pytest.raises(ValueError, match="unknown fault"):
            server.script(["429", "no"])
        assert len(texts(ask(server, "a question"))[0]) == 7


def test_a_client_that_leaves_is_not_in_flight() -> None:
    with running_server(fault="hang") as server:
        assert isinstance(ask(server, "a", timeout=0.2)[0], openai.APITimeoutError)
        wait_until(lambda: server.stats()["in_flight"] == 0)


def test_the_server_ends_with_its_context() -> None:
    with running_server() as server:
        assert listens(server.port)
    assert not listens(server.port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_on_a_signal_with_requests_hanging(number: int) -> None:
    with running_server(fault="hang") as server:
        assert isinstance(ask(server, "a", timeout=0.2)[0], openai.APITimeoutError)
        os.kill(server.pid, number)
        wait_until(lambda: not listens(server.port))


def test_the_server_ends_when_its_parent_is_killed() -> None:
    code = (
        "import json, sys, time\nfrom tests.loopback import running_server\n"
        "with running_server() as server:\n    print(server.port, flush=True)\n    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent:
        port = json.loads(parent.stdout.readline())
        assert listens(port)
        parent.kill()
    wait_until(lambda: not listens(port))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
