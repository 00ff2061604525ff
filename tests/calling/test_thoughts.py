"""Thoughts that a server leaves in the answer: what is cut, and that nothing is lost."""

from __future__ import annotations

import random

import pytest

from arena_hard.calling.providers.thoughts import split_thought
from tests.support.small_server import ask, completion


@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        ("plain", "plain", None),
        ("<think>a</think>b", "b", "a"),
        ("\n<think>\na\n</think>\n\nb", "b", "a"),
        ("<think>a</think>b </think> c", "b </think> c", "a"),
        ("a\n</think>\n\nb", "b", "a"),  # the chat template holds <think>
        ("a</think>\n\nb", "b", "a"),
        ("a</think>\r\nb", "b", "a"),
        ("a\n</think>", "", "a"),
        ("The model writes `</think>` and then answers.", None, None),
        ("The model writes </think> and then answers.", None, None),
        ("a\n</think>\nb\n</think>\nc", None, None),
        ("It opens with <think>\nand closes with </think>\nalways.", None, None),
        ("a</think>", None, None),
        ("<think>never closed", "", "never closed"),
    ],
)
def test_what_is_a_thought(text: str, answer: str | None, thought: str | None) -> None:
    assert split_thought(text) == (text if answer is None else answer, thought)


@pytest.mark.parametrize("text", ["a\n</think>\nb", "see `</think>` here", "<think> is a tag"])
def test_beside_a_field_of_its_own_only_a_whole_thought_is_cut(text: str) -> None:
    assert split_thought(text, has_own_field=True) == (text, None)
    assert split_thought(f"<think>x</think>{text}", has_own_field=True) == (text, "x")


@pytest.mark.parametrize("own", [True, False])
def test_no_character_is_lost_but_tags_and_blanks(own: bool) -> None:
    rng = random.Random(7)
    pieces = ["<think>", "</think>", "\n", "\r\n", " ", "\t", "a", "`", "é.", "<thi", "nk>"]

    def solid(text: str) -> str:
        return "".join(text.replace("<think>", "").replace("</think>", "").split())

    for _ in range(20_000):
        text = "".join(rng.choices(pieces, k=rng.randint(0, 9)))
        answer, thought = split_thought(text, own)
        assert solid(f"{thought or ''} {answer}") == solid(text), text


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_an_answer_about_the_tag_arrives_whole(field: str) -> None:
    text = "To end the thought the model writes\n</think>\nand then answers."
    asked = ask(lambda *_: completion(text, **{field: "own thought"}))
    assert (asked.first.content, asked.first.thought) == (text, "own thought")


def test_a_field_and_tags_are_both_kept() -> None:
    asked = ask(lambda *_: completion("<think>tagged</think>answer", reasoning_content="own"))
    assert (asked.first.content, asked.first.thought) == ("answer", "own\n\ntagged")
