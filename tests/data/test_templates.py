"""Prompt templates: their placeholders, and how they are filled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_hard.data.templates import fields_of, fill, is_placeholder, prompt_values

FIELDS = ("question_1", "answer_1", "answer_2", "ref_answer_1", "QUESTION", "ANSWER_A")
braces = st.text(alphabet="{}01abc_!:% questionanswer", max_size=30)
told = st.one_of(braces, st.sampled_from([f"{{{field}}}" for field in FIELDS]))
values_for_all = st.fixed_dictionaries(dict.fromkeys(FIELDS, told))


@given(values_for_all, st.lists(st.sampled_from(FIELDS), max_size=6), braces)
def test_values_arrive_as_they_are(values: dict[str, str], fields: list[str], text: str) -> None:
    around = text.replace("{", "{{").replace("}", "}}")
    template = around.join(["", *(f"{{{field}}}" for field in fields), ""])
    assert fields_of(template) == set(fields)
    assert fill(template, values) == text.join(["", *(values[field] for field in fields), ""])


def test_a_placeholder_without_a_value_is_named() -> None:
    with pytest.raises(KeyError, match="answer_2"):
        fill("{answer_1} {answer_2}", {"answer_1": "x"})


@pytest.mark.parametrize("template", ["{question_1", "answer_1}", "{a{b}"])
def test_braces_that_do_not_match(template: str) -> None:
    with pytest.raises(ValueError):
        fields_of(template)


def test_which_placeholders_exist() -> None:
    good = ["question_1", "answer_12", "ref_answer_3", "QUESTION", "ANSWER_A", "ANSWER_B"]
    bad = ["", "0", "question", "question_0", "answer_x", "answer_1.x", "answer_1[0]", "ref_answer", "ANSWER_C"]
    assert [is_placeholder(field) for field in good + bad] == [True] * len(good) + [False] * len(bad)


# ------------------------------------------------------------------------------------- prompt values


def test_one_turn_under_both_families_of_names() -> None:
    values = prompt_values(["q"], [["a"], ["b"]], [["r"], ["s"]], {"question_1"})
    assert values == {
        "question_1": "q",
        "answer_1": "a",
        "answer_2": "b",
        "ref_answer_1": "r",
        "ref_answer_2": "s",
        "QUESTION": "q",
        "ANSWER_A": "a",
        "ANSWER_B": "b",
    }


def test_an_answer_judged_on_its_own_has_no_second() -> None:
    values = prompt_values(["q"], [["a"]], [], {"QUESTION", "ANSWER_A"})
    assert "answer_2" not in values
    assert "ANSWER_B" not in values


def test_templates_that_name_every_turn_get_them_one_by_one() -> None:
    fields = {"question_1", "question_2", "answer_1", "answer_2", "answer_3", "answer_4"}
    values = prompt_values(["q1", "q2"], [["a1", "a2"], ["b1", "b2"]], [], fields)
    assert [values[f"answer_{number}"] for number in (1, 2, 3, 4)] == ["a1", "a2", "b1", "b2"]
    assert (values["question_1"], values["question_2"]) == ("q1", "q2")


@pytest.mark.parametrize("fields", [{"question_1", "answer_1", "answer_2"}, {"QUESTION", "ANSWER_A", "ANSWER_B"}])
def test_templates_that_name_one_turn_get_whole_dialogues(fields: set[str]) -> None:
    values = prompt_values(["q1", "q2"], [["a1", "a2"], ["b1", "b2"]], [["r1", "r2"]], fields)
    shown = [values[name] for name in ("QUESTION", "ANSWER_A", "ANSWER_B", "ref_answer_1")]
    assert shown == [f"[Turn 1]\n{letter}1\n\n[Turn 2]\n{letter}2" for letter in "qabr"]
    assert [values[name] for name in ("question_1", "answer_1", "answer_2")] == shown[:3]
    assert "question_2" not in values
    assert "answer_3" not in values
