"""The five labels, in all their spellings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena_hard.browse.record_file import verdict_code
from arena_hard.data.paths import Bench
from arena_hard.data.verdicts import LABELS, Outcome, is_verdict, outcome, standard_label, swapped
from arena_hard.judging.plan import is_readable
from arena_hard.rating.games import read_judgments
from arena_hard.rating.sequential import totals
from tests.support.checked_readers import load_judgments

SPELLINGS = (*LABELS, "A<B", "A<<B", "B<A", "B<<A", "B=A")
NO_VERDICTS = ("", "A", "A>A", "A>>>B", "B==A", "[[A]]", "A>B B>A", "C>D", "A>B, I think")


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


@pytest.mark.parametrize(
    "score", ["[[A>B]]", "[A>B]", " a>b ", ["A>B"], ["[[a > b]]"], "A&gt;B", "**[[A>B]]**", '"A>B"', "[[B&lt;A]]\n"]
)
def test_what_other_programs_leave_around_a_label_changes_nothing(score: object) -> None:
    assert standard_label(score) == "A>B" and is_verdict(score) and outcome(score) == Outcome("A", False)
    assert verdict_code(score) == LABELS.index("A>B")


@pytest.mark.parametrize("score", [["A>B", "B>A"], [], {"score": "A>B"}, 3, True, None, [["A>B"]], "A>B" * 40])
def test_what_may_mean_something_else_is_not_read(score: object) -> None:
    assert standard_label(score) is None and not is_verdict(score) and verdict_code(score) < 0


def test_all_readers_take_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "b")
    games = [{"score": "[[A>B]]"}, {"score": ["b&gt;&gt;a"]}]
    file = bench.judgment_file("j", "m")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"question_id": "1", "model": "m", "judge": "j", "games": games}) + "\n")
    found = read_judgments(bench, ["j"])
    assert [LABELS[code] for code in found.table.verdict] == ["A>B", "B>>A"] and found.foreign is None
    judgment = load_judgments(file)["1"]
    assert is_readable(judgment, any_label=False)
    assert [values.tolist() for values in totals({"1": judgment}, ["1"])] == [[0.0], [4.0]]


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
