"""The pipeline with a real model behind llama.cpp's own server, which nobody here wrote."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.pipeline_bench import start_script
from tests.support.processes import free_port, is_running, wait_until
from tests.support.real_model import MODEL, RealBench, need_real_model, serve_command

pytestmark = pytest.mark.slow
QUESTIONS = 30
JUDGED = int(os.environ.get("ARENA_HARD_REAL_JUDGMENTS", "6"))  # of 30 the tests would take three minutes longer


@pytest.fixture(autouse=True)
def _real_model() -> None:
    need_real_model()


def kept(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> bool:
    """Whether all records of one time are the same at a later one, and each question is there once."""
    by_question = {row["question_id"]: row for row in after}
    return len(by_question) == len(after) and all(by_question[row["question_id"]] == row for row in before)


def test_a_killed_run_and_a_dying_server_lose_nothing(tmp_path: Path, shared_data: Path) -> None:
    bench = RealBench(tmp_path, shared_data, QUESTIONS, verdict="logprobs")
    first = stopped_in_the_middle(bench)
    bench.finish("answer")
    assert len(bench.records("answer")) == QUESTIONS and kept(first, bench.records("answer"))

    first = judged_until_the_server_died(bench)
    printed = bench.finish("judge", "--limit", str(JUDGED))
    records = bench.records("judge")
    assert len(records) == JUDGED and kept(first, records)
    games = [game for record in records for game in record["games"]]
    cached = sum(game["usage"].get("cached_tokens", 0) for game in games)
    # the instructions, which all games share, and the question, which the two games of it share
    assert cached > 0 and re.search(r"input tokens \([\d,]+ of them cached\)", printed), printed
    print(f"{cached:,} of {sum(game['usage']['prompt_tokens'] for game in games):,} prompt tokens cached")
    assert all(game["verdict_by"] in ("text", "constrained") and game["score"] for game in games)
    assert all(sum(game["label_probabilities"].values()) == pytest.approx(1, abs=0.01) for game in games)
    wait_until(lambda: not is_running(bench.server()))


def stopped_in_the_middle(bench: RealBench) -> list[dict[str, Any]]:
    """Answers of a run that kill -9 ended; its server ends with it."""
    run = bench.start("answer")
    wait_until(lambda: len(bench.records("answer")) >= QUESTIONS // 3, 400)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=300)
    assert run.returncode == -signal.SIGKILL
    wait_until(lambda: not is_running(bench.server()))
    found = bench.records("answer")
    assert len(found) < QUESTIONS
    return found


def judged_until_the_server_died(bench: RealBench) -> list[dict[str, Any]]:
    """Judgments of a run whose server was killed: the run says so, and ends by itself."""
    run = bench.start("judge", "--limit", str(JUDGED))
    wait_until(lambda: len(bench.records("judge")) >= JUDGED // 3, 400)
    bench.kill_server()
    out, err = run.communicate(timeout=300)
    assert run.returncode == 1 and "the server ended during the run" in out, out + err
    found = bench.records("judge")
    assert 0 < len(found) < JUDGED and all(len(record["games"]) == 2 for record in found)
    return found


def test_the_label_itself_is_asked_for(tmp_path: Path, shared_data: Path) -> None:
    bench = RealBench(tmp_path, shared_data, 1, verdict="constrained")
    bench.finish("answer")
    assert "0 in the judge's text, 2 asked for with a constraint (json_schema)" in bench.finish("judge")
    assert all(game["score"] for record in bench.records("judge") for game in record["games"])


def start_with(folder: Path, command: str, base: str = "") -> subprocess.Popen[str]:
    (folder / "data/b").mkdir(parents=True)
    (folder / "data/b/question.jsonl").write_text('{"question_id":"q","turns":[{"content":"Hello"}]}\n')
    (folder / "answer.yaml").write_text("bench_name: b\nmodel_list: [m]\n")
    (folder / "api.yaml").write_text(f"m:\n  model_name: m\n  serve: {command}\n{base}")
    return start_script(folder, "gen_answer.py", "--setting-file", "answer.yaml", "--endpoint-file", "api.yaml")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (None, "No such file"),
        (3, "is no GGUF file"),
        (40_000_000, "corrupted or incomplete. If the file is incomplete"),
    ],
)
def test_a_model_file_that_is_not_whole_is_one_line(tmp_path: Path, size: int | None, words: str) -> None:
    model = tmp_path / "model.gguf"
    if size is not None:
        with open(MODEL, "rb") as whole:
            model.write_bytes(whole.read(size))
    run = start_with(tmp_path, serve_command(model))
    _, err = run.communicate(timeout=300)
    assert run.returncode == 2 and "ended before it answered" in err and words in err
    assert err.splitlines()[1].startswith("  error: ") and len(err.splitlines()) == 2


def test_a_port_that_was_taken_meanwhile_is_one_line(tmp_path: Path) -> None:
    """serve names an address of its own, and another one is where the server is told to listen."""
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        base = f"  endpoints: http://127.0.0.1:{port}/v1\n"
        run = start_with(tmp_path, serve_command(port=str(taken.getsockname()[1])), base)
        _, err = run.communicate(timeout=300)
    assert run.returncode == 2 and "Address already in use. Give another --port" in err
