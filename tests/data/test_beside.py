"""Work in a copy of the process: its result, or None where the work has something to say or the copy is gone."""

import subprocess
import sys
from pathlib import Path

import pytest

from arena_hard.data.beside import beside

ROOT = Path(__file__).resolve().parents[2]
CASES = """
import atexit, os, signal, sys, time, warnings
from arena_hard.data import beside as module

def here():
    return os.getpid()

def warns():
    warnings.warn("said")

def fails():
    raise ValueError("no")

def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)

os.sched_getaffinity = lambda _: {0, 1}
atexit.register(print, "the end")
print("written before", end=" ")
for work in (here, warns, fails, is_killed):
    with module.beside(work, True) as read:
        found = read()
    print("elsewhere" if found not in (None, os.getpid()) else found)
began = time.monotonic()
with module.beside(lambda: time.sleep(60), True):
    pass
with module.copying() as copy:
    last, first = copy.leave(here), copy.leave(lambda: b"x" * 3_000_000, first=True)
    odd = copy.leave(warns)
    copy.begin()
    late = copy.leave(here)
    print(late(), last() not in (None, os.getpid()), len(first()), odd(), last() == last())
with module.copying() as copy:
    dying, behind = copy.leave(is_killed), copy.leave(here)
    copy.begin()
    print(behind(), dying())
print(time.monotonic() - began < 30)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("none is left")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="copies of a process are made on Linux only")
def test_what_a_copy_brings_home() -> None:
    done = subprocess.run([sys.executable, "-c", CASES], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:4] == ["written before elsewhere", "None", "None", "None"]
    assert done.stdout.split("\n")[4:6] == ["None True 3000000 None True", "None None"]
    assert done.stdout.split("\n")[6:] == ["True", "none is left", "the end", ""]
    assert done.stderr == ""


def test_small_work_is_left_to_the_caller() -> None:
    with beside(lambda: 1, False) as read:
        assert read() is None
