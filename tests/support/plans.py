"""Plans without a run: a bench on disk, the flags of a script, and what is planned with them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arena_hard.answering.plan import ModelPlan, plan_model
from arena_hard.calling.selection import add_selection
from arena_hard.data.bench_files import load_questions
from arena_hard.data.paths import Bench
from arena_hard.data.settings import AnswerSettings, JudgeSettings, ModelSettings, parse, short_hash
from arena_hard.judging.flags import add_judging
from arena_hard.judging.plan import plan_candidate
from arena_hard.judging.shown import load_shown
from arena_hard.judging.stage import Candidate, Stage
from arena_hard.money.account import Account
from tests.support.pipeline_bench import SYSTEM, TEMPLATE, Scratch, answer, question_id, write_rows

PRICE = {"input": 1.0, "output": 10.0}


def flags(*arguments: str) -> argparse.Namespace:
    """The flags of the two scripts that ask."""
    parser = argparse.ArgumentParser()
    add_selection(parser)
    add_judging(parser)
    return parser.parse_args(arguments)


def bench(folder: Path, questions: int = 3) -> Scratch:
    """A scratch bench whose models nobody will ask."""
    return Scratch(folder, "http://127.0.0.1:9/v1", questions)


def settings_of(name: str, **more: Any) -> ModelSettings:
    """The entry of a model with a price of its own."""
    return ModelSettings(**({"name": name, "model_name": name, "price": PRICE} | more))


def plan_answers(made: Scratch, *arguments: str, max_cost: float | None = None, **more: Any) -> ModelPlan:
    """What is to be asked of the model `m`; `more` goes into the settings of the answers."""
    settings = AnswerSettings(**({"bench_name": "bench", "model_list": ["m"], "max_tokens": 100} | more))
    place = Bench(made.folder / "data", "bench")
    model, account = settings_of("m"), Account(max_cost, False, False)
    return plan_model(flags(*arguments), place, model, settings, load_questions(place), account)


def judge_settings(**more: Any) -> JudgeSettings:
    """A judge's config."""
    values: dict[str, Any] = {
        "bench_name": "bench",
        "judge_model": "judge",
        "baseline_model": "base",
        "system_prompt": SYSTEM,
        "prompt_template": [TEMPLATE],
        "model_list": ["m"],
        "max_tokens": 50,
    }
    return parse(values | more, JudgeSettings, "judge_config.yaml")


def stage(made: Scratch, *arguments: str, judge: dict[str, Any] | None = None, **more: Any) -> Stage:
    """One judge's part of a run; `more` goes into the judge's config, `judge` into its entry."""
    settings = judge_settings(**more)
    place = Bench(made.folder / "data", "bench")
    questions = load_questions(place)
    shown = load_shown(place, settings, questions)
    entry = settings_of("judge", **(judge or {}))
    return Stage(flags(*arguments), settings, entry, place, questions, questions, shown, Account(None, False, False))


def candidate_of(planned: Stage, name: str = "m") -> Candidate:
    """What is to be judged of a model in the judge's own folder."""
    file = planned.bench.judgment_file(planned.judge.name, name)
    return plan_candidate(planned, name, file, planned.questions)


def ids(questions: Sequence[Any]) -> list[str]:
    """The ids of questions, or of jobs about them."""
    return [getattr(each, "question", each).question_id for each in questions]


def keys(*numbers: int) -> list[str]:
    """The ids of the questions with these numbers."""
    return [question_id(number) for number in numbers]


def put_made_answers(made: Scratch, made_with: dict[int, object]) -> None:
    """Answers of `m` that carry the hash of settings; None where the original made them."""
    records = [
        answer(number, "m") | ({"settings_hash": short_hash(values)} if isinstance(values, dict) else {})
        for number, values in made_with.items()
    ]
    write_rows(made.answer_file(), records)
