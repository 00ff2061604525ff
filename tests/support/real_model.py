"""A real model behind llama.cpp's own server, for tests that a server written for tests cannot stand in for.

tools/local_models.py fetches the model, requirements-local.txt brings the server; `bash run.sh test` does both. Where
they are missing a test is skipped, unless ARENA_HARD_NEEDS_REAL_MODEL says that it must not be (.ci/run).
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.pipeline_bench import ROOT, rows, start_script, write_rows

MODEL = ROOT / ".models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
BASE = "base"


def need_real_model() -> None:
    """Skip the test, or fail it, where there is no engine or no model."""
    missing = [name for name, there in (("xllamacpp", _has_engine()), (MODEL.name, MODEL.is_file())) if not there]
    if missing and os.environ.get("ARENA_HARD_NEEDS_REAL_MODEL"):
        pytest.fail(f"{' and '.join(missing)} must be there")
    if missing:
        pytest.skip(f"no {' and no '.join(missing)}: python tools/local_models.py, and requirements-local.txt")


def _has_engine() -> bool:
    return importlib.util.find_spec("xllamacpp") is not None


def serve_command(model: Path = MODEL, port: str = "{port}") -> str:
    """What `serve` says; with one thread, for the tests run side by side."""
    program = ROOT / "tools" / "llama_server.py"
    return shlex.join([sys.executable, str(program), str(model), "--threads", "1", "--port"]) + f" {port}"


class RealBench:
    """A folder with the shortest official questions, a baseline's answers, and configs; `m` answers and judges."""

    def __init__(self, folder: Path, official: Path, count: int, **judging: Any) -> None:
        self.folder = folder
        self.bench = folder / "data" / "b"
        found = sorted(rows(official / "arena-hard-v0.1" / "question.jsonl"), key=lambda row: len(str(row["turns"])))
        write_rows(self.bench / "question.jsonl", found[:count])
        turn = {"content": "I do not know.", "token_len": 5}
        answers = [
            {"question_id": row["question_id"], "model_id": BASE, "choices": [{"index": 0, "turns": [turn]}]}
            for row in found[:count]
        ]
        write_rows(self.bench / "model_answer" / f"{BASE}.jsonl", answers)
        model = {"model_name": MODEL.stem, "serve": serve_command(), "parallel": 2, "attempts": 2, "backoff": 0.1}
        self._put("api.yaml", {"m": model})
        self._put("answer.yaml", {"bench_name": "b", "model_list": ["m"], "max_tokens": 6})
        self._put(
            "judge.yaml",
            {
                "bench_name": "b",
                "judge_model": "m",
                "baseline_model": BASE,
                "model_list": ["m"],
                "max_tokens": 4,
                "number_of_judgment_attempts": 1,
                "system_prompt": "Which answer is better? Labels: [[A>>B]] [[A>B]] [[A=B]] [[B>A]] [[B>>A]]",
                "prompt_template": ["Q: {question_1}\nA: {answer_1}\nB: {answer_2}\nThe label:"],
                **judging,
            },
        )

    def _put(self, name: str, values: dict[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(values))  # JSON is YAML

    def start(self, stage: str, *flags: str) -> subprocess.Popen[str]:
        """gen_answer.py or gen_judgment.py, by its stage: answer, judge."""
        script = {"answer": "gen_answer.py", "judge": "gen_judgment.py"}[stage]
        configs = ("--setting-file", f"{stage}.yaml", "--endpoint-file", "api.yaml")
        return start_script(self.folder, script, *configs, *flags)

    def finish(self, stage: str, *flags: str) -> str:
        """Run a stage to its end; what it printed."""
        run = self.start(stage, *flags)
        out, err = run.communicate(timeout=300)
        assert run.returncode == 0, out + err
        return out

    def records(self, stage: str) -> list[dict[str, Any]]:
        """What a stage has written so far, without a line that is just being written."""
        folder = {"answer": "model_answer", "judge": "model_judgment/m"}[stage]
        file = self.bench / folder / "m.jsonl"
        text = file.read_text() if file.is_file() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def server(self) -> int:
        """The process of the server that the last run started."""
        found = re.findall(r"\(process (\d+)\)", (self.bench / "logs" / "m.log").read_text())
        return int(found[-1])

    def kill_server(self) -> None:
        """As a system short of memory does."""
        os.kill(self.server(), signal.SIGKILL)
