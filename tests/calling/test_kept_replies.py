"""Replies of records that are not finished: kept over failures and kills, never asked for or paid for twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, asked, question, rows
from tests.support.processes import wait_until


@pytest.fixture
def judging(answered: Scratch) -> Scratch:
    """The judge is asked one request at a time, at a price."""
    answered.models["judge"] |= {"parallel": 1, "price": {"input": 1, "output": 10}}
    return answered


def unfinished(scratch: Scratch) -> list[dict[str, Any]]:
    return rows(scratch.judgment_file().with_suffix(".unfinished"))


@pytest.mark.slow
def test_a_second_game_that_fails_does_not_cost_the_first_again(judging: Scratch, wire: Server) -> None:
    wire.script([None, "content_filter_400"])
    assert judging.run("gen_judgment.py", "--limit", "1").returncode == 1
    (kept,) = unfinished(judging)
    assert rows(judging.judgment_file()) == []
    done = judging.run("gen_judgment.py", "--limit", "1")
    assert done.returncode == 0
    first, refused, second = asked(wire)
    assert first != refused == second
    (record,) = rows(judging.judgment_file())
    assert record["games"][0]["judgment"] == kept["content"]
    assert record["games"][0]["usage"] == kept["usage"]
    assert "judge judging m: 1 request," in done.stdout  # the first game was paid for by the first run
    assert unfinished(judging) == []
    assert not judging.judgment_file().with_suffix(".unfinished").exists()


@pytest.mark.slow
def test_a_kill_between_the_games_costs_nothing_twice(judging: Scratch, wire: Server) -> None:
    wire.script([None, "hang"])
    with judging.start("gen_judgment.py", "--limit", "1") as process:
        wait_until(lambda: wire.stats()["requests"] == 2)
        process.kill()
        process.communicate()
    assert len(unfinished(judging)) == 1
    assert judging.run("gen_judgment.py", "--limit", "1").returncode == 0
    first, *others = asked(wire)
    assert len(others) == 2 and first not in others


@pytest.mark.slow
def test_other_texts_and_other_settings_are_asked_anew(judging: Scratch, wire: Server) -> None:
    wire.script([None, "content_filter_400"])
    assert judging.run("gen_judgment.py", "--limit", "1").returncode == 1
    judging.judging["temperature"] = 0.5
    assert judging.run("gen_judgment.py", "--limit", "1").returncode == 0
    assert wire.stats()["requests"] == 4


@pytest.mark.slow
def test_a_redo_reads_no_reply_of_before(judging: Scratch, wire: Server) -> None:
    assert judging.run("gen_judgment.py", "--limit", "1").returncode == 0
    assert judging.run("gen_judgment.py", "--limit", "1", "--redo", "m").returncode == 0
    assert wire.stats()["requests"] == 4


@pytest.mark.slow
def test_choices_and_turns_are_kept_apart(scratch: Scratch, wire: Server) -> None:
    scratch.set_questions([question(1, "First?", "Second?")])
    scratch.models["m"]["parallel"] = 1
    scratch.answers["num_choices"] = 2
    wire.script([None, None, None, "400"])  # the second turn of the second choice
    assert scratch.run("gen_answer.py").returncode == 1
    assert scratch.run("gen_answer.py").returncode == 0
    assert wire.stats()["requests"] == 5
    (record,) = rows(scratch.answer_file())
    assert [len(choice["turns"]) for choice in record["choices"]] == [2, 2]


@pytest.mark.slow
def test_answers_of_one_call_are_not_written_twice(scratch: Scratch, wire: Server) -> None:
    wire.script(["400"])
    assert scratch.run("gen_answer.py").returncode == 1
    assert not scratch.answer_file().with_suffix(".unfinished").exists()
