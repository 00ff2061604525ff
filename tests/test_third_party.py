"""A server that nobody here wrote, llmock 0.2: the scripts run against it, and its verdict on their manners.

ARENA_HARD_TEST_SERVERS names the folder with its program. Its Gemini and Cohere bases speak only those
providers' native protocols, so these two api_types are tried on its OpenAI base.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline_bench import Scratch, clean_environment, question, rows

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _program() -> Path:
    folder = os.environ.get("ARENA_HARD_TEST_SERVERS")
    program = Path(folder or "/nonexistent") / "llmock"
    if not program.is_file():
        pytest.skip("ARENA_HARD_TEST_SERVERS names no folder with llmock")
    return program


def call(root: str, path: str, body: Any = None) -> Any:
    """GET, or POST where there is a body; the JSON of the reply."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{root}{path}", data, {"content-type": "application/json"})
    with _opener.open(request, timeout=30) as response:
        return json.load(response)


@contextmanager
def llmock(*arguments: str) -> Iterator[str]:
    """The address of a running llmock."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(_program()), "serve", "-h", "127.0.0.1", "-p", str(port), "--log-level", "error", *arguments]
    process = subprocess.Popen(
        command, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    root = f"http://127.0.0.1:{port}"
    try:
        _wait(root, process)
        yield root
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(root: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            call(root, "/_llmock/verdict")
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < end, "llmock did not start"
            time.sleep(0.1)


def scratch_for(folder: Path, base: str, api_type: str, questions: int = 3) -> Scratch:
    made = Scratch(folder, base, questions)
    for name in made.models:
        made.models[name]["api_type"] = api_type
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
def test_each_base_answers_and_judges(tmp_path: Path, api_type: str, path: str) -> None:
    with llmock("--response-style", "varied") as root:
        scratch = scratch_for(tmp_path, root + path, api_type)
        scratch.answers["model_list"] = ["m", "base"]
        done = scratch.run("gen_answer.py")
        assert done.returncode == 0, done.stdout + done.stderr
        done = scratch.run("gen_judgment.py")
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(rows(scratch.answer_file())) == len(rows(scratch.judgment_file())) == 3


def test_a_limit_on_requests_is_kept(tmp_path: Path) -> None:
    with llmock("--rpm", "120") as root:
        scratch = scratch_for(tmp_path, root + "/v1", "openai", 6)
        scratch.set_questions([question(number) for number in range(6)])
        done = scratch.run("gen_answer.py")
        assert done.returncode == 0, done.stdout + done.stderr
        verdict = call(root, "/_llmock/verdict")
    assert len(rows(scratch.answer_file())) == 6
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
