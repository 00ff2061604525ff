"""`bash run.sh build`: sample conversations become a benchmark, on which the demo's models are judged."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.pipeline_bench import ROOT, run_script

pytestmark = pytest.mark.slow  # topics take some seconds
CONFIGS = ROOT / "config" / "demo-build"
ENDPOINTS = ("--endpoint-file", str(CONFIGS / "api_config.yaml"))


def run(data: Path, script: str, config: str, *arguments: str) -> str:
    """A script with a config of the demo, on a data folder of its own; what it printed."""
    endpoints = () if script == "show_result.py" else ENDPOINTS
    command = ["--setting-file", str(CONFIGS / config), *endpoints, "--data-dir", str(data), *arguments]
    done = run_script(ROOT, script, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the finished benchmark."""
    made = tmp_path_factory.mktemp("data")
    run(made, "build_bench.py", "build_bench_config.yaml")
    return made


def manifest(data: Path, step: str) -> dict[str, Any]:
    return json.loads((data / "demo-build" / "building" / f"{step}.manifest.json").read_text(encoding="utf-8"))


def test_each_step_drops_what_was_put_there_for_it(data: Path) -> None:
    counts = {step: manifest(data, step)["counts"] for step in ("read", "clean", "duplicates", "language", "label1")}
    assert (counts["read"]["in"], counts["read"]["dropped"]) == (295, {"without a user's turn": 2})
    assert counts["clean"]["dropped"] == {
        "too short": 13,
        "too long": 1,
        "several user turns": 10,
        "personal data (email)": 3,
        "personal data (phone)": 2,
        "personal data (key)": 1,
        "moderated": 2,
        "with redacted names": 2,
    }
    assert counts["duplicates"]["dropped"] == {"exact copies": 15, "near copies": 11}
    assert counts["language"]["dropped"]["in German"] == 7 and sum(counts["language"]["dropped"].values()) == 27
    shapes = manifest(data, "read")["facts"]["shapes"]
    assert {next(iter(each)) for each in shapes.values()} == {"conversation", "conversations", "messages"}


def test_labels_made_in_shards_make_the_same_benchmark(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "demo-build" / "building" / "labels")
    for flags in (("--shard", "1/2", "--from", "label1"), ("--shard", "2/2"), ()):
        said = run(tmp_path, "build_bench.py", "build_bench_config.yaml", *flags)
        assert ("questions " in said) == (not flags)
    one, two = ((each / "demo-build" / "question.jsonl").read_bytes() for each in (data, tmp_path))
    assert one == two
    assert len(list((tmp_path / "demo-build" / "building" / "labels").glob("*.shard-*.jsonl"))) == 2


def test_questions_that_somebody_has_changed_are_said_to_be(data: Path) -> None:
    file, words = data / "demo-build" / "question.jsonl", "question.jsonl was changed since it was made"
    made = file.read_bytes()
    try:
        for questions in (made, b"".join(made.splitlines(keepends=True)[1:])):
            file.write_bytes(questions)
            run(data, "build_bench.py", "build_bench_config.yaml", "--report")
            shown = (data / "demo-build" / "report.html").read_text(encoding="utf-8")
            assert (words in shown) == (questions != made)
    finally:
        file.write_bytes(made)


def test_labels_that_cannot_be_read_are_none(data: Path) -> None:
    facts = manifest(data, "label1")["facts"]
    assert 1 <= facts["without_label"] <= 5  # as many of the five as have a topic
    assert facts["labelled"] == sum(facts["histogram"]) > 150


def test_the_questions_are_good_prompts_of_good_topics(data: Path) -> None:
    lines = (data / "demo-build" / "question.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    assert len(questions) == 16 and len({row["cluster_id"] for row in questions}) == 8
    assert all(row["prompt_score"] >= 6 and row["cluster_mean"] >= 5 and row["n_seen"] >= 1 for row in questions)
    assert {row["language"] for row in questions} == {"en"}


def test_the_demos_models_are_judged_on_them_and_the_report_says_how_well_they_are_told_apart(data: Path) -> None:
    assert "64 answers written, 0 failed" in run(data, "gen_answer.py", "gen_answer_config.yaml")
    assert "48 judgments written, 0 failed" in run(data, "gen_judgment.py", "judge_config.yaml")
    rows = run(data, "show_result.py", "judge_config.yaml").splitlines()
    order = [row.split()[0] for row in rows if "| score:" in row]
    assert order == ["demo-careful", "demo-terse", "demo-baseline", "demo-overconfident"]
    file = data / "demo-build" / "report.html"
    assert run(data, "build_bench.py", "build_bench_config.yaml", "--report") == f"Report: {file.as_uri()}\n"
    page = html.unescape(re.sub(r"<[^>]+>", " ", file.read_text(encoding="utf-8")))
    words = " ".join(page.split())
    assert "demo-build: 16 questions from 295 conversations" in words
    assert "Judged by demo-judge against demo-baseline" in words and "Separability: " in words
    assert re.search(r"(\d+|None) of 16 questions (is|are) dead", words) and "creativity: not met" in words
