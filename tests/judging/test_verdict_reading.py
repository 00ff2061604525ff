"""How a verdict is read in what a judge wrote."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_hard.data.settings import DEFAULT_PATTERN
from arena_hard.data.verdicts import LABELS
from arena_hard.judging.verdict_reading import Reading, read_verdict

DOUBLE = re.compile(DEFAULT_PATTERN)
SINGLE = re.compile(r"\[([AB<>=]+)\]")


def read(text: str, *patterns: re.Pattern[str], any_label: bool = False) -> Reading:
    return read_verdict(text, patterns or (DOUBLE,), any_label)


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
