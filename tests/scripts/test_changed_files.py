"""Runs whose record file is saved or removed by another program meanwhile."""

from __future__ import annotations

import pytest

from tests.loopback import Server
from tests.support.file_changes import CHANGES, SAID, Change, wait_for_lines
from tests.support.pipeline_bench import Scratch, question, rows

COUNT = 100


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES[:3])  # the campaign has all of them
def test_all_answers_are_there_and_it_is_said(scratch: Scratch, wire: Server, change: Change) -> None:
    scratch.set_questions([question(number) for number in range(COUNT)])
    wire.script([*[None] * (COUNT // 2), *[{"fault": "slow", "seconds": 3}] * 4])  # time for the change
    run = scratch.start("gen_answer.py")
    wait_for_lines(scratch.answer_file(), COUNT // 4)
    change(scratch.answer_file())
    out, err = run.communicate(timeout=300)
    assert f"{COUNT} answers written, 0 failed" in out, out + err
    assert len({row["question_id"] for row in rows(scratch.answer_file())}) == COUNT == len(rows(scratch.answer_file()))
    assert f"m.jsonl {SAID}" in err
    assert wire.stats()["requests"] == COUNT
