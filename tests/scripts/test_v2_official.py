"""The official v2.0 config, in its form: it names neither baselines nor categories, and runs v2.0 all the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from arena_hard.data.presets import categories_of
from tests.loopback import Server
from tests.scripts.test_v2 import BASELINES, CATEGORY, V2, answer, judgment
from tests.support.pipeline_bench import rows, sent, write_rows
from utils import load_judge_settings

OFFICIAL = """\
judge_model: gpt-4.1
temperature: 0.0
max_tokens: 16000

bench_name: arena-hard-v2.0

reference: null

regex_patterns:
  - \\[\\[([AB<>=]+)\\]\\]
  - \\[([AB<>=]+)\\]

prompt_template: "<|User Prompt|>\\n{QUESTION}\\n\\n[A]\\n{ANSWER_A}\\n\\n[B]\\n{ANSWER_B}"

model_list:
  - m
"""


class Official(V2):
    """The bench with a config that is written as text."""

    text = OFFICIAL

    def judge(self, *flags: str) -> str:
        config = self.folder / "arena-hard-v2.0.yaml"
        config.write_text(self.text)
        done = self.run("gen_judgment.py", "--setting-file", str(config), *flags)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def result(self, *flags: str) -> dict[str, Any]:
        done = self.run(
            "show_result.py", "--bench-name", "arena-hard-v2.0", "--judge-name", "gpt-4.1", "--format", "json",
            "--num-rounds", "5", *flags,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def v2(tmp_path: Path, wire: Server) -> Official:
    return Official(tmp_path, wire.openai_base)


def parts_of(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(part["category"], part["baseline"]) for part in result["parts"]]


BOTH = sorted(BASELINES.items())


@pytest.mark.slow
def test_it_is_planned_judged_and_rated(v2: Official, wire: Server) -> None:
    said = v2.judge("--dry-run")
    assert "4 questions" in said and "against o3-mini-2025-01-31 and gemini-2.0-flash-001" in said
    assert sent(wire) == []
    v2.judge()
    bodies = sent(wire)
    assert len(bodies) == 4 * 2
    for body in bodies:
        system, user = body["messages"]
        (uid,) = [uid for uid in CATEGORY if f"Prompt {uid}\n" in user["content"]]
        assert system["content"] == categories_of("arena-hard-v2.0")[CATEGORY[uid]]["system_prompt"]
        assert f"{BASELINES[CATEGORY[uid]]} on {uid}" in user["content"]
    written = rows(v2.judgments("gpt-4.1"))
    assert [(row["category"], row["baseline"]) for row in written] == [
        (category, BASELINES[category]) for category in CATEGORY.values()
    ]
    found = v2.result()
    assert parts_of(found) == BOTH
    assert [row["model"] for row in found["mean_over_categories"]] == ["m"]
    assert parts_of(v2.result("--load-battles")) == BOTH


@pytest.mark.slow
def test_the_shipped_config_says_the_same(v2: Official, wire: Server) -> None:
    v2.judge()
    before = v2.judgments("gpt-4.1").read_bytes()
    assert "gpt-4.1: nothing to judge" in V2.judge(v2, "--keep-mixed")
    assert v2.judgments("gpt-4.1").read_bytes() == before


@pytest.mark.slow
def test_what_the_file_says_counts_instead(v2: Official, wire: Server) -> None:
    write_rows(v2.answer_file("base"), [answer(uid, "base") for uid in CATEGORY])
    v2.text = OFFICIAL + 'baseline_model: base\nsystem_prompt: "Mine. [[A>B]]"\n'
    v2.text += "categories:\n  creative_writing:\n    system_prompt: Yours.\n"
    v2.judge()
    assert {row["baseline"] for row in rows(v2.judgments("gpt-4.1"))} == {"base"}
    systems = {body["messages"][0]["content"] for body in sent(wire)}
    assert systems == {"Mine. [[A>B]]", "Yours."}
    assert parts_of(v2.result("--baseline", "base")) == [(None, "base")]


@pytest.mark.slow
def test_one_category_alone(v2: Official, wire: Server) -> None:
    """A bench with a part of the questions is no mistake in the config, which does not name the categories."""
    v2.set_questions([row for row in rows(v2.bench / "question.jsonl") if row["category"] == "hard_prompt"])
    v2.judge()
    assert parts_of(v2.result()) == [BOTH[1]]
    assert parts_of(v2.result("--baseline", BASELINES["hard_prompt"])) == [BOTH[1]]


@pytest.mark.slow
def test_one_of_its_baselines_is_rated_in_its_category(v2: Official) -> None:
    v2.judge()
    assert parts_of(v2.result("--baseline", BASELINES["creative_writing"])) == [BOTH[0]]
    assert parts_of(v2.result("--category", "hard_prompt")) == [BOTH[1]]


@pytest.mark.slow
def test_official_judgments_are_rated_whether_they_name_their_baseline_or_not(v2: Official) -> None:
    official = [judgment(uid, "A>B", "B<<A") for uid in CATEGORY]
    write_rows(v2.judgments("gpt-4.1"), official)
    named = v2.result()
    assert parts_of(named) == BOTH
    write_rows(v2.judgments("gpt-4.1"), [{k: v for k, v in row.items() if k != "baseline"} for row in official])
    unnamed = v2.result()
    assert parts_of(unnamed) == BOTH
    assert [part["rows"] for part in named["parts"]] == [part["rows"] for part in unnamed["parts"]]


@pytest.mark.slow
def test_another_baseline_for_one_category_goes_beside_the_first(v2: Official, wire: Server) -> None:
    v2.judge()
    before = v2.judgments("gpt-4.1").read_bytes()
    write_rows(v2.answer_file("base"), [answer(uid, "base") for uid in CATEGORY])
    v2.text = OFFICIAL + "categories:\n  creative_writing:\n    baseline_model: base\n"
    said = v2.judge()
    assert "2 judgments exist,     0 to make" in said and "m against base" in said
    assert len(sent(wire)) == 4 * 2 + 2 * 2
    assert v2.judgments("gpt-4.1").read_bytes() == before
    file = v2.judgments("gpt-4.1").parent / "vs_base" / "m.jsonl"
    assert [row["question_id"] for row in rows(file)] == ["c1", "c2"]
    assert parts_of(v2.result()) == BOTH
    assert parts_of(v2.result("--category", "creative_writing", "--baseline", "base")) == [("creative_writing", "base")]


V01 = """\
judge_model: judge
bench_name: arena-hard-v0.1
reference: null
prompt_template: "<|User Prompt|>\\n{QUESTION}\\n\\n[A]\\n{ANSWER_A}\\n\\n[B]\\n{ANSWER_B}"
model_list: [m]
"""


@pytest.mark.parametrize(
    ("text", "has_ours"),
    [
        (V01, True),
        (V01 + "system_prompt: null\n", True),
        (V01 + "system_prompt: Judge!\n", False),
        (V01.replace("[B]\\n", "[[A>B]] or [[B>A]]: [B]\\n"), False),
        (V01.replace("arena-hard-v0.1", "my-bench"), False),
    ],
)
def test_a_v01_config_without_instructions_has_those_for_hard_prompts(
    tmp_path: Path, text: str, has_ours: bool
) -> None:
    (tmp_path / "judge.yaml").write_text(text)
    prompt = load_judge_settings(tmp_path / "judge.yaml").system_prompt_of("any")
    assert (prompt == categories_of("arena-hard-v2.0")["hard_prompt"]["system_prompt"]) == has_ours
    assert ("[[A>>B]]" in prompt) == has_ours
