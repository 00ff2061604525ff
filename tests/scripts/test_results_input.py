"""What goes into the leaderboard: formats, categories, baselines, judges, battle files, caches."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.data.typed_jsonl import Reader
from arena_hard.rating import battle_files
from arena_hard.rating import battles as battle
from arena_hard.rating.games import Judgments, read_judgments
from tests.support.pipeline_bench import run_script, write_rows


def write(folder: Path, judge: str, model: str, rows: list[dict[str, Any]]) -> Path:
    """A judgment file of the bench data/b."""
    file = folder / "data" / "b" / "model_judgment" / judge / f"{model}.jsonl"
    write_rows(file, rows)
    return file


def row(model: str, question: str, verdicts: Sequence[object], **more: Any) -> dict[str, Any]:
    games = [None if verdict == "gone" else {"score": verdict, "judgment": "x"} for verdict in verdicts]
    return {"question_id": question, "model": model, "games": games, **more}


def run(folder: Path, *arguments: str, baseline: str | None = "base", judge: str = "j") -> str:
    """What show_result.py prints; it must end well."""
    done = attempt(folder, *arguments, baseline=baseline, judge=judge)
    assert done.returncode == 0, done.stderr
    return done.stdout


def attempt(
    folder: Path, *arguments: str, baseline: str | None = "base", judge: str = "j"
) -> subprocess.CompletedProcess[str]:
    names = ["--bench-name", "b", "--judge-name", *judge.split(","), *(["--baseline", baseline] if baseline else [])]
    return run_script(folder, "show_result.py", *names, *arguments)


def rows_of(text: str, part: int = 0) -> dict[str, dict[str, Any]]:
    return {each["model"]: each for each in json.loads(text)["parts"][part]["rows"]}


def table(folder: Path, *judges: str) -> Judgments:
    return read_judgments(Bench(folder / "data", "b"), judges or ["j"])


# ------------------------------------------------------------------------------------------ reading


def test_both_formats_become_the_same_games(tmp_path: Path) -> None:
    write(tmp_path, "j", "m", [row("m", "1", ["A>>B", "B>A"]), row("m", "2", [None, "A=B"])])
    newer = [
        {"uid": "1", "model": "m", "baseline": "o", "category": "c",
         "games": [{"score": "B<<A", "judgment": {"answer": "x"}}, {"score": "A<B", "judgment": {"answer": "x"}}]},
        {"uid": "2", "model": "m", "baseline": "o", "category": "c", "games": [None, {"score": "B=A"}]},
    ]  # fmt: skip
    write(tmp_path, "k", "m", newer)
    older, new = table(tmp_path, "j").table, table(tmp_path, "k").table
    for column in ("question", "model", "game", "verdict"):
        assert getattr(older, column).tolist() == getattr(new, column).tolist()
    assert older.verdict.tolist() == [0, 3, -1, 2]
    assert (new.baselines, new.categories, older.baselines) == (["o"], ["c"], [""])


@pytest.mark.slow
def test_of_several_lines_for_a_question_the_last_counts_and_it_is_said(tmp_path: Path) -> None:
    write(tmp_path, "j", "m", [row("m", "1", ["A>>B", "B>>A"]), row("m", "2", ["A=B", "A=B"])])
    before = table(tmp_path)
    write(tmp_path, "j", "m", [row("m", "1", ["B>A", "A>B"]), row("m", "2", ["A=B", "A=B"])])
    with open(tmp_path / "data/b/model_judgment/j/m.jsonl", "a") as stream:
        stream.write(json.dumps(row("m", "1", ["A>>B", "B>>A"])) + "\n")
    after = table(tmp_path)
    assert sorted(after.table.verdict.tolist()) == sorted(before.table.verdict.tolist())
    assert list(after.duplicates.values()) == [1]
    assert "1 judgment replaced" in run(tmp_path)


@pytest.mark.slow
def test_a_torn_last_line_is_left_out_and_a_broken_one_in_a_later_block_is_named(tmp_path: Path) -> None:
    many = [row("m", str(n), ["A>B", "A>B"], padding="x" * 5000) for n in range(1500)]
    file = write(tmp_path, "j", "m", many)
    with open(file, "a") as stream:
        stream.write('{"question_id": "torn", "model": "m", "ga')
    assert len(table(tmp_path).table) == 3000
    noted = attempt(tmp_path, "--num-rounds", "2").stderr
    assert noted.count("note: data/b/model_judgment/j/m.jsonl: the last line is incomplete") == 1
    lines = file.read_text().splitlines(keepends=True)
    lines[1400] = lines[1400].replace('"games"', '"games')
    file.write_text("".join(lines))
    with pytest.raises(UserError, match=r"m\.jsonl:1401"):
        table(tmp_path)


def test_the_fingerprint_is_of_the_files_bytes(tmp_path: Path) -> None:
    import hashlib

    file = write(tmp_path, "j", "m", [row("m", "1", ["A>B", "A>B"])])
    (known,) = table(tmp_path).inputs
    assert known.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert known.name == "b/model_judgment/j/m.jsonl"
    assert list(Reader(dict).blocks(file))[0][0]["model"] == "m"


@pytest.mark.slow
def test_scores_that_are_no_verdict_count_as_unreadable_and_the_first_is_named(tmp_path: Path) -> None:
    good = [row("m", str(n), ["B>A", "A=B"]) for n in range(4)]
    write(tmp_path, "j", "m", [*good, row("m", "5", [None, "B>>A"])])
    plain = rows_of(run(tmp_path, "--format", "json"))
    write(tmp_path, "j", "m", [*good, row("m", "5", ["Error", "B>>A"]), row("m", "6", ["A", 7])])
    text = run(tmp_path, "--format", "json")
    assert rows_of(text)["m"]["score"] == plain["m"]["score"]
    said = run(tmp_path)
    assert "not counted (3 of 12): m 3" in said
    assert "not verdicts, counted as unreadable: 3, the first 'Error' in data/b/model_judgment/j/m.jsonl:5." in said


@pytest.mark.slow
def test_a_score_that_a_later_line_replaced_is_not_reported(tmp_path: Path) -> None:
    write(tmp_path, "j", "m", [row("m", "1", ["A", "A"]), row("m", "1", ["A>B", "B>A"]), row("m", "2", ["A=B", "A=B"])])
    assert table(tmp_path).foreign is None
    assert "counted as unreadable" not in run(tmp_path)


# ------------------------------------------------------------------------- categories and baselines


@pytest.fixture
def two_categories(tmp_path: Path) -> Path:
    """v2.0's way: each category has its own baseline. The model wins 3 of 4 in one and 1 of 4 in the other."""
    rows = [
        row("m", f"{category}{n}", ["B>A" if won else "A>B", "A>B" if won else "B>A"], category=category, baseline=base)
        for category, base, wins in (("hard", "o3", 6), ("writing", "flash", 2))
        for n, won in enumerate([True] * wins + [False] * (8 - wins))
    ]
    write(tmp_path, "j", "m", rows)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("interval", ["rows", "sandwich"])
def test_categories_have_their_own_baseline_and_a_mean(two_categories: Path, interval: str) -> None:
    flags = ("--interval", interval, "--format", "json")
    text = run(two_categories, *flags, baseline=None)
    assert rows_of(text, 0)["m"]["score"] == 75 and rows_of(text, 1)["m"]["score"] == 25
    assert [part["baseline"] for part in json.loads(text)["parts"]] == ["o3", "flash"]
    (mean,) = json.loads(text)["mean_over_categories"]
    assert mean["score"] == 50 and mean["lower"] < 50 < mean["upper"]
    assert "mean over categories" in run(two_categories, baseline=None)


@pytest.mark.slow
def test_one_category_and_an_unknown_one(two_categories: Path) -> None:
    text = run(two_categories, "--category", "writing", "--format", "json", baseline=None)
    assert rows_of(text)["m"]["score"] == 25
    done = attempt(two_categories, "--category", "reading", baseline=None)
    assert done.returncode == 2 and "hard, writing" in done.stderr


@pytest.mark.slow
def test_categories_of_v01_come_from_the_questions(tmp_path: Path) -> None:
    write(tmp_path, "j", "m", [row("m", "1", ["B>A", "B>A"]), row("m", "2", ["A=B", "A=B"])])
    questions = [{"question_id": n, "category": c, "turns": [{"content": "?"}]} for n, c in (("1", "x"), ("2", "y"))]
    (tmp_path / "data/b/question.jsonl").write_text("".join(json.dumps(q) + "\n" for q in questions))
    parts = json.loads(run(tmp_path, "--category", "all", "--format", "json"))["parts"]
    assert [(part["category"], part["battles"]) for part in parts] == [("x", 2), ("y", 2)]


@pytest.mark.slow
def test_another_baseline_than_the_records_name_is_an_error_only_if_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "j", "m", [row("m", str(n), ["A>B", "A>B"], baseline="o") for n in range(2)])
    done = attempt(tmp_path, baseline="base")
    assert done.returncode == 2 and "--baseline o" in done.stderr and done.stderr.count("\n") == 1
    done = attempt(tmp_path, baseline=None)
    assert done.returncode == 0 and "The baseline is o, because the judgments name it" in done.stdout


@pytest.mark.slow
def test_of_two_baselines_in_one_file_the_one_asked_for_is_rated(tmp_path: Path) -> None:
    lost, won = ["A>B", "B>A"], ["B>A", "A>B"]
    write(tmp_path, "j", "m", [row("m", "1", lost, baseline="o"), row("m", "1", won, baseline="p")])
    for name, other, score in (("o", "p", 0), ("p", "o", 100)):
        text = run(tmp_path, "--format", "json", baseline=name)
        assert rows_of(text)["m"]["score"] == score
        (note,) = [note for note in json.loads(text)["notes"] if "another baseline" in note]
        assert f"{other} 2" in note


# ------------------------------------------------------------------------------------------- judges


@pytest.mark.slow
def test_several_judges_are_pooled_beside_their_own_columns(tmp_path: Path) -> None:
    write(tmp_path, "j", "m", [row("m", str(n), ["B>A", "A>B"]) for n in range(4)] + [row("m", "9", ["A>B", "B>A"])])
    write(tmp_path, "k", "m", [row("m", str(n), ["A>B", "B>A"]) for n in range(4)] + [row("m", "9", ["B>A", "A>B"])])
    text = run(tmp_path, "--format", "json", judge="j,k")
    found = rows_of(text)["m"]
    assert found["score"] == 50 and found["by_judge"] == pytest.approx({"j": 80, "k": 20})
    assert "Agreement of the judges" in json.loads(text)["parts"][0]["analyses"]
    assert "| j: 80.0 | k: 20.0" in run(tmp_path, judge="j,k")


@pytest.mark.slow
def test_a_judge_that_never_differs_and_a_model_without_verdicts_are_noted(tmp_path: Path) -> None:
    write(tmp_path, "j", "m", [row("m", str(n), ["A=B", "A=B"]) for n in range(12)])
    write(tmp_path, "j", "n", [row("n", str(n), [None, "gone"]) for n in range(12)])
    text = run(tmp_path)
    assert "same verdict, A=B, in all of its 24 games" in text and "n has no readable verdict" in text
    assert "n 24" in text and "nan" not in text.lower()
    assert rows_of(run(tmp_path, "--format", "json"))["n"]["score"] is None


# ------------------------------------------------------------------------------- battles and caches


@pytest.mark.slow
def test_battles_that_are_loaded_come_with_all_that_was_said_of_the_judgments(tmp_path: Path) -> None:
    doubled = [row("m", str(n), ["A>B", None if n % 2 else "B>A"]) for n in (*range(12), 0)]
    write(tmp_path, "j", "m", doubled)
    write(tmp_path, "j", "base", [row("base", str(n), ["A=B", "A=B"]) for n in range(12)])
    said = run(tmp_path)
    assert (
        "carry no information and are left out: 12." in said
        and "replaced by a later line" in said
        and "(6 of 24)" in said
    )
    assert run(tmp_path, "--load-battles") == said
    assert run(tmp_path, "--load-battles") == said


@pytest.mark.slow
def test_loaded_battles_know_which_judges_read_something(tmp_path: Path) -> None:
    """How far a model that won everything may be from 100 depends on the most that a question can weigh."""
    write(tmp_path, "j", "m", [row("m", str(n), ["B>A", "A>B"]) for n in range(30)])
    write(tmp_path, "k", "m", [row("m", str(n), [None, None]) for n in range(30)])
    told = rows_of(run(tmp_path, "--format", "json", judge="j,k"))
    assert rows_of(run(tmp_path, "--format", "json"))["m"]["lower"] == told["m"]["lower"] > 50
    loaded = rows_of(run(tmp_path, "--format", "json", "--load-battles", judge="j,k"))
    assert loaded["m"]["lower"] == told["m"]["lower"]


@pytest.mark.slow
def test_battles_of_any_pairs_from_jsonl_and_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [("a", "b", "model_a"), ("a", "b", "model_b"), ("b", "c", "tie"), ("c", "a", "model_a"), ("c", "a", "tie")]
    lines = [dict(zip(("model_a", "model_b", "winner"), each)) for each in rows]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    parquet.write_table(pyarrow.Table.from_pylist(lines), tmp_path / "x.parquet")
    texts = [run(tmp_path, "--battles", name, "--format", "json", baseline="a") for name in ("x.jsonl", "x.parquet")]
    assert rows_of(texts[0]) == rows_of(texts[1]) and set(rows_of(texts[0])) == {"a", "b", "c"}
    (tmp_path / "x.jsonl").write_text('{"model_a":"a","model_b":"b","winner":"left"}\n')
    done = attempt(tmp_path, "--battles", "x.jsonl", baseline="a")
    assert done.returncode == 2 and "x.jsonl:1" in done.stderr


def test_a_written_battle_file_is_the_originals_row_for_row(tmp_path: Path) -> None:
    write(tmp_path, "j", 'm"1', [row('m"1', "1", ["A>>B", "A>B"]), row('m"1', "2", [None, "A=B"])])
    battles = battle.from_games(table(tmp_path).table, "base")
    lines = [json.loads(line) for line in b"".join(battle_files.battle_lines(battles)).splitlines()]
    winners = [line["winner"] for line in lines]
    assert winners == ["model_a"] * 3 + ["model_b"] + ["tie"] and lines[0]["model_a"] == "base"
    assert list(lines[0]) == ["question_id", "model_a", "model_b", "winner"] and lines[4]["question_id"] == "2"


@pytest.mark.slow
def test_default_names_belong_to_the_default_case_alone(tmp_path: Path) -> None:
    write(tmp_path, "j", "m", [row("m", str(n), ["A>B", "B>>A"]) for n in range(5)])
    run(tmp_path)
    names = sorted(file.name for file in (tmp_path / "data/b/cache").iterdir())
    assert names[0] == "battles_j_vs_base_weight3.jsonl" and not list((tmp_path / "data").glob("*.jsonl"))
    done = attempt(tmp_path, "--load-battles", "--weight", "2")
    assert done.returncode == 2 and "does not exist" in done.stderr


@pytest.mark.slow
def test_a_default_battle_file_of_another_case_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "j", "m", [row("m", str(n), ["A>B", "B>>A"]) for n in range(5)])
    run(tmp_path)
    cache = tmp_path / "data/b/cache/battles_j_vs_base_weight3"
    for end in (".jsonl", ".meta.json"):
        cache.with_name(cache.name + end).rename(tmp_path / "data" / f"arena_hard_battles{end}")
    done = attempt(tmp_path, "--load-battles", "--weight", "2")
    assert done.returncode == 2 and "weight" in done.stderr
    (tmp_path / "data/arena_hard_battles.meta.json").unlink()
    assert "does not record its inputs" in run(tmp_path, "--load-battles", "--weight", "2")


# ----------------------------------------------------------------------------------------- formats


@pytest.mark.slow
def test_the_page_is_self_contained_and_escapes_names(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    rows = [row(name, str(n), ["A>B", "B>>A"]) for n in range(5)] + [row(name, "9", ["B>A", "A>B"])]
    write(tmp_path, "j", "evil", rows)
    page = run(tmp_path, "--format", "html")
    assert page.startswith("<!doctype html>") and "alert(1)" in page and name not in page
    assert "http://" not in page and "https://" not in page and "<svg" in page and "Position" in page.title()


@pytest.mark.slow
def test_a_plot_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write(tmp_path, "j", "m", [row("m", str(n), ["A>B", "A=B"]) for n in range(5)])
    for name, start in (("x.png", b"\x89PNG"), ("x.svg", b"<?xml")):
        run(tmp_path, "--plot", name)
        assert (tmp_path / name).read_bytes().startswith(start)


# ----------------------------------------------------------------------------------- style control


@pytest.mark.slow
def test_style_control_counts_what_files_lack_and_is_the_same_on_several_processes(tmp_path: Path) -> None:
    import random

    chance = random.Random(3)
    for model in ("base", "m", "n"):
        answers = []
        for number in range(40):
            text = "".join(mark * chance.randint(0, 3) for mark in ("# Head\n", "- item\n", "**b** "))
            turns = [{"content": text, "token_len": chance.randint(20, 200)}]
            answers.append({"question_id": str(number), "model_id": model, "choices": [{"index": 0, "turns": turns}]})
        write_rows(tmp_path / "data/b/model_answer" / f"{model}.jsonl", answers)
        labels = ["A>B", "A=B", "B>A", "B>>A"]
        if model != "base":
            games = [row(model, str(n), [chance.choice(labels), chance.choice(labels)]) for n in range(41)]
            write(tmp_path, "j", model, games)
    flags = ("--control-features", "length", "markdown", "--num-rounds", "4")
    one = run(tmp_path, *flags)
    assert run(tmp_path, *flags, "--jobs", "2") == one
    for words in ("tokens", "headers", "lists", "bold", "4 of 164 battles left out", "m  "):
        assert words in one
    only = run(tmp_path, "--control-features", "length", "--num-rounds", "4", "--style-formula", "v0.1")
    assert "headers" not in only and "formula of v0.1" in only


@pytest.mark.slow
def test_style_control_without_answers_says_what_it_needs(tmp_path: Path) -> None:
    write(tmp_path, "j", "m", [row("m", "1", ["A>B", "B>>A"])])
    done = attempt(tmp_path, "--control-features", "length")
    assert done.returncode == 2 and "model_answer" in done.stderr
    assert attempt(tmp_path, "--control-features", "width").returncode == 2


@pytest.mark.slow
def test_style_control_of_games_that_all_came_out_the_same_says_so(tmp_path: Path) -> None:
    for model in ("base", "m"):
        turns = [{"content": "so", "token_len": 20 + len(model)}]
        answer = {"question_id": "1", "model_id": model, "choices": [{"index": 0, "turns": turns}]}
        write_rows(tmp_path / "data/b/model_answer" / f"{model}.jsonl", [answer])
    write(tmp_path, "j", "m", [row("m", "1", ["A>B", "A>B"])])  # each has won once; a round may draw one of them twice
    done = attempt(tmp_path, "--control-features", "length", "--num-rounds", "20")
    assert done.returncode == 2 and "came out for the same side" in done.stderr and "Traceback" not in done.stderr
