"""--output: the original's name for its default case, a name of its own for every other, nothing written over."""

from __future__ import annotations

import contextlib
import datetime
import io
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import show_result
from arena_hard.showing.csv_files import case_of
from arena_hard.showing.flags import add_to, check
from tests.support.pipeline_bench import write_rows
from utils import parser

DAY = "arena_hard_leaderboard_20240731"
JUDGE = "gpt-4-1106-preview"


def put(folder: Path, bench: str, judge: str, baseline: str | None, *verdicts: str, category: str = "c") -> None:
    """Two models with these verdicts in each game."""
    named = {"baseline": baseline} if baseline else {}
    for model in ("m", "n"):
        file = folder / "data" / bench / "model_judgment" / judge / f"{model}.jsonl"
        judged: list[dict[str, Any]] = [
            {"question_id": f"{category}{n}", "model": model, "games": [{"score": v}, {"score": "A=B"}], **named}
            for n, v in enumerate(verdicts)
        ]
        write_rows(file, judged)


class _OneDay(datetime.date):
    @classmethod
    def today(cls) -> _OneDay:
        """The day in the names, which midnight does not change."""
        return cls(2024, 7, 31)


def output(folder: Path, *flags: str) -> tuple[list[str], str]:
    """The CSV files that are there after a run, and what it said of them."""
    said = io.StringIO()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(io.StringIO()),
        mock.patch.object(sys, "argv", ["show_result.py", "--output", *flags]),
        mock.patch.object(datetime, "date", _OneDay),
    ):
        assert show_result.main() == 0
    return sorted(file.name for file in (folder / "leaderboard").glob("*.csv")), said.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, "arena-hard-v0.1", JUDGE, None, "A>B", "B>A", "A>B")
    put(tmp_path, "arena-hard-v0.1", "other-judge", None, "A>B", "A>B", "A>B")
    put(tmp_path, "b", JUDGE, "base", "B>A", "B>A", "A>B")
    return tmp_path


@pytest.mark.slow
def test_each_case_has_a_name_of_its_own(folder: Path) -> None:
    assert output(folder)[0] == [f"{DAY}.csv"]
    first = (folder / "leaderboard" / f"{DAY}.csv").read_bytes()
    cases: dict[str, tuple[str, ...]] = {
        "arena-hard-v0.1_other-judge_vs_gpt-4-0314": ("--judge-name", "other-judge"),
        f"arena-hard-v0.1_{JUDGE}+other-judge_vs_gpt-4-0314": ("--judge-name", JUDGE, "other-judge"),
        f"b_{JUDGE}_vs_base": ("--bench-name", "b", "--baseline", "base"),
        f"arena-hard-v0.1_{JUDGE}_vs_gpt-4-0314_weight1": ("--weight", "1"),
        f"arena-hard-v0.1_{JUDGE}_vs_gpt-4-0314_first-game": ("--first-game-only",),
        f"arena-hard-v0.1_{JUDGE}_vs_gpt-4-0314_sandwich": ("--interval", "sandwich"),
        f"arena-hard-v0.1_{JUDGE}_vs_gpt-4-0314_level90": ("--level", "0.9"),
        f"arena-hard-v0.1_{JUDGE}_vs_gpt-4-0314_rounds5_seed7": ("--num-rounds", "5", "--seed", "7"),
    }
    for flags in cases.values():
        _, said = output(folder, *flags)
        assert "kept:" not in said
    files = sorted(file.name for file in (folder / "leaderboard").glob("*.csv"))
    assert files == sorted([f"{DAY}.csv", *(f"{DAY}_{name}.csv" for name in cases)])
    assert (folder / "leaderboard" / f"{DAY}.csv").read_bytes() == first
    for flags in ((), *cases.values()):  # the same case again is the same file
        assert output(folder, *flags)[0] == files


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        (("--seed", "7"), ("seed7",)),
        (("--num-rounds", "50", "--interval", "questions"), ("questions", "rounds50")),
        (("--seed", "7", "--num-rounds", "50", "--interval", "sandwich"), ("sandwich",)),  # it draws nothing
    ],
)
def test_what_is_drawn_is_in_the_name(flags: tuple[str, ...], options: tuple[str, ...]) -> None:
    args = add_to(parser("", "")).parse_args(["--judge-name", "judge", *flags])
    check(args)
    assert case_of(args, "", "base").options == options


@pytest.mark.slow
def test_categories_are_in_the_names(tmp_path: Path) -> None:
    put(tmp_path, "b", "j", "base", "A>B", "B>A")
    questions = [{"question_id": f"c{n}", "category": name, "turns": [{"content": "?"}]} for n, name in enumerate("xy")]
    write_rows(tmp_path / "data" / "b" / "question.jsonl", questions)
    flags = ("--bench-name", "b", "--judge-name", "j", "--baseline", "base", "--category")
    assert output(tmp_path, *flags, "x")[0] == [f"{DAY}_b_j_vs_base_x.csv"]
    assert output(tmp_path, *flags, "all")[0] == [f"{DAY}_b_j_vs_base_{name}.csv" for name in "xy"]


@pytest.mark.slow
def test_the_same_case_is_written_anew_when_its_judgments_change(folder: Path) -> None:
    output(folder)
    put(folder, "arena-hard-v0.1", JUDGE, None, "B>A", "B>A", "B>A")
    files, said = output(folder)
    assert files == [f"{DAY}.csv"] and "kept:" not in said
    assert "\nm,75.0," in (folder / "leaderboard" / files[0]).read_text()


@pytest.mark.slow
def test_what_an_older_version_left_under_the_days_name_is_kept(folder: Path) -> None:
    """It gave every bench and judge this one name, so the file may be of any case."""
    old = folder / "leaderboard" / f"{DAY}.csv"
    old.parent.mkdir()
    old.write_text("model,score\nanother bench,1\n")
    files, said = output(folder)
    assert files == [f"{DAY}.csv", f"{DAY}_kept1.csv"]
    assert f"{DAY}_kept1.csv now" in said
    assert "another bench" in (folder / "leaderboard" / files[1]).read_text()
    assert output(folder)[0] == files
    old.write_text("model,score\nedited by hand,1\n")
    assert output(folder)[0] == [*files, f"{DAY}_kept2.csv"]


@pytest.mark.slow
def test_another_data_folder_is_another_case(folder: Path) -> None:
    output(folder)
    (folder / "data").rename(folder / "elsewhere")
    put(folder, "arena-hard-v0.1", JUDGE, None, "B>A", "B>A", "B>A")
    files, said = output(folder, "--data-dir", "elsewhere")
    assert files == [f"{DAY}.csv"]  # the same table, so nothing is lost
    files, said = output(folder)
    assert files == [f"{DAY}.csv", f"{DAY}_kept1.csv"] and "kept:" in said


@pytest.mark.slow
def test_a_figure_for_each_category(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    put(tmp_path, "b", "j", "base", "A>B", "B>A")
    questions = [{"question_id": f"c{n}", "category": name, "turns": [{"content": "?"}]} for n, name in enumerate("xy")]
    write_rows(tmp_path / "data" / "b" / "question.jsonl", questions)
    output(tmp_path, "--bench-name", "b", "--judge-name", "j", "--baseline", "base", "--category", "all",
           "--plot", "scores.svg")  # fmt: skip
    assert sorted(file.name for file in tmp_path.glob("*.svg")) == ["scores_x.svg", "scores_y.svg"]
