"""--until-width and --until-decided: judging in waves, with gaps, limits and servers of one's own."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.loopback import Server
from tests.support.pipeline_bench import ROOT, Scratch, question, rows

QUESTIONS = 60  # three waves of twenty


@pytest.fixture
def sixty(scratch: Scratch) -> Scratch:
    """Answers by two models and the baseline to sixty questions."""
    scratch.set_questions([question(number) for number in range(1, QUESTIONS + 1)])
    scratch.judging["model_list"] = ["m", "n"]
    scratch.put_answers("m", "n", "base", count=QUESTIONS)
    return scratch


def looks(out: str) -> list[str]:
    return re.findall(r"judged \d+ of \d+ questions", out)


@pytest.mark.slow
def test_a_failure_in_a_wave_leaves_a_gap_and_stops_nothing(sixty: Scratch, wire: Server) -> None:
    wire.script(["content_filter_400"])
    done = sixty.run("gen_judgment.py", "--until-width", "0.1")
    assert done.returncode == 1
    assert looks(done.stdout) == [f"judged {count} of 60 questions" for count in (19, 39, 59)]
    assert sixty.run("gen_judgment.py", "--until-width", "0.1").returncode == 0
    assert len(rows(sixty.judgment_file())) == len(rows(sixty.judgment_file("n"))) == QUESTIONS


@pytest.mark.slow
def test_what_a_limit_left_undone_is_not_counted_as_judged(sixty: Scratch) -> None:
    sixty.models["judge"] |= {"price": {"input": 1, "output": 100}, "max_tokens": 200, "parallel": 2}
    done = sixty.run("gen_judgment.py", "--until-width", "0.1", "--max-cost", "0.5")
    assert done.returncode == 1 and "stopped before" in done.stdout
    counted = int(looks(done.stdout)[-1].split()[1])
    both = set(sixty.judged_ids()) & set(sixty.judged_ids("n"))
    assert counted == len(both) < QUESTIONS


@pytest.mark.slow
def test_a_stop_that_is_reached_is_reached_again_without_asking(sixty: Scratch, wire: Server) -> None:
    first = sixty.run("gen_judgment.py", "--until-width", "0.1")
    before = wire.stats()["requests"]
    done = sixty.run("gen_judgment.py", "--until-width", "0.1")
    said = [line for line in done.stdout.splitlines() if looks(line)]
    assert len(said) == 3 and said == [line for line in first.stdout.splitlines() if looks(line)]
    assert wire.stats()["requests"] == before


@pytest.mark.slow
def test_the_results_know_that_judging_was_looked_at(sixty: Scratch, wire: Server) -> None:
    shown = (
        "--bench-name",
        sixty.judging["bench_name"],
        "--judge-name",
        "judge",
        "--baseline",
        "base",
        "--format",
        "json",
    )
    sixty.run("gen_judgment.py", "--until-width", "90")
    title = "Judging that was monitored as it ran"
    (part,) = json.loads(sixty.run("show_result.py", *shown).stdout)["parts"]
    found = {each["name"]: each for each in part["analyses"][title]}
    row = next(row for row in part["rows"] if row["model"] == "m")
    assert set(found) == {"m", "n"} and found["m"]["questions"] == row["questions"] < QUESTIONS
    assert found["m"]["lower"] < row["lower"] < row["upper"] < found["m"]["upper"]
    sixty.run("gen_judgment.py")  # the rest, which no look has seen
    (part,) = json.loads(sixty.run("show_result.py", *shown).stdout)["parts"]
    later = {each["name"]: each for each in part["analyses"][title]}
    assert later["m"]["questions"] == QUESTIONS and later["m"]["last"] == found["m"]["questions"]
    row = next(row for row in part["rows"] if row["model"] == "m")
    assert row["at_all_looks"]["lower"] == later["m"]["lower"] < row["lower"]
    assert any("monitored as it ran" in note for note in part["notes"])
    cached = json.loads(sixty.run("show_result.py", *shown, "--load-battles").stdout)["parts"][0]
    assert any("monitored as it ran" in note for note in cached["notes"])


@pytest.mark.slow
def test_a_server_of_ones_own_is_started_once_for_all_waves(sixty: Scratch, tmp_path: Path) -> None:
    script = tmp_path / "server.sh"
    script.write_text(
        f"#!/bin/sh\necho started >> {tmp_path}/starts\n"
        f"cd {ROOT} && exec tail -f /dev/null | {sys.executable} -m tests.loopback --port $1\n"
    )
    script.chmod(0o755)
    sixty.models["judge"] = {"model_name": "judge", "parallel": 8, "serve": f"{script} {{port}}"}
    done = sixty.run("gen_judgment.py", "--until-width", "0.1")
    assert done.returncode == 0, done.stderr
    assert len(looks(done.stdout)) == 3
    assert (tmp_path / "starts").read_text().split() == ["started"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "models", "said"),
    [
        (["--until-decided", "m", "m"], ["m", "n"], "the two models are the same"),
        (["--until-width", "nan"], ["m", "n"], "above 0"),
        (["--until-width", "10"], ["base"], "no model to judge"),
    ],
)
def test_goals_that_cannot_be_reached(sixty: Scratch, flags: list[str], models: list[str], said: str) -> None:
    sixty.judging["model_list"] = models
    done = sixty.run("gen_judgment.py", *flags)
    assert done.returncode == 2, json.dumps([done.stdout, done.stderr])
    assert said in done.stderr and "Traceback" not in done.stderr
