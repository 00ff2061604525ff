"""The scripts against all faults of the loopback server at once, killed again and again, files changed by others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.loopback import Server, running_server
from tests.loopback.faults import NAMES
from tests.support.disturbed_runs import Disturbed, wrong_ids
from tests.support.pipeline_bench import Scratch, answer, rows, write_rows

PARALLEL = 64
IN_WORK = 2 * PARALLEL  # records at once: twice the requests
GIVES_A_REPLY = ("truncated", "content_filter", "slow")  # faults that a script takes the reply of
# One of these ends a run, and the next run goes on.
ENDS_A_RUN = ("401", "404", "quota")
RATES: dict[str, Any] = {
    **dict.fromkeys(NAMES, 0.015),
    "hang": 0.005,
    "slow": {"rate": 0.01, "seconds": 0.2},
    "429": {"rate": 0.03, "retry_after": 0.1},
}


@dataclass
class Campaign:
    """What a campaign came to."""

    ids: list[str]
    runs: Disturbed
    answers: list[dict[str, Any]]
    judgments: list[dict[str, Any]]
    stats: dict[str, Any]
    dialogues: int

    @property
    def necessary(self) -> int:
        """Requests that had to be: each dialogue once, each fault once more, and again what a kill lost."""
        faults: Counter[str] = Counter(self.stats["faults"])
        failed = sum(count for name, count in faults.items() if name not in GIVES_A_REPLY)
        return self.dialogues + failed + self.runs.lost

    @property
    def poisoned(self) -> list[str]:
        """Ids of answers that are not what the model said (it repeats the question), whole or marked as cut."""
        return [row["question_id"] for row in self.answers if not _is_sound(row)]

    def broken(self) -> list[str]:
        """The promises that it did not keep."""
        broken = self.runs.broken()
        for name, records in (("answers", self.answers), ("judgments", self.judgments)):
            broken += wrong_ids(name, [row["question_id"] for row in records], self.ids)
        broken += [f"{len(self.poisoned)} answers poisoned"] if self.poisoned else []
        broken += ["games missing"] if any(len(row["games"]) != 2 for row in self.judgments) else []
        broken += ["too many requests"] if self.stats["requests"] > 1.2 * self.necessary else []
        # no more than what was in work: a judgment takes two replies
        return broken + (["more lost than was in work"] if self.runs.lost > 3 * self.runs.kills * IN_WORK else [])

    def figures(self) -> str:
        """In a line for people."""
        requests, faults = self.stats["requests"], sum(self.stats["faults"].values())
        return (
            f"{self.runs.runs} runs, {requests:,} requests, {requests / self.necessary:.3f} of what {faults:,} faults "
            f"and the kills ({self.runs.lost} replies lost) made necessary"
        )


def _is_sound(row: dict[str, Any]) -> bool:
    text = row["choices"][0]["turns"][0]["content"]
    cut = row["finish_reason"] in ("length", "content_filter")
    return bool(text) and (row["asked"].startswith(text) if cut else row["asked"] == text)


def run_campaign(folder: Path, questions: Sequence[dict[str, Any]], seed: int, kills: int, changes: int) -> Campaign:
    """Answer and judge the questions; each script is killed and its file changed so many times on its way."""
    settings = {"m": {"reply": "echo"}, "judge": {"reply": "verdict", "unreadable": 0.02}}
    rates = RATES | dict.fromkeys(ENDS_A_RUN, 0.25 / len(questions))
    with running_server(seed=seed, latency=0.02, faults=rates, models=settings, keep_requests=1_000_000) as server:
        scratch = Scratch(folder, server.openai_base)
        for model in scratch.models.values():
            model |= {"parallel": PARALLEL, "timeout": 1, "backoff": 0.05}
        scratch.set_questions(questions)
        ids = [row["question_id"] for row in questions]
        write_rows(scratch.answer_file("base"), [answer(1, "base") | {"question_id": key} for key in ids])
        runs = Disturbed(scratch, seed, kills, changes, lambda: _replies(server))
        runs.until_done("gen_answer.py", scratch.answer_file(), len(ids), each=1)
        runs.until_done("gen_judgment.py", scratch.judgment_file(), len(ids), each=2)
        stats, dialogues = server.stats(), len(_dialogues(server))
    texts = {row["question_id"]: row["turns"][0]["content"] for row in questions}
    answers = [row | {"asked": texts.get(row["question_id"], "")} for row in rows(scratch.answer_file())]
    return Campaign(ids, runs, answers, rows(scratch.judgment_file()), stats, dialogues)


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
