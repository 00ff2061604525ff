"""Whatever JSON stands in a field that an answer does not need, the answer is had: it is paid for."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena_hard.calling.providers.anthropic_messages import read_message
from arena_hard.calling.providers.base import Reply, Token
from arena_hard.calling.providers.bedrock import read_response
from arena_hard.calling.providers.decoding import decoded
from arena_hard.calling.providers.openai_chat import read_completion
from arena_hard.calling.providers.token_odds import tokens_in
from arena_hard.calling.reading import read_reply
from arena_hard.data.settings import ModelSettings
from arena_hard.data.verdicts import LABELS
from arena_hard.judging.label_probabilities import odds, odds_of_label

NUMBERS = {str(number): label for number, label in enumerate(LABELS, 1)}
NAMES = ["content", "token", "logprob", "top_logprobs", "tokens", "token_logprobs", "bytes", "text", "type", "thinking",
         "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "prompt_tokens_details", "data",
         "cached_tokens", "signature", "summary"]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["A", "2", "[[", "", "²", "-0.5"])
ANYTHING = st.recursive(
    SCALARS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.fixed_dictionaries(
    {"token": st.sampled_from(["[[", "A", ">", "2"]) | SCALARS, "logprob": SCALARS},
    optional={"top_logprobs": ANYTHING | st.lists(ANYTHING, max_size=2)},
)
LOGPROBS = ANYTHING | st.fixed_dictionaries(
    {}, optional={name: st.lists(ANYTHING | ROWS, max_size=3) for name in ("content", "tokens", "token_logprobs")}
)
OPENAI = st.sampled_from(
    [("usage",), ("system_fingerprint",), ("model",), ("service_tier",), ("id",), ("created",), ("provider",),
     ("choices", 0, "logprobs"), ("choices", 0, "stop_reason"), ("choices", 0, "content_filter_results"),
     ("choices", 0, "index"), ("choices", 0, "native_finish_reason"), ("choices", 0, "provider_specific_fields"),
     *(("choices", 0, "message", name) for name in
       ("annotations", "reasoning", "reasoning_content", "reasoning_details", "thinking", "refusal", "tool_calls",
        "function_call", "audio", "role", "name", "provider_specific_fields", "citations"))]
)  # fmt: skip
ANTHROPIC = st.sampled_from([("usage",), ("model",), ("id",), ("stop_sequence",), ("container",), ("role",)])
FEW = settings(max_examples=30)
BEDROCK = st.sampled_from([("usage",), ("metrics",), ("trace",), ("performanceConfig",), ("output", "message", "role")])


def completion() -> dict[str, Any]:
    message = {"role": "assistant", "content": "[[A>B]]"}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def put(body: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    inner: Any = body
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return body


def text_of(reply: Reply) -> str:
    return read_reply(reply, ModelSettings()).content


@FEW
@given(OPENAI, ANYTHING | LOGPROBS)
def test_a_completion_is_read_whatever_stands_beside_its_text(place: tuple[Any, ...], value: Any) -> None:
    assert text_of(read_completion(put(completion(), place, value))) == "[[A>B]]"


@FEW
@given(OPENAI, ANYTHING | LOGPROBS)
def test_so_is_a_stream(place: tuple[Any, ...], value: Any) -> None:
    begun = put(completion(), place, value)
    begun["choices"][0]["delta"] = begun["choices"][0].pop("message")
    ended = {"choices": [{"index": begun["choices"][0]["index"], "delta": {}, "finish_reason": "stop"}]}
    begun["choices"][0]["finish_reason"] = None
    events = "".join(f"data: {json.dumps(each)}\n\n" for each in (begun, ended))
    assert text_of(read_completion(decoded(f"{events}data: [DONE]\n\n".encode()))) == "[[A>B]]"


@FEW
@given(ANTHROPIC, ANYTHING)
def test_so_is_a_message_of_anthropics(place: tuple[Any, ...], value: Any) -> None:
    body = {"content": [{"type": "text", "text": "[[A>B]]"}], "stop_reason": "end_turn"}
    assert text_of(read_message(put(body, place, value))) == "[[A>B]]"


@FEW
@given(BEDROCK, ANYTHING)
def test_so_is_an_answer_of_bedrocks(place: tuple[Any, ...], value: Any) -> None:
    body = {"output": {"message": {"content": [{"text": "[[A>B]]"}]}}, "stopReason": "end_turn"}
    assert text_of(read_response(put(body, place, value))) == "[[A>B]]"


@FEW
@given(LOGPROBS)
def test_what_is_read_of_odd_probabilities_are_probabilities(logprobs: Any) -> None:
    for token in tokens_in(logprobs) or ():
        numbers = [token.logprob, *(value for _, value in token.others)]
        assert all(isinstance(number, float) and -100 <= number <= 0 for number in numbers)
        assert 0 <= token.least <= 1


# ------------------------------------------------------------------------ one odd token costs no other

GOOD = [{"token": text, "logprob": math.log(share)} for text, share in (("2", 0.5), ("1", 0.2), ("3", 0.3))]
EXPECTED = dict(zip(LABELS, (0.2, 0.5, 0.3, 0.0, 0.0)))
NAN = math.nan


def row(value: Any = GOOD[0]["logprob"], tops: Any = GOOD, token: Any = "2") -> dict[str, Any]:
    return {"token": token, "logprob": value, "top_logprobs": tops}


@pytest.mark.parametrize(
    "content",
    [
        [row()],
        [row(NAN)],  # it is among its own alternatives
        [row(None)],
        [row(True)],
        [row("-0.6931471805599453")],
        [row(tops={each["token"]: each["logprob"] for each in GOOD})],
        [row(tops=[*GOOD, {"token": "x", "logprob": NAN}])],
        [row(tops=[*GOOD, {"token": "4", "logprob": math.inf}, {"token": "5"}, None, 7])],
        [{"token": "[", "logprob": NAN}, row()],
        [{"token": "["}, row()],
        [None, 3, {}, row(NAN, None, None), row()],
    ],
)
def test_the_odd_one_is_left_out(content: list[Any]) -> None:
    tokens = tokens_in({"content": content})
    assert tokens is not None
    found = odds(tokens, "2", 0, NUMBERS, "2")
    assert found == (pytest.approx(EXPECTED), pytest.approx(0.0, abs=1e-9))


@pytest.mark.parametrize(
    "content",
    [
        [row(NAN, None)],
        [row(NAN, GOOD[1:])],
        [row(0.5, [])],
        [row(tops=[*GOOD[:2], {"token": "3", "logprob": NAN}])],  # as much as the whole rest may be of any other
        [row(NAN, None), row(token="x")],
    ],
)
def test_where_the_odd_one_is_the_labels_nothing_is_known(content: list[Any]) -> None:
    tokens = tokens_in({"content": [{"token": "Hm", "logprob": -1.0}, *content]})
    assert tokens is not None
    assert odds(tokens, "2", 0, NUMBERS, "2") is None


def test_of_a_label_of_several_tokens_an_odd_one_counts_where_it_decides() -> None:
    def read(odd: int) -> Any:
        parts = [[("[[", 1.0)], [("A", 0.8), ("B", 0.2)], [(">", 1.0)], [("B", 1.0)], [("]]", 1.0)]]
        rows = [
            row(math.log(tops[0][1]), [{"token": each, "logprob": math.log(p)} for each, p in tops], tops[0][0])
            for tops in parts
        ]
        rows[odd] = {"token": rows[odd]["token"], "logprob": None}
        return odds_of_label(tokens_in({"content": rows}) or (), "[[A>B]]", 2, "A>B")

    assert [read(odd) is not None for odd in range(5)] == [True, False, False, False, True]


def test_odd_probabilities_are_said_and_cost_nothing_else() -> None:
    for odd in ({"content": [None]}, {"x": 1}, [1], "none", {"tokens": 3}):
        body = put(completion(), ("choices", 0, "logprobs"), odd)
        reply = read_completion(body, {"logprobs": True})
        assert (reply.content, reply.tokens) == ("[[A>B]]", None)
        assert [name for name, _ in reply.notes] == ["field"] and "logprobs: " in reply.notes[0][1]
        assert read_completion(body).notes == ()  # nobody has asked for them
    for nothing in (None, {}, [], False, {"content": None, "refusal": None}, {"content": []}):
        assert read_completion(put(completion(), ("choices", 0, "logprobs"), nothing), {"logprobs": True}).notes == ()
    one = tokens_in({"content": [None, {"token": "A", "logprob": -0.5}]})
    assert one is not None
    assert one[-1] == Token("A", -0.5, (), 1 - math.exp(-0.5))
