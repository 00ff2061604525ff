"""How refusals in the providers' words end: whom they stop, how often they are repeated, what they show and cost."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from arena_hard.calling.calls import request_body
from arena_hard.calling.models import Model, Models
from arena_hard.calling.providers.base import host_of, without_secrets
from arena_hard.calling.providers.http import retry_after, status_error
from arena_hard.data import secrets
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.usage import Usage
from tests.support.pipeline_bench import Scratch
from tests.support.small_server import KEY, Answer, Answered, ask, completion, error
from tests.support.threaded_server import serving

OPENAI_RATE = (
    "Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 3, Used 3, Requested 1. "
    "Please try again in 20ms. Visit https://platform.openai.com/account/billing to add a payment method."
)
GEMINI = "You exceeded your current quota, please check your plan and billing details."
ONE = Usage(prompt_tokens=10, completion_tokens=20)


def gemini(seconds: str) -> Answered:
    """Google's refusal, as its OpenAI interface sends it: a list."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": seconds}
    body = {"code": 429, "message": GEMINI, "status": "RESOURCE_EXHAUSTED", "details": [info]}
    return 429, {}, [{"error": body}]


def at_first(refusal: Answered) -> Answer:
    """The refusal for the first request, good replies afterwards."""
    return lambda _, number: refusal if number == 1 else completion("fine")


# ------------------------------------------------------------------------------ passing or for good


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refusal", "seconds"),
    [
        (error(429, OPENAI_RATE, code="rate_limit_exceeded", type="requests"), 0.02),
        (error(429, f"{GEMINI} Please retry in 0.3s."), 0.3),
        (error(429, GEMINI, {"retry-after": "0.3"}), 0.3),
        (gemini("0.3s"), 0.3),
        (error(429, "Requests exceeded the call rate limit. Please retry after 1 second."), 1.0),
    ],
)
def test_a_passing_limit_is_waited_for_and_stops_nobody(refusal: Answered, seconds: float) -> None:
    start = time.monotonic()
    asked = ask(at_first(refusal), prompts=3)
    assert asked.contents == ["fine"] * 3
    assert len(asked.bodies) == 4
    assert seconds <= time.monotonic() - start < seconds + 15  # milliseconds were taken for seconds


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("Please try again in 20s. Visit", 20.0),
        ("try again in 1m30.5s.", 90.5),
        ("try again in 6m0s", 360.0),
        ("try again in 500 milliseconds", 0.5),
        ("Please retry after 26 seconds.", 26.0),
        ("Try again in 2 hours", 7200.0),
        ("try again in 5 tokens", None),
        ("please try again later", None),
    ],
)
def test_waits_in_words(text: str, wait: float | None) -> None:
    assert status_error(429, {}, {"message": text}, text).retry_after == wait
    assert status_error(429, {"retry-after": "3"}, {"message": text}, text).retry_after == 3.0
    for odd in ({"retry-after-ms": "nan"}, {"retry-after-ms": "inf"}, {"retry-after": "soon"}):
        assert not retry_after(odd)


@pytest.mark.parametrize(
    "refusal",
    [
        error(429, GEMINI, code="insufficient_quota"),
        error(429, GEMINI, {"retry-after": "1"}, code="insufficient_quota", type="insufficient_quota"),
        error(400, "Billing hard limit has been reached.", code="billing_hard_limit_reached"),
        error(402, "Pay first."),
        error(403, "Insufficient balance."),
        error(400, "Incorrect API key provided: ab***cd. You can obtain an API key from https://console.x.ai."),
        error(400, "Refused.", code="invalid_api_key"),
        (400, {}, [{"error": {"code": 400, "message": "No.", "details": [{"reason": "API_KEY_INVALID"}]}}]),
        (400, {}, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}]),
    ],
)
def test_what_holds_for_all_is_asked_once(refusal: Answered) -> None:
    asked = ask(lambda *_: refusal, prompts=40)
    assert len(asked.bodies) == 1
    assert len({str(each) for each in asked.outcomes}) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "Invalid prompt.", echoed="my billing address; is my credit balance is too low; insufficient_quota"),
        error(400, "The prompt speaks of billing."),
        error(403, "Your input was flagged."),
    ],
)
def test_what_is_refused_of_one_record_stops_no_other(refusal: Answered) -> None:
    asked = ask(at_first(refusal), prompts=3, one_by_one=True)
    assert [getattr(each, "content", None) for each in asked.outcomes] == [None, "fine", "fine"]
    assert len(asked.bodies) == 3


def test_anthropics_empty_account() -> None:
    text = "Your credit balance is too low to access the Anthropic API."
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": text}}
    asked = ask(lambda *_: (400, {}, body), prompts=20, api_type="anthropic", bases=["http://{}"])
    assert len(asked.bodies) == 1
    assert "credit balance" in asked.first.message


@pytest.mark.slow
def test_a_key_that_is_refused_slowly_is_found_before_most_are_sent() -> None:
    asked = ask(lambda *_: error(401, "No."), prompts=300, parallel=200, seconds=0.9)
    assert len(asked.bodies) <= 4


def test_one_request_larger_than_its_limit_does_not_close_the_gate() -> None:
    text = "Request too large for m on tokens per min (TPM): Limit 10,000, Requested 12,034. Reduce it."

    def answer(body: dict[str, Any], _: int) -> Answered:
        large = body["messages"][0]["content"] == "Prompt 2"
        told = {"retry-after": "50"}
        return error(429, text, told, type="tokens", code="rate_limit_exceeded") if large else completion("fine")

    start = time.monotonic()
    asked = ask(answer, prompts=6)
    assert [number for number, each in enumerate(asked.outcomes, 1) if isinstance(each, Exception)] == [2]
    assert len(asked.bodies) == 6
    assert time.monotonic() - start < 40  # a closed gate would stay so for fifty


# --------------------------------------------------------------------------------- how often


def test_a_lesson_is_learnt_once() -> None:
    refusal = error(400, "Unsupported value: 'temperature' is not supported.", param="temperature")
    asked = ask(lambda *_: refusal, extra_body={"temperature": 0.5})
    assert len(asked.bodies) == 2
    assert "not supported" in asked.first.message


def test_a_limit_in_both_forms_teaches_nothing() -> None:
    text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
    extra = {"max_tokens": 5, "max_completion_tokens": 5}
    asked = ask(lambda *_: error(400, text, param="max_tokens"), extra_body=extra)
    assert len(asked.bodies) == 1


def test_two_requests_under_way_learn_the_same_lesson() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        if "temperature" in body and number > 1:
            return error(400, "Unsupported value: 'temperature' is not supported.", param="temperature")
        return completion("fine")

    asked = ask(answer, prompts=5, seconds=0.05)
    assert asked.contents == ["fine"] * 5


@pytest.mark.parametrize("text", ["", "<think>\nno more than that\n</think>"])
def test_a_reply_without_a_text_is_asked_for_once_more_and_billed(text: str) -> None:
    asked = ask(lambda *_: completion(text))
    assert len(asked.bodies) == 2
    assert asked.first.usage == ONE + ONE
    later = ask(lambda _, number: completion(text if number == 1 else "fine"))
    assert (later.first.content, later.first.usage) == ("fine", ONE + ONE)


@pytest.mark.parametrize("api_type", ["openai", "anthropic"])
def test_half_an_emoji_is_read(api_type: str) -> None:
    if api_type == "openai":
        body: Any = b'{"choices": [{"message": {"content": "cut \\ud83d"}, "finish_reason": "length"}]}'
    else:
        body = b'{"content": [{"type": "text", "text": "cut \\ud83d"}], "stop_reason": "max_tokens"}'
    asked = ask(lambda *_: (200, {}, body), api_type=api_type)
    assert (asked.first.content, asked.first.finish_reason) == ("cut \ufffd", "length")
    assert len(asked.bodies) == 1


def test_whole_emojis_beside_half_a_one_stay_whole() -> None:
    body = b'{"choices": [{"message": {"content": "\\ud83d\\ude00 \xf0\x9f\x98\x80 \\udc00"}}]}'
    assert ask(lambda *_: (200, {}, body)).first.content == "\U0001f600 \U0001f600 \ufffd"


# ------------------------------------------------------------------------------------ more room


def roomy(wide: Callable[[int], Answered], cut: Answered) -> Answer:
    """`cut` within 100 tokens; with more, what `wide` says to the first, second, … of these requests."""
    asked = [0]

    def answer(body: dict[str, Any], _: int) -> Answered:
        if max(body["max_tokens"], body.get("max_completion_tokens", 0)) <= 100:
            return cut
        asked[0] += 1
        return wide(asked[0])

    return answer


@pytest.mark.parametrize("passing", [error(503, "overloaded"), error(429, "slow down", {"retry-after": "0.05"})])
@pytest.mark.parametrize("cut", [completion("half", "length"), completion("", "length", reasoning="hm")])
def test_more_room_is_asked_for_as_persistently_as_anything(passing: Answered, cut: Answered) -> None:
    answer = roomy(lambda number: passing if number == 1 else completion("whole"), cut)
    asked = ask(answer, retry_truncated=True)
    assert (asked.first.content, asked.first.finish_reason) == ("whole", "stop")
    assert asked.first.usage == ONE + ONE
    assert [body["max_tokens"] for body in asked.bodies] == [100, 200, 200]


def test_what_more_room_cost_in_vain_is_billed() -> None:
    empty = completion("", "length")
    assert ask(roomy(lambda _: empty, completion("half", "length")), retry_truncated=True).first.usage == ONE + ONE
    failed = ask(roomy(lambda _: empty, empty), retry_truncated=True).first
    assert "cut at max_tokens" in failed.message
    assert failed.usage == ONE + ONE
    assert ask(roomy(lambda _: empty, empty)).first.usage == ONE


def test_more_room_in_extra_body() -> None:
    asked = ask(
        roomy(lambda _: completion("whole"), completion("half", "length")),
        retry_truncated=True,
        extra_body={"max_tokens": 60, "top_k": 5},
    )
    assert [(body["max_tokens"], body["top_k"]) for body in asked.bodies] == [(60, 5), (120, 5)]


# ------------------------------------------------------------------------------------- deadlines


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    start = time.monotonic()
    asked = ask(lambda *_: error(429, "slow down", {"retry-after": "7200"}), prompts=20, deadline=50.0)
    assert time.monotonic() - start < 40
    assert len(asked.bodies) == 1
    assert {message.partition(": ")[2] for message in asked.messages} == {
        "429: slow down; the server asks to wait 2 h, longer than the deadline"
    }


@pytest.mark.slow
def test_the_deadline_holds_while_a_record_waits_for_another_try() -> None:
    start = time.monotonic()
    asked = ask(lambda *_: error(429, "slow down", {"retry-after": "0.4"}), deadline=1.0)
    assert time.monotonic() - start < 20  # without a deadline there is no end
    assert isinstance(asked.first, Exception)
    assert 1 <= len(asked.bodies) <= 3


def test_another_endpoint_takes_what_one_keeps_waiting() -> None:
    hours = error(429, "slow down", {"retry-after": "7200"})
    asked = ask(at_first(hours), prompts=6, deadline=5.0, bases=["http://{}/v1", "http://{}/other/v1"])
    assert asked.contents == ["fine"] * 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "The model `m` does not exist"),
        (400, "This model's maximum context length is 8 tokens. However, you requested 111 tokens"),
        (422, "nope"),
        (413, "too large"),
    ],
)
def test_another_endpoint_is_asked_what_one_refuses(tmp_path: Path, status: int, message: str) -> None:
    """Once each: what all refuse is not asked again."""
    asked: Counter[str] = Counter()

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.method != "POST":
            return web.Response(status=404)
        place = request.rel_url.path.split("/")[1]
        asked[place] += 1
        content = (await request.json())["messages"][0]["content"]
        if place != "good" or "Question 2?" in content:
            return web.json_response({"error": {"message": message}}, status=status)
        await asyncio.sleep(0.05)
        return web.json_response({"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]})

    with serving(answer) as root:
        made = Scratch(tmp_path, root, questions=12)
        endpoints = [{"api_base": f"{root}/{name}/v1", "api_key": "k"} for name in ("one", "two", "good")]
        made.models["m"]["endpoints"] = endpoints
        done = made.run("gen_answer.py")
    assert done.returncode == 1 and len(made.answered_ids()) == 11, done.stdout
    assert "1 × " in done.stdout, done.stdout
    assert max(asked.values()) <= 12 and asked["good"] == 12


# ------------------------------------------------------------------------- what is shown, and where


@pytest.mark.parametrize(
    "shown",
    [
        KEY,
        f"{KEY[:8]}…",
        f"{KEY[:10]}***{KEY[-3:]}",
        KEY[:-2],
        *(base64.b64encode(f"{before}{KEY}{after}".encode()).decode() for before in ("", "u:", "x") for after in "ab"),
        base64.urlsafe_b64encode(f"Bearer {KEY}".encode()).decode(),
    ],
)
def test_a_key_is_hidden_in_all_its_forms(shown: str) -> None:
    asked = ask(lambda *_: error(400, f"odd: '{shown}', yes"))
    assert asked.first.message.endswith("400: odd: '[key]', yes")


def test_words_that_are_no_keys_stay() -> None:
    for no_key in ("k", "EMPTY"):
        secrets.know(no_key)
    for text in ("a knob of keys, basic k-means", "the reply is EMPTY"):
        assert without_secrets(text) == text


def test_nothing_that_a_terminal_obeys_is_passed_on() -> None:
    asked = ask(lambda *_: error(400, "bad\x1b]0;title\x07 \x1b[2J\x1b[31mthing\x00\x08\x9b5m\u202e end\r\n2"))
    assert asked.first.message.endswith("400: bad thing5m end 2")


def test_passwords_in_urls_are_hidden() -> None:
    assert host_of("http://bob:pw@host:80/v1") == "host:80"
    assert host_of("http://bob:pw@[::1]:80/v1") == "[::1]:80"
    text = without_secrets("see https://bob:pw@host/v1?api_key=abc&x=1 and http://h/a@b?key=q")
    assert text == "see https://host/v1?api_key=[key]&x=1 and http://h/a@b?key=[key]"


def test_a_user_in_the_base_is_no_part_of_the_servers_name() -> None:
    asked = ask(lambda *_: error(400, "no"), bases=["http://bob:s3cret@{}/v1"])
    assert "s3cret" not in asked.first.message
    assert asked.first.message.startswith("127.0.0.1:")


def test_a_server_that_is_not_there_is_named_once() -> None:
    asked = ask(lambda *_: completion("x"), bases=["http://127.0.0.1:9/v1"], attempts=1)
    assert asked.first.message == "127.0.0.1:9: connection failed: Connection refused"
    ten = ask(lambda *_: completion("x"), bases=["http://127.0.0.1:9/v1"], attempts=1, prompts=12, one_by_one=True)
    assert ten.messages[-1].count("127.0.0.1") == 1
    assert "the rest was not sent" in ten.messages[-1]


@pytest.mark.parametrize(
    ("api_type", "settings", "words"),
    [
        ("openai", {"thinking": 2000}, "use reasoning_effort or extra_body"),
        ("gemini", {"thinking": 2000}, "for api_type gemini"),
        ("anthropic", {"reasoning_effort": "high"}, "use thinking"),
    ],
)
def test_a_key_without_effect_is_refused(api_type: str, settings: dict[str, Any], words: str) -> None:
    model = ModelSettings(
        name="m", model_name="m", api_type=api_type, endpoints=[EndpointSettings("http://h/v1", "k")], **settings
    )
    for use in (Models().open, lambda model: request_body(model, [{"role": "user", "content": "x"}], 0.0, 5)):
        with pytest.raises(UserError, match=words):
            use(model)


def test_two_entries_of_one_endpoint_share_the_strictest_bounds() -> None:
    def opened(*bounds: dict[str, Any]) -> list[Model]:
        models = Models()
        endpoints = [EndpointSettings("http://127.0.0.1:9/v1", "k")]
        entries = [ModelSettings(name=str(n), model_name="m", endpoints=endpoints, **b) for n, b in enumerate(bounds)]
        return [models.open(entry) for entry in entries]

    first, second = opened({"parallel": 8}, {"parallel": "auto", "requests_per_minute": 60.0})
    assert first.endpoints[0] is second.endpoints[0]
    gate = first.endpoints[0].gate
    assert (gate.width.ceiling, gate.given["requests"].per_minute, gate.given["tokens"].per_minute) == (8, 60.0, None)
