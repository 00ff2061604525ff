"""Lines, CSV and JSON of the leaderboard, as published ones look."""

from __future__ import annotations

import csv
import datetime
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.rating import caches
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.caches import Case, Draw, Note
from arena_hard.rating.category_mean import category_mean
from arena_hard.rating.intervals import Fit, Rule
from arena_hard.showing import leaderboard
from arena_hard.showing.leaderboard import Row

NAN, INF = float("nan"), float("inf")
PUBLISHED = Row("claude-3-5-sonnet-20240620", 79.35, 77.17, 80.78, 1233.6, 1211.2, 1249.9, 567.9, 500)
BASELINE = Row("gpt-4-0314", 50.0, 50.0, 50.0, 1000.0, 1000.0, 1000.0, 423.4, 500)


def test_lines_as_the_original_prints_them() -> None:
    # 79.35 is printed as 79.3: Python rounds the double below it
    assert leaderboard.table_lines([PUBLISHED, BASELINE]) == [
        "claude-3-5-sonnet-20240620     | score: 79.3  | 95% CI: (-2.2, 1.4)  | average #tokens: 567",
        "gpt-4-0314                     | score: 50.0  | 95% CI:  (0.0, 0.0)  | average #tokens: 423",
    ]
    assert leaderboard.table_lines([PUBLISHED], 0.9, show_elo=True) == [
        "claude-3-5-sonnet-20240620     | score: 1233  | 90% CI:  (-22, 16)   | average #tokens: 567"
    ]


def test_a_name_with_a_line_break_stays_in_its_row() -> None:
    (line,) = leaderboard.table_lines([replace(PUBLISHED, model="a\nb", by_judge={"j\u2028k": 1.0})])
    assert line.startswith("a b   ") and line.endswith(" | j k: 1.0")


def test_csv_as_published() -> None:
    text = leaderboard.csv_text([PUBLISHED, BASELINE], datetime.date(2024, 7, 31))
    assert text.splitlines() == [
        "model,score,rating_q025,rating_q975,CI,avg_tokens,date",
        'claude-3-5-sonnet-20240620,79.35,77.17,80.78,"(-2.18, +1.43)",567.0,2024-07-31',
        'gpt-4-0314,50.0,50.0,50.0,"(-0.00, +0.00)",423.0,2024-07-31',
    ]
    (head, *_) = csv.reader(io.StringIO(leaderboard.csv_text([], datetime.date(2024, 7, 31), 0.9)))
    assert head[2:4] == ["rating_q050", "rating_q950"]


def test_what_is_not_known_is_said_in_every_form() -> None:
    unknown = Row("m", NAN, NAN, NAN, NAN, NAN, NAN, None, 0)
    endless = Row("w", 100.0, 54.0, 100.0, INF, 1028.0, INF, None, 6)
    for show_elo in (False, True):
        lines = leaderboard.table_lines([unknown, endless], show_elo=show_elo)
        assert "nan" not in "".join(lines) and lines[0].count("n/a") == 3
    assert leaderboard.row_dict(endless)["rating"] == "+inf" and leaderboard.row_dict(unknown)["score"] is None
    assert [row.model for row in leaderboard.in_order([unknown, BASELINE, endless])] == ["w", "gpt-4-0314", "m"]
    assert leaderboard.csv_text([unknown], datetime.date(2024, 1, 1)).count("\n") == 1


def fit_of(points: list[float], rounds: FloatArray | None) -> Fit:
    ratings, width = np.array(points), np.array([0.0] + [20.0] * (len(points) - 1))
    names = [f"m{place}" for place in range(len(points))]
    questions = np.full(len(points), 250)
    return Fit(names, 0, ratings, ratings - width, ratings + width, questions, 1.0, None, rounds, width)


def test_the_mean_over_categories_by_hand() -> None:
    level = 400 * np.log10(3)  # 75 % against the baseline
    fits = [fit_of([1000, 1000 + level], None), fit_of([1000, 1000.0], None)]
    rows = leaderboard.over_categories(category_mean(fits, Rule()))
    (mean, base) = rows
    assert (mean.model, mean.score, base.score) == ("m1", 62.5, 50.0)
    # ends of 20 rating points are points of the win rate above and below each score; their squares add, halved
    rates = [[100 / (1 + 10 ** (-(points + side) / 400)) for side in (-20, 0, 20)] for points in (level, 0)]
    below, above = (np.hypot(rates[0][i] - rates[0][1], rates[1][i] - rates[1][1]) / 2 for i in (0, 2))
    assert (mean.score - mean.lower, mean.upper - mean.score) == pytest.approx((below, above), abs=0.011)


def test_rounds_go_to_disk_and_come_back_with_infinite_ends(tmp_path: Path) -> None:
    rounds = np.array([[1000.0, INF, 987.25], [1000.0, -INF, 990.5]])
    file = tmp_path / "rounds.jsonl"
    file.write_bytes(b"".join(caches.round_lines(["a", "b", "c"], rounds)))
    np.testing.assert_array_equal(caches.read_rounds(file, ["a", "b", "c"]), rounds)
    with pytest.raises(UserError, match="no rating of d"):
        caches.read_rounds(file, ["a", "d"])


def test_a_cache_is_known_by_its_own_bytes(tmp_path: Path) -> None:
    bench, case = Bench(tmp_path, "arena-hard-v0.1"), Case()
    file = caches.battle_file(bench, case)
    assert file == tmp_path / "arena_hard_battles.jsonl"
    assert caches.round_file(bench, case, "rows") == tmp_path / "bootstrapping_results.jsonl"
    assert caches.save(file, [b"{}\n"], Note(case, (), draw=Draw("rows", 1, 2))) is None
    assert caches.read_note(file) is not None
    file.write_bytes(b'{"a":1}\n')  # replaced by hand: the note is no longer about this file
    assert caches.read_note(file) is None


def test_a_folder_that_takes_no_file_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("a file where a folder is needed")
    case = Case(bench="b")
    problem = caches.save(caches.battle_file(Bench(tmp_path, "b"), case), [b"{}\n"], Note(case, ()))
    assert problem is not None and "could not be written" in problem
