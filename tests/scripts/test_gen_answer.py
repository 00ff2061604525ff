"""gen_answer.py as a user runs it, against the loopback server: plan, calls on the wire, files, exit codes."""

from __future__ import annotations

import json
import re
import signal
import socket

import pytest

from tests.loopback import REASONER, Server
from tests.support.pipeline_bench import Scratch, answer, question, rows, sent, write_rows
from tests.support.processes import wait_until


def test_answers_in_the_originals_shape_with_added_keys(scratch: Scratch, wire: Server) -> None:
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0, done.stderr
    assert "0 answers exist,     3 to generate" in done.stdout
    assert "3 answers written, 0 failed." in done.stdout
    row = rows(scratch.answer_file())[0]
    assert list(row)[:5] == ["question_id", "answer_id", "model_id", "choices", "tstamp"]
    assert set(row) - set(list(row)[:5]) == {
        "finish_reason", "usage", "served_model", "settings_hash", "question_hash",
    }  # fmt: skip
    assert row["served_model"] == "m"
    assert row["usage"]["completion_tokens"] > 0
    assert scratch.answered_ids() == [question(number)["question_id"] for number in (1, 2, 3)]
    assert wire.stats()["requests"] == 3


def test_what_is_there_is_kept_and_not_asked_again(scratch: Scratch, wire: Server) -> None:
    scratch.put_answers("m", count=2)
    before = scratch.answer_file().read_bytes()
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0, done.stderr
    assert "2 answers exist,     1 to generate" in done.stdout
    assert scratch.answer_file().read_bytes().startswith(before)
    assert [body["messages"][-1]["content"] for body in sent(wire)] == ["Question 3?"]
    again = scratch.run("gen_answer.py")
    assert again.returncode == 0
    assert "Nothing to generate." in again.stdout
    assert wire.stats()["requests"] == 1


@pytest.mark.slow
def test_what_the_original_wrote_for_a_failure_is_asked_again(scratch: Scratch, wire: Server) -> None:
    write_rows(scratch.answer_file(), [answer(1, "m"), answer(2, "m", "$ERROR$"), answer(3, "m")])
    assert scratch.run("gen_answer.py").returncode == 0
    assert "$ERROR$" not in scratch.answer_file().read_text()
    assert len(scratch.answered_ids()) == 3
    assert wire.stats()["requests"] == 1


@pytest.mark.slow
def test_choices_know_nothing_of_each_other(scratch: Scratch, wire: Server) -> None:
    scratch.answers["num_choices"] = 3
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    assert [choice["index"] for choice in rows(scratch.answer_file())[0]["choices"]] == [0, 1, 2]
    assert [body["messages"] for body in sent(wire)] == [[{"role": "user", "content": "Question 1?"}]] * 3


def test_the_second_turn_carries_the_first(scratch: Scratch, wire: Server) -> None:
    scratch.set_questions([question(1, "First?", "Second?")])
    scratch.models["m"]["system_prompt"] = "Be {brief}."
    assert scratch.run("gen_answer.py").returncode == 0
    turns = [turn["content"] for turn in rows(scratch.answer_file())[0]["choices"][0]["turns"]]
    assert [(m["role"], m["content"]) for m in sent(wire)[1]["messages"]] == [
        ("system", "Be {brief}."),
        ("user", "First?"),
        ("assistant", turns[0]),
        ("user", "Second?"),
    ]
    assert len(turns) == 2


@pytest.mark.slow
def test_a_failure_is_listed_not_written_and_asked_for_next_time(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["parallel"] = 1
    wire.script([None, "content_filter_400", None])
    done = scratch.run("gen_answer.py")
    assert done.returncode == 1
    assert "2 answers written, 1 failed." in done.stdout
    assert "usage policies" in done.stdout  # the provider's own words
    assert question(2)["question_id"] in done.stdout
    assert len(scratch.answered_ids()) == 2
    assert wire.stats()["requests"] == 3  # a refusal is not repeated
    again = scratch.run("gen_answer.py")
    assert again.returncode == 0, again.stderr
    assert len(set(scratch.answered_ids())) == 3
    assert wire.stats()["requests"] == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    ["429", "500", "503", "529", "408", "cut", "cut_body", "broken_json", "html", "empty_choices", "null_content"],
)
def test_what_passes_is_asked_again(scratch: Scratch, wire: Server, fault: str) -> None:
    wire.script([{"fault": fault, "retry_after": 0.1} if fault == "429" else fault])
    done = scratch.run("gen_answer.py", "--limit", "1")
    assert done.returncode == 0, done.stdout
    assert wire.stats()["requests"] == 2
    assert wire.stats()["early"] == 0


@pytest.mark.slow
def test_a_silent_server_is_asked_again_after_the_timeout(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["timeout"] = 0.5
    wire.script(["hang"])
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    assert wire.stats()["requests"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["401", "404", "quota"])
def test_what_will_not_pass_is_found_by_the_first_request(scratch: Scratch, wire: Server, fault: str) -> None:
    scratch.set_questions([question(number) for number in range(40)])
    wire.configure(fault=fault)
    done = scratch.run("gen_answer.py")
    assert done.returncode == 1
    assert "40 failed" in done.stdout
    assert "sk-secret" not in done.stdout + done.stderr
    assert wire.stats()["requests"] == 1
    assert scratch.answered_ids() == []


@pytest.mark.slow
def test_retry_after_is_kept_by_all_requests(scratch: Scratch, wire: Server) -> None:
    scratch.set_questions([question(number) for number in range(40)])
    scratch.models["m"]["parallel"] = 16
    # opening 16 connections at once takes a busy machine longer than the usual grace
    wire.configure(latency=0.02, early_grace=0.3, faults={"429": {"rate": 0.1, "retry_after": 1.0}})
    assert scratch.run("gen_answer.py").returncode == 0
    assert len(set(scratch.answered_ids())) == 40
    stats = wire.stats()
    assert stats["429s"] > 0
    assert (stats["early"], stats["early_repeats"], stats["answered_again"]) == (0, 0, 0)


@pytest.mark.slow
def test_a_cut_answer_is_marked(scratch: Scratch, wire: Server) -> None:
    wire.script(["truncated"])
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    assert rows(scratch.answer_file())[0]["finish_reason"] == "length"


@pytest.mark.slow
def test_a_reasoning_model_is_answered_in_its_terms_learnt_once(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"] |= {"system_prompt": "Be brief.", "parallel": 1}
    wire.configure(models={"m": dict(REASONER)})
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0, done.stdout
    assert wire.stats()["requests"] == 3 + 3  # one refusal for each of the three terms
    last = sent(wire)[-1]
    assert "max_tokens" not in last
    assert "temperature" not in last
    assert last["max_completion_tokens"] == 4096
    assert last["messages"][0]["role"] == "developer"
    turn = rows(scratch.answer_file())[0]["choices"][0]["turns"][0]
    assert turn["thought"]
    assert turn["thought"] not in turn["content"]


@pytest.mark.slow
def test_keys_stay_out_of_everything(scratch: Scratch, wire: Server) -> None:
    key = "plain-looking-private-value-9876"
    scratch.models["m"]["endpoints"][0]["api_key"] = "${MY_KEY}"
    wire.script([{"fault": "400", "message": f"Your key {key} is odd."}])
    done = scratch.run("gen_answer.py", MY_KEY=key)
    assert done.returncode == 1
    assert {request["key"] for request in wire.requests()} == {key}
    written = b"".join(file.read_bytes() for file in scratch.folder.rglob("*") if file.is_file())
    assert key not in done.stdout + done.stderr
    assert key.encode() not in written


@pytest.mark.slow
def test_a_name_with_a_slash_becomes_one_safe_file(scratch: Scratch, wire: Server) -> None:
    scratch.models["org/model:1"] = scratch.models["m"]
    scratch.answers["model_list"] = ["org/model:1"]
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    assert [file.name for file in scratch.answer_file().parent.glob("*.jsonl")] == ["org%2Fmodel%3A1.jsonl"]


@pytest.mark.slow
def test_several_endpoints_share_the_load(scratch: Scratch, wire: Server) -> None:
    scratch.set_questions([question(number) for number in range(12)])
    endpoints = [{"api_base": wire.openai_base, "api_key": f"key-{number}"} for number in (1, 2)]
    scratch.models["m"] |= {"endpoints": endpoints, "parallel": 2}
    wire.configure(latency=0.05)
    assert scratch.run("gen_answer.py").returncode == 0
    assert set(wire.stats()["by_key"]) == {"key-1", "key-2"}


@pytest.mark.slow
def test_an_endpoint_that_never_answers_is_named(scratch: Scratch, wire: Server) -> None:
    """The other one makes all records, so that nothing has failed."""
    scratch.set_questions([question(number) for number in range(6)])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    scratch.models["m"] |= {"endpoints": [{"api_base": closed, "api_key": "k"}, {"api_base": wire.openai_base}]}
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0 and "6 answers written, 0 failed." in done.stdout
    assert re.search(
        r"note: m: 127\.0\.0\.1:\d+ answered none of \d+ requests? \(.*connection.*\); other endpoints did", done.stderr
    )


@pytest.mark.slow
def test_ctrl_c_keeps_what_has_arrived(scratch: Scratch, wire: Server) -> None:
    scratch.set_questions([question(number) for number in range(8)])
    wire.script([None, None, None, *["hang"] * 4])
    process = scratch.start("gen_answer.py")
    with process:
        wait_until(lambda: len(scratch.answered_ids()) == 3 and wire.stats()["requests"] == 7)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert len(scratch.answered_ids()) == 3
    assert scratch.run("gen_answer.py").returncode == 0
    assert len(set(scratch.answered_ids())) == len(scratch.answered_ids()) == 8


@pytest.mark.slow
def test_two_runs_on_one_file(scratch: Scratch, wire: Server) -> None:
    wire.script(["hang"] * 3)
    first = scratch.start("gen_answer.py")
    with first:
        wait_until(lambda: wire.stats()["requests"] > 0)
        second = scratch.run("gen_answer.py")
        first.kill()
        first.communicate()
    assert second.returncode == 2
    assert "another run" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_torn_last_line_is_repaired_and_nothing_else_lost(scratch: Scratch) -> None:
    scratch.put_answers("m", count=2)
    whole = scratch.answer_file().read_bytes()
    torn = json.dumps(answer(3, "m"))[:57].encode()
    scratch.answer_file().write_bytes(whole + torn)
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0, done.stderr
    assert "57 bytes" in done.stdout
    assert scratch.answer_file().read_bytes().startswith(whole)
    assert len(set(scratch.answered_ids())) == 3


@pytest.mark.slow
def test_other_settings_are_not_mixed_in_silence(scratch: Scratch, wire: Server) -> None:
    assert scratch.run("gen_answer.py", "--limit", "1").returncode == 0
    scratch.answers["temperature"] = 0.7
    done = scratch.run("gen_answer.py")
    assert done.returncode == 2
    assert "temperature" in done.stderr
    assert "--keep-mixed" in done.stderr
    assert scratch.run("gen_answer.py", "--keep-mixed").returncode == 0
    assert len(scratch.answered_ids()) == 3


@pytest.mark.slow
def test_a_dry_run_sends_nothing(scratch: Scratch, wire: Server) -> None:
    done = scratch.run("gen_answer.py", "--dry-run")
    assert done.returncode == 0
    assert "Question 1?" in done.stdout
    assert "sk-secret" not in done.stdout
    assert wire.stats()["requests"] == 0
    assert not scratch.answer_file().exists()
