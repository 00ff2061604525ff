"""Replies as gateways send them, through the SDKs, live and by batch: fields of odd types, and halves of answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.kept_replies import reply_from_row, reply_row
from arena_hard.calling.providers.anthropic_messages import read_message
from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.calling.providers.finish_reasons import in_our_words, tells_failure
from arena_hard.calling.providers.openai_chat import read_completion
from arena_hard.data.usage import Usage
from tests.support.odd_bodies import TEN, USAGE, anthropic, batched, by, live, openai, said
from tests.support.small_server import ask

WAYS = pytest.mark.parametrize("way", ["live", "batch"])

# ------------------------------------------------------------------------ only what is needed is read

ODD: dict[str, tuple[Any, str, Usage | None, str | None]] = {
    # name: body, answer, usage, what is noted
    "nothing odd": (openai(), "fine", TEN, None),
    "finish_reason a number": (openai(finish_reason=1), "fine", TEN, "finish_reason: 1"),
    "finish_reason an object": (openai(finish_reason={"type": "stop", "matched": 7}), "fine", TEN, None),
    "finish_reason an empty object": (openai(finish_reason={"a": 1}), "fine", TEN, 'finish_reason: {"a": 1}'),
    "finish_reason a list": (openai(finish_reason=["stop"]), "fine", TEN, None),
    "finish_reason null": (openai(finish_reason=None), "fine", TEN, "finish_reason: null"),
    "usage in floats": (openai(usage={"prompt_tokens": 10.0, "completion_tokens": 20.0}), "fine", TEN, None),
    "usage in texts": (openai(usage={"prompt_tokens": "10", "completion_tokens": "20"}), "fine", TEN, None),
    "usage in other names": (openai(usage={"input_tokens": 10, "output_tokens": 20}), "fine", TEN, None),
    "usage in halves": (
        openai(usage={"prompt_tokens": 3.5, "completion_tokens": 20}), "fine", None, "usage.prompt_tokens: 3.5"
    ),
    "usage below zero": (openai(usage=USAGE | {"completion_tokens": -1}), "fine", None, "usage.completion_tokens: -1"),
    "usage in words": (openai(usage=USAGE | {"prompt_tokens": "many"}), "fine", None, 'usage.prompt_tokens: "many"'),
    "usage a text": (openai(usage="none"), "fine", None, 'usage: "none"'),
    "usage a list": (openai(usage=[1]), "fine", None, "usage: [1]"),
    "usage empty": (openai(usage={}), "fine", None, None),
    "usage of the whole only": (openai(usage={"total_tokens": 30}), "fine", None, None),
    "details a list": (openai(usage=USAGE | {"prompt_tokens_details": [1]}), "fine", TEN, "prompt_tokens_details: [1]"),
    "details empty": (openai(usage=USAGE | {"prompt_tokens_details": []}), "fine", TEN, None),
    "details in texts": (
        openai(usage=USAGE | {"completion_tokens_details": {"reasoning_tokens": "?"}}), "fine", TEN, "reasoning_tokens"
    ),
    "reasoning an object": (said("fine", reasoning={"effort": "low"}), "fine", TEN, "reasoning"),
    "reasoning a number": (said("fine", reasoning=3), "fine", TEN, "reasoning: 3"),
    "refusal false": (said("fine", refusal=False), "fine", TEN, None),
    "refusal alone": (said(None, refusal="I will not."), "I will not.", TEN, None),
    "content a list of texts": (said(["fi", "ne"]), "fine", TEN, None),
    "parts without a type": (said([{"text": "fi"}, {"text": "ne"}]), "fine", TEN, None),
    "parts of output_text": (said([{"type": "output_text", "text": "fine", "annotations": []}]), "fine", TEN, None),
    "parts in objects": (said([{"type": "text", "text": {"value": "fine"}}]), "fine", TEN, None),
    "parts of another type": (said([{"type": "md", "text": "fine"}]), "fine", TEN, 'content.type: "md"'),
    "parts and null": (said([None, {"type": "text", "text": "fine"}, 7]), "fine7", TEN, "content: 7"),
    "content an object": (said({"type": "text", "text": "fine"}), "fine", TEN, None),
    "content a number": (said(42), "42", TEN, "content: 42"),
    "content of parts": (said({"parts": [{"text": "fi"}, {"text": "ne"}]}), "fine", TEN, None),
    "content an object with a text": (said({"answer": "fine", "n": 1}), "fine", TEN, 'content: {"answer": "fine"'),
    "content an object with a number": (said({"answer": 42}), "42", TEN, 'content: {"answer": 42}'),
    "content an object of texts": (
        said({"verdict": "A", "why": "b"}), '{"verdict": "A", "why": "b"}', TEN, 'content: {"verdict": "A"'
    ),
    "messages": (
        openai(more={"choices": [{"messages": [{"sender_type": "USER", "text": "no"}, {"text": "fine"}]}]}),
        "fine", TEN, None,
    ),
    "a completion in a list": ([openai()], "fine", TEN, None),
    "a completion in a text": (json.dumps(json.dumps(openai())), "fine", TEN, None),
    "a number in a part": (said([{"type": "text", "text": 4}]), "4", TEN, "content.text: 4"),
    "model a number": (openai(more={"model": 4}), "fine", TEN, "model: 4"),
    "fingerprint a list": (openai(more={"system_fingerprint": [1]}), "fine", TEN, "system_fingerprint: [1]"),
    "choices an object": (openai(more={"choices": openai()["choices"][0]}), "fine", TEN, None),
    "message a text": (openai("fine"), "fine", TEN, None),
    "the older completions": (openai(more={"choices": [{"text": "fine", "finish_reason": "stop"}]}), "fine", TEN, None),
    "error null": (openai(more={"error": None, "base_resp": {"status_code": 0, "status_msg": ""}}), "fine", TEN, None),
    "error beside a good end": (openai(more={"error": {"message": "", "code": 0}}), "fine", TEN, None),
    "logprobs odd": (openai(logprobs="none", index="0"), "fine", TEN, None),
}  # fmt: skip

ODD_ANTHROPIC: dict[str, tuple[Any, str, Usage | None, str | None]] = {
    "nothing odd": (anthropic([{"type": "text", "text": "fine"}]), "fine", TEN, None),
    "content a text": (anthropic(), "fine", TEN, None),
    "content of texts": (anthropic(["fi", "ne"]), "fine", TEN, None),
    "blocks without a type": (anthropic([{"text": "fine"}]), "fine", TEN, None),
    "other blocks": (anthropic([{"type": "tool_use"}, {"type": "text", "text": "fine"}]), "fine", TEN, None),
    "a number in a block": (anthropic([{"type": "text", "text": 4}]), "4", TEN, "content.text: 4"),
    "stop_reason a number": (anthropic(stop_reason=1), "fine", TEN, "stop_reason: 1"),
    "usage in floats": (anthropic(usage={"input_tokens": 10.0, "output_tokens": "20"}), "fine", TEN, None),
    "usage in halves": (anthropic(usage={"input_tokens": 1.5, "output_tokens": 2}), "fine", None, "input_tokens: 1.5"),
    "cache in words": (
        anthropic(usage={"input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": "?"}), "fine", None, "cache"
    ),
    "model a list": (anthropic(model=["m"]), "fine", TEN, "model"),
}  # fmt: skip
WRAPPED = {
    "completions in a list": ([{"meta": 1}, openai(), openai()], "fine", TEN, None),
    "a completion in an object": ({"success": True, "result": openai()}, "fine", TEN, None),
    "lists in lists": (openai(more={"choices": [[{"message": [{"content": [["fine"]]}]}]]}), "fine", TEN, None),
    "parts in lists": (said([[{"type": "text", "text": "fi"}], ["ne"]]), "fine", TEN, None),
    "a part of a stream": (
        openai(more={"choices": [{"delta": {"content": "fine"}, "finish_reason": "stop"}]}), "fine", TEN, None
    ),
}  # fmt: skip
TABLE = [("openai", *row) for row in ODD.items()] + [("anthropic", *row) for row in ODD_ANTHROPIC.items()]


@WAYS
@pytest.mark.parametrize(("api_type", "name", "row"), TABLE, ids=[f"{api_type}: {name}" for api_type, name, _ in TABLE])
def test_an_odd_field_costs_no_answer(tmp_path: Path, way: str, api_type: str, name: str, row: Any) -> None:
    body, answer, usage, noted = row
    reply, requests = by(way, tmp_path, body, api_type)
    assert not isinstance(reply, Exception), reply
    assert (reply.content, requests) == (answer, 1)
    told = reply.usage and Usage(reply.usage.prompt_tokens, reply.usage.completion_tokens)
    assert told == usage
    if noted is None:
        assert reply.notes == ()
    else:
        assert len(reply.notes) == 1 and noted in reply.notes[0][1], reply.notes


@pytest.mark.parametrize("name", WRAPPED)
def test_a_completion_is_found_within_others(name: str) -> None:
    body, answer, usage, _ = WRAPPED[name]
    reply = read_completion(body)
    assert (reply.content, reply.usage, reply.notes) == (answer, usage, ())


@pytest.mark.parametrize("content", [[[{"type": "text", "text": "fine"}]], [{"text": "fi"}, ["ne"]]])
def test_blocks_and_messages_in_lists(content: Any) -> None:
    assert read_message([anthropic(content)]).content == "fine"


@pytest.mark.parametrize("content", [{}, {"answer": ""}, {"image_url": {"url": "x"}}])
def test_an_object_without_a_text_is_no_answer(content: Any) -> None:
    assert read_completion(said(content)).content == ""


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ('\ufeff{"choices": [{"message": {"content": "fine"}}]}', "fine"),
        ('{"choices": [{"message": {"content": "fine"}, "score": NaN}]}', "fine"),
        ('{"choices": [{"message": {"content": "a\nb\tc"}}]}', "a\nb\tc"),
        (b'{"choices": [{"message": {"content": "caf\xe9"}}]}', "caf\ufffd"),
        ('\n\n {"choices": [{"message": {"content": "fine"}}]} \n', "fine"),
    ],
)
def test_json_that_is_nearly_json(raw: Any, answer: str) -> None:
    reply, requests = live(raw)
    assert (reply.content, requests) == (answer, 1)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4}}, Usage(10, 20, 4)),
        ({"prompt_tokens_details": {"cached_tokens": 40}}, Usage(50, 20, 40)),
        ({"prompt_tokens_details": {"cached_tokens": 4}, "total_tokens": 34}, Usage(10, 20, 4)),
        ({"completion_tokens_details": {"reasoning_tokens": 20}}, Usage(10, 20, reasoning_tokens=20)),
        ({"completion_tokens_details": {"reasoning_tokens": 21}}, Usage(10, 41, reasoning_tokens=21)),
        ({"completion_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 35}, Usage(10, 25, reasoning_tokens=5)),
        ({"total_tokens": 530}, Usage(10, 520, reasoning_tokens=500)),
        ({"total_tokens": 3}, Usage(10, 20)),
    ],
)
def test_tokens_beside_the_others_are_paid_for_too(more: dict[str, Any], expected: Usage) -> None:
    assert read_completion(openai(usage=USAGE | more)).usage == expected


def test_half_an_emoji_in_a_batch_costs_no_other_line(tmp_path: Path) -> None:
    reply, requests = batched(
        tmp_path, '{"choices": [{"message": {"content": "cut \\ud83d"}, "finish_reason": "length"}]}'
    )
    assert (reply.content, reply.finish_reason, requests) == ("cut \ufffd", "length", 1)


def test_notes_outlive_a_run() -> None:
    reply = Reply("a", "stop", None, "m", key="k", notes=(("field", "usage: 3"), ("template", "</s>")))
    assert reply_from_row(json.loads(json.dumps(reply_row(reply)))) == reply
    plain = Reply("a", "stop", None, "m", key="k")
    assert "notes" not in reply_row(plain) and reply_from_row(reply_row(plain)) == plain


# ------------------------------------------------------------------------------------- broken off

FAILURES = [
    "error", "ERROR", "abort", "aborted", "insufficient_system_resource", "network_error", "malformed_function_call",
    "function_call_filter: MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "unexpected_end", "cancelled", "canceled",
    "timeout", "server_error", "internal_error", "failed", "engine_overloaded", "interrupted", "TooManyRequestsError",
    "server_shutdown", "shutdown", "killed", "process killed", "worker_crashed", "TIME_LIMIT", "FinishReason.ERROR",
    "resource-exhausted", "upstream error", "unavailable", "rate_limit_exceeded", "deadline_exceeded",
    "stop: cancelled", "connection_reset", "terminated", "oom", "quota_exceeded", "budget_exceeded", "internal",
    "incomplete", "503", "429", "dropped", "stop: error", "error_no_memory", "bad_gateway", "throttled", "broken_pipe",
]  # fmt: skip


@pytest.mark.parametrize("reason", FAILURES)
def test_what_tells_of_failure(reason: str) -> None:
    assert tells_failure(reason)


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        (None, "stop"), ("stop", "stop"), ("STOP", "stop"), ("end_turn", "stop"), ("eos", "stop"), ("COMPLETE", "stop"),
        ("stop_sequence", "stop"), ("MAX_TOKENS", "length"), ("max_tokens", "length"), ("model_length", "length"),
        ("model_context_window_exceeded", "length"), ("SAFETY", "content_filter"), ("refusal", "content_filter"),
        ("content-filter", "content_filter"), ("content_filter: PROHIBITED_CONTENT", "content_filter"),
        ("sensitive", "content_filter"), ("tool_calls", "tool_calls"), ("pause_turn", "pause_turn"),
        ("repetition", "repetition"), ("OTHER", "OTHER"), ("unknown", "unknown"), ("terror", "terror"),
        ("FinishReason.MAX_TOKENS", "length"), ("max_tokens_reached", "length"), ("token_limit", "length"),
        ("TOKEN_LIMIT_REACHED", "length"), ("FinishReason.STOP", "stop"), ("FINISH_REASON_STOP", "stop"),
        ("<FinishReason.STOP: 1>", "stop"), ("FINISH_REASON_SAFETY", "content_filter"), ("stopped", "stop"),
        ("eosFound", "stop"), ("FinishReason.OTHER", "FinishReason.OTHER"), ("overkill", "overkill"), ("x.y", "x.y"),
        ("no_error", "stop"), ("NoError", "stop"), ("SUCCESS", "stop"), ("no_errors_seen", "no_errors_seen"),
        ("ERROR_NONE", "stop"), ("ERROR: none", "stop"), ("stop_error_free", "stop"), ("NO_ERROR", "stop"),
        ("incomplete: max_output_tokens", "length"), ("token_budget_exceeded", "length"), ("stop: 5034", "stop"),
        ("internalized", "internalized"), ("broker", "broker"), ("terminated_by_eos", "terminated_by_eos"),
    ],
)  # fmt: skip
def test_reasons_in_our_words(reason: str | None, ours: str) -> None:
    assert in_our_words(reason) == ours
    assert not tells_failure(reason)


def half(reason: Any, **more: Any) -> dict[str, Any]:
    return openai({"content": "half an ans"}, finish_reason=reason, **more)


BROKEN = [
    ("openai", half("error"), "finish_reason error"),
    ("openai", half("insufficient_system_resource"), "insufficient_system_resource"),
    ("openai", half("abort"), "abort"),
    ("openai", half({"type": "abort"}), "abort"),
    ("openai", half(503), "503"),
    ("openai", half(None, more={"base_resp": {"status_code": 1013, "status_msg": "internal"}}), "internal"),
    ("openai", half({"type": "abort", "message": "the worker died", "status_code": 503}), "503: the worker died"),
    ("openai", half("stop", native_finish_reason="MALFORMED_FUNCTION_CALL"), "MALFORMED_FUNCTION_CALL"),
    ("openai", half(None, native_finish_reason="network_error"), "network_error"),
    ("openai", half("stop", provider_specific_fields={"native_finish_reason": "insufficient_system_resource"}),
     "insufficient_system_resource"),
    ("openai", half("error", error={"code": 502, "message": "Provider returned error",
                                    "metadata": {"raw": "upstream reset"}}),
     "502: Provider returned error: upstream reset"),
    ("openai", half(None, more={"error": {"message": "stream broke", "code": 500}}), "500: stream broke"),
    ("anthropic", anthropic("half an ans", stop_reason="error"), "finish_reason error"),
    ("anthropic", anthropic("half an ans", stop_reason={"type": "abort"}), "abort"),
    ("anthropic", anthropic("half an ans", stop_reason=None, error={"message": "cut", "type": "api_error"}), "cut"),
]  # fmt: skip


@WAYS
@pytest.mark.parametrize(("api_type", "body", "words"), BROKEN, ids=[f"{row[0]}: {row[2]}" for row in BROKEN])
def test_half_an_answer_is_none(tmp_path: Path, way: str, api_type: str, body: Any, words: str) -> None:
    error, requests = by(way, tmp_path, body, api_type, **({"attempts": 4} if way == "live" else {}))
    assert isinstance(error, CallError) and words in error.message
    assert requests == 4  # as often as any passing error, and every time it is paid for
    assert error.usage and error.usage.completion_tokens == 4 * 20


@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_what_broke_off_is_asked_for_again(api_type: str) -> None:
    whole = {"openai": [half("abort"), openai()], "anthropic": [anthropic("ha", stop_reason="abort"), anthropic()]}
    asked = ask(lambda _, number: (200, {}, whole[api_type][number - 1]), api_type=api_type)
    assert (asked.first.content, len(asked.bodies)) == ("fine", 2)
    assert asked.first.usage == TEN + TEN


def test_an_abort_that_will_always_come_is_asked_for_once() -> None:
    reason = {"type": "abort", "message": "The input is too long.", "status_code": 400, "err_type": "BadRequestError"}
    error, requests = live(half(reason))
    assert (error.kind, requests) == ("final", 1)
    assert "400: The input is too long." in error.message


@WAYS
def test_a_reason_that_is_not_known_is_kept(tmp_path: Path, way: str) -> None:
    reply, _ = by(way, tmp_path, openai(finish_reason="repetition"))
    assert (reply.finish_reason, reply.notes) == ("repetition", (("finish", "repetition"),))


def test_words_of_servers_are_printable() -> None:
    body = openai(
        finish_reason="x\x1b[2Jy\ny\ud83d", more={"model": "m\x1b]0;t\x07\r2", "system_fingerprint": "\u202ef"}
    )
    reply, _ = live(json.dumps(body).encode())
    assert (reply.finish_reason, reply.served_model, reply.fingerprint) == ("xy y\ufffd", "m 2", "f")
    assert reply.notes == (("finish", "xy y\ufffd"),)
    error, _ = live(
        json.dumps(body | {"choices": [{"message": {"content": ""}, "finish_reason": "\x1b[2Jz"}]}), attempts=1
    )
    assert "(finish_reason z)" in error.message
