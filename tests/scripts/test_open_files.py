"""More requests at once than a system allows files and connections: no reply is lost, and what bounds it is said."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from tests.loopback import Server
from tests.support.pipeline_bench import ROOT, Scratch, clean_environment, question

SOFT, PARALLEL, COUNT = 64, 120, 240


def answered_under(scratch: Scratch, hard: int) -> subprocess.CompletedProcess[str]:
    """gen_answer.py in a process of its own that may have SOFT files open, and raise that to `hard` itself."""
    scratch.set_questions([question(number) for number in range(1, COUNT + 1)])
    scratch.models["m"]["parallel"] = PARALLEL
    scratch.write()
    return subprocess.run(
        [sys.executable, str(ROOT / "gen_answer.py")],
        cwd=scratch.folder,
        env=clean_environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, hard)),
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_where_few_are_allowed_fewer_go_at_once(scratch: Scratch, wire: Server) -> None:
    wire.configure(latency=0.1)
    done = answered_under(scratch, hard=SOFT)
    assert done.returncode == 0, done.stderr
    assert f"of {PARALLEL} requests go at once, for this program may have {SOFT} files" in done.stderr
    assert "To allow more: ulimit -n " in done.stderr
    assert len(scratch.answered_ids()) == COUNT
    assert wire.stats()["requests"] == COUNT and wire.stats()["max_in_flight"] < SOFT


@pytest.mark.slow
def test_a_bound_that_a_program_may_raise_is_raised(scratch: Scratch, wire: Server) -> None:
    wire.configure(latency=0.5)
    done = answered_under(scratch, hard=1024)
    assert done.returncode == 0, done.stderr
    assert "at once" not in done.stderr
    assert len(scratch.answered_ids()) == COUNT
    assert SOFT < wire.stats()["max_in_flight"] <= PARALLEL
