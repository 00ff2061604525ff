"""A campaign: the scripts against every fault of the loopback server at once, killed again and again.

tests/calling/test_campaign.py runs a short one, benchmarks/campaign.py longer ones.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.loopback import Server, running_server
from tests.loopback.faults import NAMES
from tests.support.pipeline_bench import Scratch, answer, rows, write_rows
from tests.support.processes import wait_until

PARALLEL = 64
IN_WORK = 2 * PARALLEL  # records at once: twice the requests
GIVES_A_REPLY = ("truncated", "content_filter", "slow")  # faults that a script takes the reply of
# One of these ends a run, and the next run goes on.
ENDS_A_RUN = ("401", "404", "quota")
RATES: dict[str, Any] = {
    **dict.fromkeys(NAMES, 0.015),
    **dict.fromkeys(ENDS_A_RUN, 0.0005),
    "hang": 0.005,
    "slow": {"rate": 0.01, "seconds": 0.2},
    "429": {"rate": 0.03, "retry_after": 0.1},
}
RUNS = 40  # a record that is refused for good is asked for by the next run; more than this is a fault of ours


@dataclass
class Campaign:
    """What a campaign came to."""

    ids: list[str]
    answers: list[dict[str, Any]]
    judgments: list[dict[str, Any]]
    stats: dict[str, Any]
    dialogues: int
    lost: int
    kills: int
    runs: int = 0
    outputs: list[str] = field(default_factory=list)

    @property
    def necessary(self) -> int:
        """Requests that had to be: each dialogue once, each fault once more, and again what a kill lost."""
        faults: Counter[str] = Counter(self.stats["faults"])
        failed = sum(count for name, count in faults.items() if name not in GIVES_A_REPLY)
        return self.dialogues + failed + self.lost

    @property
    def poisoned(self) -> list[str]:
        """Ids of answers that are not what the model said (it repeats the question), whole or marked as cut."""
        return [row["question_id"] for row in self.answers if not _is_sound(row)]


def _is_sound(row: dict[str, Any]) -> bool:
    text = row["choices"][0]["turns"][0]["content"]
    cut = row["finish_reason"] in ("length", "content_filter")
    return bool(text) and (row["asked"].startswith(text) if cut else row["asked"] == text)


def run_campaign(folder: Path, questions: Sequence[dict[str, Any]], seed: int, kills: int) -> Campaign:
    """Answer and judge the questions; each of the two scripts is killed so many times on its way."""
    settings = {"m": {"reply": "echo"}, "judge": {"reply": "verdict", "unreadable": 0.02}}
    with running_server(seed=seed, latency=0.02, faults=RATES, models=settings, keep_requests=1_000_000) as server:
        scratch = Scratch(folder, server.openai_base)
        for model in scratch.models.values():
            model |= {"parallel": PARALLEL, "timeout": 1, "backoff": 0.05}
        scratch.set_questions(questions)
        ids = [row["question_id"] for row in questions]
        write_rows(scratch.answer_file("base"), [answer(1, "base") | {"question_id": key} for key in ids])
        found = Campaign(ids, [], [], {}, 0, 0, kills)
        rng = random.Random(seed)
        _run_until_done(found, scratch, "gen_answer.py", scratch.answer_file(), server, 1, rng)
        _run_until_done(found, scratch, "gen_judgment.py", scratch.judgment_file(), server, 2, rng)
        found.stats, found.dialogues = server.stats(), len(_dialogues(server))
    texts = {row["question_id"]: row["turns"][0]["content"] for row in questions}
    found.answers = [row | {"asked": texts.get(row["question_id"], "")} for row in rows(scratch.answer_file())]
    found.judgments = rows(scratch.judgment_file())
    return found


def _run_until_done(
    found: Campaign, scratch: Scratch, script: str, output: Path, server: Server, each: int, rng: random.Random
) -> None:
    """Run a script until all is there, killing the first runs. A record takes `each` replies."""
    killed = 0
    for _ in range(RUNS):
        before = _replies(server) - each * _lines(output)
        with scratch.start(script) as process:
            if killed < found.kills:
                _wait_for_lines(output, len(found.ids) * (killed + 1) // (found.kills + 1), process)
                time.sleep(rng.uniform(0, 0.1))
                process.kill()
            out, err = process.communicate()
        found.outputs.append(out + err)
        found.runs += 1
        if process.returncode == 0:
            return
        if process.returncode == -9:
            killed += 1
            found.lost += max(0, _replies(server) - each * _lines(output) - before)
    raise AssertionError(found.outputs[-1])


def _wait_for_lines(file: Path, wanted: int, process: Any) -> None:
    wait_until(lambda: process.poll() is not None or _lines(file) >= wanted, 120)


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def _replies(server: Server) -> int:
    """Replies that a script can take, whole or cut, without those to second attempts."""
    stats = server.stats()
    cut = sum(stats["faults"].get(name, 0) for name in ("truncated", "content_filter"))
    return stats["successes"] + cut - sum('"assistant"' in dialogue for dialogue in _dialogues(server))


def _dialogues(server: Server) -> set[str]:
    """What was asked, however often and in whichever terms the server wanted it."""
    bodies = [request["body"] for request in server.requests(1_000_000)]
    kept = ("user", "assistant")
    return {
        json.dumps([body["model"], [(m["role"], m["content"]) for m in body["messages"] if m["role"] in kept]])
        for body in bodies
    }
