"""gen_answer.py against servers that keep limits: nothing is lost, little is refused, and nothing lasts for ever."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.limited_server import Limited, limited_server
from tests.support.pipeline_bench import Scratch
from tests.support.server_limits import Places, Tokens, Whatever, Windows

pytestmark = pytest.mark.slow  # servers and scripts


@contextlib.contextmanager
def benched(folder: Path, *servers: Limited, questions: int = 60, **entry: Any) -> Iterator[Scratch]:
    """A model with these servers as its endpoints."""
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.enter_context(limited_server(server))
        made = Scratch(folder, servers[0].address, questions=questions)
        endpoints = [{"api_base": server.address, "api_key": "k"} for server in servers]
        made.models["m"] |= {"parallel": 32, "endpoints": endpoints} | entry
        yield made


def answered(done: subprocess.CompletedProcess[str], made: Scratch, number: int = 60) -> None:
    """All is there, once."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(set(made.answered_ids())) == len(made.answered_ids()) == number


def test_as_many_places_are_used_as_there_are(tmp_path: Path) -> None:
    server = Limited(Places(10), seconds=0.2)
    with benched(tmp_path, server) as made:
        answered(made.run("gen_answer.py"), made)
    assert server.requests <= 60 + 22 + 12  # the first burst, and what was tried beside it
    assert server.took <= 10.0  # one after the other it would be twelve seconds


@pytest.mark.parametrize(("limit", "tells"), [(Tokens(20, 10), "seconds"), (Windows(20, 1.0), "nothing")])
def test_a_rate_is_kept(tmp_path: Path, limit: Any, tells: str) -> None:
    server = Limited(limit, seconds=0.05, tells=tells)
    with benched(tmp_path, server) as made:
        answered(made.run("gen_answer.py"), made)
    assert server.requests <= 60 + 3 * 32
    assert server.took <= 8 * 2.5


@pytest.mark.parametrize(("status", "entry"), [(429, {"deadline": 1}), (503, {"give_up_after": 1})])
def test_what_is_always_refused_is_given_up(tmp_path: Path, status: int, entry: dict[str, Any]) -> None:
    server = Limited(Whatever(1), status=status)
    with benched(tmp_path, server, attempts=1000, **entry) as made:
        done = made.run("gen_answer.py")
        assert done.returncode == 1
        assert f"{status}: slow down" in done.stdout
        assert sum(map(int, re.findall(r"^  (\d+) ×", done.stdout, re.MULTILINE))) == 60
        assert server.requests <= 1000  # of sixty thousand; how many depends on the machine
        server.limit = None
        made.models["m"].pop("deadline", None)
        answered(made.run("gen_answer.py"), made)  # a later run goes on


def test_what_one_endpoint_refuses_goes_to_the_other(tmp_path: Path) -> None:
    for number, refusing in enumerate((Limited(Whatever(1)), Limited(Whatever(1, 30.0), tells="seconds"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        good = Limited(seconds=0.05)
        with benched(folder, refusing, good, parallel=8) as made:
            answered(made.run("gen_answer.py"), made)
        assert good.requests == 60
        assert refusing.requests <= 20
        assert good.took <= 20  # it would be thirty seconds if the other were waited for


def test_after_one_endpoint_is_given_up_the_other_goes_on(tmp_path: Path) -> None:
    refusing, good = Limited(Whatever(1)), Limited(Tokens(30, 1), seconds=0.01, tells="exactly")
    with benched(tmp_path, refusing, good, parallel=8, give_up_after=0.5) as made:
        answered(made.run("gen_answer.py"), made)
    assert good.taken == 60
    assert refusing.requests <= 20


def test_a_wrong_key_that_is_refused_late_costs_four_requests(tmp_path: Path) -> None:
    server = Limited(key="another", key_seconds=1.0)
    with benched(tmp_path, server, parallel=64) as made:
        done = made.run("gen_answer.py")
    assert done.returncode == 1 and "No such key" in done.stdout
    assert server.requests <= 4
