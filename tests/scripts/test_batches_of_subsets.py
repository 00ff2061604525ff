"""Runs by batch over some of the records: whatever runs come between, nothing is paid for twice, and it is counted."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.batch_server import BatchServer, batch_server
from tests.support.pipeline_bench import Scratch, question, rows, write_rows
from tests.support.processes import wait_until

pytestmark = pytest.mark.slow

ALL = range(1, 5)
CATEGORIES = ["c", "c", "d", "d"]


def replied(text: str, tokens: int = 5, finish: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}
    return {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with batch_server(lambda body: replied("[[A>B]]")) as made:
        yield made


def bench(folder: Path, server: BatchServer) -> Scratch:
    """Two models and three baselines, two categories of two questions each."""
    made = Scratch(folder, f"{server.address}/v1")
    made.set_questions([question(number) | {"category": each} for number, each in zip(ALL, CATEGORIES)])
    made.judging["model_list"] = ["m", "n"]
    made.put_answers("m", "n", "base", "ckpt", "last", count=4)
    return made


def judged(made: Scratch, *flags: str) -> str:
    done = made.run("gen_judgment.py", "--batch", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stopped_while_it_waits(made: Scratch, server: BatchServer, *flags: str) -> None:
    """A run that has submitted its batch."""
    before, server.holds = len(server.batched), True
    with made.start("gen_judgment.py", "--batch", *flags) as process:
        wait_until(lambda: len(server.batched) > before, 300)
        wait_until(lambda: any('"submitted"' in file.read_text() for file in notes(made)), 300)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130, out + err
    server.holds = False


def notes(made: Scratch) -> list[Path]:
    return sorted((made.bench / "batch").glob("*/batch.jsonl"))


def asked_once(server: BatchServer, count: int) -> bool:
    asked = [json.dumps(body) for body in server.batched]
    return len(asked) == len(set(asked)) == count and not server.live


def test_replies_for_models_that_another_run_was_not_about_are_read_by_the_next(
    tmp_path: Path, server: BatchServer
) -> None:
    made = bench(tmp_path, server)
    stopped_while_it_waits(made, server, "--models", "m")
    judged(made, "--models", "n")
    assert (len(made.judged_ids("m")), len(made.judged_ids("n"))) == (0, 4)
    assert "4 judgments written" in judged(made)
    assert asked_once(server, 2 * 2 * 4) and not notes(made)


def test_a_redo_of_one_model_leaves_the_replies_for_another(tmp_path: Path, server: BatchServer) -> None:
    made = bench(tmp_path, server)
    judged(made, "--models", "n", "--limit", "2")
    stopped_while_it_waits(made, server, "--models", "m")
    judged(made, "--models", "n")  # which takes the batch in
    before = len(server.batched)
    judged(made, "--models", "n", "--redo", "n", "--limit", "1")
    assert len(server.batched) == before + 2
    del server.batched[before:]  # the same again
    judged(made)
    assert len(made.judged_ids("m")) == 4 and asked_once(server, 2 * 2 * 4)


def further(made: Scratch, baseline: str, model: str) -> list[dict[str, Any]]:
    return rows(made.judgment_file(model).parent / f"vs_{baseline}" / f"{model}.jsonl")


@pytest.mark.parametrize("between", [["--limit", "2"], ["--models", "n", "--limit", "3"]])
def test_an_open_batch_is_found_by_a_run_against_fewer_baselines(
    tmp_path: Path, server: BatchServer, between: Sequence[str]
) -> None:
    made = bench(tmp_path, server)
    judged(made)
    made.judging["categories"] = {"c": {"baseline_model": "ckpt"}, "d": {"baseline_model": "last"}}
    stopped_while_it_waits(made, server)
    judged(made, *between)
    judged(made)
    for model in ("m", "n"):
        assert [len(further(made, each, model)) for each in ("ckpt", "last")] == [2, 2]
    assert asked_once(server, 2 * 2 * (4 + 4)) and not notes(made)


def test_a_mailbox_of_an_earlier_version_is_taken_over(tmp_path: Path, server: BatchServer) -> None:
    """Its notes do not tell for which records its replies are."""
    made = bench(tmp_path, server)
    judged(made)
    made.judging["categories"] = {"c": {"baseline_model": "ckpt"}, "d": {"baseline_model": "last"}}
    stopped_while_it_waits(made, server)
    (file,) = notes(made)
    write_rows(file, [{key: row[key] for key in row if key != "records"} for row in rows(file)])
    judged(made, "--limit", "2")
    judged(made)
    assert asked_once(server, 2 * 2 * (4 + 4))


def test_a_run_without_batch_says_so_whatever_it_is_against(tmp_path: Path, server: BatchServer) -> None:
    made = bench(tmp_path, server)
    judged(made)
    made.judging["categories"] = {"c": {"baseline_model": "ckpt"}, "d": {"baseline_model": "last"}}
    stopped_while_it_waits(made, server)
    done = made.run("gen_judgment.py", "--limit", "2")
    assert done.returncode == 0
    assert "against ckpt against last has open batches, which --batch takes in" in done.stderr


# ------------------------------------------------------------------------------ what is said of them


def dear(folder: Path, server: BatchServer, **entry: Any) -> Scratch:
    """One question, and a server that counts four times as many tokens of a reply as it may have."""
    made = Scratch(folder, f"{server.address}/v1", questions=1)
    for each in made.models.values():
        each.update({"price": {"input": 0.0, "output": 100.0}} | entry)
    made.judging |= {"max_tokens": 100, "number_of_judgment_attempts": 2}
    made.answers["max_tokens"] = 100
    made.put_answers("base", count=1)
    return made


@pytest.mark.parametrize(("way", "limit"), [(["--batch"], "0.02"), ([], "0.04")])
def test_all_replies_to_a_record_are_counted_whichever_of_its_calls_had_no_room(
    tmp_path: Path, way: list[str], limit: str
) -> None:
    """Both games have a text without a verdict; the first one has no room to ask again."""
    with batch_server(lambda body: replied("no verdict", 400)) as server:
        made = dear(tmp_path, server)
        made.put_answers("m", count=1)
        done = made.run("gen_judgment.py", *way, "--max-cost", limit)
        assert done.returncode == 1, done.stdout + done.stderr
        had = len(server.batched) + len(server.live)
        replies = f"{had} repl{'y' if had == 1 else 'ies'} of 1 unfinished judgment w"
        assert had == (2 if way else 1) and replies in done.stdout, done.stdout
        assert made.run("gen_judgment.py", *way, "--max-cost", "10").returncode == 0
        asked = [json.dumps(body) for body in server.batched + server.live]
        assert len(asked) == len(set(asked)) == 4


def test_a_reply_that_was_cut_is_counted_where_there_is_no_room_for_a_longer_one(tmp_path: Path) -> None:
    with batch_server(lambda body: replied("cut", 400, "length")) as server:
        made = dear(tmp_path, server, retry_truncated=True)
        done = made.run("gen_answer.py", "--max-cost", "0.04")
        assert done.returncode == 1 and len(server.live) == 1, done.stdout + done.stderr
        assert "1 reply of 1 unfinished answer was received and is kept" in done.stdout, done.stdout
