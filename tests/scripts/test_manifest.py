"""What the scripts note of a run, in its manifest and at its end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arena_hard.calling.origins import origins, without_options
from arena_hard.data.settings import EndpointSettings, ModelSettings, short_hash
from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, manifest, question_id, rows
from tests.support.processes import wait_until


def test_the_manifest_of_answers(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["parallel"] = 1
    wire.configure(served_suffix="-2024")
    wire.script([None, "content_filter_400", "truncated"])
    assert scratch.run("gen_answer.py").returncode == 1
    noted = manifest(scratch.answer_file())
    ((name, settings),) = noted["settings"].items()
    assert {row["settings_hash"] for row in rows(scratch.answer_file())} == {name}
    assert name == short_hash(settings)
    assert (settings["model_name"], settings["temperature"], settings["max_tokens"]) == ("m", 0.0, 4096)
    (run,) = noted["runs"]
    assert (run["settings_hash"], run["written"], run["cut_at_max_tokens"]) == (name, 2, 1)
    assert list(run["failed"]) == [question_id(2)]
    assert "usage policies" in run["failed"][question_id(2)]
    assert run["served_models"] == ["m-2024"]
    assert run["system_fingerprints"] == ["fp_loopback"]
    assert run["usage"]["completion_tokens"] == sum(
        row["usage"]["completion_tokens"] for row in rows(scratch.answer_file())
    )
    assert run["started"] <= run["ended"]
    assert run["script"] == "gen_answer.py"
    assert {"openai", "msgspec"} <= set(run["packages"])
    assert "sk-secret" not in json.dumps(noted)


@pytest.mark.slow
def test_the_manifest_keeps_all_settings_and_all_runs(judged: Scratch) -> None:
    judged.judging["temperature"] = 0.5
    assert judged.run("gen_judgment.py", "--redo", "m").returncode == 0
    noted = manifest(judged.judgment_file())
    assert [settings["temperature"] for settings in noted["settings"].values()] == [0.0, 0.5]
    assert [run["written"] for run in noted["runs"]] == [3, 3]
    assert [run["settings_hash"] for run in noted["runs"]] == list(noted["settings"])
    assert all(run["usage"]["prompt_tokens"] > 0 for run in noted["runs"])


@pytest.mark.slow
@pytest.mark.parametrize("text", ["{", "[]", '{"runs": null, "settings": null}', '{"runs": [7]}', "[" * 100_000])
def test_a_manifest_that_cannot_be_read(judged: Scratch, text: str) -> None:
    judged.judgment_file().with_suffix(".manifest.json").write_text(text)
    done = judged.run("gen_judgment.py", "--redo", "m")
    assert done.returncode == 2
    assert "m.manifest.json is not valid" in done.stderr


@pytest.mark.slow
def test_another_server_under_the_same_name_is_noted(scratch: Scratch, wire: Server) -> None:
    base = wire.openai_base
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    assert "note:" not in scratch.run("gen_answer.py", "--limit", "2").stdout
    there = base.replace("http://", "http://user:sk-secret@")
    scratch.models["m"]["endpoints"][0]["api_base"] = there.replace("127.0.0.1", "localhost") + "/?key=sk-secret"
    done = scratch.run("gen_answer.py", "--dry-run")
    new = base.replace("127.0.0.1", "localhost")
    assert f"existing records came from openai {base}; new ones will come from openai {new}." in done.stdout
    scratch.models["m"]["endpoints"][0]["api_base"] = new
    assert scratch.run("gen_answer.py").returncode == 0
    runs = manifest(scratch.answer_file())["runs"]
    assert [run["endpoints"] for run in runs] == [[f"openai {base}"]] * 2 + [[f"openai {new}"]]
    assert len({run["settings_hash"] for run in runs}) == 1
    assert "note:" not in scratch.run("gen_answer.py", "--redo", "m").stdout


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ({}, "openai"),
        ({"api_type": "mistral"}, "mistral https://api.mistral.ai/v1"),
        ({"serve": "vllm serve x --api-key sk-secret --port {port}"}, "openai, served by vllm"),
        ({"endpoints": [EndpointSettings("http://b/v1/"), EndpointSettings("http://b/v1")]}, "openai http://b/v1"),
    ],
)
def test_where_replies_come_from(entry: dict[str, Any], origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    (found,) = origins(ModelSettings(name="m", model_name="m", **entry))
    assert without_options(found) == origin


def test_other_options_of_a_server_are_another_origin() -> None:
    commands = ("vllm serve x --dtype half --port {port}", "vllm serve x --quantization awq --port {port}")
    one, other = (origins(ModelSettings(name="m", model_name="m", serve=command)) for command in commands)
    assert one != other and "half" not in str(one)


@pytest.mark.slow
def test_answers_cut_at_max_tokens_are_reported(scratch: Scratch) -> None:
    scratch.answers["max_tokens"] = 5
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0
    assert "m: 3 answers were cut at max_tokens" in done.stdout
    assert {row["finish_reason"] for row in rows(scratch.answer_file())} == {"length"}


@pytest.mark.slow
def test_answers_cut_by_a_content_filter_are_reported(scratch: Scratch, wire: Server) -> None:
    wire.script(["content_filter"])
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0
    assert "m: 1 answer was cut by the provider's content filter" in done.stdout
    assert sorted(row["finish_reason"] for row in rows(scratch.answer_file())) == ["content_filter", "stop", "stop"]
    assert manifest(scratch.answer_file())["runs"][0]["cut_by_content_filter"] == 1


@pytest.mark.slow
def test_judgments_cut_at_max_tokens_are_reported(judged: Scratch) -> None:
    judged.judging["max_tokens"] = 5
    done = judged.run("gen_judgment.py", "--redo", "m")
    assert "m: 3 judgments were cut at max_tokens" in done.stdout
    games = [game for row in rows(judged.judgment_file()) for game in row["games"]]
    assert {game["finish_reason"] for game in games} == {"length"}


@pytest.mark.slow
def test_a_killed_run_stays_in_the_manifest(scratch: Scratch, wire: Server) -> None:
    wire.script([None, "400"])
    assert scratch.run("gen_answer.py", "--limit", "2").returncode == 1
    wire.configure(fault="hang")
    with scratch.start("gen_answer.py") as process:
        wait_until(lambda: wire.stats()["requests"] == 3)
        process.kill()
        process.communicate()
    first, killed = manifest(scratch.answer_file())["runs"]
    assert first["ended"] and killed["ended"] is None
    assert killed["settings_hash"] == first["settings_hash"]
    wire.configure(fault=None)
    assert scratch.run("gen_answer.py", "--only-failed").returncode == 0
    assert sorted(scratch.answered_ids()) == [
        question_id(1),
        question_id(2),
    ]  # not the third
