"""What replies say of their tokens: nothing that was paid for is taken for nothing, and no number stops a run."""

from __future__ import annotations

from typing import Any

import pytest

from arena_hard.calling.providers.anthropic_messages import read_message
from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.calling.providers.bedrock import read_response
from arena_hard.calling.providers.openai_chat import read_completion
from arena_hard.calling.providers.own_reply import sound_error, sound_reply
from arena_hard.data.usage import Usage
from tests.support.odd_bodies import anthropic, openai


def converse(usage: Any, text: str = "fine") -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"text": text}]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}


READERS = {  # how each reader gets a reply with this usage, and what it calls the counts
    "openai": (
        lambda usage: read_completion(openai(usage=usage)),
        ("prompt_tokens", "completion_tokens", "total_tokens"),
    ),
    "anthropic": (
        lambda usage: read_message(anthropic(usage=usage)),
        ("input_tokens", "output_tokens", "total_tokens"),
    ),
    "bedrock": (lambda usage: read_response(converse(usage)), ("inputTokens", "outputTokens", "totalTokens")),
    "own": (
        lambda usage: sound_reply(Reply("fine", "stop", usage, "m")),
        ("prompt_tokens", "completion_tokens", "total_tokens"),
    ),
}
LEFT_OUT = "left out"
COUNTS: list[tuple[tuple[Any, Any, Any], Usage | None, int | None]] = [
    # prompt, completion and total; what is read; which of them is noted
    ((10, 20, 30), Usage(10, 20), None),
    ((1.7e308, 20, LEFT_OUT), None, 0),
    ((10, 10**400, LEFT_OUT), None, 1),
    ((10**5000, 20, LEFT_OUT), None, 0),
    ((1e30, 20, LEFT_OUT), None, 0),
    ((10**9 + 1, 20, LEFT_OUT), None, 0),
    ((10**9, 20, LEFT_OUT), Usage(10**9, 20), None),
    ((float("inf"), 20, LEFT_OUT), None, 0),
    (("9" * 400, 20, LEFT_OUT), None, 0),
    ((0, 0, 0), None, None),
    ((0, 0, LEFT_OUT), None, None),
    ((None, 0, LEFT_OUT), None, None),
    ((LEFT_OUT, LEFT_OUT, 0), None, None),
    ((None, 5, 15), Usage(10, 5), None),
    ((LEFT_OUT, 5, 15), Usage(10, 5), None),
    ((0, 5, 15), Usage(10, 5), None),
    ((10, None, 15), Usage(10, 5), None),
    ((10, 0, 15), Usage(10, 5), None),
    ((None, 5, 5), None, 0),
    ((LEFT_OUT, 5, LEFT_OUT), None, 0),
    (("5", None, LEFT_OUT), None, 1),
    (("5", LEFT_OUT, LEFT_OUT), None, 1),
    ((5, 0, 5), None, 1),
    ((0, 5, LEFT_OUT), Usage(0, 5), None),  # of servers that had the prompt in their cache
]


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(("counts", "expected", "noted"), COUNTS, ids=map(str, range(len(COUNTS))))
def test_no_count_is_taken_for_zero_in_silence(
    kind: str, counts: tuple[Any, Any, Any], expected: Usage | None, noted: int | None
) -> None:
    read, names = READERS[kind]
    reply = read({name: count for name, count in zip(names, counts) if count is not LEFT_OUT})
    assert (reply.content, reply.usage) == ("fine", expected)
    told = [what.partition(": ")[0] for _, what in reply.notes]
    assert told == ([] if noted is None else [f"usage.{names[noted]}"])


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 0, "input_tokens": 10, "output_tokens": 5}, Usage(10, 5)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "input_tokens": 0, "output_tokens": 0}, Usage(10, 5)),
        ({"prompt_tokens": 10, "output_tokens": 5}, Usage(10, 5)),
        ({"completion_tokens": 5, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 4}}, Usage(10, 5, 4)),
    ],
)
def test_the_names_that_count_something(usage: dict[str, Any], expected: Usage) -> None:
    assert read_completion(openai(usage=usage)).usage == expected


def test_a_prompt_from_the_cache_is_counted() -> None:
    usage = {"input_tokens": 0, "output_tokens": 5, "cache_read_input_tokens": 10}
    assert read_message(anthropic(usage=usage)).usage == Usage(10, 5, 10)
    usage = {"input_tokens": None, "output_tokens": 5, "cache_read_input_tokens": 10, "total_tokens": 18}
    assert read_message(anthropic(usage=usage)).usage == Usage(13, 5, 10)


@pytest.mark.parametrize(
    ("usage", "expected"), [(Usage(), None), (Usage(10), None), (Usage(10, 5, 4), Usage(10, 5, 4))]
)
def test_a_usage_of_an_own_provider(usage: Usage, expected: Usage | None) -> None:
    assert sound_reply(Reply("fine", "stop", usage, "m")).usage == expected


def test_without_a_text_nothing_may_have_been_paid() -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0}
    assert read_completion(openai({"content": ""}, nothing, finish_reason="content_filter")).usage == Usage()
    assert read_completion(
        openai({"content": ""}, {"prompt_tokens": 7}, finish_reason="content_filter")
    ).usage == Usage(7)
    assert sound_error(CallError("final", "no", usage=Usage(7))).usage == Usage(7)


def test_of_several_choices_the_one_that_was_asked_for() -> None:
    def choice(text: str, index: Any) -> dict[str, Any]:
        return {"index": index, "message": {"content": text}, "finish_reason": "stop"}

    for choices in (
        [choice("b", 1), choice("a", 0)],
        [choice("a", None), choice("b", 1)],
        [choice("b", 1), choice("a", "0")],
    ):
        assert read_completion(openai(more={"choices": choices})).content == "a"
