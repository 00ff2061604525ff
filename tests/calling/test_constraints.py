"""Constrained decoding as each server takes it: learnt by refusals and by replies that are no choice, words at last."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from msgspec.structs import replace

from arena_hard.calling.kept_replies import key_of, reply_from_row, reply_row
from arena_hard.calling.providers import constraints
from arena_hard.calling.providers.anthropic_messages import ADAPTER as ANTHROPIC
from arena_hard.calling.providers.anthropic_messages import read_message
from arena_hard.calling.providers.base import CallError, Reply, Request, Token
from arena_hard.calling.providers.bedrock import ADAPTER as BEDROCK
from arena_hard.calling.providers.bedrock import read_response, refusal
from arena_hard.calling.providers.constraints import Allowed, asked_for, chosen, filled, in_choices
from arena_hard.calling.providers.decoding import decoded
from arena_hard.calling.providers.lessons import lesson
from arena_hard.calling.providers.openai_chat import ADAPTER as OPENAI
from arena_hard.calling.providers.openai_chat import read_completion
from arena_hard.calling.providers.token_odds import tokens_from_row, tokens_in, tokens_row
from tests.loopback.constraint import FORMS, form_of
from tests.support.small_server import Answered, ask, completion, error

LABELS = ("[[A>>B]]", "[[A>B]]", "[[A=B]]", "[[B>A]]", "[[B>>A]]")
IN_TURN = ["json_schema", "structured_outputs", "guided_choice", "grammar"]
REQUEST = Request("m", [{"role": "user", "content": "Which?"}], 0.0, 100, choices=LABELS)


def forms(bodies: list[dict[str, Any]]) -> list[str | None]:
    return [form_of(body) for body in bodies]


def said_in(form: str | None) -> str:
    return json.dumps({"verdict": "[[B>A]]"}) if form == "json_schema" else "[[B>A]]"


@pytest.mark.parametrize(
    ("status", "words"), [(400, "Invalid request."), (422, "Invalid request."), (404, "not found")]
)
@pytest.mark.parametrize("taken", IN_TURN)
def test_what_is_refused_is_asked_in_the_next_form_and_never_again(taken: str, status: int, words: str) -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        form = form_of(body)
        return completion(said_in(form)) if form == taken else error(status, words)

    asked = ask(answer, 3, one_by_one=True, choices=LABELS)
    steps = IN_TURN[: IN_TURN.index(taken) + 1]
    assert forms(asked.bodies) == [*steps, taken, taken]
    assert [chosen(text, LABELS) for text in asked.contents] == ["[[B>A]]"] * 3
    assert [reply.form for reply in asked.outcomes if isinstance(reply, Reply)] == [taken] * 3


@pytest.mark.parametrize(("status", "requests"), [(404, 5), (403, 1), (401, 1)])
def test_a_status_that_is_of_the_form_or_of_the_key(status: int, requests: int) -> None:
    """Where no form is the reason, the error is as without one."""
    asked = ask(lambda body, number: error(status, "nothing here"), 2, one_by_one=True, choices=LABELS)
    assert len(asked.bodies) == requests
    assert all(isinstance(each, CallError) and f" {status}: nothing here" in each.message for each in asked.outcomes)


def test_what_is_ignored_is_asked_in_the_next_form_and_paid_for() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        return completion("[[A=B]]" if "grammar" in body else "Answer B is right, I would say.")

    asked = ask(answer, 2, one_by_one=True, choices=LABELS)
    assert forms(asked.bodies) == [*IN_TURN, "grammar"]
    paid = [reply.usage and reply.usage.completion_tokens for reply in asked.outcomes]
    assert paid == [80, 20]


@pytest.mark.parametrize("refusing", [True, False])
def test_a_server_without_constraints_is_asked_in_words(refusing: bool) -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        if form_of(body) and refusing:
            return error(400, f"Unrecognized request argument supplied: {FORMS[str(form_of(body))]}")
        return completion("My final verdict is [[A>B]].")

    asked = ask(answer, 2, one_by_one=True, choices=LABELS)
    assert forms(asked.bodies) == [*IN_TURN, None, None]
    assert asked.contents == ["My final verdict is [[A>B]]."] * 2
    assert asked.first.form is None


def test_a_reply_without_a_text_is_asked_in_the_next_form() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        return completion("" if "response_format" in body else "[[A>B]]", "length")

    assert forms(ask(answer, choices=LABELS).bodies) == IN_TURN[:2]


def test_a_form_that_has_held_stays_whatever_comes_later() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        if number == 2:
            return completion("I cannot help with that.")
        return error(400, "Invalid request.") if number in (3, 4) else completion(said_in("json_schema"))

    asked = ask(answer, 4, one_by_one=True, choices=LABELS)
    assert set(forms(asked.bodies)) == {"json_schema"}
    assert [isinstance(each, CallError) for each in asked.outcomes] == [False, False, True, False]


def test_a_refusal_for_its_size_or_its_content_is_none_of_the_form() -> None:
    for words in ("This model's maximum context length is 8192 tokens.", "The content management policy filtered it."):
        asked = ask(lambda body, number, words=words: error(400, words), choices=LABELS)
        assert len(asked.bodies) == 1, words
        assert len(asked.messages) == 1


def test_a_reply_that_refuses_to_answer_says_nothing_of_the_form() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        if number == 1:
            status, headers, found = completion("x")
            assert isinstance(found, dict)
            found["choices"][0]["message"] = {
                "role": "assistant",
                "content": None,
                "refusal": "I cannot help with that.",
            }
            return status, headers, found
        if number == 2:
            return completion("", "content_filter")
        return completion("Sorry", "content_filter") if number == 3 else completion(said_in("json_schema"))

    asked = ask(answer, 4, one_by_one=True, choices=LABELS)
    assert forms(asked.bodies) == ["json_schema"] * 4
    assert [reply.form for reply in asked.outcomes if isinstance(reply, Reply)] == [None, None, "json_schema"]
    assert isinstance(asked.outcomes[0], Reply) and asked.outcomes[0].content == "I cannot help with that."


def test_a_users_own_schema_is_left_alone_and_gives_way_to_the_question() -> None:
    own = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}}
    assert asked_for(own) is None
    assert OPENAI.body(replace(REQUEST, choices=(), extra=own), set())["response_format"] == own["response_format"]
    assert asked_for(OPENAI.body(replace(REQUEST, extra=own), set())) == ("json_schema", Allowed(LABELS))
    plain = ask(lambda body, number: completion("{}"), extra_body=own)
    assert (len(plain.bodies), plain.contents) == (1, ["{}"])


def test_each_form_says_which_choices_it_was_asked_for() -> None:
    dialect: set[str] = set()
    for form in IN_TURN:
        assert asked_for(OPENAI.body(REQUEST, dialect)) == (form, Allowed(LABELS))
        dialect.add(f"no {form}")
    assert asked_for(OPENAI.body(REQUEST, dialect)) is None
    for adapter in (ANTHROPIC, BEDROCK):
        assert asked_for(adapter.body(REQUEST, set())) == ("tool", Allowed(LABELS))
        assert asked_for(adapter.body(REQUEST, {"no tool"})) is None


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("[[A>B]]", "[[A>B]]"),
        (" A>B\n", "[[A>B]]"),
        ("**[[A > B]]**", "[[A>B]]"),
        ('"[[B>>A]]"', "[[B>>A]]"),
        ('{\n  "verdict": "[[A=B]]"\n}', "[[A=B]]"),
        ('```json\n{"verdict": "A=B"}\n```', "[[A=B]]"),
        ("", None),
        ("{}", None),
        ("[[A>B]] or [[B>A]]", None),
        ("A", None),
        ('{"verdict": ["A>B"]}', None),
        ("[" * 9999, None),
    ],
)
def test_a_choice_is_known_in_brackets_quotes_fences_and_json(text: str, choice: str | None) -> None:
    assert chosen(text, LABELS) == choice


def test_numbers_are_choices_too() -> None:
    numbers = ("1", "2", "3", "4", "5")
    assert [chosen(text, numbers) for text in ("4", "4.", '{"verdict": 4}', '{"verdict": "4"}', "14")] == ["4"] * 4 + [
        None
    ]


def test_anthropics_and_bedrocks_tool_is_the_answer() -> None:
    use = {"type": "tool_use", "id": "t", "name": "verdict", "input": {"verdict": "[[B>A]]"}}
    said = {"content": [{"type": "text", "text": "Let me."}, use], "stop_reason": "tool_use"}
    assert chosen(read_message(said).content, LABELS) == "[[B>A]]"
    content = [{"toolUse": {"toolUseId": "t", "name": "verdict", "input": {"verdict": "[[B>A]]"}}}]
    found = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "tool_use"}
    assert chosen(read_response(found).content, LABELS) == "[[B>A]]"


def test_a_streamed_tool_is_the_answer_too() -> None:
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "verdict"}}
    parts = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}
        for text in ('{"verdict": ', '"[[A>B]]"}')
    ]
    events = [{"type": "message_start", "message": {}}, start, *parts, {"type": "message_stop"}]
    text = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events)
    assert chosen(read_message(decoded(text.encode())).content, LABELS) == "[[A>B]]"


REFUSED = [
    (
        400,
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        "json_schema",
    ),
    (400, "This response_format type is unavailable now", "json_schema"),
    (
        400,
        "response_format value as json_schema is enabled only for api versions 2024-08-01-preview and later",
        "json_schema",
    ),
    (422, "Extra inputs are not permitted", "json_schema"),
    (500, "Failed to initialize the grammar for this JSON schema", "json_schema"),
    (400, "tool_choice: Thinking may not be enabled when tool_choice forces tool use.", "tool"),
]


@pytest.mark.parametrize(("status", "words", "form"), REFUSED)
def test_a_constraint_that_is_refused_teaches_that(status: int, words: str, form: str) -> None:
    adapter = ANTHROPIC if form == "tool" else OPENAI
    assert lesson(status, {}, words, adapter.body(REQUEST, {"no temperature"})) == f"no {form}"
    assert lesson(status, {}, words, adapter.body(replace(REQUEST, choices=()), {"no temperature"})) is None


def test_bedrocks_refusal_of_the_tool_teaches_that() -> None:
    told = {"Error": {"Code": "ValidationException"}, "ResponseMetadata": {"HTTPStatusCode": 400, "HTTPHeaders": {}}}
    text = "This model doesn't support the toolConfig.toolChoice.tool field."
    assert refusal(told, text, BEDROCK.body(REQUEST, set())).lesson == "no tool"


def test_a_batch_learns_by_what_its_lines_asked() -> None:
    body = OPENAI.body(REQUEST, set())
    with pytest.raises(CallError) as ignored:
        in_choices(lambda: Reply("Answer B."), body, set())
    assert ignored.value.lesson == "no json_schema"
    dialect: set[str] = set()
    assert in_choices(lambda: Reply(said_in("json_schema")), body, dialect).form == "json_schema"
    assert in_choices(lambda: Reply("Answer B."), body, dialect).form is None


@pytest.mark.parametrize(
    ("form", "text", "holds"),
    [
        ("json_schema", '{"verdict": "[[A>B]]"}', True),
        ("json_schema", '```json\n{"verdict": "[[A>B]]"}\n```', True),
        ("json_schema", "A>B", False),
        ("grammar", "[[A>B]]\n", True),
        ("grammar", "**A>B**", False),
        ("guided_choice", '{"verdict": "[[A>B]]"}', False),
    ],
)
def test_a_choice_in_another_form_counts_and_is_none_of_the_constraint(form: str, text: str, holds: bool) -> None:
    dialect = {f"no {each}" for each in IN_TURN[: IN_TURN.index(form)]}
    body = OPENAI.body(REQUEST, dialect)
    reply = in_choices(lambda: Reply(text), body, dialect)
    assert chosen(reply.content, LABELS) == "[[A>B]]"
    assert (reply.form, f"{form} holds" in dialect) == ((form, True) if holds else (None, False))


# ------------------------------------------------------------------------------------- probabilities


def test_probabilities_are_asked_for_as_far_as_a_server_gives_them() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        if body.get("top_logprobs", 0) > 5:
            return error(400, "Invalid value: 'top_logprobs' must be less than or equal to 5.", param="top_logprobs")
        return completion("text")

    asked = ask(answer, 2, one_by_one=True, logprobs=True)
    assert [body.get("top_logprobs") for body in asked.bodies] == [20, 5, 5]
    asked = ask(
        lambda body, number: (
            error(403, "You are not allowed to request logprobs from this model.")
            if "logprobs" in body
            else completion("text")
        ),
        2,
        one_by_one=True,
        logprobs=True,
    )
    assert ["logprobs" in body for body in asked.bodies] == [True, False, False]


def test_only_tokens_that_may_be_of_a_label_are_kept() -> None:
    def token(text: str, *tops: str) -> dict[str, Any]:
        return {"token": text, "logprob": -0.5, "top_logprobs": [{"token": top, "logprob": -3.0} for top in tops]}

    content = [token("Both"), token(" are"), token(" ["), token("[A", "[B", "No"), token(">", "="), token("B]]")]
    found = tokens_in({"content": content})
    assert found is not None
    assert [each.text for each in found] == [" ", " [", "[A", ">", "B]]"]
    assert found[2].others == (("[B", -3.0),)
    assert tokens_from_row(json.loads(json.dumps(tokens_row(found)))) == found
    older = {"tokens": ["A", ">"], "token_logprobs": [-0.5, None], "top_logprobs": [{"B": -1.0}, None]}
    read = tokens_in(older)
    assert read is not None
    first, second = read
    assert (first.text, first.others, second) == ("A", (("B", -1.0),), Token(">", -100.0, (), 1.0))
    assert first.least == pytest.approx(1 - math.exp(-0.5) - math.exp(-1.0))


def test_a_streams_probabilities_are_put_together() -> None:
    def chunk(text: str, finish: str | None) -> str:
        odds = {"content": [{"token": text, "logprob": -0.5, "top_logprobs": []}]}
        choice = {"index": 0, "delta": {"content": text}, "logprobs": odds, "finish_reason": finish}
        return f"data: {json.dumps({'choices': [choice]})}\n\n"

    streamed = chunk("A", None) + chunk(">", None) + chunk("B", "stop") + "data: [DONE]\n\n"
    tokens = read_completion(decoded(streamed.encode())).tokens
    assert tokens is not None
    assert [token.text for token in tokens] == ["A", ">", "B"]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        "x",
        {"content": None},
        {"content": [{"token": "A"}]},
        {"content": [{"token": "A", "logprob": "x"}]},
        {"content": [{"token": "A", "logprob": 2}]},
    ],
)
def test_odd_probabilities_are_none(odd: Any) -> None:
    assert tokens_in(odd) is None


def test_a_kept_reply_has_its_tokens_and_its_form() -> None:
    reply = Reply("x", key="k", tokens=(Token("A", -0.5, (("B", -1.0),), 0.25),), form="grammar")
    assert reply_from_row(json.loads(json.dumps(reply_row(reply)))) == reply
    assert reply_row(Reply("x", key="k")).keys().isdisjoint({"tokens", "form"})


def test_a_question_has_a_name_of_its_own() -> None:
    names = {
        key_of(replace(REQUEST, choices=choices, logprobs=odds), "r", {})
        for choices in ((), LABELS)
        for odds in (False, True)
    }
    assert len(names) == 4


def test_every_form_has_words_that_refusals_call_it_by() -> None:
    known = {*constraints.OPENAI, *constraints.ANTHROPIC, *constraints.BEDROCK}
    assert known == constraints.NAMED.keys() == FORMS.keys()


# -------------------------------------------------------------------------------- an object of choices

FIELDS = ("specificity", "real_world")
OBJECT = replace(REQUEST, choices=("yes", "no"), fields=FIELDS)


def test_each_form_says_which_fields_it_was_asked_for() -> None:
    dialect: set[str] = set()
    for form in IN_TURN:
        assert asked_for(OPENAI.body(OBJECT, dialect)) == (form, Allowed(("yes", "no"), FIELDS))
        dialect.add(f"no {form}")
    for adapter in (ANTHROPIC, BEDROCK):
        assert asked_for(adapter.body(OBJECT, set())) == ("tool", Allowed(("yes", "no"), FIELDS))


@pytest.mark.parametrize("taken", IN_TURN)
def test_an_object_is_asked_in_the_next_form_where_one_is_refused(taken: str) -> None:
    said = '{"specificity": "yes", "real_world": "no"}'

    def answer(body: dict[str, Any], number: int) -> Answered:
        return completion(said) if form_of(body) == taken else error(400, "Invalid request.")

    asked = ask(answer, 2, one_by_one=True, choices=("yes", "no"), fields=FIELDS)
    assert forms(asked.bodies) == [*IN_TURN[: IN_TURN.index(taken) + 1], taken]
    assert asked.contents == [said] * 2
    assert {reply.form for reply in asked.outcomes if isinstance(reply, Reply)} == {taken}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"specificity": "yes", "real_world": "no"}', {"specificity": "yes", "real_world": "no"}),
        ('```json\n{"real_world": "Yes", "specificity": "NO"}\n```', {"specificity": "no", "real_world": "yes"}),
        ('{"specificity": "yes"}', None),
        ('{"specificity": "yes", "real_world": "perhaps"}', None),
        ('{"specificity": "yes", "real_world": true}', None),
        ('{"specificity": "yes", "real_world": "no", "creativity": "no"}', None),
        ("yes, no", None),
    ],
)
def test_an_object_counts_with_all_its_fields_and_no_others(text: str, found: dict[str, str] | None) -> None:
    assert filled(text, Allowed(("yes", "no"), FIELDS)) == found


def test_a_server_that_ignores_the_object_is_asked_in_words_at_last() -> None:
    asked = ask(lambda body, number: completion("[1]"), 2, one_by_one=True, choices=("yes", "no"), fields=FIELDS)
    assert forms(asked.bodies) == [*IN_TURN, None, None]
    assert asked.contents == ["[1]"] * 2


def test_the_grammar_of_an_object_is_one_that_llama_cpp_reads() -> None:
    dialect = {f"no {form}" for form in IN_TURN[:3]}
    assert OPENAI.body(OBJECT, dialect)["grammar"] == (
        'root ::= "{" "\\"specificity\\": " value ", " "\\"real_world\\": " value "}"\n'
        'value ::= "\\"yes\\"" | "\\"no\\""'
    )
