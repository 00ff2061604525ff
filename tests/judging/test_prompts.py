"""The messages of a game, and the settings that shape a judgment."""

from __future__ import annotations

from typing import Any

import pytest

from arena_hard.data.records import UserError, question_from_row
from arena_hard.data.settings import JudgeSettings, short_hash
from arena_hard.judging import prompts
from tests.support.pipeline_bench import question
from tests.support.plans import judge_settings, settings_of

ONE = question_from_row(question(1))


def settings(**more: Any) -> JudgeSettings:
    return judge_settings(**({"system_prompt": "S", "prompt_template": ["{answer_1}"]} | more))


def test_each_template_is_a_message_of_the_user() -> None:
    judged = settings(prompt_template=["A {answer_1}", "B {answer_2}"])
    messages = prompts.opening_messages(judged, ONE, [["x"], ["y"]], [])
    assert [(m["role"], m["content"]) for m in messages] == [("system", "S"), ("user", "A x"), ("user", "B y")]
    assert (prompts.user_prompt(messages), prompts.first_user_prompt(messages)) == ("A x\n\nB y", "A x")


def test_an_empty_system_prompt_is_not_sent_and_a_category_has_its_own() -> None:
    judged = settings(system_prompt="", categories={"c": {"system_prompt": "of c"}})
    assert prompts.opening_messages(judged, ONE, [["x"], ["y"]], [])[0] == {"role": "system", "content": "of c"}
    other = question_from_row(question(1) | {"category": "d"})
    assert [m["role"] for m in prompts.opening_messages(judged, other, [["x"], ["y"]], [])] == ["user"]


def test_a_judge_without_a_verdict_is_asked_with_its_own_words() -> None:
    first = prompts.opening_messages(settings(), ONE, [["x"], ["y"]], [])
    again = prompts.asked_again(first, "I ponder.")
    assert again[: len(first)] == first
    assert [(m["role"], m["content"]) for m in again[len(first) :]] == [
        ("assistant", "I ponder."),
        ("user", prompts.ASK_FOR_VERDICT),
    ]


@pytest.mark.parametrize(
    ("entry", "config", "same"),
    [
        ({"parallel": 64, "timeout": 5.0, "price": None}, {"model_list": ["n"]}, True),
        ({}, {"prompt_template": ["{answer_2}"]}, False),
        ({}, {"baseline_model": "other"}, False),
        ({}, {"number_of_judgment_attempts": 3}, False),
        ({"temperature": 0.7}, {}, False),
        ({"max_tokens": 9}, {}, False),
        ({"extra_body": {"top_p": 0.5}}, {}, False),
    ],
)
def test_what_shapes_a_judgment_changes_the_hash_and_how_it_is_fetched_does_not(
    entry: dict[str, Any], config: dict[str, Any], same: bool
) -> None:
    plain = prompts.judgment_shaping_settings(settings_of("judge"), settings(), "c")
    found = prompts.judgment_shaping_settings(settings_of("judge", **entry), settings(**config), "c")
    assert (short_hash(plain) == short_hash(found)) is same


def test_templates_are_tried_before_a_judge_is_paid() -> None:
    prompts.check_prompts(settings(prompt_template=["{question_1}{answer_1}{answer_2}"]), [ONE])
    with pytest.raises(UserError, match=r"names \{question_2\}, and question 0+1 with 1 turns"):
        prompts.check_prompts(settings(prompt_template=["{question_2}"]), [ONE])
    with pytest.raises(UserError, match=r"\{answer_2\}"):
        prompts.check_prompts(settings(baseline=False, prompt_template=["{answer_2}"]), [ONE])
    with pytest.raises(UserError, match=r"\{ref_answer_1\}"):
        prompts.check_prompts(settings(prompt_template=["{ref_answer_1}"]), [ONE])
