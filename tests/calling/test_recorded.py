"""Replies recorded from one server and replayed without it; the demo, which lives on a recording."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Server
from tests.support.pipeline_bench import ROOT, Scratch, rows, run_script


def without_times(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in ("tstamp", "answer_id")} for row in records]


@pytest.mark.slow
def test_a_replay_gives_the_same_records(scratch: Scratch, wire: Server) -> None:
    scratch.put_answers("base")
    for name in ("m", "judge"):
        scratch.models[name]["record"] = f"{name}-recorded.jsonl"
    assert scratch.run("gen_answer.py").returncode == 0
    assert scratch.run("gen_judgment.py").returncode == 0
    first = without_times(rows(scratch.answer_file())), rows(scratch.judgment_file())
    asked = wire.stats()["requests"]
    scratch.answer_file().unlink()
    scratch.judgment_file().unlink()
    for name in ("m", "judge"):
        endpoint = {"api_base": f"{name}-recorded.jsonl"}
        scratch.models[name] = {"model_name": name, "api_type": "recorded", "endpoints": [endpoint], "parallel": 4}
    assert scratch.run("gen_answer.py").returncode == 0
    assert scratch.run("gen_judgment.py").returncode == 0
    assert (without_times(rows(scratch.answer_file())), rows(scratch.judgment_file())) == first
    assert wire.stats()["requests"] == asked


@pytest.mark.slow
def test_the_demo_goes_from_questions_to_a_leaderboard(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "data/demo").mkdir(parents=True)
    for name in ("question.jsonl", "recordings.jsonl"):
        shutil.copy(ROOT / "data/demo" / name, tmp_path / "data/demo")
    endpoints = ("--endpoint-file", "config/demo/api_config.yaml")
    for script, settings in (("gen_answer.py", "gen_answer_config"), ("gen_judgment.py", "judge_config")):
        done = run_script(tmp_path, script, "--setting-file", f"config/demo/{settings}.yaml", *endpoints)
        assert done.returncode == 0, done.stdout + done.stderr
    questions = len(rows(tmp_path / "data/demo/question.jsonl"))
    assert questions >= 12
    answers = sorted((tmp_path / "data/demo/model_answer").glob("*.jsonl"))
    judgments = sorted((tmp_path / "data/demo/model_judgment/demo-judge").glob("*.jsonl"))
    assert [len(rows(file)) for file in answers] == [questions] * 5
    assert [len(rows(file)) for file in judgments] == [questions] * 4
    names = ("--bench-name", "demo", "--judge-name", "demo-judge", "--baseline", "demo-baseline")
    done = run_script(tmp_path, "show_result.py", *names)
    assert done.returncode == 0, done.stdout + done.stderr
    table = [line for line in done.stdout.splitlines() if "| score:" in line]
    assert len(table) == 5
    baseline = next(line for line in table if line.startswith("demo-baseline"))
    assert "50.0" in baseline
    assert "(0.0, 0.0)" in baseline
