"""What the scripts run and leave alone, what they note of a run, and how single models are asked."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.manifest import origins
from arena_hard.data.settings import EndpointSettings, ModelSettings, short_hash
from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, answer, asked, question, question_id, rows, write_rows
from tests.support.processes import wait_until


def manifest(file: Path) -> dict[str, Any]:
    return json.loads(file.with_suffix(".manifest.json").read_text())


@pytest.fixture
def judged(answered: Scratch) -> Scratch:
    """Three judgments are there, and the answers that they are of."""
    done = answered.run("gen_judgment.py")
    assert done.returncode == 0, done.stderr
    return answered


# --------------------------------------------------------------------------------- what is chosen


def test_a_limit_takes_the_first_questions(scratch: Scratch, wire: Server) -> None:
    assert scratch.run("gen_answer.py", "--limit", "2").returncode == 0
    assert scratch.answered_ids() == [question_id(1), question_id(2)]
    assert wire.stats()["requests"] == 2


def test_a_limit_below_one(scratch: Scratch, wire: Server) -> None:
    done = scratch.run("gen_answer.py", "--limit", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--limit 0: must be at least 1" in done.stderr
    assert wire.stats()["requests"] == 0


def test_question_ids_from_a_file(scratch: Scratch, wire: Server) -> None:
    listed = scratch.folder / "ids.txt"
    listed.write_text(f"{question_id(3)}\n\n{question_id(1)}\n")
    assert scratch.run("gen_answer.py", "--question-ids", str(listed)).returncode == 0
    assert scratch.answered_ids() == [question_id(1), question_id(3)]  # in the bench's order
    assert sorted(asked(wire)) == ["Question 1?", "Question 3?"]


@pytest.mark.parametrize("script", ["gen_answer.py", "gen_judgment.py"])
def test_a_question_id_that_the_bench_has_not(scratch: Scratch, wire: Server, script: str) -> None:
    scratch.put_answers("base")
    listed = scratch.folder / "ids.txt"
    listed.write_text(f"{question_id(3)}\nnonsense\n")
    done = scratch.run(script, "--question-ids", str(listed))
    assert done.returncode == 2
    assert "entry 2, 'nonsense', is no question of this bench" in done.stderr
    assert "Traceback" not in done.stderr
    assert wire.stats()["requests"] == 0


def test_a_file_of_question_ids_that_is_not_there(scratch: Scratch) -> None:
    done = scratch.run("gen_answer.py", "--question-ids", "nowhere.txt")
    assert done.returncode == 2
    assert "nowhere.txt cannot be read" in done.stderr


def test_models_in_place_of_the_list(scratch: Scratch, wire: Server) -> None:
    assert scratch.run("gen_answer.py", "--models", "base", "judge", "base").returncode == 0
    assert wire.stats()["by_model"] == {"base": 3, "judge": 3}
    assert scratch.answered_ids() == []


def test_models_to_judge(scratch: Scratch) -> None:
    scratch.put_answers("m", "n", "base")
    assert scratch.run("gen_judgment.py", "--models", "n").returncode == 0
    assert not scratch.judgment_file("m").exists()
    assert len(rows(scratch.judgment_file("n"))) == 3


@pytest.mark.slow
def test_only_what_failed_in_the_last_run(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["parallel"] = 1
    wire.script([None, "content_filter_400"])
    assert scratch.run("gen_answer.py", "--limit", "2").returncode == 1
    again = scratch.run("gen_answer.py", "--only-failed")
    assert again.returncode == 0, again.stderr
    assert asked(wire) == ["Question 1?", "Question 2?", "Question 2?"]  # the third has not failed
    assert "Nothing to ask." in scratch.run("gen_answer.py", "--only-failed").stdout
    assert scratch.answered_ids() == [question_id(1), question_id(2)]


@pytest.mark.slow
def test_only_judgments_that_failed_in_the_last_run(scratch: Scratch, wire: Server) -> None:
    scratch.put_answers("m", "base")
    scratch.models["judge"]["parallel"] = 1
    wire.script(["context_length"])
    assert scratch.run("gen_judgment.py", "--limit", "2").returncode == 1
    (failed,) = {question_id(1), question_id(2)} - set(scratch.judged_ids())
    assert scratch.run("gen_judgment.py", "--only-failed").returncode == 0
    assert set(scratch.judged_ids()) == {question_id(1), question_id(2)}
    assert set(asked(wire)[-2:]) == {text for text in asked(wire) if f"Question {int(failed, 16)}?" in text}


@pytest.mark.slow
def test_failures_of_all_runs_stay_open_until_they_are_written(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["parallel"] = 1
    wire.script(["400", "400", None])
    assert scratch.run("gen_answer.py").returncode == 1
    assert scratch.run("gen_answer.py", "--only-failed", "--limit", "1").returncode == 0
    assert scratch.answered_ids() == [question_id(1), question_id(3)]
    assert scratch.run("gen_answer.py", "--only-failed").returncode == 0
    assert scratch.answered_ids() == [question_id(1), question_id(2), question_id(3)]
    assert "Nothing to ask." in scratch.run("gen_answer.py", "--only-failed").stdout


@pytest.mark.slow
def test_what_a_redo_failed_at_is_asked_for_again(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["parallel"] = 1
    assert scratch.run("gen_answer.py").returncode == 0
    wire.script([None, "400", "400"])
    done = scratch.run("gen_answer.py", "--redo", "m")
    assert "the same command with --only-failed asks for those" in done.stdout
    wire.script(["400"])
    assert scratch.run("gen_answer.py", "--redo", "m", "--only-failed").returncode == 1
    assert scratch.run("gen_answer.py", "--only-failed").returncode == 0
    assert asked(wire)[6:] == ["Question 2?", "Question 3?", "Question 2?"]
    assert "Nothing to ask." in scratch.run("gen_answer.py", "--redo", "m", "--only-failed").stdout


@pytest.mark.slow
def test_judgments_that_a_redo_failed_at(judged: Scratch, wire: Server) -> None:
    judged.models["judge"]["parallel"] = 1
    wire.script(["400"])
    done = judged.run("gen_judgment.py", "--redo", "m")
    assert "the same command with --only-failed asks for those" in done.stdout
    before = wire.stats()["requests"]
    assert judged.run("gen_judgment.py", "--redo", "m", "--only-failed").returncode == 0
    assert wire.stats()["requests"] == before + 2
    assert "nothing to judge" in judged.run("gen_judgment.py", "--redo", "m", "--only-failed").stdout


# ------------------------------------------------------------------------------ what is asked again


@pytest.mark.slow
def test_redo_asks_anew_what_was_made_with_other_settings(scratch: Scratch, wire: Server) -> None:
    assert scratch.run("gen_answer.py", "--limit", "2").returncode == 0
    old = scratch.answer_file().read_bytes()
    scratch.answers["temperature"] = 0.7
    done = scratch.run("gen_answer.py", "--redo", "m")
    assert done.returncode == 0, done.stderr
    assert scratch.answered_ids() == [question_id(1), question_id(2), question_id(3)]
    assert len({row["settings_hash"] for row in rows(scratch.answer_file())}) == 1
    assert sorted((scratch.answer_file().parent / "m.superseded").read_bytes().splitlines()) == sorted(old.splitlines())
    assert wire.stats()["requests"] == 2 + 3
    assert "Nothing to ask." in scratch.run("gen_answer.py").stdout


@pytest.mark.slow
def test_redo_of_equal_settings_asks_for_all(scratch: Scratch, wire: Server) -> None:
    for flags in ([], ["--redo", "m"]):
        assert scratch.run("gen_answer.py", *flags).returncode == 0
    assert wire.stats()["requests"] == 6
    assert len(scratch.answered_ids()) == 3


def test_a_redo_of_no_known_model(scratch: Scratch) -> None:
    done = scratch.run("gen_answer.py", "--redo", "mm")
    assert done.returncode == 2
    assert "Did you mean 'm'?" in done.stderr


@pytest.mark.slow
def test_judgments_with_other_settings_are_not_mixed_in_silence(judged: Scratch, wire: Server) -> None:
    before = judged.judgment_file().read_bytes()
    judged.judging["temperature"] = 0.5
    done = judged.run("gen_judgment.py")
    assert done.returncode == 2
    assert "3 of 3 records were made with other settings (temperature 0.0 → 0.5)" in done.stderr
    assert judged.judgment_file().read_bytes() == before
    assert judged.run("gen_judgment.py", "--keep-mixed").returncode == 0
    assert judged.judgment_file().read_bytes() == before
    assert wire.stats()["requests"] == 6
    assert judged.run("gen_judgment.py", "--redo", "m").returncode == 0
    assert wire.stats()["requests"] == 12
    assert (judged.judgment_file().parent / "m.superseded").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["m", "base"])
def test_judgments_of_answers_that_have_changed_are_noticed(judged: Scratch, wire: Server, changed: str) -> None:
    records = [answer(1, changed), answer(2, changed, "Something else"), answer(3, changed)]
    write_rows(judged.answer_file(changed), records)
    done = judged.run("gen_judgment.py")
    assert done.returncode == 2
    assert "1 judgments are of answers that have changed" in done.stderr
    assert "Nothing" in judged.run("gen_judgment.py", "--keep-mixed").stdout.replace("nothing", "Nothing")
    assert wire.stats()["requests"] == 6
    assert judged.run("gen_judgment.py", "--redo", "m").returncode == 0
    texts = asked(wire)[6:]
    assert len(texts) == 2
    assert all("Something else" in text for text in texts)


@pytest.mark.slow
def test_changed_answers_are_noticed_in_any_of_several_templates(scratch: Scratch, wire: Server) -> None:
    scratch.judging["prompt_template"] = ["{question_1}", "{answer_1} {answer_2}"]
    scratch.put_answers("m", "base")
    assert scratch.run("gen_judgment.py").returncode == 0
    made = rows(scratch.judgment_file())
    assert made[0]["games"][0]["user_prompt"] == "Question 1?\n\nbase says 1 m says 1"
    assert "nothing to judge" in scratch.run("gen_judgment.py").stdout
    write_rows(scratch.answer_file("m"), [answer(1, "m"), answer(2, "m", "Something else"), answer(3, "m")])
    assert "1 judgments are of answers that have changed" in scratch.run("gen_judgment.py").stderr
    for row in made:  # as earlier versions wrote it
        for game in row["games"]:
            game["user_prompt"] = game["user_prompt"].partition("\n\n")[0]
    write_rows(scratch.judgment_file(), made)
    assert "nothing to judge" in scratch.run("gen_judgment.py").stdout


# -------------------------------------------------------------------------------- what is noted


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


@pytest.mark.parametrize("text", ["{", "[]", '{"runs": null, "settings": null}', '{"runs": [7]}', "[" * 100_000])
def test_a_manifest_that_cannot_be_read(judged: Scratch, text: str) -> None:
    judged.judgment_file().with_suffix(".manifest.json").write_text(text)
    done = judged.run("gen_judgment.py", "--redo", "m")
    assert done.returncode == 2
    assert "m.manifest.json is not readable" in done.stderr


@pytest.mark.slow
def test_another_server_under_the_same_name_is_noted(scratch: Scratch, wire: Server) -> None:
    base = wire.openai_base
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    assert "note:" not in scratch.run("gen_answer.py", "--limit", "2").stdout
    there = base.replace("http://", "http://user:sk-secret@")
    scratch.models["m"]["endpoints"][0]["api_base"] = there.replace("127.0.0.1", "localhost") + "/?key=sk-secret"
    done = scratch.run("gen_answer.py", "--dry-run")
    new = base.replace("127.0.0.1", "localhost")
    assert f"records so far came from openai {base}; what is asked now comes from openai {new}." in done.stdout
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
    assert origins(ModelSettings(name="m", model_name="m", **entry)) == [origin]


def test_answers_cut_at_max_tokens_are_reported(scratch: Scratch) -> None:
    scratch.answers["max_tokens"] = 5
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0
    assert "m: 3 answers were cut at max_tokens" in done.stdout
    assert {row["finish_reason"] for row in rows(scratch.answer_file())} == {"length"}


def test_answers_cut_by_a_content_filter_are_reported(scratch: Scratch, wire: Server) -> None:
    wire.script(["content_filter"])
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0
    assert "m: 1 answers were cut by the provider's content filter" in done.stdout
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


# ---------------------------------------------------------------------------- how a model is asked


def test_a_cut_answer_is_asked_for_with_more_room(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"] |= {"retry_truncated": True, "max_tokens": 100}
    wire.script(["truncated"])
    done = scratch.run("gen_answer.py", "--limit", "1")
    assert done.returncode == 0
    assert [request["body"]["max_tokens"] for request in wire.requests()] == [100, 200]
    assert rows(scratch.answer_file())[0]["finish_reason"] == "stop"
    assert "cut at max_tokens" not in done.stdout


def test_a_cut_answer_stays_when_more_room_fails(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["retry_truncated"] = True
    wire.script(["truncated", "400"])
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    assert rows(scratch.answer_file())[0]["finish_reason"] == "length"
    assert wire.stats()["requests"] == 2


def test_a_models_own_parameters_go_over_the_wire(scratch: Scratch, wire: Server) -> None:
    own = {"top_p": 0.9, "provider": {"order": ["x"]}, "temperature": 0.25}
    scratch.models["m"] |= {"extra_body": own, "reasoning_effort": "high", "max_tokens": 77}
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    body = wire.requests(1)[0]["body"]
    assert {name: body[name] for name in own} == own
    assert (body["reasoning_effort"], body["max_tokens"]) == ("high", 77)
    ((_, settings),) = manifest(scratch.answer_file())["settings"].items()
    assert settings["extra_body"] == own
    scratch.models["m"]["reasoning_effort"] = "low"
    refused = scratch.run("gen_answer.py")
    assert refused.returncode == 2
    assert "reasoning_effort 'high' → 'low'" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("form", ["reasoning_content", "reasoning", "think"])
def test_thoughts_are_kept_apart_and_go_to_nobody(scratch: Scratch, wire: Server, form: str) -> None:
    scratch.set_questions([question(1, "First?", "Second?")])
    write_rows(scratch.answer_file("base"), [answer(1, "base", "b1", "b2")])
    wire.configure(reasoning=form)
    assert scratch.run("gen_answer.py").returncode == 0
    turns = rows(scratch.answer_file())[0]["choices"][0]["turns"]
    assert all(turn["thought"].strip() and turn["content"].strip() for turn in turns)
    assert not any(turn["thought"] in turn["content"] or "<think>" in turn["content"] for turn in turns)
    assert scratch.run("gen_judgment.py").returncode == 0
    shown = json.dumps([request["body"]["messages"] for request in wire.requests()])
    assert all(turn["content"] in shown and turn["thought"] not in shown for turn in turns)
    assert all(game["score"] for game in rows(scratch.judgment_file())[0]["games"])


# -------------------------------------------------------------------------------- when to give up


def test_an_endpoint_where_nothing_listens_is_given_up(scratch: Scratch) -> None:
    scratch.set_questions([question(number) for number in range(1, 61)])
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        scratch.add_model("m", f"http://127.0.0.1:{taken.getsockname()[1]}/v1", attempts=2)
        done = scratch.run("gen_answer.py")
    assert done.returncode == 1
    assert "0 answers written, 60 failed." in done.stdout
    assert "nothing else came, so the rest was not sent" in done.stdout
    assert "Traceback" not in done.stderr
    assert scratch.answered_ids() == []


@pytest.mark.slow
def test_an_endpoint_that_only_fails_is_not_asked_for_all(scratch: Scratch, wire: Server) -> None:
    scratch.set_questions([question(number) for number in range(1, 61)])
    scratch.models["m"] |= {"attempts": 2, "parallel": 2}
    wire.configure(fault="503")
    assert scratch.run("gen_answer.py").returncode == 1
    assert 2 * 10 <= wire.stats()["requests"] <= 2 * (10 + 2 * 2)  # ten records, and those under way
    wire.reset()
    assert scratch.run("gen_answer.py", "--only-failed").returncode == 0
    assert len(scratch.answered_ids()) == 60


def test_one_success_between_failures_goes_on(scratch: Scratch, wire: Server) -> None:
    scratch.set_questions([question(number) for number in range(1, 31)])
    scratch.models["m"] |= {"attempts": 1, "parallel": 1}
    wire.script([*["500"] * 9, None, *["500"] * 9, None])
    done = scratch.run("gen_answer.py")
    assert "12 answers written, 18 failed." in done.stdout
    assert wire.stats()["requests"] == 30
