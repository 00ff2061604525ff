"""One judge's part of a run: the models that it judges, what it is shown of others, and its settings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from arena_hard.calling.run_tally import RunTally
from arena_hard.data import jsonl
from arena_hard.data.name_lists import counted, first_lines, shortened
from arena_hard.data.owners import owners
from arena_hard.data.paths import Bench
from arena_hard.data.record_folder import is_there
from arena_hard.data.records import Answer, Judgment, Question, judgment_from_row
from arena_hard.data.settings import JudgeSettings, ModelSettings, short_hash
from arena_hard.judging.prompts import judgment_shaping_settings
from arena_hard.money.account import Account


@dataclass
class Candidate:
    """A model whose answers are judged, in one file, and what there is of it.

    against: the baseline whose folder the file is in; empty for the judge's own. A model has a candidate for each of
    its files. questions: those whose judgments belong in this file.
    """

    name: str
    file: Path
    against: str
    questions: list[Question]
    answers: dict[str, Answer]
    judged: dict[str, Judgment]
    tally: RunTally
    missing: list[Question] = field(default_factory=list)
    without_answer: list[Question] = field(default_factory=list)
    unreadable: int = 0

    @property
    def title(self) -> str:
        """The model, and the baseline where its judgments are in a folder of their own."""
        return f"{self.name} against {self.against}" if self.against else self.name


@dataclass
class Shown:
    """The answers that the judge sees beside the candidates': by model, then by question_id."""

    baselines: dict[str, dict[str, Answer]]
    references: list[dict[str, Answer]]


@dataclass
class Stage:
    """One judge's part of a run: all that its planning and judging need.

    questions: those of this run; all_questions: those of the benchmark.
    """

    args: argparse.Namespace
    settings: JudgeSettings
    judge: ModelSettings
    bench: Bench
    questions: list[Question]
    all_questions: list[Question]
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


def opponent(stage: Stage, chosen: list[str]) -> str:
    """The baselines, for people; where the only one is among the models to judge, that it is left out."""
    names = [str(name) for name in dict.fromkeys(stage.settings.baseline_of(q.category) for q in stage.questions)]
    left_out = len(names) == 1 and names[0] in chosen
    return " and ".join(names) + (" (which is not judged against itself)" if left_out else "")


def why_nothing(stage: Stage, candidates: Sequence[Candidate]) -> str:
    """Why a run that names just its baseline has nothing to judge; empty for any other."""
    if candidates:
        return ""
    names = shortened(sorted({str(stage.settings.baseline_of(question.category)) for question in stage.questions}))
    return f": {names} is the baseline, which is not judged against itself. Name other models, or another baseline"


def only(candidate: Candidate, keys: set[str]) -> Candidate:
    """The candidate with no more to judge than these questions."""
    missing = [question for question in candidate.missing if question.question_id in keys]
    old = candidate.tally
    tally = RunTally(
        candidate.file, old.settings_hash, endpoints=old.endpoints, before=old.before, redo_name=old.redo_name
    )
    left_out = [question for question in candidate.without_answer if question.question_id in keys]
    return replace(candidate, missing=missing, without_answer=left_out, tally=tally)


def load_judged(stage: Stage, name: str, file: Path, questions: list[Question]) -> dict[str, Judgment]:
    """A model's judgments against today's baselines by question_id, the last of several.

    file: the one that they belong in. Of another baseline's, the judge's own file may hold some of them too, where
    somebody has put several baselines into it.
    """
    wanted = {question.question_id: stage.settings.baseline_of(question.category) for question in questions}
    first = stage.bench.judgment_file(stage.judge.name, name)
    found: dict[str, Judgment] = {}
    for each in dict.fromkeys((first, file)):
        for judgment in own_judgments(stage.bench, name, each) if is_there(each) else ():
            key = judgment.question_id
            is_named = judgment.baseline is not None and judgment.baseline == wanted.get(key)
            if is_named or (each == file and (judgment.baseline is None or key not in wanted)):
                found[key] = judgment
    return found


def own_judgments(bench: Bench, name: str, file: Path) -> list[Judgment]:
    """The judgments of a file that are of this model; what is odd about whose they are is a warning."""
    judgments = list(jsonl.read(file, judgment_from_row))
    questions: dict[str, set[str]] = {}
    for judgment in judgments:
        questions.setdefault(judgment.model, set()).add(judgment.question_id)
    whose = owners(bench, file, questions)
    others = sorted({model for model in whose.of.values() if model != name})
    elsewhere = [f"{file} also holds judgments of {shortened(others)}; they do not count as {name}'s."] * bool(others)
    jsonl.warn(whose.notes + elsewhere)
    return [judgment for judgment in judgments if whose.of[judgment.model] == name]


def judgments_of(stage: Stage, candidates: list[Candidate]) -> dict[str, dict[str, Judgment]]:
    """All judgments on disk against today's baselines, by model and question_id."""
    found: dict[str, dict[str, Judgment]] = {}
    for each in candidates:
        found.setdefault(each.name, {}).update(load_judged(stage, each.name, each.file, each.questions))
    return found


def missing_answer_lines(candidates: list[Candidate]) -> list[str]:
    """What to say of models whose answers, or the baseline's, are not complete; the worst come first."""
    incomplete = [candidate for candidate in candidates if candidate.without_answer]
    why = (
        "because its answer or the baseline's is missing or has a different number of turns than the question. "
        "Run gen_answer.py again."
    )
    lines = [
        f"  {candidate.title}: {counted(len(candidate.without_answer), 'question')} could not be judged, {why}"
        for candidate in sorted(incomplete, key=lambda each: -len(each.without_answer))
    ]
    return first_lines(lines, "models")


def report_missing_answers(candidates: list[Candidate]) -> int:
    """List the models whose answers, or the baseline's, are not complete. Returns the exit code."""
    lines = missing_answer_lines(candidates)
    for line in lines:
        print(line)
    return 1 if lines else 0


def bill_label(stage: Stage, candidate: Candidate) -> str:
    return f"{stage.judge.name} judging {candidate.title}"


def label_of(candidate: Candidate, question_id: str) -> str:
    return f"{candidate.name} {question_id}"
