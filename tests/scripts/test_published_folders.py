"""Folders as others publish them: nothing in them is prepared, and all scripts take them as they are."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from arena_hard.browse import game_selection, games_page, judge_page
from arena_hard.browse.address import View
from arena_hard.browse.site import PAGES, Site
from arena_hard.data.paths import Bench
from arena_hard.rating.style_control import style_table
from tests.support.pipeline_bench import (
    ROOT,
    Scratch,
    answer,
    clean_environment,
    question,
    question_id,
    rows,
    run_script,
    write_rows,
)
from utils import load_judge_settings

KO = "ko-arena-hard-v0.1"
KO_FLAGS = ("--bench-name", KO, "--judge-name", "ensemble", "--baseline", "claude-3.7-sonnet")
CONFIG = "bench_name: {}\njudge_model: ensemble\nbaseline_model: {}\nmodel_list: []\nsystem_prompt: Judge.\n"
CONFIG += "prompt_template: ['{{question_1}} {{answer_1}} {{answer_2}}']\n"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32\nsize 12345\n"
PAGE = "\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body>{</body></html>\n"


@pytest.fixture
def ko_arena(shared_data: Path, tmp_path: Path) -> Path:
    """The published Korean folder as a bench, and the published rows beside it."""
    if not (shared_data / "ko-arena").is_dir():
        pytest.skip("the folder ko-arena is not among the shared data")
    shutil.copytree(shared_data / "ko-arena", tmp_path / "data" / KO, copy_function=shutil.copyfile)
    for folder in [tmp_path / "data" / KO, *(tmp_path / "data" / KO).rglob("*")]:
        folder.chmod(0o755)
    return tmp_path


def published(folder: Path) -> dict[str, tuple[float, float]]:
    """Score and tokens of each published model."""
    with open(folder / "data" / KO / "published_rows.csv", encoding="utf-8", newline="") as stream:
        return {row["model"]: (float(row["score"]), float(row["avg_tokens"])) for row in csv.DictReader(stream)}


def shown(folder: Path, *flags: str) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The rows of show_result.py by model, and its notes."""
    done = run_script(folder, "show_result.py", *flags, "--format", "json")
    assert done.returncode == 0, done.stderr
    part = json.loads(done.stdout)["parts"][0]
    return {row["model"]: row for row in part["rows"]}, [*json.loads(done.stdout)["notes"], *part["notes"]]


def test_the_leaderboard_of_ko_arena_is_the_published_one(ko_arena: Path) -> None:
    rows, notes = shown(ko_arena, *KO_FLAGS)
    ours = {model: (round(row["score"], 2), int(row["avg_tokens"])) for model, row in rows.items()}
    assert ours == published(ko_arena)
    (said,) = [note for note in notes if "itself" in note]
    assert said.startswith("claude-3.7-sonnet is the baseline") and said.endswith(": 500.")
    table = run_script(ko_arena, "show_result.py", *KO_FLAGS).stdout
    for model, (score, tokens) in published(ko_arena).items():
        assert any(
            line.startswith(f"{model} ") and f"{score:.1f}" in line and line.endswith(f": {tokens:.0f}")
            for line in table.splitlines()
        )


@pytest.mark.slow
def test_style_control_takes_its_counts_from_conv_metadata(ko_arena: Path) -> None:
    rows, _ = shown(ko_arena, *KO_FLAGS, "--control-features", "length", "markdown", "--num-rounds", "2")
    assert len(rows) == 6
    bench = Bench(ko_arena / "data", KO)
    records = [json.loads(line) for line in bench.answer_file("o3-high").read_bytes().splitlines()]
    counts = style_table(bench, ["o3-high"], [record["question_id"] for record in records])[0]
    for record, found in zip(records, counts.tolist()):
        metadata = record["conv_metadata"]
        kinds = [sum(metadata[key].values()) for key in ("header_count", "list_count", "bold_count")]
        assert found == [metadata["token_len"], *kinds]


def ko_site(folder: Path) -> Site:
    (folder / "judge.yaml").write_text(CONFIG.format(KO, "claude-3.7-sonnet"))
    return Site(folder / "data", load_judge_settings(folder / "judge.yaml"))


def test_the_browser_shows_ko_arena(ko_arena: Path) -> None:
    board = ko_site(ko_arena).show(f"?tab=leaderboard&bench={KO}")
    for model, (score, tokens) in published(ko_arena).items():
        (row,) = [row for row in board.split("<tr") if f">{model}<" in row or f">{model} <" in row]
        assert f"<b>{score:.1f}</b>" in row and f'data-label="Tokens">{tokens:.0f}<' in row
    assert "left out: 500." in board


def test_the_judge_pages_numbers_lead_to_as_many_games(ko_arena: Path) -> None:
    site = ko_site(ko_arena)
    index, settings = site.index(KO), site.settings
    _, context = judge_page.build(index, View(tab="judge", bench=KO, judge="ensemble"), settings)
    cells = [cell for row in context["cells"] for cell in row]
    assert sum(cell.games for cell in cells) == 2500  # without the baseline's own 500
    assert all(len(game_selection.select(index, cell.view, settings)) == cell.games for cell in cells)
    assert len(game_selection.select(index, View(tab="games", bench=KO, judge="ensemble"), settings)) == 3000
    own = games_page.listed(index, View(judge="ensemble"), index.models.index("claude-3.7-sonnet"), 0, is_own=True)
    assert own.kinds == "" and own.is_own


def test_a_folder_without_questions_is_shown(ko_arena: Path) -> None:
    Bench(ko_arena / "data", KO).question_file.unlink()
    board = ko_site(ko_arena).show("")
    assert "question.jsonl is not there: questions are shown by their ids" in board
    assert all(f"<b>{score:.1f}</b>" in board for score, _ in published(ko_arena).values())


@pytest.mark.slow
def test_every_page_of_ko_arena_opens(ko_arena: Path) -> None:
    site = ko_site(ko_arena)
    for tab in PAGES:
        for model in ("", "lfm-7b", "claude-3.7-sonnet"):
            page = site.show(f"?tab={tab}&bench={KO}&model={model}&other=o3-high")
            assert "This page cannot be shown" not in page
    games = site.show(f"?tab=games&bench={KO}&model=o3-high")
    assert "No text is recorded for this game" in games and "tokens" in games
    assert site.index(KO).problems == []


# --------------------------------------------------------------------------- the baseline's own file


def row(model: str, name: Any, verdicts: list[str | None], **more: Any) -> dict[str, Any]:
    return {"question_id": name, "model": model, "judge": "j", "games": [{"score": each} for each in verdicts], **more}


def judged(folder: Path, model: str, rows: list[dict[str, Any]]) -> Path:
    file = folder / "data/b/model_judgment/j" / f"{model}.jsonl"
    write_rows(file, rows)
    return file


B_FLAGS = ("--bench-name", "b", "--judge-name", "j", "--baseline", "base")


@pytest.mark.slow
@pytest.mark.parametrize("named", [{}, {"baseline": "base"}])
def test_the_baselines_own_judgments_change_no_number(tmp_path: Path, named: dict[str, str]) -> None:
    judged(tmp_path, "m", [row("m", str(n), ["A>B", "B>A" if n % 3 else "A>>B"], **named) for n in range(30)])
    without, _ = shown(tmp_path, *B_FLAGS)
    own = [row("base", str(n), ["A>B", "A>B"], **named) for n in range(30)] + [row("base", "31", [None, "B>A"])]
    judged(tmp_path, "base", own)
    with_own, notes = shown(tmp_path, *B_FLAGS)
    assert with_own == without
    assert sum("base is the baseline; its judgments" in note and ": 31." in note for note in notes) == 1
    write_rows(tmp_path / "data/b/question.jsonl", [question(1)])
    (tmp_path / "judge.yaml").write_text(CONFIG.format("b", "base"))
    site = Site(tmp_path / "data", load_judge_settings(tmp_path / "judge.yaml"))
    page = site.show("?tab=leaderboard&bench=b")
    assert "left out: 31." in page and f"<b>{without['m']['score']:.1f}</b>" in page


@pytest.mark.slow
def test_a_folder_with_the_baselines_own_judgments_alone_says_so(tmp_path: Path) -> None:
    judged(tmp_path, "base", [row("base", str(n), ["A>B", "A>B"]) for n in range(30)])
    done = run_script(tmp_path, "show_result.py", *B_FLAGS)
    assert done.returncode == 2 and "nothing but the baseline base itself" in done.stderr
    write_rows(tmp_path / "data/b/question.jsonl", [question(1)])
    for tab in PAGES:
        assert "This page cannot be shown" not in Site(tmp_path / "data").show(f"?tab={tab}&bench=b")


@pytest.mark.slow
def test_a_judged_model_is_not_taken_for_the_baseline_in_silence(tmp_path: Path) -> None:
    for model in ("base", "m"):
        judged(tmp_path, model, [row(model, str(n), ["A>B", "B>A"]) for n in range(40)])
    done = run_script(tmp_path, "show_result.py", *B_FLAGS)
    assert done.returncode == 2 and "not of the baseline against itself" in done.stderr


@pytest.mark.slow
def test_battles_of_a_model_with_itself_are_left_out(tmp_path: Path) -> None:
    one = {"question_id": 7, "model_a": "base", "model_b": "m", "winner": "model_a"}
    rows = [one, {**one, "question_id": "7", "winner": "model_b"}]
    write_rows(tmp_path / "battles.jsonl", [*rows, {**one, "model_b": "base"}])
    done = run_script(tmp_path, "show_result.py", "--battles", "battles.jsonl", "--baseline", "base")
    assert done.returncode == 0 and "1 battle of a model with itself was left out" in done.stderr
    assert "50.0" in done.stdout


@pytest.mark.slow
def test_gen_judgment_leaves_the_baseline_out(answered: Scratch) -> None:
    own = row("base", question_id(1), ["A>B", "A>B"])
    file = answered.bench / "model_judgment/judge/base.jsonl"
    write_rows(file, [own])
    answered.judging["model_list"] = ["base", "m"]
    done = answered.run("gen_judgment.py")
    assert done.returncode == 0, done.stderr
    assert "against base (which is not judged against itself)" in done.stdout
    assert rows(file) == [own] and len(rows(answered.bench / "model_judgment/judge/m.jsonl")) == 3


# ------------------------------------------------------------------------------ games that are missing


@pytest.mark.slow
def test_judgments_with_one_game_or_none_are_counted_and_shown(tmp_path: Path) -> None:
    whole = [row("m", str(n), ["A>B", "B>A"]) for n in range(5)]
    single = [row("m", str(n), ["A>B"]) for n in range(5, 8)]
    empty = [row("m", "8", []), {**row("m", "9", []), "games": None}, {"question_id": "10", "model": "m"}]
    judged(tmp_path, "m", [*whole, *single, *empty])
    rows, notes = shown(tmp_path, *B_FLAGS)
    assert rows["m"]["score"] < 50.0
    assert any("only one game" in note and "3 of 8" in note for note in notes)
    assert any(note.startswith("Judgments without a game, not counted: 3") for note in notes)
    write_rows(tmp_path / "data/b/question.jsonl", [{**question(1), "question_id": str(n)} for n in range(11)])
    (tmp_path / "judge.yaml").write_text(CONFIG.format("b", "base"))
    site = Site(tmp_path / "data", load_judge_settings(tmp_path / "judge.yaml"))
    assert "3 of 8" in site.show("?tab=leaderboard&bench=b")
    for n in range(11):
        page = site.show(f"?tab=games&bench=b&model=m&question={n}")
        assert "This page cannot be shown" not in page
        assert ("No text is recorded for this game" in page) == (n < 8)
        assert ("There is no such game" in page) == (n >= 5)
    assert site.index("b").problems == []


JUDGMENTS: list[Any] = [
    [{"type": "text", "text": "Because <b>"}, {"type": "text", "text": "[[A>B]]"}],
    {"answer": "Because <b> [[A>B]]", "thought": "hm"},
    {"explanation": "Because <b> [[A>B]]"},
    ["Because <b>", "[[A>B]]"],
    {"answer": ["Because <b> [[A>B]]"]},
]


@pytest.mark.slow
@pytest.mark.parametrize("text", JUDGMENTS)
def test_a_judgment_that_is_a_list_or_a_mapping_is_shown(tmp_path: Path, text: Any) -> None:
    prompt = [{"role": "user", "content": [{"type": "text", "text": "which one?"}]}]
    game = {"score": "A>B", "judgment": text, "prompt": prompt}
    judged(tmp_path, "m", [{**row("m", "1", []), "games": [game, {**game, "score": ["A>B", "B>A"]}]}])
    write_rows(tmp_path / "data/b/question.jsonl", [{**question(1), "question_id": 1}])
    site = Site(tmp_path / "data")
    page = site.show("?tab=games&bench=b&model=m&question=1")
    assert "Because" in page and "&lt;b&gt;" in page and "which one?" in page
    assert "Because" in site.show("?tab=games&bench=b&model=m&text=because")
    _, notes = shown(tmp_path, *B_FLAGS)
    assert any("not verdicts, counted as unreadable: 1, the first ['A>B', 'B>A']" in note for note in notes)


# ------------------------------------------------------------------------------------ ids as numbers


@pytest.mark.slow
def test_ids_may_be_numbers_in_one_file_and_texts_in_another(answered: Scratch) -> None:
    ids: list[Any] = [721086674, "0", 3.0]
    texts = ["721086674", "0", "3"]
    questions = [{**question(n), "question_id": key, "cluster": n, "category": 7} for n, key in enumerate(ids)]
    answered.set_questions(questions)
    for model, keys in (("base", texts), ("m", [721086674, 0, "3"])):
        answers = [{**answer(n, model), "question_id": key} for n, key in enumerate(keys)]
        write_rows(answered.answer_file(model), answers)
    (answered.folder / "ids.txt").write_text("721086674\n3\n")
    file = answered.bench / "model_judgment/judge/m.jsonl"
    write_rows(file, [row("m", 0, ["B>A", "A>B"], baseline="base")])
    assert answered.run("gen_answer.py").stdout.count("Nothing to generate") == 1
    done = answered.run("gen_judgment.py", "--question-ids", "ids.txt")
    assert done.returncode == 0, done.stderr
    assert sorted(str(each["question_id"]) for each in rows(file)) == ["0", "3", "721086674"]
    assert "nothing to judge" in answered.run("gen_judgment.py").stdout
    found, notes = shown(answered.folder, "--bench-name", "bench", "--judge-name", "judge", "--baseline", "base")
    assert found["m"]["avg_tokens"] == 3 and not any("does not list" in note for note in notes)
    categories = shown(
        answered.folder, "--bench-name", "bench", "--judge-name", "judge", "--baseline", "base", "--category", "7"
    )
    assert categories[0]["m"]["score"] == found["m"]["score"]
    site = Site(answered.folder / "data")
    index = site.index("bench")
    assert index.problems == [] and sorted(index.question_ids) == sorted(texts)
    assert "Question 721086674" in site.show("?tab=games&bench=bench&model=m&question=721086674")


# ------------------------------------------------------------------------- what lies beside and instead


@pytest.mark.slow
def test_what_systems_and_editors_leave_beside_the_records_is_passed_over(answered: Scratch) -> None:
    judgments = answered.bench / "model_judgment"
    write_rows(judgments / "judge/m.jsonl", [row("m", question_id(n), ["A>B", "B>A"]) for n in range(1, 4)])
    flags = ("--bench-name", "bench", "--judge-name", "judge", "--baseline", "base")
    before = shown(answered.folder, *flags)
    for folder in (answered.bench / "model_answer", judgments / "judge", judgments / ".ipynb_checkpoints"):
        for name in ("._m.jsonl", ".DS_Store", "m.jsonl~", "#m.jsonl#", ".m.jsonl.swp", "m.jsonl.bak", ".#m.jsonl"):
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"\0\5\26\7 not a record \xff")
        (folder / ".ipynb_checkpoints").mkdir(exist_ok=True)
        shutil.copy(judgments / "judge/m.jsonl", folder / ".ipynb_checkpoints/m-checkpoint.jsonl")
        (folder / "n.jsonl").mkdir(exist_ok=True)
    shutil.copy(judgments / "judge/m.jsonl", judgments / ".ipynb_checkpoints/m-checkpoint.jsonl")
    assert shown(answered.folder, *flags) == before
    assert answered.run("gen_answer.py").returncode == 0
    for script, more in (("gen_judgment.py", "--quote"), ("show_result.py", "--costs")):
        extra = ("--bench-name", "bench") if script == "show_result.py" else ()
        done = answered.run(script, more, *extra)
        assert done.returncode == 0, done.stderr
        assert "checkpoint" not in done.stdout
    site = Site(answered.folder / "data")
    index = site.index("bench")
    assert (index.judges, index.models, index.problems) == (["judge"], ["base", "m"], [])
    assert Bench(answered.folder / "data", "bench").judges() == ["judge"]


@pytest.mark.slow
@pytest.mark.parametrize(("text", "words"), [(LFS, "git lfs pull"), (PAGE, "web page")])
@pytest.mark.parametrize("place", ["question.jsonl", "model_answer/m.jsonl", "model_judgment/judge/m.jsonl"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_pointer_or_a_page_in_place_of_a_file_is_named(
    answered: Scratch, text: str, words: str, place: str, end: str
) -> None:
    write_rows(answered.bench / "model_judgment/judge/m.jsonl", [row("m", question_id(1), ["A>B", "B>A"])])
    file = answered.bench / place
    file.write_text(text.strip() + end)
    scripts = [("gen_judgment.py",), ("show_result.py", "--bench-name", "bench", "--judge-name", "judge")]
    for script, *flags in scripts:
        flags += ["--baseline", "base"] if script == "show_result.py" else []
        done = answered.run(script, *flags)
        said = done.stderr + done.stdout
        assert done.returncode == (0 if script == "show_result.py" and place == "question.jsonl" else 2)
        assert f"{place} is a" in said and words in said and "Traceback" not in said
    if place != "model_judgment/judge/m.jsonl":
        done = answered.run("gen_answer.py")
        assert done.returncode == 2 and words in done.stderr
    index = Site(answered.folder / "data").index("bench")
    assert len(index.problems) == 1 and words in index.problems[0]
    assert file.read_text() == text.strip() + end and not list(answered.bench.rglob("*.torn"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('{"question_id": "1"}\n'.encode("utf-16"), "UTF-16"),
        ('{"question_id": "1"}\n'.encode("utf-16-le"), "UTF-16"),
        (b"\x1f\x8b\x08\0abc", "gzip"),
        (b"PK\x03\x04abc", "zip"),
        (b"PAR1abc", "Parquet"),
        (b"Entry not found", "server's message"),
        (b"404: Not Found", "server's message"),
    ],
)
def test_other_things_in_place_of_a_file_are_named(tmp_path: Path, data: bytes, words: str) -> None:
    judged(tmp_path, "m", []).write_bytes(data)
    done = run_script(tmp_path, "show_result.py", *B_FLAGS)
    assert done.returncode == 2 and words in done.stderr and "m.jsonl is" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("text", "words"), [(LFS, "git lfs pull"), (PAGE, "web page")])
def test_a_pointer_or_a_page_in_place_of_a_config_is_named(answered: Scratch, text: str, words: str) -> None:
    answered.write()
    file = answered.folder / "config/judge_config.yaml"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, str(ROOT / "gen_judgment.py")],
        cwd=answered.folder, capture_output=True, text=True, env=clean_environment(),
    )  # fmt: skip
    assert done.returncode == 2 and words in done.stderr and "judge_config.yaml" in done.stderr


@pytest.mark.slow
def test_two_records_on_the_last_line_are_kept_and_not_asked_for_again(answered: Scratch) -> None:
    file = answered.bench / "model_judgment/judge/m.jsonl"
    write_rows(file, [row("m", question_id(n), ["A>B", "B>A"], baseline="base") for n in range(1, 4)])
    lines = file.read_bytes().splitlines()
    file.write_bytes(lines[0] + b"\n" + lines[1] + lines[2])
    done = answered.run("gen_judgment.py")
    assert done.returncode == 0 and "nothing to judge" in done.stdout and "torn" not in done.stdout + done.stderr
    assert not file.with_suffix(".torn").exists()


@pytest.mark.slow
@pytest.mark.parametrize("features", ["length", "markdown", "style"])
def test_style_control_of_ko_arena_is_that_of_an_independent_fit(ko_arena: Path, features: str) -> None:
    reference = json.loads((ko_arena / "data" / KO / "style_reference.json").read_bytes())[features]
    chosen = ["length", "markdown"] if features == "style" else [features]
    flags = (*KO_FLAGS, "--style-formula", "v0.1", "--num-rounds", "1", "--control-features", *chosen)
    found, notes = shown(ko_arena, *flags)
    for model, score in reference["scores"].items():
        assert found[model]["score"] == pytest.approx(score, abs=0.02)
    (said,) = [note for note in notes if note.startswith("Style control")]
    coefficients = [float(text) for text in re.findall(r"[a-z] ([+-]\d\.\d{3}) \(", said)]
    assert coefficients == pytest.approx(reference["coefficients"], abs=0.001)
    if features == "style":
        assert shown(ko_arena, *flags, "--at-equal-style")[0]["deepseek-r1"]["score"] == pytest.approx(52.2, abs=0.05)
