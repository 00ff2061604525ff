"""Judgments against a further baseline in the browser: a judge of their own on every page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from arena_hard.browse import blind_page, game_selection, judge_page, leaderboard_page, tables
from arena_hard.browse.address import View
from arena_hard.browse.export import export
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.site import Site
from arena_hard.data.paths import Bench, manifest_file
from arena_hard.data.records import UserError
from arena_hard.data.settings import CategorySettings, JudgeSettings
from arena_hard.rating import blind_agreement
from tests.support.browse_bench import answer_row, judgment_row, write_bench
from tests.support.pipeline_bench import rows, write_rows

LABEL = "judy against beta"


def settings_against(baseline: str) -> JudgeSettings:
    return JudgeSettings(
        bench_name="small", judge_model="judy", prompt_template=["{answer_1}"], model_list=[], baseline_model=baseline
    )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """alpha is judged against base, and against beta in a folder of its own, where it wins everything."""
    bench = Bench(tmp_path, "small")
    write_bench(bench.folder)
    own = [judgment_row("alpha", name, ("B>A", "A>B"), baseline="beta") for name in ("q-sum", "q-time")]
    write_rows(bench.judgment_file("judy", "alpha", "beta"), own)
    return bench


@pytest.fixture
def index(bench: Bench) -> BenchIndex:
    index = BenchIndex(bench)
    index.refresh()
    return index


def test_both_are_there_and_each_shows_its_own(index: BenchIndex) -> None:
    assert index.judges == ["judy", LABEL]
    for judge, baseline, judged in (("judy", "base", 4), (LABEL, "beta", 2)):
        (board,) = leaderboard_page.boards_of(tables.Snapshot(index, judge, None), "rows")
        assert board.baseline == baseline
        assert {row.model: row.judged for row in board.rows}["alpha"] == judged
    alpha, code = index.models.index("alpha"), index.question_ids.index("q-sum")
    for judge, baseline in (("judy", "base"), (LABEL, "beta")):
        pair = game_selection.load(index, judge, alpha, code, None)
        assert (pair.baseline.model, pair.judgment and pair.judgment.baseline) == (baseline, baseline)
    assert index.judgment("judy", alpha, index.question_ids.index("q-time")) is None
    assert index.judgment(LABEL, alpha, index.question_ids.index("q-time")) is not None


def test_looks_are_those_of_the_folder_that_is_shown(bench: Bench, tmp_path: Path) -> None:
    looks = {"looks": {"questions": 5, "judged": [1, 2], "width": 10.0}}
    manifest_file(bench.judgment_file("judy", "alpha", "beta")).write_text(json.dumps(looks))
    site = Site(tmp_path)
    for tab in ("leaderboard", "compare&model=alpha&other=beta"):
        assert "monitored as it ran" in site.show(f"?tab={tab}&judge={LABEL.replace(' ', '+')}")
        assert "monitored as it ran" not in site.show(f"?tab={tab}&judge=judy")


@pytest.mark.slow
def test_the_pages_of_the_first_baseline_are_as_without_the_other(bench: Bench, tmp_path: Path) -> None:
    alone = Bench(tmp_path / "alone", "small")
    write_bench(alone.folder)
    for tab in ("leaderboard", "judge", "compare", "games"):
        found, other = (Site(each.data_dir).show(f"?tab={tab}&judge=judy") for each in (bench, alone))
        without = re.sub(rf"<option[^>]*>{LABEL}</option>", "", found)
        assert without.split() == other.replace(str(alone.data_dir), str(bench.data_dir)).split()
        assert LABEL in found


def test_one_judge_does_not_agree_with_itself(bench: Bench) -> None:
    """Its verdicts against two baselines are about different games."""
    index = BenchIndex(bench)
    index.refresh()
    _, context = judge_page.build(index, View(tab="judge", bench="small", judge="judy"), None)
    assert context["pairs"] is None
    copies = [row | {"judge": "jim"} for row in rows(bench.judgment_file("judy", "alpha", "beta"))]
    write_rows(bench.judgment_file("jim", "alpha"), copies)
    index.refresh()
    _, context = judge_page.build(index, View(tab="judge", bench="small", judge="judy"), None)
    shared = {(pair.judge, pair.other): pair.agreement.units for pair in context["pairs"].pairs}
    assert shared == {("jim", "judy"): 0, ("jim", LABEL): 4}


def test_a_blind_check_is_of_one_baseline(index: BenchIndex) -> None:
    for judge, baseline in (("judy", "base"), (LABEL, "beta")):
        check = blind_page.opened(index, judge, "Ada", None)
        assert {planned.baseline for planned in check.plan} == {baseline}
    files = [blind_agreement.check_file(index.bench, judge, "Ada") for judge in ("judy", LABEL)]
    assert len(set(files)) == 2 and all(file.is_file() for file in files)


@pytest.mark.parametrize(("baseline", "judge"), [("base", "judy"), ("beta", LABEL)])
def test_the_configs_baseline_is_shown_first_and_exported(
    bench: Bench, tmp_path: Path, baseline: str, judge: str
) -> None:
    site = Site(bench.data_dir, settings_against(baseline))
    assert f"Against {baseline}" in site.show("")
    export(site, tmp_path / "out")
    assert f"Against {baseline}" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    case = json.loads((tmp_path / "out" / "export.json").read_text())
    assert case == {"bench": "small", "judge": judge, "baseline": baseline}
    export(site, tmp_path / "out")  # the same again


def test_a_baseline_that_all_categories_have_is_shown_first_and_exported(bench: Bench, tmp_path: Path) -> None:
    categories = {name: CategorySettings(baseline_model="beta") for name in ("one", "two")}
    site = Site(bench.data_dir, msgspec.structs.replace(settings_against("base"), categories=categories))
    assert "Against beta" in site.show("")
    export(site, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "export.json").read_text())["baseline"] == "beta"
    assert "Against beta" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    categories["two"] = CategorySettings(baseline_model="base")
    assert msgspec.structs.replace(settings_against("base"), categories=categories).only_baseline is None


def test_an_export_of_another_case_is_not_written_over(bench: Bench, tmp_path: Path) -> None:
    export(Site(bench.data_dir, settings_against("base")), tmp_path / "out")
    before = (tmp_path / "out" / "index.html").read_bytes()
    with pytest.raises(UserError, match="holds another export"):
        export(Site(bench.data_dir, settings_against("beta")), tmp_path / "out")
    assert (tmp_path / "out" / "index.html").read_bytes() == before


def test_unnamed_judgments_against_another_baseline_are_another_export(bench: Bench, tmp_path: Path) -> None:
    write_rows(bench.judgment_file("jim", "beta"), [judgment_row("beta", "q-sum", ("A>B", "B>A"))])
    settings = msgspec.structs.replace(settings_against("base"), judge_model="jim")
    export(Site(bench.data_dir, settings), tmp_path / "out")
    case = tmp_path / "out" / "export.json"
    with pytest.raises(UserError, match="holds another export"):
        export(Site(bench.data_dir, msgspec.structs.replace(settings, baseline_model="alpha")), tmp_path / "out")
    case.write_text(json.dumps({"bench": "small", "judge": "jim"}))  # of an older version
    export(Site(bench.data_dir, settings), tmp_path / "out")


def test_unnamed_judgments_are_not_relabelled_by_the_config(bench: Bench) -> None:
    """Records of the original that were shown gpt-4-0314's answers, with a config for a new baseline."""
    usual = [answer_row("gpt-4-0314", "q-sum", ["four, says the usual one"])]
    write_rows(bench.answer_file("gpt-4-0314"), usual)
    row = judgment_row("beta", "q-sum", ("A>B", "B>A"))
    row["games"][0]["user_prompt"] = "2 + 2? A: four, says the usual one B: beta says turn 1 of q-sum"
    write_rows(bench.judgment_file("jim", "beta"), [row])
    index = BenchIndex(bench)
    index.refresh()
    boards = leaderboard_page.boards_of(tables.Snapshot(index, "jim", settings_against("base")), "rows")
    assert [board.baseline for board in boards] == ["gpt-4-0314"]
    row["games"][0]["user_prompt"] = "2 + 2? A: base says turn 1 of q-sum B: beta says turn 1 of q-sum"
    write_rows(bench.judgment_file("jim", "beta"), [row])
    index.refresh()
    boards = leaderboard_page.boards_of(tables.Snapshot(index, "jim", settings_against("base")), "rows")
    assert [board.baseline for board in boards] == ["base"]
