"""What the scripts do with replies as gateways send them: what is written, what is said, what stops a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.loopback import Server
from tests.support.batch_server import batch_server
from tests.support.odd_bodies import anthropic, openai, said
from tests.support.pipeline_bench import Scratch, rows

FIRST = f"{1:032x}"
INSUFFICIENT = {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}


def bodies(*told: Any) -> list[dict[str, Any]]:
    """Scripted faults that send these bodies, one after the other."""
    return [{"fault": "body", "body": body} for body in told]


def contents(scratch: Scratch) -> list[str]:
    return [turn["content"] for row in rows(scratch.answer_file()) for turn in row["choices"][0]["turns"]]


def remarks(stdout: str) -> list[str]:
    """What is said after a run, without its costs."""
    lines = stdout[stdout.index(" written, ") :].splitlines()
    return [
        line.strip() for line in lines if line.startswith("  ") and "requests, " not in line and "total: " not in line
    ]


@pytest.mark.slow
def test_half_an_answer_is_never_written(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"] |= {"parallel": 1, "attempts": 2}
    half = openai({"content": "half an ans"}, finish_reason="insufficient_system_resource")
    wire.script(bodies(said("first"), half, said("second"), half, half))
    done = scratch.run("gen_answer.py")
    assert done.returncode == 1
    assert contents(scratch) == ["first", "second"]
    assert "the reply broke off (finish_reason insufficient_system_resource) (after 2 tries)" in done.stdout
    assert scratch.run("gen_answer.py").returncode == 0
    assert len(contents(scratch)) == 3 and "half an ans" not in contents(scratch)


@pytest.mark.slow
def test_what_is_odd_is_said_once_after_the_run(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["parallel"] = 1
    usage = {"prompt_tokens": 3.5, "completion_tokens": 20}
    wire.script(
        bodies(
            openai({"content": "<reasoning>hm a<|im_end|>"}, finish_reason="repetition", usage=usage),
            openai({"content": "b"}, usage=usage),
            said("c\n<|im_start|>user\nAnd now?"),
        )
    )
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0, done.stderr
    assert contents(scratch) == ["<reasoning>hm a<|im_end|>", "b", "c\n<|im_start|>user\nAnd now?"]
    assert [row.get("usage") is None for row in rows(scratch.answer_file())] == [True, True, False]
    assert remarks(done.stdout) == [
        "m: unknown finish_reason in 1 answer, kept as received: repetition (1).",
        "m: fields that could not be read and were ignored, in 2 answers: usage.prompt_tokens (2, e.g. 3.5). Token "
        "counts among them are missing from the totals.",
        f"m: possible thoughts left in 1 answer: <reasoning> (1); see question {FIRST}. If they are, set "
        "end_think_token or think_pattern in the endpoint entry and rerun with --redo.",
        f"m: leftover chat-template tokens in 2 answers, kept as received: <|im_end|> (1), <|im_start|>user (1); see "
        f'question {FIRST}. stop: ["<|im_end|>", "<|im_start|>"] in the endpoint entry ends a reply before them.',
    ]
    (run,) = json.loads(scratch.answer_file().with_suffix(".manifest.json").read_text())["runs"]
    assert run["unknown_finish_reasons"] == {"repetition": {"records": 1, "example": FIRST}}
    assert run["unreadable_fields"]["usage.prompt_tokens"]["records"] == 2
    assert set(run["chat_template_remains"]) == {"<|im_end|>", "<|im_start|>user"}
    assert list(run["suspected_thoughts"]) == ["<reasoning>"]


@pytest.mark.slow
def test_an_answer_that_a_gateway_has_wrapped_is_paid_once(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["parallel"] = 1
    wire.script(bodies([said("in a list")], {"result": said([[{"text": "in lists"}]])}, json.dumps(said("in a text"))))
    done = scratch.run("gen_answer.py")
    assert done.returncode == 0, done.stdout
    assert contents(scratch) == ["in a list", "in lists", "in a text"]
    assert wire.stats()["requests"] == 3
    assert remarks(done.stdout) == []


@pytest.mark.slow
def test_a_plain_run_says_nothing_of_it(scratch: Scratch, wire: Server) -> None:
    done = scratch.run("gen_answer.py")
    assert remarks(done.stdout) == []
    manifest = json.loads(scratch.answer_file().with_suffix(".manifest.json").read_text())
    assert not {"unreadable_fields", "suspected_thoughts"} & manifest["runs"][0].keys()


@pytest.mark.slow
def test_thoughts_are_kept_and_never_judged(scratch: Scratch, wire: Server) -> None:
    scratch.models["m"]["parallel"] = 1
    channels = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>answer"
    parts = said([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "answer"}])
    wire.script(bodies(said(channels), parts, said("hm.</think>answer")))
    assert scratch.run("gen_answer.py").returncode == 0
    turns = [row["choices"][0]["turns"][0] for row in rows(scratch.answer_file())]
    assert [(turn["content"], turn["thought"].rstrip(".")) for turn in turns] == [("answer", "hm")] * 3
    scratch.put_answers("base")
    scratch.models["judge"]["parallel"] = 1
    wire.script(bodies(*[said([{"type": "thinking", "thinking": "[[B>>A]]"}, "It is [[A>B]]."])] * 6))
    assert scratch.run("gen_judgment.py").returncode == 0
    assert not any("hm" in str(request["body"]["messages"]) for request in wire.requests()[-6:])
    games = [game for row in rows(scratch.judgment_file()) for game in row["games"]]
    assert [(game["score"], game["judgment"], game["thought"]) for game in games] == [
        ("A>B", "It is [[A>B]].", "[[B>>A]]")
    ] * 6


@pytest.mark.slow
def test_a_judges_oddities_are_said_of_the_judge(scratch: Scratch, wire: Server) -> None:
    scratch.judging["model_list"] = ["m", "n"]
    scratch.put_answers("m", "n", "base", count=1)
    scratch.models["judge"]["parallel"] = 1
    wire.script(bodies(*[said("[[A>B]]<|eot_id|>")] * 4))
    done = scratch.run("gen_judgment.py", "--limit", "1")
    assert remarks(done.stdout) == [
        f"judge: leftover chat-template tokens in 2 judgments, kept as received: <|eot_id|> (2); see question {FIRST}. "
        'stop: ["<|eot_id|>"] in the endpoint entry ends a reply before them.'
    ]


@pytest.mark.slow
def test_an_empty_balance_stops_the_endpoint(scratch: Scratch, wire: Server) -> None:
    wire.configure(fault={"fault": "body", "body": INSUFFICIENT})
    done = scratch.run("gen_answer.py")
    assert done.returncode == 1
    assert wire.stats()["requests"] == 1
    assert "1008: insufficient balance" in done.stdout
    assert rows(scratch.answer_file()) == []


@pytest.mark.slow
@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_batches_bring_the_same(scratch: Scratch, api_type: str) -> None:
    """The first question comes whole, the second breaks off at first, the third comes with oddities."""
    seen: list[str] = []

    def say(body: dict[str, Any]) -> Any:
        text = str(body["messages"][-1]["content"])
        seen.append(text)
        told = {"1": "<think>hm</think>one", "2": "half" if seen.count(text) == 1 else "two", "3": "three</s>"}
        number = next(each for each in told if each in text)
        reason = {"2": "abort" if seen.count(text) == 1 else "stop", "3": "repetition"}.get(number, "stop")
        if api_type == "anthropic":
            return anthropic([told[number]], stop_reason=reason, usage={"input_tokens": "10", "output_tokens": 2.0})
        return openai(
            {"content": [told[number]]}, finish_reason=reason, usage={"prompt_tokens": "10", "completion_tokens": 2.0}
        )

    with batch_server(say) as server:
        base = server.address + ("/v1" if api_type == "openai" else "")
        scratch.models["m"] |= {"api_type": api_type, "endpoints": [{"api_base": base, "api_key": "k"}]}
        done = scratch.run("gen_answer.py", "--batch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(scratch) == ["one", "two", "three</s>"]
    assert rows(scratch.answer_file())[0]["choices"][0]["turns"][0]["thought"] == "hm"
    assert (len(server.batched), server.live) == (4, [])
    assert [row["usage"]["prompt_tokens"] for row in rows(scratch.answer_file())] == [10, 20, 10]
    said_after = "\n".join(remarks(done.stdout))
    assert "unknown finish_reason in 1 answer, kept as received: repetition (1)." in said_after
    assert ": </s> (1);" in said_after


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("end_think_token", "", "end_think_token holds an empty text"),
        ("think_pattern", "(", "think_pattern is not a regular expression"),
        ("think_pattern", ".*", "think_pattern matches an empty text"),
    ],
)
def test_tags_that_cannot_be_meant(scratch: Scratch, key: str, value: str, words: str) -> None:
    scratch.models["m"][key] = value
    done = scratch.run("gen_answer.py")
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.slow
def test_the_configs_own_tags_belong_to_the_settings(scratch: Scratch, wire: Server) -> None:
    assert scratch.run("gen_answer.py").returncode == 0
    plain = rows(scratch.answer_file())[0]["settings_hash"]
    scratch.models["m"]["end_think_token"] = "river"
    done = scratch.run("gen_answer.py")
    assert done.returncode == 2 and "--redo m" in done.stderr
    assert scratch.run("gen_answer.py", "--redo", "m").returncode == 0
    assert rows(scratch.answer_file())[0]["settings_hash"] != plain
