"""More requests at once than a system allows files and connections: no reply is lost, and what bounds it is said."""

from __future__ import annotations

import re
import resource
import subprocess
import sys

import pytest

from tests.loopback import Server
from tests.support.pipeline_bench import ROOT, Scratch, clean_environment, manifest, question

SOFT, PARALLEL, COUNT = 64, 120, 240


def answered_under(
    scratch: Scratch, hard: int, soft: int = SOFT, parallel: int = PARALLEL
) -> subprocess.CompletedProcess[str]:
    """gen_answer.py in a process of its own that may have `soft` files open, and raise that to `hard` itself."""
    scratch.set_questions([question(number) for number in range(1, COUNT + 1)])
    scratch.models["m"]["parallel"] = parallel
    scratch.write()
    return subprocess.run(
        [sys.executable, str(ROOT / "gen_answer.py")],
        cwd=scratch.folder,
        env=clean_environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
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
def test_where_too_few_are_allowed_nothing_is_asked(scratch: Scratch, wire: Server) -> None:
    done = answered_under(scratch, soft=40, hard=40)
    assert done.returncode == 2 and wire.stats()["requests"] == 0
    needed = re.search(
        r"may have 40 files and connections open, too few for this run. Allow more: ulimit -n (\d+)", done.stderr
    )
    assert needed and manifest(scratch.answer_file())["runs"] == []
    done = answered_under(scratch, soft=int(needed[1]), hard=int(needed[1]), parallel=1)
    assert done.returncode == 0 and "at once" not in done.stderr, done.stderr
    assert len(scratch.answered_ids()) == COUNT


@pytest.mark.slow
def test_a_bound_that_a_program_may_raise_is_raised(scratch: Scratch, wire: Server) -> None:
    wire.configure(latency=0.5)
    done = answered_under(scratch, hard=1024)
    assert done.returncode == 0, done.stderr
    assert "at once" not in done.stderr
    assert len(scratch.answered_ids()) == COUNT
    assert SOFT < wire.stats()["max_in_flight"] <= PARALLEL
