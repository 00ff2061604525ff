"""What was not judged is said: in the table, the CSV and the other forms, fresh and from cached battles."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from arena_hard.data.records import question_from_row
from arena_hard.data.sample import in_sample_order
from arena_hard.showing import leaderboard
from arena_hard.showing.footnotes import JUDGES_IN_ONE
from tests.support.pipeline_bench import Scratch, question, run_script, write_rows

QUESTIONS = [question(number) | {"cluster": f"cluster {number % 4}"} for number in range(20)]
IDS = [each["question_id"] for each in QUESTIONS]
ORDER = [each.question_id for each in in_sample_order([question_from_row(row) for row in QUESTIONS])]
VERDICTS = (["B>A", "A>B"], ["A>B", "A=B"], ["B>>A", "B>A"], ["A=B", "A>>B"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """data/b with twenty questions, of which the model `whole` was judged on all."""
    write_rows(tmp_path / "data/b/question.jsonl", QUESTIONS)
    judge_on(tmp_path, "whole", IDS)
    return tmp_path


def judge_on(folder: Path, model: str, ids: Sequence[str], judge: str = "j", **more: Any) -> None:
    """Write a model's judgments on these questions."""
    rows = [
        {"question_id": each, "model": model, "games": [{"score": label} for label in VERDICTS[n % 4]], **more}
        for n, each in enumerate(ids)
    ]
    write_rows(folder / "data/b/model_judgment" / judge / f"{model}.jsonl", rows)


def run(folder: Path, *arguments: str, judges: Sequence[str] = ("j",)) -> str:
    """What show_result.py prints of data/b; it must end well."""
    names = ("--bench-name", "b", "--baseline", "base", "--judge-name", *judges)
    done = run_script(folder, "show_result.py", *names, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def said(text: str) -> list[str]:
    """The lines about what was judged."""
    words = ("Judged ", " judged ", "A readable verdict on ")
    return [line for line in text.splitlines() if "questions" in line and any(each in line for each in words)]


def scores(text: str) -> list[str]:
    return [line for line in text.splitlines() if "| score:" in line]


def written(folder: Path) -> tuple[list[str], dict[str, dict[str, str]]]:
    """The head of the CSV, and its rows by model."""
    (file,) = (folder / "leaderboard").glob("*.csv")
    with open(file, encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        rows = {row["model"]: row for row in reader}
    return list(reader.fieldnames or []), rows


# -------------------------------------------------------------------------------------- the table


@pytest.mark.slow
def test_a_complete_leaderboard_says_nothing_and_its_csv_is_as_published(folder: Path) -> None:
    assert said(run(folder, "--output")) == []
    assert written(folder)[0] == list(leaderboard.CSV_COLUMNS)


@pytest.mark.slow
def test_partial_models_are_named_below_rows_that_stay_as_they_are(folder: Path) -> None:
    judge_on(folder, "sampled", ORDER[:8])
    judge_on(folder, "failed", [each for each in IDS if each != ORDER[3]])
    text = run(folder, "--output")
    first, second = said(text)
    assert first == "Judged 8 of 20 questions, a stratified sample: sampled; 19 of 20 questions: failed."
    assert second.startswith("The models were not judged on the same questions (7 are common to all)")
    head, rows = written(folder)
    assert head == [*leaderboard.CSV_COLUMNS, "judged", "bench_questions"]
    assert {name: (row["judged"], row["bench_questions"]) for name, row in rows.items()} == {
        "whole": ("20", "20"), "sampled": ("8", "20"), "failed": ("19", "20"), "base": ("", "")
    }  # fmt: skip
    (folder / "data/b/question.jsonl").unlink()
    without = run(folder)
    assert said(without) == [] and scores(without) == scores(text)


@pytest.mark.slow
def test_one_sample_for_all_models_is_a_sample_and_nothing_else(folder: Path) -> None:
    for model in ("whole", "other"):
        judge_on(folder, model, sorted(ORDER[:5]))
    assert said(run(folder)) == ["Judged 5 of 20 questions, a stratified sample: all models."]
    for model in ("whole", "other"):
        judge_on(folder, model, [*ORDER[:4], ORDER[9]])
    assert said(run(folder)) == ["Judged 5 of 20 questions: all models."]


@pytest.mark.slow
def test_as_many_questions_but_other_ones_are_not_the_same(folder: Path) -> None:
    judge_on(folder, "whole", IDS[:10])
    judge_on(folder, "other", IDS[5:15])
    assert "(5 are common to all)" in said(run(folder))[1]


@pytest.mark.slow
def test_markdown_json_and_html_say_it_too(folder: Path) -> None:
    assert "judged" not in run(folder, "--format", "markdown")
    judge_on(folder, "sampled", ORDER[:8])
    assert "| n/a | 8 of 20 |" in run(folder, "--format", "markdown")
    (part,) = json.loads(run(folder, "--format", "json"))["parts"]
    assert {row["model"]: (row["judged"], row["bench_questions"]) for row in part["rows"]} == {
        "whole": (20, 20), "sampled": (8, 20), "base": (None, None)
    }  # fmt: skip
    assert "Judged 8 of 20 questions, a stratified sample: sampled." in part["notes"]
    page = run(folder, "--format", "html")
    assert ">8 of 20</td>" in page and "Judged 8 of 20 questions" in page


@pytest.mark.slow
def test_a_question_file_that_cannot_be_read_costs_no_score(folder: Path) -> None:
    before = scores(run(folder))
    with open(folder / "data/b/question.jsonl", "a") as stream:
        stream.write("{broken\n{}\n")
    text = run(folder)
    assert scores(text) == before and "What was not judged is unknown: " in text and "question.jsonl:21" in text


@pytest.mark.slow
def test_questions_that_the_bench_has_not_are_counted_apart(folder: Path) -> None:
    judge_on(folder, "whole", [*IDS, "from another bench"])
    (line,) = said(run(folder))
    assert line.startswith("Judged questions that question.jsonl does not list") and line.endswith(": 1.")


# --------------------------------------------------------------------------------- cached battles


@pytest.mark.slow
def test_cached_battles_say_the_same_also_of_what_could_not_be_read(folder: Path) -> None:
    judge_on(folder, "sampled", ORDER[:8])
    file = folder / "data/b/model_judgment/j/sampled.jsonl"
    unreadable = {"question_id": ORDER[2], "model": "sampled", "games": [{"score": None}, None]}
    file.write_text(file.read_text() + json.dumps(unreadable) + "\n")
    fresh = run(folder)
    assert said(fresh)[0] == "Judged 8 of 20 questions, a stratified sample: sampled."
    cached = run(folder, "--load-battles", "--output")
    assert (said(cached), scores(cached)) == (said(fresh), scores(fresh))
    assert written(folder)[1]["sampled"]["judged"] == "8"
    (note,) = (folder / "data/b/cache").glob("battles*.meta.json")
    note.unlink()  # as with the original's files: the battles alone are known
    assert said(run(folder, "--load-battles"))[0] == "A readable verdict on 7 of 20 questions: sampled."


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("--interval", "questions"), ("--first-game-only",)])
def test_cached_battles_give_the_same_where_what_came_first_could_not_be_read(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    judge_on(folder, "a none", IDS[:3])
    judge_on(folder, "b partly", IDS[::-1])
    for model, count in (("a none", 3), ("b partly", 2)):
        file = folder / f"data/b/model_judgment/j/{model}.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        write_rows(file, [row | {"games": [{"score": None}] * 2} for row in rows[:count]] + rows[count:])
    fresh = run(folder, *arguments)
    assert "a none has no readable verdict: no score." in fresh
    assert run(folder, *arguments, "--load-battles") == fresh


@pytest.mark.slow
def test_a_file_of_battles_claims_nothing(folder: Path) -> None:
    rows = [{"question_id": IDS[0], "model_a": "base", "model_b": "m", "winner": name} for name in ("model_a", "tie")]
    write_rows(folder / "x.jsonl", rows)
    text = run(folder, "--battles", "x.jsonl", "--output")
    assert said(text) == [] and written(folder)[0] == list(leaderboard.CSV_COLUMNS)


# --------------------------------------------------------------------------- judges and categories


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("--load-battles",)])
def test_each_judge_is_spoken_of_alone(folder: Path, arguments: tuple[str, ...]) -> None:
    judge_on(folder, "whole", IDS, judge="k")
    judge_on(folder, "half", IDS)
    judge_on(folder, "half", ORDER[:10], judge="k")
    judge_on(folder, "one", IDS)
    run(folder, judges=("j", "k"))
    text = run(folder, *arguments, "--output", judges=("j", "k"))
    lines = [line for line in said(text) if line.startswith("k judged")]
    assert lines == ["k judged 0 of 20 questions: one; 10 of 20 questions, a stratified sample: half."]
    rows = written(folder)[1]
    assert [rows[name]["judged"] for name in ("whole", "half", "one")] == ["20", "10", "20"]
    assert ("Agreement of the judges" in text, JUDGES_IN_ONE in text) == (not arguments, bool(arguments))


@pytest.mark.slow
def test_categories_are_held_against_their_own_questions(folder: Path) -> None:
    named = [row | {"category": "x" if n < 12 else "y"} for n, row in enumerate(QUESTIONS)]
    write_rows(folder / "data/b/question.jsonl", named)
    judge_on(folder, "some", [*IDS[:12], *IDS[12:15]])
    judge_on(folder, "x only", IDS[:12])
    fresh = run(folder, "--category", "all")
    first, second = fresh.split("\n\ny (baseline base)\n")
    assert said(first) == [] and said(second)[0].startswith("Judged 0 of 8 questions: x only; 3 of 8 questions: some.")
    run(folder, "--category", "x", "y", "--load-battles", "--output")
    heads = {file.stem.split("_")[-1]: file.read_text().splitlines()[0] for file in folder.glob("leaderboard/*.csv")}
    assert heads["x"].endswith(",date") and heads["y"].endswith(",judged,bench_questions")
    mean = json.loads(run(folder, "--category", "all", "--format", "json"))["mean_over_categories"]
    assert {row["model"]: (row["judged"], row["bench_questions"]) for row in mean} == {
        "whole": (20, 20), "some": (15, 20), "base": (None, None)
    }  # fmt: skip


# ----------------------------------------------------------------------------------- the pipeline


@pytest.mark.slow
def test_a_sample_of_gen_judgment_is_known_as_one(scratch: Scratch) -> None:
    rows = [question(number) | {"cluster": f"cluster {number % 3}"} for number in range(1, 13)]
    scratch.set_questions(rows)
    scratch.put_answers("m", "base", count=12)
    done = scratch.run("gen_judgment.py", "--sample", "5")
    assert done.returncode == 0, done.stderr
    show = ("show_result.py", "--bench-name", "bench", "--judge-name", "judge", "--baseline", "base")
    assert "Judged 5 of 12 questions, a stratified sample: m." in scratch.run(*show).stdout
    assert scratch.run("gen_judgment.py").returncode == 0
    assert "of 12 questions" not in scratch.run(*show).stdout
