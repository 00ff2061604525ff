"""The order that prompt caches like, and the mark on what all models' prompts share."""

from __future__ import annotations

from typing import Any

from arena_hard.calling.providers.anthropic_messages import ADAPTER, marked
from arena_hard.calling.providers.base import Request
from arena_hard.judging.cache_order import in_blocks, shared_length


def test_each_pair_comes_once_and_a_question_comes_back_one_block_later() -> None:
    order = list(in_blocks(range(10), "abc", 4))
    assert sorted(order) == [(q, m) for q in range(10) for m in "abc"]
    places = [i for i, (question, _) in enumerate(order) if question == 2]
    assert [later - sooner for sooner, later in zip(places, places[1:])] == [4, 4]


def test_shared_length_stops_at_the_first_difference() -> None:
    assert shared_length("question, left", "question, right") == len("question, ")
    assert shared_length("same", "same") == 4


def body(**request: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "shared own"}]
    return ADAPTER.body(Request("m", messages, 0.0, 10, **request), set())


def test_the_shared_beginning_is_a_marked_block_and_the_text_stays_the_same() -> None:
    first, second = body(shared=7)["messages"][0]["content"]
    assert first == {"type": "text", "text": "shared ", "cache_control": {"type": "ephemeral"}}
    assert second == {"type": "text", "text": "own"}


def test_a_request_that_shares_nothing_is_not_marked() -> None:
    assert body()["messages"] == [{"role": "user", "content": "shared own"}]


def test_no_block_is_empty() -> None:
    assert len(marked([{"role": "user", "content": "all"}], 3)[0]["content"]) == 1
