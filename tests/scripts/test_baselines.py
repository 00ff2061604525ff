"""Several baselines side by side: judged into files of their own, each rated as if it were the only one."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, rows, write_rows

MODELS = ("m", "n")


@pytest.fixture
def scratch(tmp_path: Path, wire: Server) -> Scratch:
    return scratch_in(tmp_path / "both", wire)


def scratch_in(folder: Path, wire: Server) -> Scratch:
    folder.mkdir()
    made = Scratch(folder, wire.openai_base, questions=6)
    made.judging["model_list"] = list(MODELS)
    made.put_answers(*MODELS, "base", "ckpt", count=6)
    return made


def judge(scratch: Scratch, baseline: str, *flags: str, code: int = 0) -> str:
    scratch.judging["baseline_model"] = baseline
    done = scratch.run("gen_judgment.py", *flags)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def further(scratch: Scratch, model: str, baseline: str = "ckpt") -> Path:
    return scratch.judgment_file(model).parent / f"vs_{baseline}" / f"{model}.jsonl"


def result(scratch: Scratch, baseline: str | None, *flags: str) -> dict[str, Any]:
    named = ["--baseline", baseline] if baseline else []
    done = scratch.run(
        "show_result.py", "--bench-name", "bench", "--judge-name", "judge", *named, "--format", "json", *flags
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_each_baseline_has_its_own_files_and_the_first_keeps_the_layout(scratch: Scratch, wire: Server) -> None:
    judge(scratch, "base")
    before = {model: scratch.judgment_file(model).read_bytes() for model in MODELS}
    said = judge(scratch, "ckpt")
    assert "m against ckpt" in said and "0 judgments exist,     6 to make" in said
    assert {model: scratch.judgment_file(model).read_bytes() for model in MODELS} == before
    for model in MODELS:
        assert {row["baseline"] for row in rows(scratch.judgment_file(model))} == {"base"}
        assert [row["question_id"] for row in rows(further(scratch, model))] == [f"{n:032x}" for n in range(1, 7)]
        assert {row["baseline"] for row in rows(further(scratch, model))} == {"ckpt"}
        assert further(scratch, model).with_name(f"{model}.manifest.json").is_file()
    asked = wire.stats()["requests"]
    for baseline in ("base", "ckpt", "base"):  # nothing is asked twice, whichever comes last
        assert "nothing to judge" in judge(scratch, baseline)
    assert wire.stats()["requests"] == asked == 2 * 2 * 6 * 2


@pytest.mark.slow
def test_each_result_is_that_of_a_run_with_this_baseline_alone(scratch: Scratch, wire: Server, tmp_path: Path) -> None:
    judge(scratch, "base", "--models", "n")  # so that models are met in another order
    judge(scratch, "ckpt")
    judge(scratch, "base")
    for baseline in ("base", "ckpt"):
        alone = scratch_in(tmp_path / baseline, wire)
        judge(alone, baseline)
        kept = [scratch.judgment_file(m) if baseline == "base" else further(scratch, m) for m in MODELS]
        assert [file.read_bytes() for file in kept] == [alone.judgment_file(m).read_bytes() for m in MODELS]
        for flags in ((), ("--interval", "questions"), ("--ranks", "--interval", "sandwich", "--full-stats")):
            both, one = result(scratch, baseline, *flags), result(alone, baseline, *flags)
            assert both["parts"] == one["parts"]
            assert both["notes"] == one["notes"] == []


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_run_against_a_further_baseline_goes_on_where_it_was_stopped(
    scratch: Scratch, wire: Server, stop: signal.Signals
) -> None:
    judge(scratch, "base")
    before = scratch.judgment_file().read_bytes()
    wire.configure(latency=0.15)
    scratch.judging["baseline_model"] = "ckpt"
    scratch.models["judge"]["parallel"] = 1
    process = scratch.start("gen_judgment.py", "--models", "m")
    deadline = time.monotonic() + 60
    while not rows_of_whole_lines(further(scratch, "m")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(stop)
    process.communicate(timeout=300)
    done_before = len(rows_of_whole_lines(further(scratch, "m")))
    assert 0 < done_before < 6
    wire.configure(latency=0)
    said = judge(scratch, "ckpt", "--models", "m")
    assert f"{done_before} judgments exist" in said
    assert [row["question_id"] for row in rows(further(scratch, "m"))] == [f"{n:032x}" for n in range(1, 7)]
    assert scratch.judgment_file().read_bytes() == before
    assert [row["score"] for row in result(scratch, "ckpt")["parts"][0]["rows"] if row["model"] == "m"]


def rows_of_whole_lines(file: Path) -> list[bytes]:
    return [line for line in file.read_bytes().splitlines(True) if line.endswith(b"\n")] if file.is_file() else []


@pytest.mark.slow
def test_redo_only_failed_and_waves_are_about_one_baseline(scratch: Scratch, wire: Server) -> None:
    judge(scratch, "base")
    judge(scratch, "ckpt", "--limit", "2")
    before = scratch.judgment_file().read_bytes()
    judge(scratch, "ckpt", "--redo", "m", "--models", "m", "--limit", "2")
    assert scratch.judgment_file().read_bytes() == before
    assert len(rows(further(scratch, "m"))) == 2
    assert len(rows(further(scratch, "m").with_name("m.superseded"))) == 2
    assert "0 to make" in judge(scratch, "ckpt", "--only-failed", "--dry-run")
    said = judge(scratch, "ckpt", "--until-width", "0.5")
    assert "judged 6 of 6 questions" in said
    assert scratch.judgment_file().read_bytes() == before
    costs = scratch.run("show_result.py", "--bench-name", "bench", "--costs").stdout
    for label in ("judgments by judge of m:", "judgments by judge of m against ckpt:"):
        assert label in costs


@pytest.mark.slow
def test_without_a_baseline_named_the_usual_one_is_rated_wherever_it_is(scratch: Scratch) -> None:
    scratch.put_answers("gpt-4-0314", count=6)
    judge(scratch, "base")
    judge(scratch, "gpt-4-0314")
    assert further(scratch, "m", "gpt-4-0314").is_file()
    found = result(scratch, None)
    assert (found["parts"][0]["baseline"], found["notes"]) == ("gpt-4-0314", [])
    done = scratch.run("show_result.py", "--bench-name", "bench", "--judge-name", "judge", "--baseline", "other")
    assert done.returncode == 2 and "against base" in done.stderr


@pytest.mark.slow
def test_caches_of_one_baseline_do_not_go_stale_with_the_other(scratch: Scratch) -> None:
    judge(scratch, "base")
    judge(scratch, "ckpt", "--limit", "4")
    first, second = result(scratch, "base"), result(scratch, "ckpt")
    judge(scratch, "ckpt")
    assert result(scratch, "base", "--load-battles")["parts"][0]["rows"] == first["parts"][0]["rows"]
    flags = ("--bench-name", "bench", "--judge-name", "judge", "--baseline", "ckpt", "--load-battles")
    assert "is stale" in scratch.run("show_result.py", *flags).stderr
    again = result(scratch, "ckpt")
    assert again["parts"][0]["rows"] != second["parts"][0]["rows"]
    judge(scratch, "base", "--redo", "m", "n")
    assert result(scratch, "ckpt", "--load-battles")["parts"][0]["rows"] == again["parts"][0]["rows"]


def without_baseline(scratch: Scratch, *models: str) -> None:
    """Judgments as the original leaves them: they name no baseline."""
    for model in models:
        file = scratch.judgment_file(model)
        plain = [{k: v for k, v in row.items() if k not in ("baseline", "settings_hash")} for row in rows(file)]
        write_rows(file, plain)


@pytest.mark.slow
def test_the_originals_records_are_told_apart_by_their_prompts(scratch: Scratch, wire: Server) -> None:
    """They name no baseline. Against another than the usual one they must not pass as judged already."""
    scratch.put_answers("gpt-4-0314", count=6)
    judge(scratch, "gpt-4-0314")
    without_baseline(scratch, *MODELS)
    assert "nothing to judge" in judge(scratch, "gpt-4-0314")
    before = scratch.judgment_file().read_bytes()
    refused = scratch.run("show_result.py", "--bench-name", "bench", "--judge-name", "judge", "--baseline", "ckpt")
    assert refused.returncode == 2 and "their prompts show the answers of gpt-4-0314" in refused.stderr
    judge(scratch, "ckpt", "--models", "m")
    assert scratch.judgment_file().read_bytes() == before
    assert len(rows(further(scratch, "m"))) == 6
    assert [row["model"] for row in result(scratch, "ckpt")["parts"][0]["rows"]] != []
    assert {row["model"] for row in result(scratch, "ckpt")["parts"][0]["rows"]} == {"m", "ckpt"}
    assert {row["model"] for row in result(scratch, None)["parts"][0]["rows"]} == {"m", "ckpt"}  # the config's
    scratch.judging["baseline_model"] = "gpt-4-0314"
    assert {row["model"] for row in result(scratch, None)["parts"][0]["rows"]} == {"m", "n", "gpt-4-0314"}


@pytest.mark.slow
def test_the_originals_records_are_believed_where_nothing_speaks_against_it(scratch: Scratch, wire: Server) -> None:
    judge(scratch, "ckpt")
    without_baseline(scratch, *MODELS)
    scratch.put_answers("gpt-4-0314", count=6)
    assert "nothing to judge" in judge(scratch, "ckpt")
    assert {row["model"] for row in result(scratch, "ckpt")["parts"][0]["rows"]} == {"m", "n", "ckpt"}


@pytest.mark.slow
def test_a_folder_whose_models_have_different_baselines_is_continued(scratch: Scratch, wire: Server) -> None:
    """As older versions left it: m against one baseline, n against another, side by side."""
    judge(scratch, "base", "--models", "m")
    judge(scratch, "ckpt", "--models", "n")
    further(scratch, "n").replace(scratch.judgment_file("n"))
    before = {model: scratch.judgment_file(model).read_bytes() for model in MODELS}
    judge(scratch, "base")
    judge(scratch, "ckpt")
    assert {model: scratch.judgment_file(model).read_bytes() for model in MODELS} == before
    for baseline in ("base", "ckpt"):
        assert {row["model"] for row in result(scratch, baseline)["parts"][0]["rows"]} == {*MODELS, baseline}


@pytest.mark.slow
def test_batches_of_one_baseline_are_apart_from_the_others(scratch: Scratch, wire: Server) -> None:
    """They are put away together when all records are written, and open ones are waited for."""
    judge(scratch, "base", "--limit", "1")
    for baseline in ("base", "ckpt"):
        judge(scratch, baseline, "--batch", code=2)  # this server takes no batches; the requests are prepared
    prepared = {file.parent.name for file in (scratch.bench / "batch").glob("*/batch.jsonl")}
    assert prepared == {"judgments by judge", "judgments by judge against ckpt"}


@pytest.mark.slow
def test_answers_rated_on_their_own_do_not_replace_judgments(scratch: Scratch) -> None:
    judge(scratch, "base")
    scratch.judging |= {"baseline": False, "prompt_template": ["Q: {question_1}\nA: {answer_1}"], "pairwise": False}
    done = scratch.run("gen_judgment.py")
    assert done.returncode == 2 and "holds judgments against base" in done.stderr


@pytest.mark.slow
def test_a_baseline_that_was_judged_itself_proves_nothing_by_its_own_answers(scratch: Scratch) -> None:
    scratch.put_answers("gpt-4-0314", count=6)
    judge(scratch, "gpt-4-0314", "--models", "ckpt", "m")
    without_baseline(scratch, "ckpt", "m")
    judge(scratch, "ckpt", "--models", "m")
    assert len(rows(further(scratch, "m"))) == 6
