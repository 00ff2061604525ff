"""Runs whose record file is saved or removed by another program meanwhile."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, question, rows
from tests.support.processes import wait_until

COUNT = 100


def lines_of(file: Path) -> int:
    """How many whole lines there are; the last one may be half written."""
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def sed(file: Path) -> None:
    subprocess.run(["sed", "-i.bak", "s/no such text/x/", str(file)], check=True)


def save_the_beginning(file: Path) -> None:
    """As an editor does whose user opened the file a while ago."""
    old = file.with_name("old")
    old.write_text("".join(file.read_text().splitlines(keepends=True)[:5]))
    old.replace(file)


@pytest.mark.slow
@pytest.mark.parametrize("change", [sed, Path.unlink, save_the_beginning])
def test_all_answers_are_there_and_it_is_said(scratch: Scratch, wire: Server, change: Callable[[Path], None]) -> None:
    scratch.set_questions([question(number) for number in range(COUNT)])
    wire.script([*[None] * (COUNT // 2), *[{"fault": "slow", "seconds": 3}] * 4])  # time for the change
    run = scratch.start("gen_answer.py")
    wait_until(lambda: lines_of(scratch.answer_file()) > COUNT / 4)
    change(scratch.answer_file())
    out, err = run.communicate(timeout=120)
    assert f"{COUNT} answers written, 0 failed" in out, out + err
    assert len({row["question_id"] for row in rows(scratch.answer_file())}) == COUNT == len(rows(scratch.answer_file()))
    assert "m.jsonl was changed by another program during the run" in err
    assert wire.stats()["requests"] == COUNT
