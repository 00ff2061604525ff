"""The five labels, in all their spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_hard.data.verdicts import LABELS, Outcome, outcome, standard_label, swapped

SPELLINGS = (*LABELS, "A<B", "A<<B", "B<A", "B<<A", "B=A")
NO_VERDICTS = ("", "A", "A>A", "A>>>B", "B==A", "a>b", "A > B", "[[A>B]]")


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
