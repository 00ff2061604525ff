"""gen_judgment.py as a user runs it, against the loopback server: prompts on the wire, games, files, exit codes."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.loopback import Server
from tests.support.pipeline_bench import SYSTEM, TEMPLATE, Scratch, answer, question, rows, sent, write_rows
from tests.support.processes import wait_until


def users(wire: Server) -> list[list[str]]:
    """The texts of each request's messages, the system prompt left out."""
    return [[m["content"] for m in body["messages"] if m["role"] != "system"] for body in sent(wire)]


def judgment(number: int, *scores: str | None, **more: str) -> dict[str, Any]:
    games = [{"user_prompt": "p", "judgment": "j", "score": score} for score in scores]
    row = {"question_id": question(number)["question_id"], "model": "m", "judge": "judge", "games": games}
    return row | more


def test_two_games_with_the_answers_swapped_on_the_wire(answered: Scratch, wire: Server) -> None:
    done = answered.run("gen_judgment.py")
    assert done.returncode == 0, done.stderr
    assert "0 judgments exist,     3 to make" in done.stdout
    row = rows(answered.judgment_file())[0]
    assert list(row)[:4] == ["question_id", "model", "judge", "games"]
    assert row["baseline"] == "base"
    assert row["settings_hash"]
    first, second = row["games"]
    assert first["user_prompt"] == "Q: Question 1?\nA: base says 1\nB: m says 1"
    assert second["user_prompt"] == "Q: Question 1?\nA: m says 1\nB: base says 1"
    asked = [texts[0] for texts in users(wire)]
    assert asked.index(first["user_prompt"]) >= 0
    assert asked.index(second["user_prompt"]) >= 0
    assert len(asked) == 6
    assert wire.requests(1)[0]["body"]["messages"][0] == {"role": "system", "content": SYSTEM}
    for game in (first, second):
        assert f"[[{game['score']}]]" in game["judgment"]
        assert game["served_model"] == "judge"
        assert game["usage"]["prompt_tokens"] > 0


@pytest.mark.slow
def test_what_is_judged_is_kept(answered: Scratch, wire: Server) -> None:
    named = {"baseline": "base"}  # of judgments without texts nothing else tells it
    write_rows(answered.judgment_file(), [judgment(1, "A>B", None) | named, judgment(2, "A=B", "A=B") | named])
    before = answered.judgment_file().read_bytes()
    done = answered.run("gen_judgment.py")
    assert done.returncode == 0, done.stderr
    assert "1 unreadable" in done.stdout
    assert answered.judgment_file().read_bytes().startswith(before)
    assert wire.stats()["requests"] == 2
    assert answered.run("gen_judgment.py", "--retry-unreadable").returncode == 0
    assert wire.stats()["requests"] == 4
    assert len(rows(answered.judgment_file())) == 3


@pytest.mark.slow
def test_a_torn_answer_is_noted(answered: Scratch) -> None:
    with open(answered.answer_file("base"), "a") as stream:
        stream.write('{"question_id": "x", "mod')
    done = answered.run("gen_judgment.py")
    assert done.returncode == 0
    assert done.stderr.count("base.jsonl: the last line is incomplete and was passed over.") == 1


@pytest.mark.slow
def test_braces_arrive_unchanged(answered: Scratch, wire: Server) -> None:
    told = "{answer_2} {0} {{x}} %s ${HOME} {question_1}"
    answered.set_questions([question(1, told)])
    write_rows(answered.answer_file("m"), [answer(1, "m", "{ref_answer_1}")])
    write_rows(answered.answer_file("base"), [answer(1, "base", "{not_a_field!r:>10}")])
    assert answered.run("gen_judgment.py").returncode == 0
    expected = f"Q: {told}\nA: {{not_a_field!r:>10}}\nB: {{ref_answer_1}}"
    assert [expected] in users(wire)


def test_a_missing_verdict_is_asked_for_once_more(answered: Scratch, wire: Server) -> None:
    answered.judging["system_prompt"] = "Say nothing of labels."
    done = answered.run("gen_judgment.py", "--limit", "1")
    assert done.returncode == 0, done.stderr
    assert "without a readable verdict" in done.stdout
    row = rows(answered.judgment_file())[0]
    assert [game["score"] for game in row["games"]] == [None, None]
    dialogues = users(wire)
    assert [len(texts) for texts in dialogues] == [1, 3, 1, 3]
    assert dialogues[1][0] == dialogues[0][0]
    assert row["games"][0]["judgment"].startswith(dialogues[1][1])


@pytest.mark.slow
def test_an_ambiguous_verdict_is_not_asked_again(answered: Scratch, wire: Server) -> None:
    answered.judging["system_prompt"] = ""
    answered.judging["prompt_template"] = ["Either [[A>B]] or [[B>A]]. {question_1} {answer_1} {answer_2}"]
    wire.configure(reply="echo", auto_verdict=False)
    assert answered.run("gen_judgment.py", "--limit", "1").returncode == 0
    assert [game["score"] for game in rows(answered.judgment_file())[0]["games"]] == [None, None]
    assert wire.stats()["requests"] == 2


@pytest.mark.slow
def test_a_label_that_is_no_verdict_is_asked_for_again_and_never_written(answered: Scratch, wire: Server) -> None:
    answered.judging["system_prompt"] = ""
    answered.judging["prompt_template"] = ["The better one is [[A]]. {question_1} {answer_1} {answer_2}"]
    wire.configure(reply="echo", auto_verdict=False)
    done = answered.run("gen_judgment.py", "--limit", "1")
    assert done.returncode == 0, done.stderr
    assert "without a readable verdict" in done.stdout
    assert [game["score"] for game in rows(answered.judgment_file())[0]["games"]] == [None, None]
    assert wire.stats()["requests"] == 4


@pytest.mark.slow
def test_a_judge_that_rates_alone_keeps_its_labels(answered: Scratch, wire: Server) -> None:
    answered.judging |= {"baseline": False, "pairwise": False, "regex_pattern": r"\[\[(\d+)\]\]"}
    answered.judging |= {"system_prompt": "", "prompt_template": ["[[7]] {question_1} {answer_1}"]}
    wire.configure(reply="echo", auto_verdict=False)
    assert answered.run("gen_judgment.py").returncode == 0
    assert [game["score"] for row in rows(answered.judgment_file()) for game in row["games"]] == ["7"] * 3
    assert "unreadable" not in answered.run("gen_judgment.py").stdout


@pytest.mark.slow
def test_scores_of_others_that_are_no_verdict_can_be_judged_again(answered: Scratch, wire: Server) -> None:
    records = [judgment(1, "Error", "A>B"), judgment(2, "A>B", "A"), judgment(3, "A=B", "A<B")]
    write_rows(answered.judgment_file(), [each | {"baseline": "base"} for each in records])
    assert "2 unreadable" in answered.run("gen_judgment.py").stdout
    waves = answered.run("gen_judgment.py", "--until-width", "1")
    assert (waves.returncode, waves.stderr) == (0, ""), waves.stderr
    assert answered.run("gen_judgment.py", "--retry-unreadable").returncode == 0
    assert wire.stats()["requests"] == 4
    scores = [game["score"] for row in rows(answered.judgment_file()) for game in row["games"]]
    assert not {"Error", "A"} & set(scores)


def test_reference_answers_reach_the_judge(answered: Scratch, wire: Server) -> None:
    answered.judging |= {"reference": True, "ref_model": ["r1", "r2"]}
    answered.judging["prompt_template"] = ["{question_1}|{ref_answer_1}|{ref_answer_2}|{answer_1}|{answer_2}"]
    for name in ("r1", "r2"):
        write_rows(answered.bench / "reference_answer" / f"{name}.jsonl", [answer(1, name)])
    assert answered.run("gen_judgment.py", "--limit", "1").returncode == 0
    assert users(wire)[0] == ["Question 1?|r1 says 1|r2 says 1|base says 1|m says 1"]


@pytest.mark.slow
def test_several_templates_keep_the_order_of_their_game(answered: Scratch, wire: Server) -> None:
    answered.judging["prompt_template"] = ["A {answer_1}", "B {answer_2}"]
    assert answered.run("gen_judgment.py", "--limit", "1").returncode == 0
    assert users(wire) == [["A base says 1", "B m says 1"], ["A m says 1", "B base says 1"]]


@pytest.mark.slow
def test_a_dry_run_without_a_question_that_can_be_shown(answered: Scratch) -> None:
    write_rows(answered.answer_file("m"), [answer(1, "m")])
    write_rows(answered.answer_file("base"), [answer(2, "base")])
    done = answered.run("gen_judgment.py", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 lack an answer" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("short", ["m", "base"])
@pytest.mark.parametrize("template", ["{question_1}{question_2}{answer_1}{answer_2}{answer_3}{answer_4}", TEMPLATE])
def test_an_answer_with_fewer_turns_than_the_question(
    answered: Scratch, wire: Server, short: str, template: str
) -> None:
    answered.set_questions([question(1, "One?", "Two?"), question(2, "One?", "Two?")])
    for name in ("m", "base"):
        turns = ("1",) if name == short else ("1", "2")
        write_rows(answered.answer_file(name), [answer(1, name, *turns), answer(2, name, "1", "2")])
    answered.judging["prompt_template"] = [template]
    done = answered.run("gen_judgment.py")
    assert (done.returncode, wire.stats()["requests"]) == (1, 2), done.stderr
    assert "1 lack an answer" in done.stdout
    assert "a different number of turns than the question" in done.stdout
    assert answered.judged_ids() == [question(2)["question_id"]]


@pytest.mark.slow
def test_turns_named_by_the_template(answered: Scratch, wire: Server) -> None:
    answered.set_questions([question(1, "One?", "Two?")])
    for name in ("m", "base"):
        write_rows(answered.answer_file(name), [answer(1, name, f"{name} 1", f"{name} 2")])
    answered.judging["prompt_template"] = ["{question_1}|{question_2}|{answer_1}|{answer_2}|{answer_3}|{answer_4}"]
    assert answered.run("gen_judgment.py").returncode == 0
    assert users(wire)[0] == ["One?|Two?|base 1|base 2|m 1|m 2"]
    assert users(wire)[1] == ["One?|Two?|m 1|m 2|base 1|base 2"]


@pytest.mark.slow
def test_one_turn_templates_show_whole_dialogues(answered: Scratch, wire: Server) -> None:
    answered.set_questions([question(1, "One?", "Two?")])
    for name in ("m", "base"):
        write_rows(answered.answer_file(name), [answer(1, name, f"{name} first", f"{name} second")])
    assert answered.run("gen_judgment.py").returncode == 0
    _, a, b = users(wire)[0][0].replace("\nB: ", "\0").replace("\nA: ", "\0").split("\0")
    assert "base first" in a
    assert "base second" in a
    assert "m first" in b
    assert "m second" in b
    assert "base" not in b


@pytest.mark.slow
def test_a_failed_game_writes_nothing_and_is_asked_for_next_time(answered: Scratch, wire: Server) -> None:
    answered.models["judge"]["parallel"] = 1
    wire.script([None, "context_length"])
    done = answered.run("gen_judgment.py")
    assert done.returncode == 1
    assert "2 judgments written, 1 failed." in done.stdout
    assert "maximum context length" in done.stdout
    assert len(rows(answered.judgment_file())) == 2
    assert answered.run("gen_judgment.py").returncode == 0
    assert answered.judged_ids() == [question(number)["question_id"] for number in (1, 2, 3)]


@pytest.mark.slow
def test_an_error_mark_is_no_answer_to_judge(answered: Scratch, wire: Server) -> None:
    write_rows(answered.answer_file(), [answer(1, "m"), answer(2, "m", "$ERROR$"), answer(3, "m")])
    done = answered.run("gen_judgment.py")
    assert done.returncode == 1
    assert "1 lack an answer" in done.stdout
    assert "$ERROR$" not in str(users(wire))
    assert len(rows(answered.judgment_file())) == 2


@pytest.mark.slow
def test_two_judges_one_after_the_other(answered: Scratch, wire: Server) -> None:
    answered.add_model("other", wire.openai_base)
    answered.judging["judge_model"] = ["judge", "other"]
    assert answered.run("gen_judgment.py").returncode == 0
    folder = answered.bench / "model_judgment"
    assert [len(rows(folder / judge / "m.jsonl")) for judge in ("judge", "other")] == [3, 3]
    models = [request["model"] for request in wire.requests(100)]
    assert models == sorted(models)


@pytest.mark.slow
def test_ctrl_c_keeps_what_has_arrived(answered: Scratch, wire: Server) -> None:
    answered.models["judge"]["parallel"] = 1
    wire.script([None, None, "hang"])
    process = answered.start("gen_judgment.py")
    with process:
        wait_until(lambda: wire.stats()["requests"] == 3)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert answered.run("gen_judgment.py").returncode == 0
    assert len(set(answered.judged_ids())) == 3


@pytest.mark.slow
def test_what_a_judge_thinks_is_kept_apart(answered: Scratch, wire: Server) -> None:
    wire.configure(reasoning="think")
    assert answered.run("gen_judgment.py").returncode == 0
    games = [game for row in rows(answered.judgment_file()) for game in row["games"]]
    assert all(game["thought"] and "think>" not in game["judgment"] for game in games)
    assert all(game["score"] for game in games)
