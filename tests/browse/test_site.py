"""Which bench the browser opens on."""

from __future__ import annotations

import shutil
from pathlib import Path

from arena_hard.browse.site import Site
from arena_hard.data.settings import JudgeSettings
from tests.support.browse_bench import write_bench


def settings(bench: str) -> JudgeSettings:
    """A judge's config that names a bench."""
    return JudgeSettings(bench_name=bench, judge_model="judy", prompt_template=["{question_1}"], model_list=["alpha"])


def test_the_demo_is_shown_when_nothing_else_is_there(tmp_path: Path) -> None:
    write_bench(tmp_path / "demo")
    site = Site(tmp_path, settings("arena-hard-v0.1"))
    assert site.first_bench() == "demo"
    assert "Leaderboard of demo" in site.show("")


def test_the_configs_bench_comes_first_then_a_judged_one(tmp_path: Path) -> None:
    for name in ("demo", "aaa", "own"):
        write_bench(tmp_path / name)
    shutil.rmtree(tmp_path / "aaa" / "model_judgment")
    assert Site(tmp_path, settings("aaa")).first_bench() == "aaa"
    assert Site(tmp_path, settings("elsewhere")).first_bench() == "own"
    assert Site(tmp_path).first_bench() == "own"
    assert "Leaderboard of demo" in Site(tmp_path).show("?bench=demo")


def test_a_config_of_another_bench_does_not_name_the_baseline(tmp_path: Path) -> None:
    write_bench(tmp_path / "small")
    assert Site(tmp_path, settings("small")).settings_of("small") is not None
    assert Site(tmp_path, settings("other")).settings_of("small") is None
