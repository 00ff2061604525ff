"""Which games a view leaves, which of them is shown, and its texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from arena_hard.browse import search
from arena_hard.browse.address import View
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.record_file import NO_GAME, UNREADABLE, Changed
from arena_hard.data.bench_files import ERROR_MARK, has_error_mark
from arena_hard.data.presets import usual_baseline
from arena_hard.data.records import Answer, Game, Judgment, Question
from arena_hard.data.settings import JudgeSettings
from arena_hard.data.verdicts import LABELS
from arena_hard.rating.arrays import BoolArray, IntArray

T = TypeVar("T")

NO_VERDICTS = {"unreadable": UNREADABLE, "none": NO_GAME}
_COUNTED = {"disagree", "unreadable", "won", "lost", "even"}  # what other pages count, without what says nothing


@dataclass(frozen=True)
class Selection:
    """The games that a view leaves, in order: `models` and `questions` are codes [k].

    place: where in them the shown game stands, -1 when nothing is left.
    """

    models: IntArray
    questions: IntArray
    place: int

    def __len__(self) -> int:
        return len(self.models)


@dataclass(frozen=True)
class Side:
    """One of the two answers: whose it is, and why it is missing where it is."""

    model: str
    role: str
    answer: Answer | None
    missing: str = ""
    changed: Changed | None = None


@dataclass(frozen=True)
class Pair:
    """Everything that is shown of one question and model: both games with their texts.

    changed: the first file whose text is not shown, because it was changed since it was read.
    """

    question_id: str
    question: Question | None
    model: Side
    baseline: Side
    judgment: Judgment | None
    codes: tuple[int, int]
    changed: Changed | None = None

    def sides(self, game: int) -> tuple[Side, Side]:
        """Assistant A and B of game 1 (A = baseline) or game 2 (A = model)."""
        return (self.baseline, self.model) if game == 1 else (self.model, self.baseline)

    def game(self, number: int) -> Game | None:
        """The record of game 1 or 2, None when there is none."""
        games = self.judgment.games if self.judgment else ()
        return games[number - 1] if len(games) >= number else None


def strengths(first: IntArray, second: IntArray) -> tuple[IntArray, IntArray]:
    """Verdict codes as points for the model, -2 … 2; where no verdict is, 0."""
    one = np.where(first >= 0, first.astype(np.int16) - 2, 0)
    two = np.where(second >= 0, 2 - second.astype(np.int16), 0)
    return one, two


def disagree(first: IntArray, second: IntArray) -> BoolArray:
    """Whether both games have a verdict and do not name the same winner."""
    one, two = strengths(first, second)
    return (first >= 0) & (second >= 0) & (np.sign(one) != np.sign(two))


# ------------------------------------------------------------------------------------- choosing


def select(index: BenchIndex, view: View, settings: JudgeSettings | None) -> Selection:
    """The games of one judge that pass the view's filters, model by model, in the questions' order."""
    codes = [index.models.index(view.model)] if view.model in index.models else index.models_of(view.judge)
    keep = _of_questions(index, view)[None, :] & _of_verdicts(index, view, codes)
    if not view.model and (view.first or view.second or view.show in _COUNTED):
        keep &= ~against_itself(index, view.judge, settings)[codes]
    if view.show == "cutoff":
        keep &= _cut_off(index, view, codes, settings)
    if view.text.strip():
        keep &= _with_text(index, view, codes, keep, settings)
    rows, questions = np.nonzero(keep)
    models = np.array(codes, dtype=np.int64)[rows]
    return Selection(models, questions, _place(index, view, models, questions))


def _of_questions(index: BenchIndex, view: View) -> BoolArray:
    """[question] whether category and cluster are the wanted ones."""

    def wanted(question: Question | None) -> bool:
        category, cluster = (question.category, question.cluster) if question else ("", "")
        return view.category in ("", category) and view.cluster in ("", cluster or "")

    return np.fromiter((wanted(question) for question in index.questions), bool, len(index.questions))


def _of_verdicts(index: BenchIndex, view: View, codes: list[int]) -> BoolArray:
    """[model, question] whether the verdicts are the wanted ones."""
    first, second = verdict_codes(index, view.judge, codes)
    keep = np.ones(first.shape, dtype=bool)
    for wanted, found in ((view.first, first), (view.second, second)):
        if wanted in LABELS:
            keep &= found == LABELS.index(wanted)
        elif wanted in NO_VERDICTS:
            keep &= found == NO_VERDICTS[wanted]
    return keep & _of_kind(view.show, first, second)


def verdict_codes(index: BenchIndex, judge: str, codes: list[int]) -> tuple[IntArray, IntArray]:
    """[model, question] verdict codes of both games for some models."""
    table = index.judged.get(judge)
    if table is None:
        nothing = np.full((len(codes), len(index.question_ids)), NO_GAME, dtype=np.int8)
        return nothing, nothing
    return table.first[codes], table.second[codes]


def _of_kind(show: str, first: IntArray, second: IntArray) -> BoolArray:
    one, two = strengths(first, second)
    missing = (first == NO_GAME) & (second == NO_GAME)
    total = one + two
    kinds = {
        "disagree": lambda: disagree(first, second),
        "unreadable": lambda: (first == UNREADABLE) | (second == UNREADABLE),
        "missing": lambda: missing,
        "won": lambda: total > 0,
        "lost": lambda: total < 0,
        "even": lambda: (total == 0) & ((first >= 0) | (second >= 0)),
    }
    return kinds[show]() if show in kinds else np.ones(first.shape, dtype=bool)


def _cut_off(index: BenchIndex, view: View, codes: list[int], settings: JudgeSettings | None) -> BoolArray:
    rows: list[BoolArray] = []
    for code in codes:
        own = index.cut_off(index.models[code])
        for name, mask in baselines_of(index, view.judge, code, settings):
            own = own | (index.cut_off(name) & mask)
        rows.append(own)
    return np.array(rows, dtype=bool).reshape(len(codes), len(index.question_ids))


def _with_text(
    index: BenchIndex, view: View, codes: list[int], keep: BoolArray, settings: JudgeSettings | None
) -> BoolArray:
    words = view.text.strip()
    in_questions = search.in_questions(index, words)
    found = np.zeros_like(keep)
    for place, code in enumerate(codes):
        if not keep[place].any():
            continue
        model = index.models[code]
        row = in_questions | search.in_answers(index, model, words)
        row |= search.in_judgments(index, view.judge, model, words)
        for name, mask in baselines_of(index, view.judge, code, settings):
            row |= search.in_answers(index, name, words) & mask
        found[place] = row
    return found


def _place(index: BenchIndex, view: View, models: IntArray, questions: IntArray) -> int:
    """Where the view's question (and model, while all are chosen) stands; else the first place that was judged."""
    if len(models) == 0:
        return -1
    table = index.judged.get(view.judge)
    if not view.question and table is not None:
        return int(np.argmax(table.row[models, questions] >= 0))
    here = questions == (index.question_code(view.question) if view.question else -1)
    if view.at in index.models:
        exact = here & (models == index.models.index(view.at))
        here = exact if exact.any() else here
    return int(np.argmax(here))


# ------------------------------------------------------------------------------------- baselines


def baseline_name(index: BenchIndex, judge: str, model: int, question: int, settings: JudgeSettings | None) -> str:
    """The baseline of a judgment: what it says itself, else the config, else the original's.

    Where nothing was judged, it is the one that the judge's other judgments name.
    """
    table, found = index.judged.get(judge), index.questions[question]
    category = found.category if found else ""
    if table is not None and table.baseline[model, question] >= 0:
        return index.baselines[int(table.baseline[model, question])]
    named = index.most_named(judge, category) if table is not None and table.row[model, question] < 0 else ""
    return named or unnamed_baseline(index, judge, settings, category)


def unnamed_baseline(index: BenchIndex, judge: str, settings: JudgeSettings | None, category: str) -> str:
    """The baseline for judgments that name none: their folder's, else the config's, unless they show another one."""
    found, usual = index.sets.get(judge), usual_baseline(index.bench.name, category)
    if found and found.baseline:
        return found.baseline
    named = settings.baseline_of(category) if settings else None
    stands = index.standing(judge, named or usual, category)
    if named and stands.counts:
        return named
    return stands.origin.baseline or (named or usual if stands.counts else usual)


def nameless_words(
    index: BenchIndex, judge: str, baseline: str, settings: JudgeSettings | None, category: str = ""
) -> str:
    """What shows that judgments which name no baseline are against this one."""
    found = index.sets.get(judge)
    if found and found.baseline == baseline:
        return f"it is {baseline}, whose folder they are in"
    stands = index.standing(judge, baseline, category)
    if stands.is_shown and stands.origin.why:
        return f"it is {baseline}, because {stands.origin.why}"
    if settings and settings.baseline_of(category) == baseline:
        return f"{baseline} is assumed, as the judge's config says"
    return f"{baseline} is assumed, as the default of the original"


def baselines_of(
    index: BenchIndex, judge: str, model: int, settings: JudgeSettings | None
) -> list[tuple[str, BoolArray]]:
    """Each baseline that a model was judged against, with [question] where it was."""
    names = [baseline_name(index, judge, model, question, settings) for question in range(len(index.question_ids))]
    every = np.array(names, dtype=object)
    return [(name, every == name) for name in sorted(set(names))]


def against_itself(index: BenchIndex, judge: str, settings: JudgeSettings | None) -> BoolArray:
    """[model, question] whether a judgment is of the baseline against itself, which says nothing."""
    own = np.zeros((len(index.models), len(index.question_ids)), dtype=bool)
    categories = {question.category for question in index.questions if question} | {""}
    for name in {*index.baselines, *(unnamed_baseline(index, judge, settings, category) for category in categories)}:
        if name in index.models:
            code = index.models.index(name)
            own[code] = dict(baselines_of(index, judge, code, settings)).get(name, False)
    return own


def rated_models(index: BenchIndex, judge: str, settings: JudgeSettings | None) -> list[str]:
    """The models that a judge has compared with another one."""
    if judge not in index.judged:
        return []
    compared = (index.judged[judge].row >= 0) & ~against_itself(index, judge, settings)
    return [index.models[code] for code in np.flatnonzero(compared.any(axis=1))]


def comparable(index: BenchIndex, judge: str, settings: JudgeSettings | None) -> list[str]:
    """The rated models and their baselines, which are models like the others where two are compared."""
    rated = rated_models(index, judge, settings)
    return rated + [name for name in _baseline_names(index, judge, settings) if rated and name not in rated]


def _baseline_names(index: BenchIndex, judge: str, settings: JudgeSettings | None) -> list[str]:
    """The baselines that a judge's judgments name, and those of the others."""
    if judge not in index.judged:
        return []
    table = index.judged[judge]
    codes = np.unique(table.baseline[table.row >= 0]).tolist()
    unnamed = np.flatnonzero(((table.row >= 0) & (table.baseline < 0)).any(axis=0)).tolist()
    categories = {found.category if found else "" for found in (index.questions[code] for code in unnamed)}
    names = {index.baselines[code] for code in codes if code >= 0}
    return sorted(names | {unnamed_baseline(index, judge, settings, category) for category in categories})


# ---------------------------------------------------------------------------------------- texts


def load(index: BenchIndex, judge: str, model: int, question: int, settings: JudgeSettings | None) -> Pair:
    """One question and model with everything that is shown of it, read from the files."""
    first, second = verdict_codes(index, judge, [model])
    name = index.models[model]
    own = side(index, name, "model", question)
    other = side(index, baseline_name(index, judge, model, question, settings), "baseline", question)
    judgment, changed = unless_changed(lambda: index.judgment(judge, model, question))
    return Pair(
        question_id=index.question_ids[question],
        question=index.questions[question],
        model=own,
        baseline=other,
        judgment=judgment,
        codes=(int(first[0, question]), int(second[0, question])),
        changed=changed or own.changed or other.changed,
    )


def unless_changed(read: Callable[[], T | None]) -> tuple[T | None, Changed | None]:
    """What was read, or that its file was changed since the index was made."""
    try:
        return read(), None
    except Changed as changed:
        return None, changed


def side(index: BenchIndex, model: str, role: str, question: int) -> Side:
    """A model's answer to a question, or the words that say why it is not there."""
    answer, changed = unless_changed(lambda: index.answer(model, question))
    if changed:
        return Side(model, role, None, str(changed), changed)
    file = f"{index.bench.name}/model_answer/{model}.jsonl"
    again = index.commands.answer("--models", model)
    if answer is not None and has_error_mark(answer):
        why = f"The call failed, and {file} has {ERROR_MARK} in the place of an answer. {again} asks for it again."
        return Side(model, role, None, why)
    if answer is not None:
        return Side(model, role, answer)
    if model not in index.answers and index.reading and index.bench.answer_file(model).is_file():
        return Side(model, role, None, f"The answers of {model} have not been read yet.")
    if model not in index.answers:
        where = f"{again} makes it; published answers are fetched as README.md says (Official questions, answers …)."
        return Side(model, role, None, f"The answers of {model} are not here: there is no file {file}. {where}")
    why = "holds nothing for it" if index.answered(model)[question] else "has no line for it"
    return Side(model, role, None, f"{model} has no answer to this question: {file} {why}. {again} asks for it.")
