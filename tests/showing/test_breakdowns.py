"""What is said of a model's groups, and their picture."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from arena_hard.data.records import Question
from arena_hard.rating.breakdown import Breakdown, Group
from arena_hard.showing import breakdowns


def broken_down(*groups: tuple[str, int, float, float], p_value: float = 0.2, score: float = 54.047) -> Breakdown:
    """A breakdown of groups of a name, questions, deviation and corrected p-value."""
    made = [
        Group(name, number, score + value, value, value - 9, value + 9, p / 2, p, value / 2, float("nan"))
        for name, number, value, p in groups
    ]
    return Breakdown("m", "cluster", score, 99, tuple(made), p_value, 12.0, 0, 0, 0.95)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (broken_down(("a", 2, -50, 1), ("b", 2, 20, 1)), "with 2 questions each they never can be; it takes"),
        (broken_down(("a", 2, -50, 1), ("b", 5, 20, 1)), "with 2 to 5 questions each"),
        (broken_down(("a", 40, -5, 1), ("b", 50, 2, 1)), "None of the 2 clusters can be told apart"),
        (broken_down(("a", 40, -5, 0.01), ("b", 50, 9, 0.03)), "it is worse in a, better in b than overall."),
        (broken_down(("a", 1, -5, 1), ("b", 1, 9, 1)), "Every one of the 2 clusters has one question"),
        (broken_down(("a", 40, -5, 1), ("b", 50, 9, 1), p_value=0.01), "(p 0.01, true spread about 12 points)"),
        (broken_down(("a", 40, -5, 1), ("b", 50, 9, 1)), "by no more than chance explains (p 0.2)."),
        (broken_down(("a", 40, -5, 0.01), ("b", 50, 9, 1)), "explains (p 0.2) as a whole, but one of them stands out."),
        (replace(broken_down(("a", 40, -5, 1), ("b", 50, 9, 1)), ungrouped=9), "9 of 99 judged questions have no"),
        (broken_down(("a", 40, -5, 1), ("b", 50, 9, 1)), "Overall 54.0."),  # 54.05, then 54.0, as in the leaderboard
    ],
)  # fmt: skip
def test_what_can_be_said(one: Breakdown, words: str) -> None:
    assert words in breakdowns.sentence(one)


def test_the_picture_has_every_name_and_stays_within_its_width() -> None:
    one = broken_down(('<b>"R&D"</b>', 9, -54.047, 1), ("b", 9, 0.01, 1))
    drawn = breakdowns.pictures(one, one.groups)
    assert "<b>&quot;" not in drawn and "&lt;b&gt;&quot;R&amp;D&quot;&lt;/b&gt;: win rate 0.0" in drawn
    assert all(0.0 <= float(at) <= 100.0 for at in re.findall(r' (?:x1|x2|x|cx)="([-\d.]+)%"', drawn))
    assert "<b>0.0</b>" in drawn  # without a sign
    assert "dot:" not in drawn and "circle" not in drawn  # there are no other models


def test_a_question_without_a_group_is_in_none() -> None:
    questions = [Question("1", ("?",), "c", "k"), Question("2", ("?",)), Question("3", ("?",), "", "")]
    assert breakdowns.groups_of(questions, "cluster") == {"1": "k"}
    assert breakdowns.groups_of(questions, "category") == {"1": "c"}
