"""Nothing that a guarded command has started outlives its guard, whoever is killed first."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from arena_hard.calling import process_guard
from tests.support.pipeline_bench import ROOT
from tests.support.processes import wait_until

pytestmark = pytest.mark.slow

IMPATIENT = """
import os, sys
from arena_hard.calling import process_guard
process_guard.STOP_SECONDS = 1.0
sys.exit(process_guard.main(os.open(os.devnull, os.O_WRONLY), sys.argv[1:]))
"""
NAMES = ("server", "child", "away", "deaf")
# a child in the group, and two in sessions of their own whose parents have ended; one heeds no SIGTERM
SERVER = """
cd "$1"
sleep 1000 & echo $! > child
(setsid sleep 1000 & echo $! > away)
(setsid sh -c 'trap "" TERM HUP; exec sleep 1000' & echo $! > deaf)
echo $$ > server
echo ready
wait
"""


def pid_of(file: Path) -> int:
    return int(file.read_text() or 0) if file.exists() else 0


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def close(guard: subprocess.Popen[bytes], _: Path) -> None:
    assert guard.stdin
    guard.stdin.close()


def kill_outer(guard: subprocess.Popen[bytes], _: Path) -> None:
    guard.kill()


def kill_inner(guard: subprocess.Popen[bytes], _: Path) -> None:
    (inner,) = children_of(guard.pid)
    os.kill(inner, signal.SIGKILL)


def kill_server(_: subprocess.Popen[bytes], folder: Path) -> None:
    os.kill(pid_of(folder / "server"), signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody adopts what left its session")
@pytest.mark.parametrize(("end", "code"), [(close, None), (kill_outer, -9), (kill_inner, None), (kill_server, None)])
def test_nothing_outlives_its_guard(
    tmp_path: Path, end: Callable[[subprocess.Popen[bytes], Path], None], code: int | None
) -> None:
    command = [sys.executable, "-c", IMPATIENT, "sh", "-c", SERVER, "sh", str(tmp_path)]
    guard = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=ROOT, start_new_session=True
    )
    files = [tmp_path / name for name in NAMES]
    try:
        wait_until(lambda: all(map(pid_of, files)))
        pids = {file.name: pid_of(file) for file in files}
        assert all(map(is_running, pids.values()))
        end(guard, tmp_path)
        wait_until(lambda: not any(map(is_running, pids.values())), 60)
        assert code in (None, guard.wait(30))
    finally:
        guard.kill()
        for pid in filter(is_running, map(pid_of, files)):  # whatever the test finds, nothing is left behind
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("command", "code"), [(["sh", "-c", "exit 3"], 3), (["no-such-server"], 127)])
def test_the_exit_code_is_the_commands(command: list[str], code: int) -> None:
    guard = [sys.executable, "-I", str(process_guard.__file__), "2", *command]
    with subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True) as process:
        assert process.wait(60) == code
