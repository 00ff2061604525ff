"""A disk that fills up: one message, nothing lost, no half-written file, and the same command goes on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from arena_hard.data import jsonl
from arena_hard.data.records import UserError
from tests.loopback import Server
from tests.support.pipeline_bench import ROOT, Scratch, clean_environment, question_id, rows

# the disk takes everything but what is written anew into these files
FULL_FOR = """
import errno, os, runpy, sys
ending, script, sys.argv = sys.argv[1], sys.argv[2], sys.argv[2:]
sys.path.insert(0, os.path.dirname(script))
real = os.fsync
def fsync(number):
    if os.readlink(f"/proc/self/fd/{number}").endswith(ending):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    real(number)
os.fsync = fsync
runpy.run_path(script, run_name="__main__")
"""


def run_on_full_disk(scratch: Scratch, ending: str, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script on a disk that is full for files with this ending."""
    scratch.write()
    command = [sys.executable, "-c", FULL_FOR, ending, str(ROOT / script), *arguments]
    return subprocess.run(
        command, cwd=scratch.folder, env=clean_environment(), text=True, capture_output=True, timeout=300, check=False
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks a file's name up in /proc")
@pytest.mark.parametrize("ending", ["/.m.jsonl.tmp", "/m.superseded"])
def test_a_disk_that_is_full_when_the_records_are_sorted(scratch: Scratch, wire: Server, ending: str) -> None:
    assert scratch.run("gen_answer.py").returncode == 0
    done = run_on_full_disk(scratch, ending, "gen_answer.py", "--redo", "m")
    assert done.returncode == 2
    assert "cannot be written: No space left on device. Free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(rows(scratch.answer_file())) == 6  # the old and the new
    superseded = scratch.answer_file().with_suffix(".superseded")
    assert rows(superseded) == []
    assert [file.name for file in scratch.answer_file().parent.glob(".*.tmp")] == []
    assert scratch.run("gen_answer.py", "--redo", "m").returncode == 0
    assert scratch.answered_ids() == [question_id(number) for number in (1, 2, 3)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks a file's name up in /proc")
def test_a_disk_that_is_full_for_the_manifest(scratch: Scratch) -> None:
    done = run_on_full_disk(scratch, "/.m.manifest.json.tmp", "gen_answer.py")
    assert done.returncode == 2
    assert "m.manifest.json cannot be written: No space left on device. Free some space" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_finds_no_room(scratch: Scratch) -> None:
    scratch.write()
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, str(ROOT / "gen_answer.py"), "--dry-run"],
            cwd=scratch.folder, env=clean_environment(), text=True, stdout=full, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert "No space left on device. Free some space" in done.stderr
    assert "Traceback" not in done.stderr


def test_half_of_what_was_to_be_added_is_taken_away_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f.jsonl"
    jsonl.append(file, b'{"a": 1}\n')

    def full(_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"f\.jsonl cannot be written: No space left on device\. Free some space"):
        jsonl.append(file, b'{"a": 2}\n')
    with pytest.raises(UserError, match="Free some space"):
        jsonl.replace(file, [b'{"a": 3}\n'])
    assert file.read_bytes() == b'{"a": 1}\n'
    assert list(tmp_path.iterdir()) == [file]
