"""What is known of the published benchmarks: their categories, each with its baseline and the judge's instructions."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arena_hard.data.record_values import is_object
from arena_hard.data.yaml_files import load_yaml, plain

DEFAULT_BENCH = "arena-hard-v0.1"
DEFAULT_JUDGE = "gpt-4-1106-preview"
DEFAULT_BASELINE = "gpt-4-0314"  # of v0.1, and the original's wherever nothing names another
BY_CATEGORY = ("arena-hard-v2.0",)


@functools.cache
def categories_of(bench_name: str) -> dict[str, dict[str, str]]:
    """baseline_model and system_prompt of each category; empty for a benchmark that has none of its own."""
    if bench_name not in BY_CATEGORY:
        return {}
    return load_yaml(Path(__file__).with_name(f"{bench_name}.yaml"))


def is_published(bench_name: str) -> bool:
    """Whether the benchmark is one of the original's, whose judgments have a usual baseline."""
    return bench_name == DEFAULT_BENCH or bench_name in BY_CATEGORY


def usual_baseline(bench_name: str, category: str = "") -> str:
    """The baseline that published judgments of a benchmark are against."""
    known = categories_of(bench_name).get(category)
    return known["baseline_model"] if known else DEFAULT_BASELINE


def usual_baselines(bench_name: str) -> list[str]:
    """The baselines of all categories; just one where categories do not matter."""
    known = [category["baseline_model"] for category in categories_of(bench_name).values()]
    return known or [DEFAULT_BASELINE]


def with_usual_values(values: dict[str, Any]) -> dict[str, Any]:
    """A judge's config with what it does not say of a known benchmark: categories, or the judge's instructions.

    values: as yaml_files.load_written gives them. What it says for all questions (`baseline_model`, `system_prompt`)
    counts for each category. A config with `baseline: false` rates answers on their own, and stays as it is.
    """
    if plain(values.get("bench_name")) == DEFAULT_BENCH:
        return values if _instructs(values) else {**values, "system_prompt": _instructions()}
    known = categories_of(str(plain(values.get("bench_name"))))
    given: Any = values.get("categories") if _is_said(values, "categories") else {}
    if not known or plain(values.get("baseline")) is False or not is_object(given):
        return values
    filled = {name: _filled(given.get(name), values, usual) for name, usual in known.items()}
    return {**values, "categories": {**given, **filled}}


def _instructs(values: Mapping[str, Any]) -> bool:
    """Whether a config tells the judge which labels to write; in v2.0's form it leaves that to the program."""
    return _is_said(values, "system_prompt") or "[[" in str(plain(values.get("prompt_template")))


def _instructions() -> str:
    """The judge's instructions for hard prompts, which are all that v0.1 has."""
    return categories_of(BY_CATEGORY[0])["hard_prompt"]["system_prompt"]


def _filled(given: Any, values: Mapping[str, Any], usual: Mapping[str, str]) -> Any:
    own: Any = {} if plain(given) is None else given
    if not is_object(own):
        return given  # a mistake, which is named when the config is checked
    said: dict[str, Any] = {**usual}
    for key in usual:
        for where in (values, own):
            said |= {key: where[key]} if _is_said(where, key) else {}
    return {**own, **said}


def _is_said(values: Mapping[str, Any], key: str) -> bool:
    return plain(values.get(key)) not in (None, "")
