"""What a server answers with nothing but failures: a form, or probabilities, are left out after their tries."""

from __future__ import annotations

from typing import Any

import pytest

from arena_hard.calling.doubts import Doubts
from arena_hard.calling.providers.base import CallError, Reply
from tests.loopback.constraint import form_of
from tests.support.small_server import Answered, ask, completion, error

LABELS = ("[[A>B]]", "[[B>A]]")
IN_TURN = ["json_schema", "structured_outputs", "guided_choice", "grammar"]
PAGE = b"<!DOCTYPE html><html><head><title>Service</title></head><body>Sorry</body></html>"
FAILURES: dict[str, Answered] = {
    "500": error(500, "Internal server error"),
    "an empty body": (200, {}, b""),
    "an empty object": (200, {}, {}),
    "a page": (200, {}, PAGE),
    "a page of an error": (502, {}, PAGE),
}
failing = pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)


def forms(bodies: list[dict[str, Any]]) -> list[str | None]:
    return [form_of(body) for body in bodies]


@failing
def test_a_form_that_is_only_ever_failed_is_left_out_after_its_tries(failure: Answered) -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        return completion("[[A>B]]") if form_of(body) == "guided_choice" else failure

    asked = ask(answer, 3, one_by_one=True, choices=LABELS, attempts=2)
    first = ["json_schema"] * 2 + ["structured_outputs"] * 2 + ["guided_choice"]
    once_more = ["json_schema", "structured_outputs", "guided_choice"]  # the server answers again, so it may be well
    assert forms(asked.bodies) == [*first, *once_more, "guided_choice"]  # learnt by the endpoint
    assert asked.contents == ["[[A>B]]"] * 3


def test_words_are_the_last_way_and_stay_it() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        return FAILURES["500"] if form_of(body) else completion("[[A>B]]")

    asked = ask(answer, 3, one_by_one=True, choices=LABELS, attempts=1)
    assert forms(asked.bodies) == [*IN_TURN, None, *IN_TURN, None, None]


def test_calls_side_by_side_learn_of_each_other() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        return FAILURES["500"] if form_of(body) else completion("[[A>B]]")

    asked = ask(answer, 4, choices=LABELS, attempts=3)
    assert asked.contents == ["[[A>B]]"] * 4
    assert len(asked.bodies) <= 4 * (3 * 4 + 1)


@pytest.mark.parametrize("bases", [1, 2])
def test_one_request_tries_a_form_for_all_in_flight(bases: int) -> None:
    """What ignores it is paid; at each of several endpoints one tries."""

    def answer(body: dict[str, Any], number: int) -> Answered:
        return completion("[[A>B]]" if form_of(body) in (None, "grammar") else "Both are fine.")

    asked = ask(answer, 12, seconds=0.02, choices=LABELS, parallel=12, bases=["http://{}/v1", "http://{}/v2"][:bases])
    assert asked.contents == ["[[A>B]]"] * 12
    assert all(1 <= forms(asked.bodies).count(form) <= bases for form in IN_TURN[:3])
    assert forms(asked.bodies).count("grammar") == 12


@failing
def test_so_are_probabilities(failure: Answered) -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        return failure if "logprobs" in body else completion("text")

    asked = ask(answer, 3, one_by_one=True, logprobs=True, attempts=2)
    assert ["logprobs" in body for body in asked.bodies] == [True, True, False, True, False, False]


@pytest.mark.parametrize("refusal", [(400, {}, b""), (422, {}, {}), error(400, "Bad Request"), error(501, "no")])
def test_a_refusal_without_words_is_one_of_the_probabilities(refusal: Answered) -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        return refusal if "logprobs" in body else completion("text")

    asked = ask(answer, 2, one_by_one=True, logprobs=True)
    assert [body.get("top_logprobs") for body in asked.bodies] == [20, 5, None, None]
    few = ask(lambda body, n: refusal if body.get("top_logprobs", 0) > 5 else completion("text"), logprobs=True)
    assert [body.get("top_logprobs") for body in few.bodies] == [20, 5]


def test_where_both_are_asked_for_the_forms_are_tried_again_without_the_other() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        if "logprobs" in body:
            return error(400, "Bad Request")
        return completion("[[A>B]]") if form_of(body) == "grammar" else error(400, "Bad Request")

    asked = ask(answer, 2, one_by_one=True, choices=LABELS, logprobs=True)
    assert forms(asked.bodies) == [*IN_TURN, None, *IN_TURN, None, *IN_TURN, "grammar"]
    assert [body.get("top_logprobs") for body in asked.bodies] == [20] * 5 + [5] * 5 + [None] * 5
    assert asked.contents == ["[[A>B]]"] * 2


def test_what_did_not_help_is_asked_for_again() -> None:
    """A server that is out of order for a while tells nothing of what it takes."""

    def answer(body: dict[str, Any], number: int) -> Answered:
        return completion("[[A>B]]") if number > 10 else FAILURES["500"]

    asked = ask(answer, 3, one_by_one=True, choices=LABELS, attempts=2)
    assert forms(asked.bodies)[:10] == [form for form in [*IN_TURN, None] for _ in range(2)]
    assert forms(asked.bodies)[10:] == ["json_schema"] * 2
    assert [isinstance(each, CallError) for each in asked.outcomes] == [True, False, False]


def test_a_form_is_asked_for_once_more_when_the_server_has_come_back() -> None:
    """It failed for a while, and then refused the next form: that one, and words, were not what it wanted."""

    def answer(body: dict[str, Any], number: int) -> Answered:
        if number <= 2:
            return FAILURES["500"]
        return completion('{"verdict": "[[A>B]]"}' if form_of(body) == "json_schema" else "Both are fine.")

    asked = ask(answer, 3, one_by_one=True, choices=LABELS, attempts=2)
    assert forms(asked.bodies) == ["json_schema", *IN_TURN, None, "json_schema", "json_schema"]
    assert asked.contents[1:] == ['{"verdict": "[[A>B]]"}'] * 2


@pytest.mark.parametrize("status", [503, 529])
def test_a_server_that_is_out_of_order_by_its_own_word_teaches_nothing(status: int) -> None:
    asked = ask(lambda body, number: error(status, "loading model"), 2, one_by_one=True, choices=LABELS, attempts=2)
    assert forms(asked.bodies) == ["json_schema"] * 4


def test_what_was_once_answered_well_is_not_doubted() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        return completion('{"verdict": "[[A>B]]"}') if number in (1, 4) else FAILURES["500"]

    asked = ask(answer, 3, one_by_one=True, choices=LABELS, logprobs=True, attempts=2)
    assert set(forms(asked.bodies)) == {"json_schema"}
    assert all("logprobs" in body for body in asked.bodies)
    assert [isinstance(each, Reply) for each in asked.outcomes] == [True, False, True]


@pytest.mark.parametrize(
    "problem",
    [
        CallError("transient", "connection failed", unheard=True),
        CallError("rate limit", "429: slow down"),
        CallError("transient", "503: loading model"),
        CallError("transient", "500: overloaded", busy=True),
        CallError("final", "401: wrong key", endpoint_wide=True),
        CallError("final", "400: This model's maximum context length is 10 tokens"),
        CallError("final", "400: flagged by the content filter"),
        CallError("transient", "the reply contains no text", finish_reason="length"),
    ],
)
def test_an_error_with_a_reason_of_its_own_raises_no_doubt(problem: CallError) -> None:
    body = {"model": "m", "messages": [], "logprobs": True, "top_logprobs": 20}
    assert Doubts().lesson(problem, body, frozenset(), set(), attempts=1) is None
    plain = CallError("transient", "500: boom")
    assert Doubts().lesson(plain, body, frozenset(), set(), attempts=1) == "no logprobs"
    assert Doubts().lesson(plain, body | {"logprobs": False}, frozenset(), set(), attempts=1) is None
