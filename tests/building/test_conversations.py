"""What a user said, out of rows of every shape."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from arena_hard.building.conversations import Conversation, conversation_of, decode_row, prompt_id

ASKED = "Prove that there are infinitely many primes."


def said(row: dict[str, Any]) -> Conversation:
    line = json.dumps(row).encode()
    return conversation_of(decode_row(line), line)


def turns(*roles: str, role: str = "role", text: str = "content") -> list[dict[str, str]]:
    return [{role: each, text: f"{each} {number}"} for number, each in enumerate(roles, 1)]


@pytest.mark.parametrize(
    "row, key",
    [
        (
            {"conversation_a": turns("user", "assistant"), "conversation_b": turns("user", "assistant")},
            "conversation_a",
        ),
        ({"conversation": turns("user", "assistant"), "turn": 1}, "conversation"),
        ({"messages": turns("user", "assistant"), "prompt": "another text"}, "messages"),
        ({"turns": [{"content": "user 1"}]}, "turns"),
        ({"turns": ["user 1"]}, "turns"),
        ({"prompt": "user 1"}, "prompt"),
        ({"prompt": turns("user")}, "prompt"),
        ({"uid": "x", "prompt": "user 1", "category": "c"}, "prompt"),
        ({"instruction": "user 1", "input": "", "output": "o"}, "instruction"),
        ({"conversation_a": json.dumps(turns("user", "assistant"))}, "conversation_a"),
        ({"conversation_a": [], "conversation_b": turns("user"), "prompt": None}, "conversation_a"),
    ],
)
def test_each_shape_is_known_by_its_keys(row: dict[str, Any], key: str) -> None:
    if row.get("conversation_a") == []:
        row["conversation_a"] = turns("assistant")
    assert (said(row).key, said(row).turns) == (key, ["user 1"])


def test_sharegpt_says_from_and_value() -> None:
    row = {"conversations": turns("system", "human", "gpt", "human", role="from", text="value")}
    assert said(row).turns == ["human 2", "human 4"]


def test_user_turns_are_found_by_role_and_not_by_position() -> None:
    row = {"conversation_a": turns("system", "user", "assistant", "user", "user", "assistant")}
    assert said(row).turns == ["user 2", "user 4", "user 5"]


def test_instructions_keep_their_input() -> None:
    assert said({"instruction": "Sort these.", "input": "3, 1, 2"}).turns == ["Sort these.\n\n3, 1, 2"]


def test_texts_of_parts_are_joined_and_images_are_flagged() -> None:
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "this?"}]
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    assert said({"messages": [{"role": "user", "content": parts}]}).flags == []
    with_image = said({"messages": [{"role": "user", "content": [*parts, image]}]})
    assert (with_image.turns, with_image.flags) == (["What is\nthis?"], ["image"])
    of_arena = said({"conversation_a": [{"role": "user", "content": ["Who?", ["a1b2"]]}]})
    assert (of_arena.turns, of_arena.flags) == (["Who?"], ["image"])
    others = [{"type": kind} for kind in ("tool_result", "document", "input_audio")]
    assert said({"messages": [{"role": "user", "content": [*parts, *others]}]}).flags == ["attachment"]
    assert said({"conversation_a": [{"role": "user", "content": ["Who?", []]}]}).flags == []


@pytest.mark.parametrize(
    "more, flags",
    [
        ({"openai_moderation": [{"flagged": False}, {"flagged": True}]}, ["moderation"]),
        ({"openai_moderation": [{"flagged": False, "categories": {"x": True}}]}, []),
        ({"toxic": True}, ["moderation"]),
        ({"redacted": True, "toxic": False}, ["redacted"]),
        ({}, []),
    ],
)
def test_what_the_log_says_against_a_row_is_kept(more: dict[str, Any], flags: list[str]) -> None:
    assert said({"conversation": turns("user"), **more}).flags == flags


def test_labels_that_come_with_a_row_stay_as_they_are() -> None:
    tag = {"criteria_v0.1": {"specificity": True}}
    assert json.loads(said({"prompt": ASKED, "category_tag": tag}).category_tag or "") == tag
    assert json.loads(said({"prompt": ASKED, "category_tag": json.dumps(tag)}).category_tag or "") == tag
    assert said({"prompt": ASKED, "category_tag": None}).category_tag is None


@pytest.mark.parametrize("key", ["conversation_hash", "conversation_id", "question_id", "uid", "id"])
def test_a_row_keeps_its_name(key: str) -> None:
    assert said({key: "name", "prompt": ASKED}).source_id == "name"
    assert said({key: 7, "prompt": ASKED}).source_id == "7"


@pytest.mark.parametrize(
    "row", [{"conversation": []}, {"prompt": ""}, {"messages": turns("assistant")}, {"prompt": " "}]
)
def test_a_row_in_which_no_user_speaks_has_no_turn(row: dict[str, Any]) -> None:
    assert said(row).turns == []


@pytest.mark.parametrize(
    "row, words",
    [
        ({"text": "a", "score": 1}, "there are score, text"),
        ({"conversation": ["a", "b"]}, "conversation must be a list of turns"),
        ({"messages": [{"content": "a"}]}, "a turn of messages says neither role nor from"),
        ({"conversation_a": "[{"}, "begins like JSON and is none"),
    ],
)
def test_a_row_of_no_known_shape_is_named(row: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        said(row)


def test_a_prompt_is_named_by_what_it_says_and_not_by_how_it_is_written() -> None:
    assert prompt_id(["caf\u00e9  au\nlait "]) == prompt_id(["cafe\u0301 au lait"])
    assert prompt_id(["a", "b"]) != prompt_id(["a b"])
    assert prompt_id(["A"]) != prompt_id(["a"])
    assert prompt_id(["Use ABC notation."]) == hashlib.sha256(b"Use ABC notation.").hexdigest()[:16]
