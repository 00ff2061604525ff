"""Records made anew by batch are made of what comes now, whatever a mailbox has kept; nothing is paid for twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scripts.test_batches_of_subsets import replied
from tests.support.batch_server import BatchServer, batch_server
from tests.support.pipeline_bench import Scratch, question, rows
from tests.support.processes import wait_until

pytestmark = pytest.mark.slow


class Model:
    """What it says now, and what it says nothing to."""

    def __init__(self) -> None:
        self.says, self.silent = "one", ""

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        asked = body["messages"][-1]["content"]
        return replied("" if self.silent and self.silent in asked else self.says)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def server(model: Model) -> Iterator[BatchServer]:
    with batch_server(model) as made:
        yield made


@pytest.fixture
def bench(tmp_path: Path, server: BatchServer) -> Scratch:
    made = Scratch(tmp_path, f"{server.address}/v1")
    made.set_questions([question(number) for number in range(1, 5)])
    made.put_answers("base", count=4)
    return made


def answers(bench: Scratch) -> list[str]:
    return [row["choices"][0]["turns"][0]["content"] for row in rows(bench.answer_file())]


def verdicts(bench: Scratch) -> list[Any]:
    return [game["score"] for row in rows(bench.judgment_file()) for game in row["games"]]


def ran(bench: Scratch, script: str, *flags: str, code: int = 0) -> str:
    done = bench.run(script, *flags)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def stopped_while_it_waits(bench: Scratch, server: BatchServer, *flags: str) -> None:
    before, server.holds = len(server.batched), True
    with bench.start("gen_answer.py", "--batch", *flags) as process:
        wait_until(lambda: len(server.batched) > before, 300)
        notes = bench.bench / "batch" / "answers by m" / "batch.jsonl"
        wait_until(lambda: notes.exists() and '"submitted"' in notes.read_text(), 300)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130, out + err


def test_a_redo_that_began_live_takes_nothing_from_an_older_batch(
    bench: Scratch, server: BatchServer, model: Model
) -> None:
    model.silent = "Question 2?"
    ran(bench, "gen_answer.py", "--batch", code=1)  # so that the mailbox stays
    model.silent = ""
    ran(bench, "gen_answer.py")
    model.says, model.silent = "two", "Question 3?"
    ran(bench, "gen_answer.py", "--redo", "m", code=1)
    assert answers(bench) == ["two", "two", "one", "two"]
    model.silent, before = "", len(server.batched)
    assert "3 of 4 records already exist" in ran(bench, "gen_answer.py", "--redo", "m", "--batch")
    assert answers(bench) == ["two"] * 4 and len(server.batched) == before + 1


@pytest.mark.parametrize(("says", "attempts"), [("[[A>B]]", 1), ("still nothing to read", 2)])
def test_what_could_not_be_read_is_judged_anew_each_time(
    bench: Scratch, server: BatchServer, model: Model, says: str, attempts: int
) -> None:
    bench.put_answers("m", count=4)
    model.says, model.silent = "still nothing to read", "Question 2?"
    ran(bench, "gen_judgment.py", "--batch", code=1)
    model.silent = ""
    ran(bench, "gen_judgment.py")
    assert verdicts(bench) == [None] * 8
    model.says = says
    for _ in range(2):
        before, unread = len(server.batched), verdicts(bench).count(None)
        ran(bench, "gen_judgment.py", "--retry-unreadable", "--batch")
        assert len(server.batched) == before + attempts * unread
        assert verdicts(bench) == [None if attempts > 1 else "A>B"] * 8


def test_a_redo_that_was_refused_has_not_begun(bench: Scratch, server: BatchServer, model: Model) -> None:
    ran(bench, "gen_answer.py", "--limit", "2")
    stopped_while_it_waits(bench, server)
    for _ in range(2):
        assert "has open batches of an earlier run" in ran(bench, "gen_answer.py", "--redo", "m", "--batch", code=2)
    server.holds = False
    ran(bench, "gen_answer.py", "--batch")
    assert answers(bench) == ["one"] * 4
    model.says = "two"
    assert "already exist" not in ran(bench, "gen_answer.py", "--redo", "m", "--batch")
    assert answers(bench) == ["two"] * 4


def test_a_redo_by_batch_that_was_stopped_goes_on(bench: Scratch, server: BatchServer, model: Model) -> None:
    ran(bench, "gen_answer.py")
    model.says, before = "two", len(server.batched)
    stopped_while_it_waits(bench, server, "--redo", "m")
    server.holds, model.says = False, "three"
    ran(bench, "gen_answer.py", "--redo", "m", "--batch")
    assert answers(bench) == ["two"] * 4 and len(server.batched) == before + 4
    ran(bench, "gen_answer.py", "--redo", "m", "--batch")
    assert answers(bench) == ["three"] * 4
