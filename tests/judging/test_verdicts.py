"""Verdicts: their spellings, how they are read, and how the judge's prompt is filled."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_hard.data.settings import DEFAULT_PATTERN
from arena_hard.data.templates import fields_of, fill, is_placeholder, prompt_values
from arena_hard.data.verdicts import LABELS, Outcome, outcome, standard_label, swapped
from arena_hard.judging.verdict_reading import Reading, read_verdict

DOUBLE = re.compile(DEFAULT_PATTERN)
SINGLE = re.compile(r"\[([AB<>=]+)\]")
SPELLINGS = (*LABELS, "A<B", "A<<B", "B<A", "B<<A", "B=A")
NO_VERDICTS = ("", "A", "A>A", "A>>>B", "B==A", "a>b", "A > B", "[[A>B]]")


def read(text: str, *patterns: re.Pattern[str], any_label: bool = False) -> Reading:
    return read_verdict(text, patterns or (DOUBLE,), any_label)


# ----------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("label", "winner", "strong"),
    [
        ("A>>B", "A", True),
        ("A>B", "A", False),
        ("A=B", None, False),
        ("B>A", "B", False),
        ("B>>A", "B", True),
        ("B<<A", "A", True),
        ("B<A", "A", False),
        ("B=A", None, False),
        ("A<B", "B", False),
        ("A<<B", "B", True),
    ],
)
def test_what_each_spelling_says(label: str, winner: str | None, strong: bool) -> None:
    assert outcome(label) == Outcome(winner, strong)
    assert outcome(str(standard_label(label))) == Outcome(winner, strong)
    assert standard_label(label) in LABELS


@pytest.mark.parametrize("text", NO_VERDICTS)
def test_what_is_no_verdict(text: str) -> None:
    assert standard_label(text) is None
    for function in (outcome, swapped):
        with pytest.raises(ValueError, match="is no verdict; known are A>>B, A>B, A=B, B>A, B>>A"):
            function(text)


@given(st.sampled_from(SPELLINGS))
def test_swapping_twice_is_nothing_and_once_exchanges_the_winner(label: str) -> None:
    assert swapped(swapped(label)) == standard_label(label)
    winner, strong = outcome(label)
    other = {"A": "B", "B": "A", None: None}[winner]
    assert outcome(swapped(label)) == Outcome(other, strong)


# ---------------------------------------------------------------------------------------- reading


@given(st.sampled_from(LABELS), st.text(alphabet="AB xyz.\n", max_size=40), st.text(max_size=40))
def test_one_label_is_found_wherever_it_stands(label: str, before: str, after: str) -> None:
    assert read(f"{before}[[{label}]]{after.replace('[', '(')}") == Reading(label, missing=False)


@pytest.mark.parametrize("text", ["", "A>B", "[A>B]", "[[C>D]]", "[[ A>B ]]", "[[A>B]", "[[]]", "the verdict: [[tie]]"])
def test_no_label_is_missing(text: str) -> None:
    assert read(text) == Reading(None, missing=True)


def test_a_label_said_twice_is_one() -> None:
    assert read("[[A>B]] ... I repeat: [[A>B]]") == Reading("A>B", missing=False)


@pytest.mark.parametrize("text", ["[[A>B]] or [[B>A]]", "[[A>B]] no, [[A>>B]]", "[[A=B]] [[A=B]] [[B>A]]"])
def test_different_labels_are_ambiguous_and_not_missing(text: str) -> None:
    assert read(text) == Reading(None, missing=False)


def test_the_first_pattern_that_finds_any_decides() -> None:
    both = (DOUBLE, SINGLE)
    assert read("[A>B]", *both) == Reading("A>B", missing=False)
    assert read("[B>A] it seemed, but [[A>B]]", *both) == Reading("A>B", missing=False)
    assert read("[[A>B]] [[B>A]] [A=B]", *both) == Reading(None, missing=False)  # no way out by the second
    assert read("nothing", *both) == Reading(None, missing=True)


def test_a_judge_that_rates_keeps_its_own_labels() -> None:
    rating = re.compile(r"\[\[([\d ]+)\]\]")
    assert read("Rating: [[ 7 ]]", rating, any_label=True) == Reading("7", missing=False)
    assert read("[[7]] or [[8]]", rating, any_label=True) == Reading(None, missing=False)
    assert read("Rating: [[ 7 ]]", rating) == Reading(None, missing=True)  # a judge that compares does not rate
    assert read("[[A<<B]]") == Reading("A<<B", missing=False)  # as the judge wrote it


@pytest.mark.parametrize("text", ["My verdict: [[A]]", "[[A>>>B]]", "[[=]]", "[[B]] or [[A]]"])
def test_what_the_pattern_finds_and_no_verdict_is_missing(text: str) -> None:
    assert read(text) == Reading(None, missing=True)
    assert read(f"{text}, so [[B>A]]") == Reading("B>A", missing=False)
    assert read(f"{text} [A=B]", DOUBLE, SINGLE) == Reading("A=B", missing=False)


@pytest.mark.parametrize(("text", "label"), [("[[A>B]], i.e. [[B<A]]", "A>B"), ("[[B<A]]; so [[A>B]]", "B<A")])
def test_one_verdict_in_two_spellings_is_no_contradiction(text: str, label: str) -> None:
    assert read(text) == Reading(label, missing=False)
    assert read(text, any_label=True) == Reading(label, missing=False)


# ---------------------------------------------------------------------------------------- filling

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
