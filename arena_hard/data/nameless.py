"""Whom judgments are against that do not name their baseline: what shows it, from as few records as suffice.

First the prompts, which hold both answers. Where they do not (texts stripped, pictures instead), the games: of all
models' judgments, only the baseline's own look like games against itself. Where another one's answers are the same,
so do its games; whoever is asked for is the baseline then, or who was not judged.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from arena_hard.data import jsonl
from arena_hard.data.answers_to import answers_to
from arena_hard.data.bench_files import load_answers, load_questions
from arena_hard.data.known_records import Judged, judgments_at_hand
from arena_hard.data.owners import owners
from arena_hard.data.paths import Bench, name_of
from arena_hard.data.presets import usual_baseline
from arena_hard.data.record_folder import look_into, record_files
from arena_hard.data.record_values import is_list, text_of
from arena_hard.data.records import Answer, Judgment, UserError, judgment_from_row
from arena_hard.data.self_play import Outcomes, is_plainly_itself, may_be_itself
from arena_hard.data.verdicts import is_verdict, outcome

Answers = Callable[[str], dict[str, Answer]]  # of a model, by question_id

LOOKED_AT = 10  # records whose prompts are held against the models' answers, one of each file
_TELLING = 20  # characters of an answer, of which fewer may be in another's by chance


class Origin(msgspec.Struct, frozen=True):
    """Whom nameless judgments are against.

    baseline: empty where nothing shows it. why: what shows it, or why it is not the one asked for (is_not).
    is_open: only the games show it, and nothing else speaks against the one asked for.
    """

    baseline: str = ""
    why: str = ""
    is_not: str = ""
    is_open: bool = False


class _Sample(NamedTuple):
    question_id: str
    model: str
    prompt: str


def origin_of(
    bench: Bench, judge: str, asked: str, category: str = "", outcomes: Mapping[str, Outcomes] | None = None
) -> Origin:
    """Whom the judgments in a judge's own folder are against that name no baseline. asked: who is expected.

    outcomes: how the games of these judgments came out, by model, where somebody has read them.
    """
    ids = _ids_of(bench, category)
    by_prompts = _by_prompts(bench, judge, asked, category, ids)
    if by_prompts.baseline:
        return by_prompts
    by_games = _by_games(bench, _outcomes(bench, judge, ids) if outcomes is None else outcomes, asked)
    if by_prompts.is_not:
        return by_prompts if by_games.baseline in ("", asked) else replace(by_games, is_open=False)
    return _by_answers(bench, by_games, asked)


def _ids_of(bench: Bench, category: str) -> set[str] | None:
    """The questions of a category; None for all."""
    try:
        return {each.question_id for each in load_questions(bench) if each.category == category} if category else None
    except UserError:  # whoever needs the questions says so
        return None


# ----------------------------------------------------------------------------------- by the prompts


def _by_prompts(bench: Bench, judge: str, asked: str, category: str, ids: set[str] | None) -> Origin:
    """The model whose answers most prompts show beside those of the judged one, or that it is not the one asked for."""
    samples = list(_samples(bench, judge, asked, ids))

    wanted = {each.question_id for each in samples}

    @functools.cache
    def answers_of(name: str) -> dict[str, Answer]:  # of some models twice
        return answers_to(bench.answer_file(name), wanted)

    expected = dict.fromkeys((asked, usual_baseline(bench.name, category)))
    for name in expected:
        if _shown_in(samples, name, answers_of(name), 1):
            return _shown(name)
    others = [name_of(file) for file in bench.answer_files()] if samples else []
    for name in others:
        if name not in expected and _shown_in(samples, name, answers_of(name), _TELLING):
            return _shown(name)
    if _is_ruled_out(answers_of, samples, asked):
        return Origin("", f"their prompts do not show the answers of {asked} as the baseline's", asked)
    return Origin()


def _shown(name: str) -> Origin:
    return Origin(name, f"their prompts show the answers of {name}")


def _samples(bench: Bench, judge: str, asked: str, ids: set[str] | None) -> Iterator[_Sample]:
    """One record of each of the first files that has no baseline and a prompt, last that of the one asked for."""
    files = record_files(bench.judgment_folder(judge))
    files.sort(key=lambda file: name_of(file) == asked)
    found = 0
    for file in files:
        judgment = _first_of(file, ids)
        if judgment and (prompt := _prompt_of(judgment)):
            model = owners(bench, file, {judgment.model: {judgment.question_id}}).of[judgment.model]
            yield _Sample(judgment.question_id, model, prompt)
            found += 1
        if found == LOOKED_AT:
            return


def _first_of(file: Path, ids: set[str] | None) -> Judgment | None:
    """The first judgment of a file that can be read and is of one of these questions, if it names no baseline."""
    with open(file, "rb") as stream:
        for span in jsonl.spans(stream, msgspec.json.decode):
            try:
                judgment = judgment_from_row(span.value)
            except (ValueError, TypeError, AttributeError):
                continue
            if ids is None or judgment.question_id in ids:
                return None if judgment.baseline else judgment
    return None


def _prompt_of(judgment: Judgment) -> str:
    return next((game.user_prompt for game in judgment.games if game and game.user_prompt), "")


def _shown_in(samples: list[_Sample], name: str, answers: dict[str, Answer], telling: int) -> bool:
    """Whether at least half of the prompts that could show a model's answer as the baseline's do."""
    seen = [_shows(each, name, answers[each.question_id], telling) for each in samples if each.question_id in answers]
    known = [each for each in seen if each is not None]
    return any(known) and 2 * sum(known) >= len(known)


def _shows(sample: _Sample, name: str, answer: Answer, telling: int) -> bool | None:
    """Whether all that a model said is in a prompt; in one about itself twice, and once says nothing."""
    said = [turn.content for turn in answer.turns if turn.content]
    if sum(map(len, said)) < telling:
        return None
    if sample.model == name:
        return True if all(sample.prompt.count(text) > 1 for text in said) else None
    return all(text in sample.prompt for text in said)


def _is_ruled_out(answers_of: Answers, samples: list[_Sample], name: str) -> bool:
    """Whether most of the prompts that a baseline's answer should be in are without it."""
    answers = answers_of(name) if samples else {}
    comparable = [each for each in samples if each.question_id in answers]
    against = [each for each in comparable if _speaks_against(answers_of, each, name, answers[each.question_id])]
    return bool(against) and 2 * len(against) > len(comparable)


def _speaks_against(answers_of: Answers, sample: _Sample, name: str, answer: Answer) -> bool:
    """Whether a prompt holds answers as they lie here, but not this one, or in one about itself only once."""
    said = [turn.content for turn in answer.turns if turn.content]
    if sample.model == name:
        return any(sample.prompt.count(text) == 1 for text in said if len(text) >= _TELLING)
    own = answers_of(sample.model).get(sample.question_id)
    is_verbatim = own is None or all(turn.content in sample.prompt for turn in own.turns)
    return is_verbatim and not all(text in sample.prompt for text in said)


# ------------------------------------------------------------------------------------- by the games


class _Game(msgspec.Struct, gc=False):
    score: Any = None


class _Row(msgspec.Struct, gc=False):
    question_id: Any = None
    uid: Any = None
    model: Any = None
    baseline: Any = None
    games: list[_Game | None] | str | float | bool | None = None


def _by_games(bench: Bench, outcomes: Mapping[str, Outcomes], asked: str) -> Origin:
    """The only model whose games look like the baseline's against itself, or one of several that say the same."""
    itself = [model for model, counts in outcomes.items() if is_plainly_itself(counts)]
    others = [model for model, counts in outcomes.items() if not may_be_itself(counts)]
    if itself and others and all(_have_same_answers(bench, itself[0], each) for each in itself[1:]):
        why = f"the judgments of {' and '.join(itself)} are plainly of the baseline against itself"
        return Origin(asked if asked in itself else itself[0], why, is_open=asked not in others)
    if asked in others:
        return Origin("", f"the judgments of {asked} are not of the baseline against itself", asked)
    return Origin()


def _outcomes(bench: Bench, judge: str, ids: set[str] | None) -> dict[str, Counter[tuple[int, int]]]:
    """How the games in a judge's own folder came out that name no baseline, by model."""
    outcomes: dict[str, Counter[tuple[int, int]]] = {}
    for file in record_files(bench.judgment_folder(judge)):
        found = list(_pairs(bench, file, ids))
        questions: dict[str, set[str]] = {}
        for name, question, _ in found:
            questions.setdefault(name, set()).add(question)
        whose = owners(bench, file, questions).of
        for name, _, pair in found:
            outcomes.setdefault(whose[name], Counter())[pair] += 1
    return outcomes


def _pairs(bench: Bench, file: Path, ids: set[str] | None) -> Iterable[tuple[str, str, tuple[int, int]]]:
    """(name of the model, question, who won its two games) of each judgment that names no baseline."""
    records = judgments_at_hand(bench, file)
    if records is None:
        return _pairs_read(file, ids)
    pairs = [_pair(kind) for kind in records.kinds]
    found = ((key, records.kinds[code].model, pairs[code]) for key, code in zip(records.places.ids, records.codes))
    return ((model, key, pair) for key, model, pair in found if pair and (ids is None or key in ids))


def _pair(kind: Judged) -> tuple[int, int] | None:
    """Who won the two games of such judgments, unless they name a baseline or lack a verdict."""
    winners = [_winner(_Game(verdict)) for verdict in kind.verdicts[:2]]
    if kind.baseline or len(winners) < 2 or winners[0] is None or winners[1] is None:
        return None
    return winners[0], winners[1]


def _pairs_read(file: Path, ids: set[str] | None) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """The same from the file itself; what cannot be read is passed over."""
    with open(file, "rb") as stream:
        for span in jsonl.spans(stream, msgspec.json.Decoder(_Row).decode):
            row: _Row | None = span.value
            if row is None or row.baseline or not is_list(row.games) or len(row.games) < 2:
                continue
            question_id = text_of(row.question_id or row.uid)
            if not isinstance(question_id, str) or (ids is not None and question_id not in ids):
                continue
            winners = [_winner(game) for game in row.games[:2]]
            if winners[0] is not None and winners[1] is not None:
                yield str(text_of(row.model) or ""), question_id, (winners[0], winners[1])


def _winner(game: _Game | None) -> int | None:
    score = game.score if game else None
    return {"A": 1, "B": -1, None: 0}[outcome(score).winner] if is_verdict(score) else None


# ----------------------------------------------------------------------------------- by the answers


def _by_answers(bench: Bench, shown: Origin, asked: str) -> Origin:
    """What the games show, unless the one asked for, or else one that was not judged, has given the same answers."""
    if shown.baseline in ("", asked):
        return shown
    judged = bench.judged_names()
    unjudged = [name_of(file) for file in look_into(bench.answer_folder, judged).files if name_of(file) not in judged]
    is_asked = _have_same_answers(bench, shown.baseline, asked)
    if is_asked is False:
        shown = replace(shown, is_open=False)
    same = [asked] if is_asked else [each for each in unjudged if _have_same_answers(bench, shown.baseline, each)]
    if not same:
        return shown
    return replace(shown, baseline=same[0], why=f"{shown.why}, and its answers are those of {same[0]}")


def _have_same_answers(bench: Bench, name: str, other: str) -> bool | None:
    """Whether two models have answered all that both have answered in the same words; None where that is not known."""
    files = [bench.answer_file(each) for each in (other, name)]
    if not all(file.is_file() for file in files):
        return None
    try:
        first, second = map(load_answers, files)
    except UserError:  # whoever needs the answers says so
        return None
    common = first.keys() & second.keys()
    said = [[[turn.content for turn in each[key].turns] for key in common] for each in (first, second)]
    return said[0] == said[1] if common else None
