"""One judge's part of a run: the models that it judges, what it is shown of others, and its settings."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path

from arena_hard.calling.manifest import RunTally
from arena_hard.calling.selection import chosen_models
from arena_hard.data.bench_files import load_judgments
from arena_hard.data.paths import Bench
from arena_hard.data.records import Answer, Judgment, Question
from arena_hard.data.settings import JudgeSettings, ModelSettings, short_hash
from arena_hard.judging.prompts import judgment_shaping_settings
from arena_hard.money.account import Account


@dataclass
class Candidate:
    """A model whose answers are judged, and what there is of it."""

    name: str
    file: Path
    answers: dict[str, Answer]
    judged: dict[str, Judgment]
    tally: RunTally
    missing: list[Question] = field(default_factory=list)
    without_answer: list[Question] = field(default_factory=list)
    unreadable: int = 0


@dataclass
class Shown:
    """The answers that the judge sees beside the candidates': by model, then by question_id."""

    baselines: dict[str, dict[str, Answer]]
    references: list[dict[str, Answer]]


@dataclass
class Stage:
    """One judge's part of a run: all that its planning and judging need."""

    args: argparse.Namespace
    settings: JudgeSettings
    judge: ModelSettings
    bench: Bench
    questions: list[Question]
    shown: Shown
    account: Account
    shapings: dict[str, dict[str, object]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def shaping(self, question: Question) -> dict[str, object]:
        """The settings that shape the judgment of a question."""
        category = question.category
        if category not in self.shapings:  # by category, for it is asked for each question and model
            self.shapings[category] = judgment_shaping_settings(self.judge, self.settings, category)
        return self.shapings[category]

    def shaping_hash(self, question: Question) -> str:
        """The short hash of those settings."""
        category = question.category
        if category not in self.hashes:
            self.hashes[category] = short_hash(self.shaping(question))
        return self.hashes[category]


def opponent(stage: Stage) -> str:
    """The baseline, for people; where it is among the models to judge, too, that it is left out."""
    name = stage.settings.baseline_model
    among = name in chosen_models(stage.args, stage.settings.model_list)
    return f"{name} (which is not judged against itself)" if among else str(name)


def only(candidate: Candidate, keys: set[str]) -> Candidate:
    """The candidate with no more to judge than these questions."""
    missing = [question for question in candidate.missing if question.question_id in keys]
    old = candidate.tally
    tally = RunTally(candidate.file, old.settings_hash, endpoints=old.endpoints, before=old.before)
    left_out = [question for question in candidate.without_answer if question.question_id in keys]
    return replace(candidate, missing=missing, without_answer=left_out, tally=tally)


def judgments_of(candidates: list[Candidate]) -> dict[str, dict[str, Judgment]]:
    """All judgments on disk, by model and question_id."""
    return {candidate.name: load_judgments(candidate.file) for candidate in candidates}


def bill_label(stage: Stage, candidate: Candidate) -> str:
    return f"{stage.judge.name} judging {candidate.name}"


def label_of(candidate: Candidate, question_id: str) -> str:
    return f"{candidate.name} {question_id}"
