"""Many questions, every fault at once, killed three times: everything arrives, once, and nothing else."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Server, running_server
from tests.pipeline_bench import Scratch, answer, question, rows, write_rows

SYNTHETIC = 150
PARALLEL = 32
IN_WORK = 2 * PARALLEL  # records at once: twice the requests
FAULTS = (
    "429", "500", "503", "hang", "cut", "cut_body", "broken_json", "empty_choices", "null_content", "truncated",
    "unsupported_parameter",
)  # fmt: skip


@pytest.fixture
def questions(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The official questions where they are, else some of our own."""
    try:
        folder: Path = request.getfixturevalue("shared_data")
    except pytest.skip.Exception:
        return [question(number) for number in range(1, SYNTHETIC + 1)]
    return rows(folder / "arena-hard-v0.1" / "question.jsonl")


def run_until_done(scratch: Scratch, script: str, output: Path, total: int, server: Server, each: int) -> int:
    """Kill the script three times while it writes, then let it end.

    A record takes `each` good replies. Returns how many of these the kills lost.
    """
    rng, start, lost = random.Random(11), usable_replies(server), 0
    for kill in range(3):
        process = scratch.start(script)
        with process:
            wanted = total * (kill + 1) // 4
            end = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end and lines(output) < wanted:
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.1))
            process.kill()
            process.communicate()
        lost = usable_replies(server) - start - each * lines(output)
    for _ in range(3):
        if scratch.run(script).returncode == 0:
            return lost
    raise AssertionError(scratch.run(script).stdout)


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def usable_replies(server: Server) -> int:
    """Replies that a script can take, whole or cut at max_tokens."""
    stats = server.stats()
    return stats["successes"] + stats["faults"].get("truncated", 0)


def dialogues(server: Server) -> set[str]:
    """What was asked, however often and in whichever terms the server wanted it."""
    bodies = [request["body"] for request in server.requests(100_000)]
    kept = ("user", "assistant")
    return {
        json.dumps([body["model"], [(m["role"], m["content"]) for m in body["messages"] if m["role"] in kept]])
        for body in bodies
    }


def test_nothing_lost_doubled_or_poisoned(tmp_path: Path, questions: list[dict[str, Any]]) -> None:
    faults = dict.fromkeys(FAULTS, 0.05) | {"429": {"rate": 0.02, "retry_after": 0.1}}
    total = len(questions)
    with running_server(seed=11, latency=0.02, faults=faults, keep_requests=100_000) as server:
        scratch = Scratch(tmp_path, server.openai_base)
        for model in scratch.models.values():
            model |= {"parallel": PARALLEL, "timeout": 2, "backoff": 0.05}
        scratch.set_questions(questions)
        ids = [row["question_id"] for row in questions]
        write_rows(scratch.answer_file("base"), [answer(1, "base") | {"question_id": key} for key in ids])
        lost = run_until_done(scratch, "gen_answer.py", scratch.answer_file(), total, server, each=1)
        lost += run_until_done(scratch, "gen_judgment.py", scratch.judgment_file(), total, server, each=2)
        stats, asked = server.stats(), dialogues(server)
    answers, judgments = rows(scratch.answer_file()), rows(scratch.judgment_file())
    assert [row["question_id"] for row in answers] == ids
    assert [row["question_id"] for row in judgments] == ids
    texts = [row["choices"][0]["turns"][0]["content"] for row in answers]
    assert all(texts)
    assert not any("ERROR" in text or "error" in text for text in texts)
    # each dialogue (second attempts are dialogues of their own) once, each fault once more, what a kill lost again
    failed = sum(stats["faults"].values()) - stats["faults"]["truncated"]
    assert len(asked) >= 3 * total
    assert stats["requests"] <= 1.2 * (len(asked) + failed + lost)
    assert lost <= 3 * IN_WORK + 3 * 2 * IN_WORK  # no more than what was in work
