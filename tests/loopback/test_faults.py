"""What each fault looks like to the real SDKs: the exceptions and replies that adapters must know."""

from __future__ import annotations

import asyncio
import json
from email.utils import parsedate_to_datetime
from typing import Any

import anthropic
import openai
import pytest

from .faults import NAMES
from .process import Server

pytestmark = pytest.mark.slow  # a server, asked through the SDKs

MESSAGES: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sky blue?"}]

# fault -> exception, `code` of the error (openai's SDK takes it from the body)
OPENAI_ERRORS: dict[str, tuple[type[Exception], str | None]] = {
    "400": (openai.BadRequestError, None),
    "401": (openai.AuthenticationError, "invalid_api_key"),
    "404": (openai.NotFoundError, "model_not_found"),
    "408": (openai.APIStatusError, None),
    "429": (openai.RateLimitError, "rate_limit_exceeded"),
    "quota": (openai.RateLimitError, "insufficient_quota"),
    "500": (openai.InternalServerError, None),
    "502": (openai.InternalServerError, None),
    "503": (openai.InternalServerError, None),
    "504": (openai.InternalServerError, None),
    "529": (openai.InternalServerError, "overloaded"),
    "context_length": (openai.BadRequestError, "context_length_exceeded"),
    "content_filter_400": (openai.BadRequestError, "content_filter"),
    "unsupported_parameter": (openai.BadRequestError, "unsupported_parameter"),
    "hang": (openai.APITimeoutError, None),
    "slow": (openai.APITimeoutError, None),
    "cut": (openai.APIConnectionError, None),
    "cut_body": (openai.APIConnectionError, None),
    # Not an openai error: the SDK lets the parser's own exception through.
    "broken_json": (json.JSONDecodeError, None),
}

# fault -> exception, the type that Anthropic's body names
ANTHROPIC_ERRORS: dict[str, tuple[type[Exception], str | None]] = {
    "400": (anthropic.BadRequestError, "invalid_request_error"),
    "401": (anthropic.AuthenticationError, "authentication_error"),
    "404": (anthropic.NotFoundError, "not_found_error"),
    "408": (anthropic.APIStatusError, "timeout_error"),
    "429": (anthropic.RateLimitError, "rate_limit_error"),
    # Money that has run out is a 400 here, to be known by its words alone.
    "quota": (anthropic.BadRequestError, "invalid_request_error"),
    "500": (anthropic.InternalServerError, "api_error"),
    "502": (anthropic.InternalServerError, "api_error"),
    "503": (anthropic.InternalServerError, "api_error"),
    "504": (anthropic.InternalServerError, "timeout_error"),
    "529": (anthropic.InternalServerError, "overloaded_error"),
    "context_length": (anthropic.BadRequestError, "invalid_request_error"),
    "content_filter_400": (anthropic.BadRequestError, "invalid_request_error"),
    "unsupported_parameter": (anthropic.BadRequestError, "invalid_request_error"),
    "hang": (anthropic.APITimeoutError, None),
    "slow": (anthropic.APITimeoutError, None),
    "cut": (anthropic.APIConnectionError, None),
    "cut_body": (anthropic.APIConnectionError, None),
    "broken_json": (json.JSONDecodeError, None),
}

AZURE_ERRORS: dict[str, tuple[type[Exception], str | None]] = {
    "401": (openai.AuthenticationError, "401"),
    "404": (openai.NotFoundError, "DeploymentNotFound"),
    "429": (openai.RateLimitError, "429"),
    "quota": (openai.RateLimitError, "insufficient_quota"),
    "content_filter_400": (openai.BadRequestError, "content_filter"),
}


def ask_openai(wire: Server, timeout: float = 30.0, **changes: Any) -> Any:
    """One request through the OpenAI SDK; None as a value leaves a parameter out."""
    request = {"model": "m", "messages": MESSAGES, "temperature": 0.0, "max_tokens": 4000} | changes
    request = {name: value for name, value in request.items() if value is not None}

    async def call() -> Any:
        async with openai.AsyncOpenAI(base_url=wire.openai_base, api_key="sk-1", max_retries=0) as client:
            return await client.chat.completions.create(timeout=timeout, **request)

    return asyncio.run(call())


def ask_azure(wire: Server) -> Any:
    async def call() -> Any:
        client = openai.AsyncAzureOpenAI(
            azure_endpoint=wire.azure_base, api_version="2024-10-21", api_key="az-1", max_retries=0
        )
        async with client:
            return await client.chat.completions.create(model="dep", messages=MESSAGES)

    return asyncio.run(call())


def ask_anthropic(wire: Server, timeout: float = 30.0, **changes: Any) -> Any:
    """One request through the Anthropic SDK; the temperature goes through extra_body since SDK 1.0."""
    request: dict[str, Any] = {
        "model": "m",
        "messages": MESSAGES[1:],
        "system": "Be brief.",
        "max_tokens": 4000,
    }
    request |= {"extra_body": {"temperature": 0.0}} | changes

    async def call() -> Any:
        base = wire.anthropic_base
        async with anthropic.AsyncAnthropic(base_url=base, api_key="sk-ant", max_retries=0) as client:
            return await client.messages.create(timeout=timeout, **request)

    return asyncio.run(call())


def patience(fault: str) -> float:
    """A timeout that gives up only where nothing will come."""
    return 0.3 if fault in ("hang", "slow") else 30.0


def code_in(error: Exception) -> Any:
    """The code in an error's body: `error.code` of the SDK drops it where Azure sends no type beside it."""
    body = getattr(error, "body", None)
    return body.get("code") if isinstance(body, dict) else None


@pytest.mark.parametrize("fault", OPENAI_ERRORS)
def test_openai_sdk_raises(wire: Server, fault: str) -> None:
    expected, code = OPENAI_ERRORS[fault]
    wire.script([fault])
    with pytest.raises(expected) as caught:
        ask_openai(wire, timeout=patience(fault))
    assert code_in(caught.value) == code
    assert wire.stats()["faults"] == {fault: 1}
    # The fault was for one request; the next one is served.
    assert ask_openai(wire).choices[0].finish_reason == "stop"


@pytest.mark.parametrize("fault", ANTHROPIC_ERRORS)
def test_anthropic_sdk_raises(wire: Server, fault: str) -> None:
    expected, kind = ANTHROPIC_ERRORS[fault]
    wire.script([fault])
    with pytest.raises(expected) as caught:
        ask_anthropic(wire, timeout=patience(fault))
    body = getattr(caught.value, "body", None)
    assert (body["error"]["type"] if isinstance(body, dict) else None) == kind
    assert wire.stats()["faults"] == {fault: 1}
    assert ask_anthropic(wire).stop_reason == "end_turn"


@pytest.mark.parametrize("fault", AZURE_ERRORS)
def test_azure_sdk_raises(wire: Server, fault: str) -> None:
    expected, code = AZURE_ERRORS[fault]
    wire.script([fault])
    with pytest.raises(expected) as caught:
        ask_azure(wire)
    assert code_in(caught.value) == code


def test_openai_sdk_returns_what_is_no_answer(wire: Server) -> None:
    whole = ask_openai(wire).choices[0].message.content
    wire.script(["html", "empty_choices", "null_content", "empty_content", "truncated", "content_filter"])
    # A page in place of JSON comes back as a plain str, and raises nothing.
    assert ask_openai(wire).startswith("<html>")
    assert ask_openai(wire).choices == []
    assert ask_openai(wire).choices[0].message.content is None
    assert ask_openai(wire).choices[0].message.content == ""
    truncated = ask_openai(wire).choices[0]
    assert (truncated.finish_reason, truncated.message.content) == ("length", whole[: len(whole) // 2])
    assert ask_openai(wire).choices[0].finish_reason == "content_filter"


def test_anthropic_sdk_returns_what_is_no_answer(wire: Server) -> None:
    whole = ask_anthropic(wire).content[0].text
    wire.script(["html", "empty_choices", "null_content", "empty_content", "truncated", "content_filter"])
    assert ask_anthropic(wire).startswith("<html>")
    assert ask_anthropic(wire).content == []
    assert ask_anthropic(wire).content is None
    assert ask_anthropic(wire).content[0].text == ""
    truncated = ask_anthropic(wire)
    assert (truncated.stop_reason, truncated.content[0].text) == ("max_tokens", whole[: len(whole) // 2])
    assert ask_anthropic(wire).stop_reason == "refusal"


def test_every_fault_is_shown_here() -> None:
    replies = {"html", "empty_choices", "null_content", "empty_content", "truncated", "content_filter", "body"}
    assert set(OPENAI_ERRORS) | replies == set(NAMES) == set(ANTHROPIC_ERRORS) | replies


def test_any_body_can_be_sent(wire: Server) -> None:
    wire.script([{"fault": "body", "body": {"choices": [], "x": 1}}, {"fault": "body", "body": "not JSON"}])
    assert ask_openai(wire).model_extra == {"x": 1}
    with pytest.raises(ValueError):
        ask_openai(wire)


def test_slow_is_a_good_reply_for_who_waits(wire: Server) -> None:
    wire.script([{"fault": "slow", "seconds": 0.05}])
    assert ask_openai(wire).choices[0].finish_reason == "stop"
    assert wire.stats()["successes"] == 1


def test_a_page_may_come_with_an_error_status(wire: Server) -> None:
    wire.script([{"fault": "html", "status": 502}])
    with pytest.raises(openai.InternalServerError) as caught:
        ask_openai(wire)
    assert caught.value.response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("ask", [ask_openai, ask_anthropic])
@pytest.mark.parametrize("form", ["seconds", "date", "ms", "none"])
def test_retry_after_in_all_its_forms(wire: Server, form: str, ask: Any) -> None:
    wire.script([{"fault": "429", "retry_after": 7, "form": form}])
    with pytest.raises((openai.RateLimitError, anthropic.RateLimitError)) as caught:
        ask(wire)
    headers: Any = caught.value.response.headers
    told, exact = headers.get("retry-after"), headers.get("retry-after-ms")
    if form == "date":
        date = parsedate_to_datetime(headers["date"])
        assert 6 <= (parsedate_to_datetime(told) - date).total_seconds() <= 8 and exact is None
    else:
        assert (told, exact) == {"seconds": ("7", None), "ms": (None, "7000"), "none": (None, None)}[form]


def test_other_errors_tell_a_retry_after_only_when_asked_to(wire: Server) -> None:
    wire.script(["503", {"fault": "503", "retry_after": 2, "message": "Come back later."}])
    with pytest.raises(openai.InternalServerError) as first:
        ask_openai(wire)
    with pytest.raises(openai.InternalServerError, match="Come back later") as second:
        ask_openai(wire)
    assert [each.value.response.headers.get("retry-after") for each in (first, second)] == [None, "2"]


def test_a_scripted_refusal_spares_requests_without_the_parameter(wire: Server) -> None:
    wire.script([{"fault": "unsupported_parameter", "param": "temperature"}] * 2)
    with pytest.raises(openai.BadRequestError) as caught:
        ask_openai(wire)
    assert caught.value.param == "temperature"
    assert ask_openai(wire, temperature=None).choices[0].finish_reason == "stop"
    assert wire.stats()["faults"] == {"unsupported_parameter": 1}
