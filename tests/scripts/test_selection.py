"""What the scripts run and leave alone, and how single models are asked."""

from __future__ import annotations

import json
import socket

import pytest

from tests.loopback import Server
from tests.support.pipeline_bench import Scratch, answer, asked, manifest, question, question_id, rows, write_rows

# --------------------------------------------------------------------------------- what is chosen


def test_a_limit_takes_the_first_questions(scratch: Scratch, wire: Server) -> None:
    assert scratch.run("gen_answer.py", "--limit", "2").returncode == 0
    assert scratch.answered_ids() == [question_id(1), question_id(2)]
    assert wire.stats()["requests"] == 2


@pytest.mark.slow
def test_a_limit_below_one(scratch: Scratch, wire: Server) -> None:
    done = scratch.run("gen_answer.py", "--limit", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--limit 0: must be at least 1" in done.stderr
    assert wire.stats()["requests"] == 0


@pytest.mark.slow
def test_question_ids_from_a_file(scratch: Scratch, wire: Server) -> None:
    listed = scratch.folder / "ids.txt"
    listed.write_text(f"{question_id(3)}\n\n{question_id(1)}\n")
    assert scratch.run("gen_answer.py", "--question-ids", str(listed)).returncode == 0
    assert scratch.answered_ids() == [question_id(1), question_id(3)]  # in the bench's order
    assert sorted(asked(wire)) == ["Question 1?", "Question 3?"]


@pytest.mark.slow
@pytest.mark.parametrize("script", ["gen_answer.py", "gen_judgment.py"])
def test_a_question_id_that_the_bench_has_not(scratch: Scratch, wire: Server, script: str) -> None:
    scratch.put_answers("base")
    listed = scratch.folder / "ids.txt"
    listed.write_text(f"{question_id(3)}\nnonsense\n")
    done = scratch.run(script, "--question-ids", str(listed))
    assert done.returncode == 2
    assert "entry 2, 'nonsense', is not a question of this benchmark" in done.stderr
    assert "Traceback" not in done.stderr
    assert wire.stats()["requests"] == 0


@pytest.mark.slow
def test_a_file_of_question_ids_that_is_not_there(scratch: Scratch) -> None:
    done = scratch.run("gen_answer.py", "--question-ids", "nowhere.txt")
    assert done.returncode == 2
    assert "nowhere.txt cannot be read" in done.stderr


@pytest.mark.slow
def test_models_in_place_of_the_list(scratch: Scratch, wire: Server) -> None:
    assert scratch.run("gen_answer.py", "--models", "base", "judge", "base").returncode == 0
    assert wire.stats()["by_model"] == {"base": 3, "judge": 3}
    assert scratch.answered_ids() == []


@pytest.mark.slow
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
    assert "Nothing to generate." in scratch.run("gen_answer.py", "--only-failed").stdout
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
    assert "Nothing to generate." in scratch.run("gen_answer.py", "--only-failed").stdout


@pytest.mark.slow
def test_what_a_redo_failed_at_is_asked_for_again(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["parallel"] = 1
    assert scratch.run("gen_answer.py").returncode == 0
    wire.script([None, "400", "400"])
    done = scratch.run("gen_answer.py", "--redo", "m")
    assert "rerun with --only-failed to retry only those" in done.stdout
    wire.script(["400"])
    assert scratch.run("gen_answer.py", "--redo", "m", "--only-failed").returncode == 1
    assert scratch.run("gen_answer.py", "--only-failed").returncode == 0
    assert asked(wire)[6:] == ["Question 2?", "Question 3?", "Question 2?"]
    assert "Nothing to generate." in scratch.run("gen_answer.py", "--redo", "m", "--only-failed").stdout


@pytest.mark.slow
def test_judgments_that_a_redo_failed_at(judged: Scratch, wire: Server) -> None:
    judged.models["judge"]["parallel"] = 1
    wire.script(["400"])
    done = judged.run("gen_judgment.py", "--redo", "m")
    assert "rerun with --only-failed to retry only those" in done.stdout
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
    assert "Nothing to generate." in scratch.run("gen_answer.py").stdout


@pytest.mark.slow
def test_redo_of_equal_settings_asks_for_all(scratch: Scratch, wire: Server) -> None:
    for flags in ([], ["--redo", "m"]):
        assert scratch.run("gen_answer.py", *flags).returncode == 0
    assert wire.stats()["requests"] == 6
    assert len(scratch.answered_ids()) == 3


@pytest.mark.slow
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
    assert "1 judgment is of answers that have changed" in done.stderr
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
    assert "1 judgment is of answers that have changed" in scratch.run("gen_judgment.py").stderr
    for row in made:  # as earlier versions wrote it
        for game in row["games"]:
            game["user_prompt"] = game["user_prompt"].partition("\n\n")[0]
    write_rows(scratch.judgment_file(), made)
    assert "nothing to judge" in scratch.run("gen_judgment.py").stdout


# ---------------------------------------------------------------------------- how a model is asked


@pytest.mark.slow
def test_a_cut_answer_is_asked_for_with_more_room(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"] |= {"retry_truncated": True, "max_tokens": 100}
    wire.script(["truncated"])
    done = scratch.run("gen_answer.py", "--limit", "1")
    assert done.returncode == 0
    assert [request["body"]["max_tokens"] for request in wire.requests()] == [100, 200]
    assert rows(scratch.answer_file())[0]["finish_reason"] == "stop"
    assert "cut at max_tokens" not in done.stdout


@pytest.mark.slow
def test_a_cut_answer_stays_when_more_room_fails(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["retry_truncated"] = True
    wire.script(["truncated", "400"])
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    assert rows(scratch.answer_file())[0]["finish_reason"] == "length"
    assert wire.stats()["requests"] == 2


@pytest.mark.slow
def test_a_models_own_parameters_go_over_the_wire(scratch: Scratch, wire: Server) -> None:
    own = {"top_p": 0.9, "provider": {"order": ["x"]}, "temperature": 0.25}
    scratch.models["m"] |= {"extra_body": own, "reasoning_effort": "high", "max_tokens": 77}
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    body = wire.requests(1)[0]["body"]
    assert {name: body[name] for name in own} == own
    assert (body["reasoning_effort"], body["max_tokens"]) == ("high", 77)
    (settings,) = manifest(scratch.answer_file())["settings"].values()
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


@pytest.mark.slow
def test_an_endpoint_where_nothing_listens_is_given_up(scratch: Scratch) -> None:
    scratch.set_questions([question(number) for number in range(1, 61)])
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        scratch.add_model("m", f"http://127.0.0.1:{taken.getsockname()[1]}/v1", attempts=2)
        done = scratch.run("gen_answer.py")
    assert done.returncode == 1
    assert "0 answers written, 60 failed." in done.stdout
    assert "nothing else succeeded, so the rest was not sent" in done.stdout
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


@pytest.mark.slow
def test_one_success_between_failures_goes_on(scratch: Scratch, wire: Server) -> None:
    scratch.set_questions([question(number) for number in range(1, 31)])
    scratch.models["m"] |= {"attempts": 1, "parallel": 1}
    wire.script([*["500"] * 9, None, *["500"] * 9, None])
    done = scratch.run("gen_answer.py")
    assert "12 answers written, 18 failed." in done.stdout
    assert wire.stats()["requests"] == 30


# ------------------------------------------------------------------------------------ edited questions


@pytest.mark.slow
@pytest.mark.parametrize("words", [("Another question?",), ("Question 2?", "And then?")])
def test_an_answer_to_other_words_is_neither_kept_nor_judged_in_silence(
    judged: Scratch, wire: Server, words: tuple[str, ...]
) -> None:
    judged.models["m"]["parallel"] = 1
    judged.answer_file().unlink()
    judged.judgment_file().unlink()
    for script in ("gen_answer.py", "gen_judgment.py"):
        assert judged.run(script).returncode == 0
    judged.set_questions([question(1), question(2, *words), question(3)])
    judged.put_answers("base")  # of an older version: it says nothing of its questions
    before = wire.stats()["requests"]

    done = judged.run("gen_answer.py")
    assert done.returncode == 2 and "1 answer is to questions that were edited since. --redo m" in done.stderr
    done = judged.run("gen_judgment.py")
    assert done.returncode == 2 and "1 judgment is of a question that was edited since (first ask" in done.stderr
    assert "Nothing to generate." in judged.run("gen_answer.py", "--keep-mixed").stdout
    judged.judgment_file().unlink()
    done = judged.run("gen_judgment.py")
    if len(words) == 1:
        assert done.returncode == 2 and "m.jsonl: 1 answer is to questions that were edited" in done.stderr
    else:
        assert "has a different number of turns" in done.stdout
        before += 4
    assert wire.stats()["requests"] == before

    assert judged.run("gen_answer.py", "--redo", "m").returncode == 0
    assert asked(wire)[before:] == list(words)
    assert judged.run("gen_answer.py").returncode == 0
    assert "Nothing to generate." in judged.run("gen_answer.py").stdout
