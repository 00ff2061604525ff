"""A server that nobody here wrote, llmock 0.2: the scripts run against it, and its verdict on their manners.

Its Gemini and Cohere bases speak only those providers' native protocols, so these two api_types are tried on
its OpenAI base.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.pipeline_bench import Scratch, question, rows
from tests.support.third_party import call, llmock, llmock_command

pytestmark = pytest.mark.slow  # a third party's server


def scratch_for(folder: Path, base: str, api_type: str, questions: int = 3) -> Scratch:
    made = Scratch(folder, base, questions)
    for name in made.models:
        made.models[name]["api_type"] = api_type
        made.models[name]["context_length"] = 100_000  # so that the server is not asked for it, which it would count
    return made


@pytest.mark.parametrize(
    ("api_type", "path"),
    [
        ("openai", "/v1"),
        ("openai", "/v1/chat/completions"),
        ("anthropic", "/anthropic"),
        ("mistral", "/mistral/v1"),
        ("xai", "/xai/v1"),
        ("together", "/together/v1"),
        ("groq", "/groq/openai/v1"),
        ("gemini", "/v1"),
        ("cohere", "/v1"),
    ],
)
def test_each_base_answers_and_judges(tmp_path: Path, llmock_root: str, api_type: str, path: str) -> None:
    scratch = scratch_for(tmp_path, llmock_root + path, api_type)
    scratch.answers["model_list"] = ["m", "base"]
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0, done.stdout + done.stderr
    done = scratch.run("gen_judgment.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rows(scratch.answer_file())) == len(rows(scratch.judgment_file())) == 3


def test_a_limit_on_requests_is_kept(tmp_path: Path) -> None:
    """Its bucket holds 60 requests, and one more comes each second (benchmarks/quota.py: 500 at 120 a minute)."""
    with llmock("--rpm", "60") as root:
        scratch = scratch_for(tmp_path, root + "/v1", "openai")
        scratch.models["m"]["parallel"] = 32
        scratch.set_questions([question(number) for number in range(72)])
        done = scratch.run("gen_answer.py")
        assert done.returncode == 0, done.stdout + done.stderr
        verdict = call(root, "/_llmock/verdict")
    assert len(rows(scratch.answer_file())) == 72
    assert verdict["attempts"] == 72  # not one was refused
    assert_full_marks(verdict)


def test_full_marks_under_scripted_faults(tmp_path: Path) -> None:
    statuses = [429, 500, 503, 400, 429, 529]
    with llmock() as root:
        behaviors = [{"type": "fail", "status": status, "times": 1} for status in statuses]
        behaviors[0]["retry_after"] = behaviors[4]["retry_after"] = 1.0
        call(root, "/_llmock/scenario", {"behaviors": behaviors})
        scratch = scratch_for(tmp_path, root + "/v1", "openai", 8)
        done = scratch.run("gen_answer.py")
        assert done.returncode == 1, done.stdout + done.stderr  # the 400
        verdict = call(root, "/_llmock/verdict")
        assert scratch.run("gen_answer.py").returncode == 0
    assert len(rows(scratch.answer_file())) == 8
    assert verdict["faults_injected"] == len(statuses)
    assert_full_marks(verdict)


def assert_full_marks(verdict: dict[str, Any]) -> None:
    assert verdict["passed"], verdict
    assert verdict["findings"] == [], verdict


def test_serve_starts_it_waits_for_it_and_stops_it(tmp_path: Path) -> None:
    scratch = scratch_for(tmp_path, "", "openai")
    scratch.models["m"] |= {"endpoints": None, "serve": llmock_command("{port}")}
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rows(scratch.answer_file())) == 3
    assert "waiting for" in done.stdout and "logs/m.log" in done.stdout
    base = done.stdout.partition(" at ")[2].partition(" ")[0]
    with pytest.raises(OSError):  # nobody listens there any more
        call(base, "/models")
