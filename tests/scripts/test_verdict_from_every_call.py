"""gen_judgment.py with `verdict`: a label for each game, whatever the server takes, and what was had before stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Server
from tests.loopback.constraint import form_of
from tests.support.batch_server import batch_server
from tests.support.pipeline_bench import Scratch, rows, sent

pytestmark = pytest.mark.slow


def games(scratch: Scratch) -> list[dict[str, Any]]:
    return [game for row in rows(scratch.judgment_file()) for game in row["games"]]


def questions(wire: Server) -> list[dict[str, Any]]:
    return [body for body in sent(wire) if "final verdict" in body["messages"][-1]["content"]]


def test_a_judge_without_labels_gives_one_in_each_game(answered: Scratch, wire: Server) -> None:
    wire.configure(unreadable=1.0, constraints=["grammar"], refuses_constraints=True, logprobs=5)
    answered.models["judge"]["price"] = {"input": 1.0, "output": 1.0}
    answered.judging["verdict"] = "logprobs"
    assert '"top_logprobs"' in answered.run("gen_judgment.py", "--dry-run").stdout
    done = answered.run("gen_judgment.py", "--max-cost", "1")
    assert done.returncode == 0, done.stderr
    assert "note: verdict: logprobs: where a judge's text holds no verdict" in done.stdout
    assert "0 in the judge's text, 6 asked for with a constraint (grammar)." in done.stdout
    assert "label_probabilities: in 6 of 6 games" in done.stdout
    for game in games(answered):
        assert game["judgment"].endswith(f"\n[[{game['score']}]]")
        assert game["verdict_by"] == "constrained"
        assert game["label_probabilities"] == pytest.approx(
            {"A>>B": 0.4, "A>B": 0.3, "A=B": 0.15, "B>A": 0.1, "B>>A": 0.05}
        )
    assert {body["temperature"] for body in questions(wire)} == {0}
    # the settings of the records are others now, and nothing is mixed in silence
    answered.judging["verdict"] = "constrained"
    refused = answered.run("gen_judgment.py")
    assert refused.returncode == 2
    assert "verdict 'logprobs' → 'constrained'" in refused.stderr
    wire.configure(constraints=["json_schema"], refuses_constraints=False)
    assert answered.run("gen_judgment.py", "--redo", "m").returncode == 0
    assert {game["verdict_by"] for game in games(answered)} == {"constrained"}
    assert "label_probabilities" not in games(answered)[0]


def test_a_server_that_takes_no_constraint_loses_nothing(answered: Scratch, wire: Server) -> None:
    wire.configure(unreadable=1.0)
    answered.judging["verdict"] = "logprobs"
    done = answered.run("gen_judgment.py")
    assert done.returncode == 0, done.stderr
    assert len(games(answered)) == 6
    assert done.stdout.count("the server took no constraint") == 1
    assert done.stdout.count("label_probabilities: in no game") == 1
    assert form_of(questions(wire)[-1]) is None


def test_a_question_that_is_refused_costs_no_verdict(answered: Scratch, wire: Server) -> None:
    answered.judging |= {"verdict": "constrained", "verdict_always": True}
    answered.models["judge"]["attempts"] = 1
    wire.configure(context_window=150, constraints=["json_schema"])
    done = answered.run("gen_judgment.py")
    assert done.returncode == 0, done.stdout
    assert "3 judgments written, 0 failed" in done.stdout
    assert "6 questions for the label brought no answer" in done.stdout and "maximum context length" in done.stdout
    assert {game["verdict_by"] for game in games(answered)} == {"text"}


def test_claude_is_made_to_call_a_tool(answered: Scratch, wire: Server) -> None:
    wire.configure(unreadable=1.0, constraints=["tool"])
    answered.add_model("judge", wire.anthropic_base, api_type="anthropic")
    answered.judging |= {"verdict": "constrained", "verdict_always": True, "number_of_judgment_attempts": 1}
    done = answered.run("gen_judgment.py")
    assert done.returncode == 0, done.stderr
    assert {game["verdict_by"] for game in games(answered)} == {"constrained"}
    assert wire.stats()["requests"] == 12
    assert games(answered)[0]["usage"]["completion_tokens"] > 0


def test_by_batch_the_question_is_a_wave_of_its_own(tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> Any:
        text = json.dumps({"verdict": "[[B>A]]"}) if form_of(body) else "Hm."
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {"model": "judge", "choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}

    with batch_server(say) as server:
        scratch = Scratch(tmp_path, f"{server.address}/v1")
        scratch.put_answers("m", "base")
        scratch.judging |= {"verdict": "constrained", "number_of_judgment_attempts": 1}
        done = scratch.run("gen_judgment.py", "--batch")
    assert done.returncode == 0, done.stderr
    assert [game["score"] for game in games(scratch)] == ["B>A"] * 6
    # one call has tried the form live, for all
    assert [len([body for body in server.batched if bool(form_of(body)) is asked]) for asked in (False, True)] == [6, 5]
    assert [bool(form_of(body)) for body in server.live] == [True]
