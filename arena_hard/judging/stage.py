"""One judge's part of a run: the models that it judges, what it is shown of others, and its settings."""

from __future__ import annotations

import argparse
import functools
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from arena_hard.calling.run_tally import RunTally
from arena_hard.data import jsonl
from arena_hard.data.columns import Column, Places, different
from arena_hard.data.known_records import Answers, Judged, known_judgments
from arena_hard.data.name_lists import counted, first_lines, shortened
from arena_hard.data.owners import owners
from arena_hard.data.paths import Bench, name_of
from arena_hard.data.record_folder import is_there
from arena_hard.data.record_index import Records, mark_of
from arena_hard.data.records import Question
from arena_hard.data.settings import JudgeSettings, ModelSettings, short_hash
from arena_hard.judging.prompts import judgment_shaping_settings
from arena_hard.money.account import Account

AtHand = Mapping[Path, Records[Judged]]  # what is known of files already


class Known(msgspec.Struct):
    """What is known of a model's judgments by question_id.

    digest: of the files that they are in; read_prompts: the marks of their first prompts.
    """

    judged: Mapping[str, Judged]
    read_prompts: Callable[[], Mapping[str, bytes]]
    digest: bytes
    _prompts: Mapping[str, bytes] | None = None

    @property
    def prompts(self) -> Mapping[str, bytes]:
        """The mark of each one's first prompt."""
        if self._prompts is None:
            self._prompts = self.read_prompts()
        return self._prompts

    def forget_prompts(self) -> None:
        """Let them go: they matter to planning alone."""
        self.read_prompts, self._prompts = dict, None


class Group(msgspec.Struct, frozen=True, dict=True):
    """Questions that belong together, in the order of the benchmark, and what planning asks about all of them.

    keys: their ids; baselines, shapings: of each; hashes: the different ones of the shapings; found, beside: what was
    found of them, for the next candidate.
    """

    questions: list[Question]
    keys: frozenset[str]
    baselines: Column[str | None]
    shapings: Column[dict[str, object]]
    hashes: list[str]
    found: dict[Places, set[str]] = {}
    beside: dict[str, bytes] = {}

    def there(self, judged: Mapping[str, Judged]) -> set[str]:
        """Those of their ids that have a judgment; found once for all files with the same records."""
        if not isinstance(judged, Column):
            return {key for key in judged if key in self.keys}
        if judged.places not in self.found:
            self.found[judged.places] = {*self.keys & judged.keys()}
        return self.found[judged.places]

    @functools.cached_property
    def digest(self) -> bytes:
        """Of their texts and settings."""
        settings = zip(self.baselines.values(), self.shapings.mapped(short_hash).values())
        return mark_of(
            f"{question.question_id} {question.hash} {baseline} {shaping}"
            for question, (baseline, shaping) in zip(self.questions, settings)
        )


class Candidate(msgspec.Struct):
    """A model whose answers are judged, in one file, and what there is of it.

    against: the baseline whose folder the file is in; empty for the judge's own. A model has a candidate for each of
    its files. questions: those whose judgments belong in this file; existing: how many of them have one.
    """

    name: str
    file: Path
    against: str
    questions: list[Question]
    answers: Answers
    known: Known
    tally: RunTally
    missing: list[Question] = []
    without_answer: list[Question] = []
    unreadable: int = 0
    existing: int = 0

    @property
    def judged(self) -> Mapping[str, Judged]:
        """What is known of its judgments by question_id."""
        return self.known.judged

    @property
    def title(self) -> str:
        """The model, and the baseline where its judgments are in a folder of their own."""
        return f"{self.name} against {self.against}" if self.against else self.name


class Shown(msgspec.Struct):
    """The answers that the judge sees beside the candidates': by model, then by question_id."""

    baselines: dict[str, Answers]
    references: list[Answers]
    by_file: dict[Path, Answers] = {}

    def answers_of(self, bench: Bench, file: Path) -> Answers:
        """Those of a file, which all judges of a run share."""
        if file not in self.by_file:
            self.by_file[file] = Answers(bench, file)
        return self.by_file[file]


class Stage(msgspec.Struct, dict=True):
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
    shapings: dict[str, dict[str, object]] = {}
    hashes: dict[str, str] = {}
    groups: dict[int, Group] = {}
    parts: dict[frozenset[str], list[Question]] = {}

    @functools.cached_property
    def categories(self) -> list[str]:
        """Those of the run's questions, in their order."""
        return list(dict.fromkeys(question.category for question in self.questions))

    def questions_in(self, categories: frozenset[str]) -> list[Question]:
        """The run's questions of some categories, a list that all candidates share."""
        if categories.issuperset(self.categories):
            return self.questions
        if categories not in self.parts:
            self.parts[categories] = [each for each in self.questions if each.category in categories]
        return self.parts[categories]

    def group(self, questions: list[Question]) -> Group:
        """Some of the questions as a group, which is made once for each list."""
        if id(questions) not in self.groups:
            places = Places([question.question_id for question in questions])
            categories = {question.category: question for question in questions}
            codes = {category: code for code, category in enumerate(categories)}
            of_each = array("I", (codes[question.category] for question in questions))
            self.groups[id(questions)] = Group(
                questions,
                frozenset(places.ids),
                Column(places, list(map(self.settings.baseline_of, categories)), of_each),
                Column(places, list(map(self.shaping, categories.values())), of_each),
                sorted(set(map(self.shaping_hash, categories.values()))),
            )
        return self.groups[id(questions)]

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
    same = {"endpoints": old.endpoints, "before": old.before, "new": old.new, "redo_name": old.redo_name}
    tally = RunTally(candidate.file, old.settings_hash, **same)
    left_out = [question for question in candidate.without_answer if question.question_id in keys]
    return replace(candidate, missing=missing, without_answer=left_out, tally=tally)


def load_judged(stage: Stage, name: str, file: Path, questions: list[Question], at_hand: AtHand | None = None) -> Known:
    """A model's judgments against today's baselines, the last of several of a question.

    file: the one that they belong in. Of another baseline's, the judge's own file may hold some of them too, where
    somebody has put several baselines into it. at_hand: what is known of files already.
    """
    wanted = stage.group(questions).baselines
    first = stage.bench.judgment_file(stage.judge.name, name)
    files = [each for each in dict.fromkeys((first, file)) if is_there(each)]
    there = [(each, own_judgments(stage.bench, name, each, (at_hand or {}).get(each))) for each in files]
    digest = b"".join(records.digest for _, (records, _) in there)
    if len(there) == 1 and there[0][0] == file:
        records, are_own = there[0][1]
        usual = {None, *different(wanted)}
        if are_own is None and len(usual) == 2 and all(kind.baseline in usual for kind in records.kinds):
            return Known(records.by_id, lambda: dict(records.marked()), digest)  # of each question there, as it is
    judged: dict[str, Judged] = {}
    prompts: dict[str, bytes] = {}
    for each, (records, are_own) in there:
        for (key, kind), (_, prompt) in zip(records.all(), records.marked()):
            is_named = kind.baseline is not None and kind.baseline == wanted.get(key)
            counts = is_named or (each == file and (kind.baseline is None or key not in wanted))
            if counts and (are_own is None or kind.model in are_own):
                judged[key], prompts[key] = kind, prompt
    return Known(judged, lambda: prompts, digest)


def own_judgments(
    bench: Bench, name: str, file: Path, at_hand: Records[Judged] | None = None
) -> tuple[Records[Judged], set[str] | None]:
    """What is known of a file, and under which names its judgments are of this model; None: all of them are.

    What is odd about whose they are is a warning.
    """
    if at_hand is None:
        at_hand, said = known_judgments(bench, file)
        jsonl.say(said)
    records = at_hand
    names = {kind.model for kind in records.kinds}
    if names == {name} and name == name_of(file):
        return records, None
    questions: dict[str, set[str]] = {}
    for key, kind in records.all():
        questions.setdefault(kind.model, set()).add(key)
    whose = owners(bench, file, questions)
    others = sorted({model for model in whose.of.values() if model != name})
    elsewhere = [f"{file} also holds judgments of {shortened(others)}; they do not count as {name}'s."] * bool(others)
    jsonl.warn(whose.notes + elsewhere)
    return records, {model for model, owner in whose.of.items() if owner == name}


def judgments_of(stage: Stage, candidates: list[Candidate]) -> dict[str, dict[str, Judged]]:
    """All judgments on disk against today's baselines, by model and question_id."""
    found: dict[str, dict[str, Judged]] = {}
    for each in candidates:
        found.setdefault(each.name, {}).update(load_judged(stage, each.name, each.file, each.questions).judged)
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
