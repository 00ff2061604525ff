"""What stands beside half an answer, or among the parts of one: a failure is told from what is harmless."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arena_hard.calling.providers.anthropic_messages import read_message
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.providers.decoding import decoded
from arena_hard.calling.providers.openai_chat import read_completion
from tests.calling.test_streamed import EVENTS, OVERLOADED
from tests.support.odd_bodies import live, openai

FAILURES: list[Any] = [
    {"base_resp": {"status_code": 1013, "status_msg": "internal"}},
    {"base_resp": {"status_code": 1013}},
    {"header": {"code": 10007, "message": "busy"}},
    {"code": 500, "message": "boom"},
    {"code": "InternalError", "message": "boom"},
    {"object": "error", "message": "boom"},
    {"status": "failed"},
    {"status": "cancelled", "message": "x"},
    {"errors": [{"message": "boom"}]},
    {"errors": ["boom"]},
    {"error": True},
    {"error": {"code": 502}},
    {"success": False},
    {"error_msg": "boom"},
    {"message": "Internal server error"},
]
HARMLESS: list[Any] = [
    {"code": 0},
    {"code": 0, "message": "ok"},
    {"code": "200", "message": "OK"},
    {"code": 10000, "message": "success"},
    {"code": 1, "msg": "操作成功"},
    {"code": "success"},
    {"status_code": 200, "code": "", "message": ""},
    {"base_resp": {"status_code": 0, "status_msg": ""}},
    {"header": {"code": 0, "message": "Success"}},
    {"status": "completed"},
    {"status": 200},
    {"success": True},
    {"message": "Request processed successfully"},
    {"title": "Capitals"},
    {"type": "ping"},
    {"detail": None, "errors": []},
    {"error": "none"},
    {"error": {"code": 0, "message": ""}},
    {"error_code": 0, "error_msg": ""},
    "ping",
]
ONLY_ALONE: list[Any] = [{"detail": "boom"}, "Internal Server Error"]  # failures where they are parts of their own
IN_DOUBT: list[Any] = [{"message": "boom"}, "the upstream has gone"]  # failures where no good end comes


def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish}]}


def streamed(*events: Any) -> Any:
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    whole = "".join(f"data: {text}\n\n" for text in [*texts, "[DONE]"])
    return read_completion(decoded(whole.encode()))


def half(finish: str | None, more: dict[str, Any]) -> dict[str, Any]:
    return openai({"content": "It is"}, finish_reason=finish, more=more)


@pytest.mark.parametrize("more", [*FAILURES, {"detail": "boom"}], ids=str)
def test_a_failure_beside_half_an_answer(more: dict[str, Any]) -> None:
    for finish in (None, "", "odd"):
        for body in (half(finish, more), [half(finish, more)], {"data": half(finish, more)}):
            with pytest.raises(CallError):
                read_completion(body)
    assert read_completion(half("stop", more)).content == "It is"


@pytest.mark.parametrize("event", [*FAILURES, *ONLY_ALONE], ids=str)
def test_a_failure_among_the_parts(event: Any) -> None:
    for events in ([event], [event, chunk("", "stop")]):
        with pytest.raises(CallError, match=r"^(?!the reply holds)"):
            streamed(chunk("It is"), *events)
    assert streamed(chunk("It is"), chunk("", "stop"), event).content == "It is"


@pytest.mark.parametrize("event", IN_DOUBT, ids=str)
def test_words_in_doubt_are_no_failure_where_the_answer_ends_well(event: Any) -> None:
    with pytest.raises(CallError):
        streamed(chunk("It is"), event)
    for events in ([event, chunk("It is")], [chunk("It is"), event]):
        assert streamed(*events, chunk("", "stop")).content == "It is"


@pytest.mark.parametrize("beside", HARMLESS, ids=str)
def test_what_is_harmless_costs_no_answer(beside: Any) -> None:
    if isinstance(beside, dict):
        assert read_completion(half(None, beside)).content == "It is"
    for events in ([chunk("It is"), beside], [beside, chunk("It is")], [chunk("It is"), beside, chunk("", "stop")]):
        assert streamed(*events).content == "It is"


def test_a_late_error_costs_no_message_of_anthropic() -> None:
    assert read_message(decoded(b"".join([*EVENTS[:-1], EVENTS[-1], OVERLOADED]))).content == "fine"


def test_an_end_without_a_reason_is_noted() -> None:
    assert streamed(chunk("It "), chunk("is")).notes == (("end", "choices.finish_reason: null"),)
    assert streamed(chunk("It "), chunk("is", "stop")).notes == ()


def test_half_an_answer_is_asked_for_again_as_any_other_error() -> None:
    failed, requests = live(half(None, {"code": 500, "message": "boom"}), attempts=3)
    assert "500: boom" in failed.message and requests == 3
