"""Many questions, every fault at once, killed three times: everything arrives, once, and nothing else."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.loopback import running_server
from tests.pipeline_bench import Scratch, question, rows

QUESTIONS = 150
FAULTS = (
    "429", "500", "503", "hang", "cut", "cut_body", "broken_json", "empty_choices", "null_content", "truncated",
    "unsupported_parameter",
)  # fmt: skip


def run_until_done(scratch: Scratch, script: str, output: Path, rng: random.Random) -> None:
    """Kill the script three times while it writes, then let it end."""
    for kill in range(3):
        process = scratch.start(script)
        with process:
            wanted = QUESTIONS * (kill + 1) // 4
            end = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < end and lines(output) < wanted:
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.1))
            process.kill()
            process.communicate()
    for _ in range(3):
        if scratch.run(script).returncode == 0:
            return
    raise AssertionError(scratch.run(script).stdout)


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def test_nothing_lost_doubled_or_poisoned(tmp_path: Path) -> None:
    faults = dict.fromkeys(FAULTS, 0.05) | {"429": {"rate": 0.05, "retry_after": 0.2}}
    rng = random.Random(11)
    with running_server(seed=11, latency=0.02, faults=faults) as server:
        scratch = Scratch(tmp_path, server.openai_base)
        for model in scratch.models.values():
            model |= {"parallel": 32, "timeout": 2, "backoff": 0.05}
        questions = [question(number) for number in range(1, QUESTIONS + 1)]
        scratch.set_questions(questions)
        scratch.put_answers("base", count=QUESTIONS)
        run_until_done(scratch, "gen_answer.py", scratch.answer_file(), rng)
        run_until_done(scratch, "gen_judgment.py", scratch.judgment_file(), rng)
    expected = [row["question_id"] for row in questions]
    answers, judgments = rows(scratch.answer_file()), rows(scratch.judgment_file())
    assert [row["question_id"] for row in answers] == expected
    assert [row["question_id"] for row in judgments] == expected
    texts = [row["choices"][0]["turns"][0]["content"] for row in answers]
    assert all(texts)
    assert not any("ERROR" in text or "error" in text for text in texts)
