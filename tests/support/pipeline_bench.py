"""A scratch working directory for the pipeline's scripts, and the scripts as a user runs them."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arena_hard.data.vocabularies import provide
from tests.loopback import Server
from tests.support.warm_process import READ_AT_START, WarmProcess, WarmScripts

ROOT = Path(__file__).resolve().parents[2]
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")
_WARM_ADDRESS = "ARENA_HARD_TEST_WARM_PROCESS"
TEMPLATE = "Q: {question_1}\nA: {answer_1}\nB: {answer_2}"
SYSTEM = "Judge. Labels: [[A>>B]] [[A>B]] [[A=B]] [[B>A]] [[B>>A]]"


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """No keys and no proxies."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**environment, **(more or {})}


def start_script(
    cwd: Path, script: str, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """A script in a process of its own, working in `cwd`."""
    command = [sys.executable, str(ROOT / script), *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=clean_environment(env), text=True, stdout=pipe, stderr=pipe)


def run_script(
    cwd: Path, script: str, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, in a process forked from a warm one where the environment allows it."""
    if not any(name.startswith(READ_AT_START) for name in env or {}):
        return _warm_scripts().run(cwd, ROOT / script, arguments, clean_environment(env), timeout=300)
    process = start_script(cwd, script, *arguments, env=env)
    with process:
        out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def share_warm_process() -> None:
    """Start one for the processes that this one will start."""
    os.environ[_WARM_ADDRESS] = _warm_process().address


@functools.cache
def _warm_process() -> WarmProcess:
    """One of this process, which ends with it."""
    provide("cl100k_base")  # it reads this as it starts
    return WarmProcess(clean_environment())


@functools.cache
def _warm_scripts() -> WarmScripts:
    return WarmScripts(os.environ.get(_WARM_ADDRESS) or _warm_process().address)


def rows(file: Path) -> list[dict[str, Any]]:
    """The records of a file; none when it is not there."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def write_rows(file: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records, making the folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


def manifest(file: Path) -> dict[str, Any]:
    """What a run left beside a record file."""
    return json.loads(file.with_suffix(".manifest.json").read_text())


def question_id(number: int) -> str:
    """The id of `question(number)`."""
    return f"{number:032x}"


def question(number: int, *turns: str) -> dict[str, Any]:
    """A question in v0.1's shape."""
    told = turns or (f"Question {number}?",)
    return {
        "question_id": question_id(number),
        "category": "c",
        "cluster": "d",
        "turns": [{"content": t} for t in told],
    }


def answer(number: int, model: str, *turns: str) -> dict[str, Any]:
    """An answer in v0.1's shape."""
    told = [{"content": turn, "token_len": 3} for turn in turns or (f"{model} says {number}",)]
    choices = [{"index": 0, "turns": told}]
    return {"question_id": question_id(number), "answer_id": "x", "model_id": model, "choices": choices, "tstamp": 1.0}


def sent(wire: Server) -> list[dict[str, Any]]:
    """The bodies that a loopback server was sent."""
    return [request["body"] for request in wire.requests(2000)]


def asked(wire: Server) -> list[str]:
    """The last text of each request that a loopback server was sent."""
    return [body["messages"][-1]["content"] for body in sent(wire)]


class Scratch:
    """A folder with configs and a bench named `bench`."""

    def __init__(self, folder: Path, base: str, questions: int = 3) -> None:
        self.folder = folder
        self.bench = folder / "data" / "bench"
        (folder / "config").mkdir()
        self.models: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, Any] = {"bench_name": "bench", "temperature": 0.0, "model_list": ["m"]}
        self.judging: dict[str, Any] = {
            "bench_name": "bench",
            "judge_model": "judge",
            "baseline_model": "base",
            "system_prompt": SYSTEM,
            "prompt_template": [TEMPLATE],
            "model_list": ["m"],
        }
        for name in ("m", "base", "judge"):
            self.add_model(name, base)
        self.set_questions([question(number) for number in range(1, questions + 1)])

    def add_model(self, name: str, base: str, **more: Any) -> None:
        """An entry of the endpoint file: quick retries unless told otherwise."""
        endpoint = {"api_base": base, "api_key": f"sk-secret-{name}-0123456789"}
        entry = {"model_name": name, "endpoints": [endpoint], "parallel": 4, "timeout": 20, "backoff": 0.01}
        self.models[name] = entry | more

    def judge_as_shipped(self) -> None:
        """Take the prompts and all else of the judge from this project's config, but for the names."""
        import yaml

        own = {name: self.judging[name] for name in ("bench_name", "judge_model", "baseline_model", "model_list")}
        self.judging = yaml.safe_load((ROOT / "config/judge_config.yaml").read_text()) | own

    def set_questions(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write the question file."""
        write_rows(self.bench / "question.jsonl", records)

    def write(self) -> None:
        """Write the configs as they are now."""
        names = {"api_config": self.models, "gen_answer_config": self.answers, "judge_config": self.judging}
        for name, values in names.items():
            (self.folder / "config" / f"{name}.yaml").write_text(json.dumps(values))  # JSON is YAML

    def run(self, script: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Write the configs and run a script to its end."""
        self.write()
        return run_script(self.folder, script, *arguments, env=env)

    def start(self, script: str, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Write the configs and start a script."""
        self.write()
        return start_script(self.folder, script, *arguments, env=env)

    def answer_file(self, model: str = "m") -> Path:
        return self.bench / "model_answer" / f"{model}.jsonl"

    def judgment_file(self, model: str = "m") -> Path:
        return self.bench / "model_judgment" / "judge" / f"{model}.jsonl"

    def answered_ids(self, model: str = "m") -> list[str]:
        """The ids of the questions that a model has answered."""
        return [row["question_id"] for row in rows(self.answer_file(model))]

    def judged_ids(self, model: str = "m") -> list[str]:
        """The ids of the questions that a model was judged on."""
        return [row["question_id"] for row in rows(self.judgment_file(model))]

    def put_answers(self, *models: str, count: int = 3) -> None:
        """Answers of these models to the first questions."""
        for model in models:
            write_rows(self.answer_file(model), [answer(number, model) for number in range(1, count + 1)])
