"""Errors that come with status 200: in the provider's words, asked again like any error, and never an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.providers.base import CallError, without_secrets
from arena_hard.calling.providers.error_bodies import message_of
from arena_hard.calling.providers.http import error_told
from tests.support.odd_bodies import batched, live, openai
from tests.support.small_server import ask

ERRORS: list[tuple[Any, str, bool, int]] = [
    # body, words, whether it stops the endpoint, requests of four prompts with two attempts each, one after the other
    ({"object": "error", "message": "It is busy.", "type": "InternalServerError", "code": 500}, "500: It", False, 8),
    ({"object": "error", "message": "max_tokens too big", "type": "BadRequestError", "code": 400}, "400: m", False, 4),
    ({"object": "error", "message": "No such model", "type": "NotFoundError", "code": 404}, "404: No such", True, 1),
    ({"object": "error", "message": "Bad key", "type": "AuthenticationError", "code": None}, "Bad key", True, 1),
    ({"detail": "worker restarting"}, "worker restarting", False, 8),
    ({"detail": [{"loc": ["body", "messages"], "msg": "Field required", "type": "missing"}]},
     "body.messages: Field required", False, 8),
    ({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": None}, "1008: in", True, 1),
    ({"base_resp": {"status_code": 1004, "status_msg": "token not match group"}}, "1004: token not", True, 1),
    ({"base_resp": {"status_code": 1027, "status_msg": "output new_sensitive"}}, "1027: output", False, 4),
    ({"base_resp": {"status_code": 1000, "status_msg": "unknown error"}}, "1000: unknown error", False, 8),
    ({"error": {"code": "1113", "message": "账户余额不足"}}, "1113: 账户余额不足", True, 1),
    ({"code": "Arrearage", "message": "Access denied, account is not in good standing."}, "good standing", True, 1),
    ({"code": 402, "msg": "pay first"}, "402: pay first", True, 1),
    ({"error": "insufficient balance"}, "insufficient balance", True, 1),
    ({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, "current quota", True, 1),
    ({"success": False, "errors": [{"code": 7003, "message": "no route"}]}, "7003: no route", False, 8),
    ({"error_code": 17, "error_msg": "daily request limit reached"}, "17: daily", False, 8),
    ({"status": 503, "title": "Service Unavailable"}, "503: Service", False, 8),
    ([{"error": {"code": 500, "message": "internal"}}], "500: internal", False, 8),
    ({"error": {"message": "bad gateway", "code": "502"}}, "502: bad gateway", False, 8),
    ({"choices": []}, "no choices", False, 8),
    ("null", "no choices", False, 8),
    ('"oops"', "oops", False, 8),
    ('"  "', "no choices", False, 8),
    ({"error": ["the worker died", "again"]}, "the worker died", False, 8),
    ({"errors": ["insufficient balance"]}, "insufficient balance", True, 1),
]  # fmt: skip


@pytest.mark.parametrize(("body", "words", "wide", "requests"), ERRORS, ids=[row[1] for row in ERRORS])
def test_errors_with_status_200(body: Any, words: str, wide: bool, requests: int) -> None:
    raw = body.encode() if isinstance(body, str) else body
    asked = ask(lambda *_: (200, {}, raw), prompts=4, one_by_one=True, attempts=2)
    assert all(isinstance(each, CallError) and words in each.message for each in asked.outcomes), asked.first
    assert asked.first.endpoint_wide == wide
    assert len(asked.bodies) == requests


@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_errors_with_status_200_by_batch(tmp_path: Path, api_type: str) -> None:
    body = {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}
    error, requests = batched(tmp_path, body, api_type)
    assert "1008: insufficient balance" in error.message
    assert requests == 1


@pytest.mark.parametrize(
    "body",
    [
        {"type": "error", "error": {"type": "billing_error", "message": "Your credit balance is too low."}},
        {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
    ],
)
def test_anthropics_wire_tells_errors_too(body: Any) -> None:
    asked = ask(lambda *_: (200, {}, body), prompts=4, one_by_one=True, api_type="anthropic")
    assert len(asked.bodies) == 1
    assert "balance" in asked.first.message


def test_a_rate_limit_with_status_200_is_waited_for() -> None:
    told = {"base_resp": {"status_code": 1002, "status_msg": "rate limit, try again in 0.2s"}}
    asked = ask(lambda _, number: (200, {}, told if number == 1 else openai()))
    assert (asked.first.content, len(asked.bodies)) == ("fine", 2)


def test_a_refusal_with_status_200_teaches_as_any_other() -> None:
    refusal = {"object": "error", "code": 400, "message": "'temperature' is not supported with this model."}
    asked = ask(lambda body, _: (200, {}, refusal if "temperature" in body else openai()))
    assert (asked.first.content, len(asked.bodies)) == ("fine", 2)


def test_a_key_in_such_an_error_is_hidden() -> None:
    error, _ = live({"detail": "bad key sk-abcdef123456 given"}, attempts=1)
    assert "bad key [key] given" in error.message


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            422,
            {"detail": [{"loc": ["body", "messages"], "msg": "Field required"}]},
            "422: body.messages: Field required",
        ),
        (400, {"base_resp": {"status_code": 2013, "status_msg": "invalid params"}}, "400: invalid params"),
        (400, {"success": False, "errors": [{"code": 7003, "message": "no route"}]}, "400: no route"),
        (400, {"error": {"message": "Provider returned error", "metadata": {"raw": "too long"}}}, "error: too long"),
    ],
)
def test_bodies_of_that_kind_are_read_with_other_statuses_too(status: int, body: Any, words: str) -> None:
    asked = ask(lambda *_: (status, {}, body), attempts=1)
    assert words in asked.first.message


def test_what_is_no_key_is_not_hidden() -> None:
    assert without_secrets("Bearer Token requires an HTTPS endpoint") == "Bearer Token requires an HTTPS endpoint"
    assert "abc12345" not in without_secrets("Authorization: Bearer abc12345")


def test_the_description_of_an_error_of_oauth_is_shown() -> None:
    assert message_of({"error": "invalid_client", "error_description": "wrong key"}) == "wrong key"


EMPTY = [
    {"code": 30001, "message": "Sorry, your account balance is insufficient"},
    {"error": {"message": "No credits left on this account."}},
    {"error": {"message": "You have run out of credits."}},
    {"error": {"message": "Payment Required"}},
    {"message": "Quota exceeded. Please check your plan and billing details."},
    {"msg": "账户余额不足"},
    {"message": "账户欠费"},
    {"error": {"message": "用户额度不足, 剩余额度: 0"}},
    {"error": {"message": "餘額不足"}},
    {"message": "您的余额已用完"},
    {"statusCode": 402, "message": "pay first"},
    {"statusCode": "401", "message": "who are you"},
    {"detail": "Not authenticated"},
    {"error": {"message": "No auth credentials found"}},
    {"error": {"message": "无效的令牌"}},
    "Error: insufficient credits",
    # wrong keys
    {"error": {"grpcCode": 16, "httpCode": 401, "message": "Unauthorized"}},
    {"errors": [{"code": 10000, "message": "Authentication error"}]},
    {"message": "Unauthorized"},
    {"message": "401 Unauthorized"},
    {"error": "Forbidden"},
    {"error_code": 110, "error_msg": "Access token invalid or no longer valid"},
    {"message": "Invalid token"},
    {"status": "UNAUTHENTICATED", "message": "who are you"},
]
PASSING = [
    {"message": "Quota exceeded for requests per minute; see billing for more."},
    {"message": "You exceeded your current quota, please check billing. Please retry in 20s."},
    {"error": {"message": "Rate limit: not enough credits in the bucket"}},
    {"message": "The balance of load is bad; insufficient memory"},
    {"message": "no credit is given to sources"},
    {"message": "busy"},
    {"message": "401 tokens are too many"},
    {"message": "HTTP 429 Too Many Requests"},
]
OF_ONE_RECORD = [
    {"code": 400, "message": "Invalid prompt: my balance is insufficient, and login says Not authenticated"},
    {"type": "invalid_request_error", "message": "We have no credits left, says the prompt"},
]


@pytest.mark.parametrize("body", EMPTY, ids=str)
def test_an_empty_account_stops_the_endpoint_in_any_words(body: Any) -> None:
    error = error_told(body)
    assert error and (error.kind, error.endpoint_wide) == ("final", True)


@pytest.mark.parametrize("body", PASSING, ids=str)
def test_what_passes_stops_nobody(body: Any) -> None:
    error = error_told(body)
    assert error and error.kind != "final" and not error.endpoint_wide


@pytest.mark.parametrize("body", OF_ONE_RECORD, ids=str)
def test_the_words_of_a_prompt_stop_nobody(body: Any) -> None:
    error = error_told(body)
    assert error and (error.kind, error.endpoint_wide) == ("final", False)


@pytest.mark.slow
def test_a_deadline_does_not_hide_what_the_server_said() -> None:
    told = {"error": {"message": "CUDA out of memory"}}
    asked = ask(lambda *_: (500, {}, told), seconds=0.9, attempts=5, deadline=1.5)
    assert "no answer within" in asked.first.message and "CUDA out of memory" in asked.first.message
