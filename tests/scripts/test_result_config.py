"""show_result.py takes benchmark, judge, baseline and categories from the judge's config, flags first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.pipeline_bench import TEMPLATE, run_script, write_rows

CONFIG = {"bench_name": "mine", "judge_model": "J", "baseline_model": "base", "prompt_template": [TEMPLATE]}
PAIRS = "Paired differences of win rates on common questions"
CATEGORIES = {"easy": {"baseline_model": "base"}, "hard": {"baseline_model": "ckpt"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A benchmark with eight questions, of which a judge has judged one model against one baseline."""
    keys = [f"{n:032x}" for n in range(8)]
    questions = [{"question_id": key, "category": "easy" if n < 4 else "hard"} for n, key in enumerate(keys)]
    write_rows(tmp_path / "data/mine/question.jsonl", [{**each, "turns": [{"content": "?"}]} for each in questions])
    judge(tmp_path, "base")
    configure(tmp_path)
    return tmp_path


def judge(folder: Path, baseline: str | None, judge: str = "J", inside: str = "", only: str = "") -> None:
    """Judgments that m won against one baseline in each first game."""
    rows: list[dict[str, Any]] = []
    for n in range(8):
        category = "easy" if n < 4 else "hard"
        row = {"question_id": f"{n:032x}", "model": "m", "judge": judge, "category": category}
        row |= {"games": [{"score": "B>A"}, {"score": "A=B"}]}
        rows += [row | ({"baseline": baseline} if baseline else {})] if only in ("", category) else []
    file = folder / "data/mine/model_judgment" / judge / inside / "m.jsonl"
    old = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if only and file.is_file() else []
    write_rows(file, [*old, *rows])


def configure(folder: Path, name: str = "config/judge_config.yaml", **keys: Any) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump({**CONFIG, **keys}), encoding="utf-8")


def result(folder: Path, *flags: str) -> dict[str, Any]:
    done = run_script(folder, "show_result.py", "--format", "json", *flags)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"said": done.stdout + done.stderr}


def models(found: Mapping[str, Any]) -> list[list[str]]:
    return [sorted(row["model"] for row in each["rows"]) for each in found["parts"]]


def test_without_a_flag_it_is_what_the_config_judges(folder: Path) -> None:
    assert models(result(folder)) == [["base", "m"]]


def test_the_configs_baseline_comes_before_the_one_that_most_records_name(folder: Path) -> None:
    judge(folder, "ckpt", inside="vs_ckpt")
    configure(folder, baseline_model="ckpt")
    assert models(result(folder)) == [["ckpt", "m"]]
    assert models(result(folder, "--baseline", "base")) == [["base", "m"]]
    assert models(result(folder, "--setting-file", "config/judge_config.yaml", "--load-battles")) == [["ckpt", "m"]]


def test_a_baseline_that_nothing_was_judged_against_is_said_not_refused(folder: Path) -> None:
    configure(folder, baseline_model="later")
    found = result(folder)
    assert models(found) == [["base", "m"]]
    assert "The baseline is base, not later as config/judge_config.yaml says, because" in found["said"]


def test_the_only_baseline_that_is_there_needs_no_flag(folder: Path) -> None:
    (folder / "data/mine/model_judgment/J/m.jsonl").unlink()
    judge(folder, "ckpt", inside="vs_ckpt")
    found = result(folder)
    assert models(found) == [["ckpt", "m"]] and "The baseline is ckpt, not base" in found["said"]
    assert models(result(folder, "--load-battles")) == [["ckpt", "m"]]


def test_an_assumed_baseline_names_the_config(folder: Path) -> None:
    judge(folder, None)
    configure(folder, baseline_model="x")
    assert "nothing in them reveals it: x is assumed, as config/judge_config.yaml says." in result(folder)["said"]


@pytest.mark.parametrize("categories", [CATEGORIES, {"easy": {}, "hard": {"system_prompt": "p"}}])
def test_its_categories_are_rated_each_on_its_own(folder: Path, categories: dict[str, Any]) -> None:
    if categories is CATEGORIES:
        (folder / "data/mine/model_judgment/J/m.jsonl").unlink()
        judge(folder, "base", only="easy")
        judge(folder, "ckpt", only="hard")
    configure(folder, categories=categories)
    hard = "ckpt" if categories is CATEGORIES else "base"
    assert models(result(folder)) == [["base", "m"], sorted([hard, "m"])]
    assert models(result(folder, "--load-battles")) == [["base", "m"], sorted([hard, "m"])]
    assert models(result(folder, "--category", "hard")) == [sorted([hard, "m"])]
    assert models(result(folder, "--category", "none")) == [["base", "m"]]


def test_battles_of_a_category_that_is_rated_otherwise_now_are_not_left_over(folder: Path) -> None:
    """Its judgments against the config's baseline are taken away: those against another one count, and are found."""
    judge(folder, "ckpt", inside="vs_ckpt", only="hard")
    configure(folder, categories=CATEGORIES)
    assert models(result(folder)) == models(result(folder, "--load-battles")) == [["base", "m"], ["ckpt", "m"]]
    (folder / "data/mine/model_judgment/J/vs_ckpt/m.jsonl").unlink()
    assert models(result(folder)) == models(result(folder, "--load-battles")) == [["base", "m"], ["base", "m"]]
    names = sorted(file.name for file in (folder / "data/mine/cache").glob("battles*"))
    assert names == [
        f"battles_J_vs_base_weight3_{category}.{ending}"
        for category in ("easy", "hard")
        for ending in ("jsonl", "meta.json")
    ]


def test_categories_that_an_earlier_run_has_not_rated_are_said(folder: Path) -> None:
    configure(folder, categories={"easy": {}, "hard": {}})
    result(folder, "--category", "hard")
    some = result(folder, "--load-battles")
    assert models(some) == [["base", "m"]] and "of some categories alone, and not of easy. Run without" in some["said"]
    assert "of some categories" not in result(folder, "--load-battles", "--category", "hard")["said"]
    result(folder)
    result(folder, "--category", "hard")
    whole = result(folder, "--load-battles")
    assert models(whole) == [["base", "m"]] * 2 and "of some categories" not in whole["said"]


def test_categories_of_the_config_that_no_question_has_do_not_matter(folder: Path) -> None:
    configure(folder, categories=CATEGORIES)
    (folder / "data/mine/question.jsonl").unlink()
    file = folder / "data/mine/model_judgment/J/m.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    write_rows(file, [{key: value for key, value in row.items() if key != "category"} for row in rows])
    assert models(result(folder)) == [["base", "m"]]
    assert "of all questions in one" not in result(folder, "--load-battles")["said"]


def test_battles_made_before_the_config_named_categories_are_said_to_be_of_none(folder: Path) -> None:
    result(folder)
    configure(folder, categories={"easy": {}, "hard": {}})
    found = result(folder, "--load-battles")
    assert models(found) == [["base", "m"]]
    assert "in one, not of each category that config/judge_config.yaml names. Run without" in found["said"]


def test_several_judges_are_an_ensemble_of_those_that_have_judged(folder: Path) -> None:
    configure(folder, judge_model=["J", "K", "L"])
    judge(folder, "base", judge="K")
    found = result(folder)
    assert found["options"]["judge_name"] == ["J", "K"]
    assert "names L as judges, too; they have judged nothing of mine yet" in found["said"]


def test_another_benchmark_keeps_the_judge_but_not_the_baseline(folder: Path) -> None:
    (folder / "data/mine").rename(folder / "data/other")
    assert models(result(folder, "--bench-name", "other")) == [["base", "m"]]
    configure(folder, "own.yaml", bench_name="other", judge_model="K")
    assert "model_judgment/K does not exist" in fails(folder, "--setting-file", "own.yaml")


def fails(folder: Path, *flags: str) -> str:
    done = run_script(folder, "show_result.py", *flags)
    assert done.returncode == 2, done.stdout
    return done.stderr


def test_a_config_that_cannot_be_read_matters_only_where_it_is_needed(folder: Path) -> None:
    configure(folder, judge_modell="J")
    assert "config/judge_config.yaml:" in fails(folder) and "judge_modell" in fails(folder)
    found = result(folder, "--bench-name", "mine", "--judge-name", "J")
    assert models(found) == [["base", "m"]] and "config/judge_config.yaml is not used:" in found["said"]
    flags = ("--bench-name", "mine", "--judge-name", "J", "--setting-file")
    assert "judge_modell" in fails(folder, *flags, "config/judge_config.yaml")
    assert "nowhere.yaml" in fails(folder, *flags, "nowhere.yaml")


def test_without_a_config_it_is_the_published_benchmark(tmp_path: Path) -> None:
    said = fails(tmp_path)
    assert "data/arena-hard-v0.1/model_judgment/gpt-4-1106-preview does not exist. Run gen_judgment.py first." in said


def test_a_model_that_lacks_a_category_is_compared_in_the_others(folder: Path) -> None:
    file = folder / "data/mine/model_judgment/J/m.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    write_rows(file.with_name("n.jsonl"), [row | {"model": "n"} for row in rows if row["category"] == "easy"])
    flags = ("--category", "all", "--compare", "m", "n")
    found, table = result(folder, *flags), run_script(folder, "show_result.py", *flags).stdout
    easy, hard = (part["analyses"][PAIRS] for part in found["parts"])
    assert len(easy) == 1 and hard == []
    assert "n: not known, because no readable verdict is in hard." in table
    assert "rates the benchmark as a whole: name no other" in fails(folder, "--category", "none", "easy")


def test_a_judge_without_a_verdict_changes_nothing(folder: Path) -> None:
    """Neither an interval nor on how many questions a model was judged."""
    file = folder / "data/mine/model_judgment/J/m.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    write_rows(folder / "data/mine/model_judgment/N/m.jsonl", [row | {"games": [{"score": None}] * 2} for row in rows])
    flags = ("--interval", "sandwich", "--compare", "m", "base", "--judge-name", "J")
    alone, beside = (result(folder, *flags, *more)["parts"][0] for more in ((), ("N",)))
    for key in ("lower", "upper", "judged"):
        assert [row[key] for row in beside["rows"]] == [row[key] for row in alone["rows"]]
    assert beside["analyses"][PAIRS] == alone["analyses"][PAIRS]
