"""--quote, --max-cost and --sample of the two scripts, against the loopback server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from arena_hard.data import jsonl
from tests.loopback import Server, running_server

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = 12
PRICE = {"input": 1.0, "output": 100.0}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(reply="size=400") as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, server: Server) -> Path:
    """A folder with a bench of 12 questions, two answered models and the configs; the answers are there."""
    server.reset()
    folder = tmp_path / "data" / "small" / "model_answer"
    folder.mkdir(parents=True)
    keys = [f"q{n:02}" for n in range(QUESTIONS)]
    questions = [
        {
            "question_id": key,
            "category": "c",
            "cluster": f"k{n // 2}",
            "turns": [{"content": f"Question {key}?"}],
        }
        for n, key in enumerate(keys)
    ]
    write(folder.parent / "question.jsonl", questions)
    for name in ("base", "left", "right"):
        write(folder / f"{name}.jsonl", [answer(key, name) for key in keys])
    entry = {
        "model_name": "m",
        "endpoints": [{"api_base": server.openai_base, "api_key": "k"}],
        "parallel": 4,
        "price": PRICE,
    }
    save(tmp_path / "api.yaml", {"judge": entry, "asked": entry})
    save(tmp_path / "answer.yaml", {"bench_name": "small", "model_list": ["asked"], "max_tokens": 500})
    judging = yaml.safe_load((ROOT / "config/judge_config.yaml").read_text())
    save(
        tmp_path / "judge.yaml",
        judging
        | {
            "bench_name": "small",
            "judge_model": "judge",
            "baseline_model": "base",
            "model_list": ["left", "right"],
            "max_tokens": 500,
            "number_of_judgment_attempts": 1,
        },
    )
    return tmp_path


def answer(key: str, name: str) -> dict[str, Any]:
    turns = [{"content": f"{name} says {key}", "token_len": 4}]
    return {"question_id": key, "model_id": name, "choices": [{"index": 0, "turns": turns}]}


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_bytes(b"".join(map(jsonl.encode, rows)))


def save(file: Path, values: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(values))


def run(bench: Path, script: str, *flags: str) -> subprocess.CompletedProcess[str]:
    setting = bench / ("judge.yaml" if script == "gen_judgment.py" else "answer.yaml")
    command = [
        sys.executable,
        script,
        "--setting-file",
        str(setting),
        "--endpoint-file",
        str(bench / "api.yaml"),
    ]
    return subprocess.run(
        [*command, "--data-dir", str(bench / "data"), *flags],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def judged(bench: Path, model: str) -> set[str]:
    file = bench / "data/small/model_judgment/judge" / f"{model}.jsonl"
    return {row["question_id"] for row in jsonl.read(file, dict)} if file.exists() else set()


@pytest.mark.parametrize(("script", "requests"), [("gen_answer.py", "12"), ("gen_judgment.py", "48")])
def test_a_quote_sends_nothing(bench: Path, server: Server, script: str, requests: str) -> None:
    done = run(bench, script, "--quote")
    assert done.returncode == 0, done.stderr
    assert f" {requests} " in done.stdout
    assert "$" in done.stdout and server.stats()["requests"] == 0


def test_the_second_quote_knows_what_the_first_run_brought(bench: Path) -> None:
    assert run(bench, "gen_judgment.py", "--sample", "4").returncode == 0
    done = run(bench, "gen_judgment.py", "--quote")
    assert "two standard errors around 16 cached replies" in done.stdout
    assert re.search(r"left +16 ", done.stdout)  # 8 of 12 questions are left, two games each


def test_a_run_ends_with_its_bill(bench: Path) -> None:
    done = run(bench, "gen_judgment.py", "--models", "left")
    found = re.search(
        r"judge judging left: 24 requests, ([\d,]+) input tokens, ([\d,]+) output tokens: \$(\S+)",
        done.stdout,
    )
    assert found, done.stdout + done.stderr
    prompt, output = (int(number.replace(",", "")) for number in found.groups()[:2])
    assert float(found[3]) == pytest.approx((prompt * 1 + output * 100) / 1e6, rel=0.03)


@pytest.mark.parametrize("script", ["gen_answer.py", "gen_judgment.py"])
def test_the_limit_holds_and_the_next_run_goes_on(bench: Path, script: str) -> None:
    done = run(bench, script, "--max-cost", "0.25")
    assert done.returncode == int("stopped before" in done.stdout), done.stderr  # 1: not all is there
    bill = re.search(r"all: \$(\S+)", done.stdout)
    assert bill and 0 < float(bill[1]) <= 0.25, done.stdout
    assert "--max-cost 0.25: stopped" in done.stdout or script == "gen_answer.py"
    more = run(bench, script, "--max-cost", "50")
    assert "stopped before" not in more.stdout and more.returncode == 0
    if script == "gen_judgment.py":
        assert len(judged(bench, "left") & judged(bench, "right")) == QUESTIONS


def test_the_limit_holds_over_several_judges(bench: Path) -> None:
    entries, settings = (yaml.safe_load((bench / name).read_text()) for name in ("api.yaml", "judge.yaml"))
    save(bench / "api.yaml", entries | {"second": entries["judge"]})
    save(bench / "judge.yaml", settings | {"judge_model": ["judge", "second"]})
    done = run(bench, "gen_judgment.py", "--max-cost", "0.6")  # enough for the first judge, not for both
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "judge judging left" in done.stdout and "stopped before" in done.stdout
    bill = re.search(r"all: \$(\S+)", done.stdout)
    assert bill and 0 < float(bill[1]) <= 0.6, done.stdout


def test_a_limit_below_one_record_sends_nothing(bench: Path, server: Server) -> None:
    done = run(bench, "gen_judgment.py", "--max-cost", "0.01")
    assert "24 records were not asked for" in done.stdout and server.stats()["requests"] == 0


def test_a_sample_is_bought_in_slices(bench: Path) -> None:
    run(bench, "gen_judgment.py", "--sample", "4")
    first = judged(bench, "left")
    run(bench, "gen_judgment.py", "--sample", "8")
    second = judged(bench, "left")
    assert len(first) == 4 and len(second) == 8 and first < second


def test_waves_stop_when_the_scores_are_narrow_enough_and_go_on_later(bench: Path) -> None:
    flags = ("--models", "left", "--until-width")
    done = run(bench, "gen_judgment.py", *flags, "200")
    assert "judged 12 of 12 questions: the widest interval is that of left" in done.stdout, done.stderr
    assert judged(bench, "left") and not judged(bench, "right")


def test_waves_name_a_model_that_is_not_judged(bench: Path) -> None:
    done = run(bench, "gen_judgment.py", "--until-decided", "left", "rihgt")
    assert done.returncode == 2 and "Did you mean 'right'?" in done.stderr


@pytest.mark.parametrize("models", [["left", "right"], ["left"]])
def test_what_models_share_is_marked_for_anthropic_when_there_are_several(
    bench: Path, server: Server, models: list[str]
) -> None:
    entry = {"model_name": "m", "api_type": "anthropic", "price": PRICE, "parallel": 4}
    entry["endpoints"] = [{"api_base": server.anthropic_base, "api_key": "k"}]
    save(bench / "api.yaml", {"judge": entry})
    assert run(bench, "gen_judgment.py", "--models", *models).returncode == 0
    contents = [request["body"]["messages"][0]["content"] for request in server.requests(100)]
    assert len(contents) == 2 * QUESTIONS * len(models)
    if len(models) == 1:
        assert all(isinstance(content, str) for content in contents)
        return
    assert all("cache_control" in content[0] and len(content) == 2 for content in contents)
    first_games = [content for content in contents if "base says" in content[0]["text"]]
    assert len(first_games) == len(contents) // 2  # in game 1 the baseline's answer is in the shared block
    assert not any("left says" in content[0]["text"] for content in contents)
