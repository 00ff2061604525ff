"""What comparisons say where little or nothing is known, and what is left out of them."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pytest

from arena_hard.rating import battles, category_mean, intervals, same_place
from arena_hard.rating.categories import Part
from arena_hard.rating.intervals import Rule
from arena_hard.rating.paired import Difference
from arena_hard.rating.same_place import ByPlace
from arena_hard.rating.stopped import Looked
from arena_hard.showing import caveats, comparisons, footnotes, formats
from arena_hard.showing.notes import printed, whole
from arena_hard.showing.sections import Section, signed
from tests.rating.test_paired import drawn, table_of

UNJUDGED = -1


def part_of(grades: np.ndarray, **more: Any) -> Part:
    table = table_of(grades)
    return Part("", "base", battles.from_games(table, "base"), table, silent=same_place.same_place(table), **more)


def asked(**flags: Any) -> argparse.Namespace:
    usual = {"weight": 3, "first_game_only": False, "level": 0.95, "judge_name": ["j"], "control_features": None}
    return argparse.Namespace(**usual, **flags)


def printed_section(section: Section) -> str:
    return formats._plain_section(section)


def test_without_a_common_question_there_is_a_sentence_and_no_table() -> None:
    grades = drawn(1, p=2)
    grades[0, :30], grades[1, 30:] = UNJUDGED, UNJUDGED
    section = comparisons.differences(asked(compare=["m0", "m1"]), part_of(grades))
    title, said = printed_section(section).splitlines()
    assert title == section.title and said.startswith("m0 and m1 have no question in common")
    assert formats._markdown_section(section).splitlines()[1:] == ["", said]
    assert section.data[0]["questions"] == 0


def test_of_many_pairs_on_different_questions_the_first_are_named_and_all_are_in_the_data() -> None:
    grades = drawn(2, p=12)
    for model in range(12):
        grades[model, model : model + 20 + model] = UNJUDGED
    names = [f"m{model}" for model in range(12)]
    section = comparisons.differences(asked(compare=names), part_of(grades))
    (note,) = (remark for remark in section.remarks if "whole win rates" in printed(remark))
    assert printed(note).count("judged on") == 3 and " and 63 more pairs, but part of that is" in printed(note)
    assert whole(note).count("judged on") == 66 == len(section.data)


@pytest.mark.parametrize(
    ("value", "words"), [(-0.04, "0.0"), (0.0, "0.0"), (-0.06, "-0.1"), (1.25, "+1.2"), (float("inf"), "+inf")]
)
def test_what_is_0_as_shown_has_no_sign(value: float, words: str) -> None:
    assert signed(value) == words


def test_win_rates_are_rounded_as_in_the_leaderboard() -> None:
    numbers = (-12.0, 1.0, -14.0, -10.0, 0.01, 0.01, 2.0)
    pair = Difference("m", "o", *numbers, 9, 42.0526, 54.0476, 9, 9, -12.0)
    assert comparisons._row(pair)[-1] == "42.0 − 54.0"  # 42.05 and 54.05 as rows have them, below which the doubles are
    place = ByPlace("m", 5, 9, 54.0476, 42.0526, 60.0)
    assert "54.0 (95% interval 42.0 to 60.0)" in whole(caveats.by_place_notes([place])[0])


def test_after_looks_at_widths_there_are_no_columns_without_a_value() -> None:
    looked = {"m0": Looked(60, (20, 40), None, 10.0)}
    (section,) = comparisons.looks(asked(), part_of(drawn(3, p=2), looked=looked))
    assert printed_section(section).splitlines()[1].split("  ")[-1] == "questions"
    assert "corrected" not in printed_section(section) and not any(head == "p" for head in section.table()[0])
    looked = {"m0": Looked(60, (20, 40), ("m0", "base"))}  # the baseline may be one of two
    (section,) = comparisons.looks(asked(), part_of(drawn(3, p=2), looked=looked))
    assert {*section.rows[0][0].split(" − ")} == {"m0", "base"} and "corrected" in section.table()[0]


def test_a_note_on_looks_names_a_table_only_where_one_is_made() -> None:
    table, looked = table_of(drawn(3, p=2)), {"m0": Looked(60, (20, 40), None, 10.0)}
    (note,) = caveats.looks_notes(looked, table)
    assert "is in the table of looks" in whole(note)
    (note,) = caveats.looks_notes(looked, table_of(drawn(3, p=2)[:, :1]))
    assert whole(note).endswith("One question does not show what holds at all looks.")
    table.judges.append("second")
    table.judge[::2] = 1
    (note,) = caveats.looks_notes(looked, table)
    assert whole(note).endswith("What holds at all looks is shown for a single judge only (--judge-name).")


def by_place() -> np.ndarray:
    return np.tile([1, 3], (2, 50, 1))  # A wins in both games


def test_a_plan_names_those_of_whom_the_judge_says_nothing() -> None:
    section = comparisons.plan(asked(plan=5.0), part_of(by_place()))
    assert printed_section(section).endswith(
        "Left out: m0, m1, because the judge preferred the same position in all games, in both orders."
    )


def test_a_mean_without_an_interval_says_why() -> None:
    parts = [part_of(drawn(4, p=2)), part_of(by_place())]
    fits = [intervals.fit_with_intervals(part.battles, battles.cells_of(part.battles), 0, Rule()) for part in parts]
    fits = [intervals.without_ends(fit, part.silent) for fit, part in zip(fits, parts)]
    notes = footnotes.mean_notes(category_mean.category_mean(fits, Rule()), parts)
    assert [whole(note) for note in notes if "m0" in whole(note)] == [
        "m0 has no interval for the mean over categories: none in , where the judge preferred the same position in all "
        "of its games."
    ]
