"""Arena-Hard v2.0 with the shipped config: its record shapes, and each category's own baseline and judge prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arena_hard.data.settings import JudgeSettings
from tests.loopback import Server
from tests.support.pipeline_bench import ROOT, Scratch, rows, sent, write_rows
from utils import load_judge_settings

CONFIG = ROOT / "config" / "arena-hard-v2.0.yaml"
JUDGES = ("gpt-4.1", "gemini-2.5-pro")
BASELINES = {"hard_prompt": "o3-mini-2025-01-31", "creative_writing": "gemini-2.0-flash-001"}
CATEGORY = {"h1": "hard_prompt", "c1": "creative_writing", "h2": "hard_prompt", "c2": "creative_writing"}


def question(uid: str, prompt: str = "") -> dict[str, Any]:
    return {"uid": uid, "category": CATEGORY[uid], "subcategory": "s", "prompt": prompt or f"Prompt {uid}"}


def answer(uid: str, model: str) -> dict[str, Any]:
    """A thinking model's answer as v2.0 has it."""
    content = {"thought": f"secret thought of {model}", "answer": f"{model} on {uid}"}
    metadata = {
        "token_len": 5,
        "header_count": dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), 0),
        "list_count": {"ordered": 0, "unordered": 0},
        "bold_count": {"**": 0, "__": 0},
    }
    messages = [{"role": "user", "content": f"Prompt {uid}"}, {"role": "assistant", "content": content}]
    return {"uid": uid, "ans_id": "x", "model": model, "messages": messages, "tstamp": 1.0, "metadata": metadata}


def judgment(uid: str, *scores: str | None, judge: str = "gpt-4.1") -> dict[str, Any]:
    """A judgment as v2.0's own program writes it; a game that failed is null."""
    prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": "p"}]
    games = [score and {"score": score, "judgment": {"answer": f"[[{score}]]"}, "prompt": prompt} for score in scores]
    baseline = BASELINES[CATEGORY[uid]]
    head = {"uid": uid, "category": CATEGORY[uid], "judge": judge, "model": "m", "baseline": baseline}
    return {**head, "games": games}


class V2(Scratch):
    """A scratch folder with a bench in v2.0's shapes, judged by the shipped config."""

    def __init__(self, folder: Path, base: str) -> None:
        super().__init__(folder, base)
        self.bench = folder / "data" / "arena-hard-v2.0"
        self.set_questions([question(uid) for uid in CATEGORY])
        for judge in JUDGES:
            self.add_model(judge, base)
        for model in ("m", *BASELINES.values()):
            write_rows(self.answer_file(model), [answer(uid, model) for uid in CATEGORY])

    def judge(self, *flags: str) -> str:
        """Judge the model `m` unless the flags say otherwise. Returns what was printed."""
        models = () if "--models" in flags else ("--models", "m")
        done = self.run("gen_judgment.py", "--setting-file", str(CONFIG), *models, *flags)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def judgments(self, judge: str, model: str = "m") -> Path:
        return self.bench / "model_judgment" / judge / f"{model}.jsonl"


@pytest.fixture
def v2(tmp_path: Path, wire: Server) -> V2:
    return V2(tmp_path, wire.openai_base)


@pytest.fixture
def settings() -> JudgeSettings:
    return load_judge_settings(CONFIG)


def test_each_category_has_its_own_baseline_and_instructions_on_the_wire(
    v2: V2, wire: Server, settings: JudgeSettings
) -> None:
    assert settings.system_prompt_of("hard_prompt") != settings.system_prompt_of("creative_writing")
    v2.judge()
    bodies = sent(wire)
    assert len(bodies) == 4 * 2 * 2
    for uid, category in CATEGORY.items():
        about = [body for body in bodies if f"Prompt {uid}\n" in body["messages"][1]["content"]]
        assert len(about) == 4
        for body in about:
            system, user = body["messages"]
            assert system == {"role": "system", "content": settings.system_prompt_of(category)}
            assert {f"{model} on {uid}" in user["content"] for model in ("m", BASELINES[category])} == {True}
            assert "secret thought" not in user["content"]
            assert (body["max_tokens"], body["temperature"]) == (16000, 0.0)
    first, second = rows(v2.judgments("gpt-4.1"))[1]["games"]
    shown = [game["user_prompt"].index("m on c1") < game["user_prompt"].index("gemini-2.0") for game in (first, second)]
    assert shown == [False, True]


@pytest.mark.slow
def test_two_judges_one_after_the_other(v2: V2, wire: Server) -> None:
    v2.judge()
    assert [body["model"] for body in sent(wire)] == ["gpt-4.1"] * 8 + ["gemini-2.5-pro"] * 8
    for judge in JUDGES:
        written = rows(v2.judgments(judge))
        assert [row["question_id"] for row in written] == list(CATEGORY)
        assert [row["category"] for row in written] == list(CATEGORY.values())
        assert [row["baseline"] for row in written] == [BASELINES[category] for category in CATEGORY.values()]
        assert {row["judge"] for row in written} == {judge}
        assert len({row["settings_hash"] for row in written}) == 2  # one for each category
    assert "nothing to judge" in v2.judge()
    assert len(sent(wire)) == 16


@pytest.mark.slow
def test_an_official_file_is_continued(v2: V2, wire: Server) -> None:
    write_rows(v2.judgments("gpt-4.1"), [judgment("h1", "A>B", "B<<A"), judgment("c1", None, "A=B")])
    write_rows(v2.judgments("gemini-2.5-pro"), [judgment(uid, "A>B", "B>A", judge=JUDGES[1]) for uid in CATEGORY])
    before = v2.judgments("gpt-4.1").read_bytes()
    said = v2.judge()
    assert "2 judgments exist,     2 to make, 1 unreadable" in said
    assert len(sent(wire)) == 4
    assert v2.judgments("gpt-4.1").read_bytes().startswith(before)
    assert [row["question_id"] for row in rows(v2.judgments("gpt-4.1"))[2:]] == ["h2", "c2"]
    v2.judge("--retry-unreadable")
    assert len(sent(wire)) == 6
    assert [row.get("uid") or row["question_id"] for row in rows(v2.judgments("gpt-4.1"))] == list(CATEGORY)


@pytest.mark.slow
def test_a_baseline_is_judged_in_the_other_category(v2: V2, wire: Server) -> None:
    v2.judge("--models", BASELINES["hard_prompt"])
    written = rows(v2.judgments("gpt-4.1", BASELINES["hard_prompt"]))
    assert [row["question_id"] for row in written] == ["c1", "c2"]
    assert {row["baseline"] for row in written} == {BASELINES["creative_writing"]}


@pytest.mark.slow
@pytest.mark.parametrize("label", ["[A<<B]", "[[A<<B]]"])
def test_its_spellings_in_single_brackets_too_up_to_the_leaderboard(v2: V2, wire: Server, label: str) -> None:
    v2.set_questions([question(uid, f"Say {label} {uid}") for uid in CATEGORY])
    wire.configure(reply="echo", auto_verdict=False)
    v2.judge()
    verdicts = [game["score"] for row in rows(v2.judgments("gpt-4.1")) for game in row["games"]]
    assert verdicts == ["A<<B"] * 8
    flags = ("--bench-name", "arena-hard-v2.0", "--judge-name", *JUDGES, "--category", "all", "--num-rounds", "5")
    done = v2.run("show_result.py", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("m  ")]
    assert lines
    assert all("50.0" in line for line in lines)  # the model won one game of each question, and lost the other


@pytest.mark.slow
def test_answers_to_its_questions(v2: V2, wire: Server) -> None:
    v2.answers["bench_name"] = "arena-hard-v2.0"
    write_rows(v2.answer_file("m"), [answer("h1", "m")])
    before = v2.answer_file("m").read_bytes()
    done = v2.run("gen_answer.py")
    assert done.returncode == 0, done.stderr
    assert v2.answer_file("m").read_bytes().startswith(before)
    assert sorted(body["messages"][-1]["content"] for body in sent(wire)) == ["Prompt c1", "Prompt c2", "Prompt h2"]
    assert len(rows(v2.answer_file("m"))) == 4
