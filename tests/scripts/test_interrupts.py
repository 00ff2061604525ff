"""Ctrl-C while a script is still being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pipeline_bench import ROOT, clean_environment
from tests.test_architecture import THERE

IN_THE_MIDDLE = """\
import os, signal, sys
sys.modules["contextlib"] = type(sys)("contextlib")  # as if it were half imported
os.kill(os.getpid(), signal.SIGINT)
raise SystemExit(7)
"""


def interrupted(script: str, folder: Path, first: Callable[[], object] | None = None) -> tuple[int, str]:
    """The exit code and stderr of a script that hears Ctrl-C while it imports what all scripts import."""
    (folder / "msgspec.py").write_text(IN_THE_MIDDLE)
    done = subprocess.run(
        [sys.executable, ROOT / f"{script}.py", "--version"],
        env=clean_environment({"PYTHONPATH": str(folder)}), capture_output=True, text=True, preexec_fn=first,
    )  # fmt: skip
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("script", THERE)
def test_a_script_that_is_being_imported_ends_without_a_traceback(script: str, tmp_path: Path) -> None:
    said = "\nInterrupted. Everything received so far is saved; rerun the same command to continue.\n"
    assert interrupted(script, tmp_path) == (130, said)


@pytest.mark.slow
def test_who_ignores_ctrl_c_goes_on(tmp_path: Path) -> None:
    def deaf() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    assert interrupted("gen_answer", tmp_path, deaf) == (7, "")


@pytest.mark.slow
def test_a_script_that_has_begun_ends_in_order() -> None:
    """What it has opened is closed."""
    program = (
        "from arena_hard.data import interrupts\n"
        "interrupts.end_at_once()\n"
        "import os, signal, utils\n"
        "def main():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    finally:\n"
        "        print('closed')\n"
        "utils.run_main(main)\n"
    )
    environment = clean_environment({"PYTHONPATH": os.fspath(ROOT)})
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "closed\n"), done.stderr
