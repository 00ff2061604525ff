"""Logs of conversations for tests, and the steps without models: topics are those that a log was made with."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.building.build_steps import build_steps
from arena_hard.building.runner import run_steps
from arena_hard.building.sampling import QuestionStep, SampleStep
from arena_hard.building.settings import BuildSettings
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.tables import Table, arrow
from arena_hard.data.paths import Bench

SUBJECTS = ("sorting a list of numbers", "the orbit of a planet", "a contract between two firms", "bread without yeast")
TASKS = (
    *("Explain in detail what matters for", "Find the mistake that beginners make with", "Write a plan for"),
    *("Give a proof of", "List seven reasons for", "Compare two methods for", "Estimate the cost of"),
    "Describe the history of",
)


def asked(topic: int, number: int) -> str:
    """A prompt of a topic."""
    return f"{TASKS[number % len(TASKS)]} {SUBJECTS[topic]}, case {number} of {7 * number + topic}."


def conversation(text: str, **more: Any) -> dict[str, Any]:
    """A row of one turn."""
    said = [{"role": "user", "content": text}, {"role": "assistant", "content": "Well."}]
    return {"conversation": said, "language": "English", **more}


def log(topics: Sequence[int] = (8, 8, 8, 8)) -> list[dict[str, Any]]:
    """So many prompts of each subject."""
    return [conversation(asked(topic, number)) for topic, size in enumerate(topics) for number in range(size)]


def write_log(file: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A log in JSONL."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


class PlantedTopics(Step):
    """The subject that a prompt names, in rows of another order than those that came."""

    name = "topics"
    needs = ("language",)
    files = ("topics.json",)

    def made_from(self, context: Context) -> dict[str, Any]:
        return {}

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        assert rows is not None
        table = rows.read(["id", "turns"]).to_pylist()
        found = {row["id"]: [subject in row["turns"][0] for subject in SUBJECTS] for row in table}
        ids = sorted(found, reverse=True)
        topics = [found[key].index(True) if any(found[key]) else -1 for key in ids]
        out.write(arrow().table({"id": ids, "topic": arrow().array(topics, arrow().int32())}))
        with out.file("topics.json") as file:
            named = [{"topic": topic, "size": 1, "keywords": text.split()[-2:]} for topic, text in enumerate(SUBJECTS)]
            file.write_bytes(msgspec.json.encode({"topics": named}))


def context_of(data: Path, files: Sequence[Path], settings: Mapping[str, Any], bench: str = "mine") -> Context:
    """What the steps of a run share."""
    found = msgspec.convert({"bench_name": bench, "languages": "all", **settings}, BuildSettings)
    return Context(Bench(data, bench), found, list(files), argparse.Namespace(setting_file=Path("config.yaml")))


def steps_before(settings: BuildSettings) -> list[Step]:
    """The steps up to the topics."""
    first = [step for step in build_steps(settings) if step.name in ("read", "clean", "duplicates", "language")]
    return [*first, PlantedTopics()]


def build(data: Path, files: Sequence[Path], **settings: Any) -> Context:
    """From files to question.jsonl."""
    context = context_of(data, files, settings, settings.pop("bench", "mine"))
    steps = [*steps_before(context.settings), SampleStep(context.settings)]
    assert run_steps(context, [*steps, QuestionStep(context.settings, steps)], set()) == 0
    return context


def questions(context: Context) -> list[dict[str, Any]]:
    """The questions of a bench."""
    return [json.loads(line) for line in context.bench.question_file.read_text(encoding="utf-8").splitlines()]
