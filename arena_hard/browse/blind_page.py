"""The page *Blind check*: decide games without names, then see how far the judge agrees."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from arena_hard.browse import blind_check, game_selection, games_page
from arena_hard.browse.address import View
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.numbers import signed
from arena_hard.browse.record_file import Changed
from arena_hard.data.name_lists import shortened
from arena_hard.data.record_index import mark_of
from arena_hard.data.records import UserError
from arena_hard.data.settings import JudgeSettings
from arena_hard.data.verdicts import LABELS
from arena_hard.rating import blind_agreement, judge_trust
from arena_hard.rating.blind_agreement import Agreement, Check, Planned
from arena_hard.rating.judge_stats import Estimate

WORDS = ("A is much better", "A is slightly better", "a tie", "B is slightly better", "B is much better")


class Differing(NamedTuple):
    """A decided game: both verdicts, and the view of its games."""

    words: str
    own: str
    judge: str
    same: bool
    old_layout: bool
    view: View


class Lack(NamedTuple):
    """What a blind check lacks, in words, and the command that makes it. can_begin: whether games are left to show."""

    words: str
    command: str
    can_begin: bool


def build(index: BenchIndex, view: View, settings: JudgeSettings | None) -> tuple[str, dict[str, Any]]:
    """Template and values of the page: the start, a game to decide, or the result."""
    context: dict[str, Any] = {"title": "Blind check", "check": None, "error": "", "limits": judge_trust}
    context["buttons"] = list(zip(LABELS, WORDS))
    name = view.name.strip()
    if not view.judge or not name:
        error = "The name is empty. Enter one: the decisions are stored under it." if view.judge and view.name else ""
        return "blind.html", context | others(index, view, settings) | {"error": error}
    try:
        check = opened(index, view.judge, name, settings)
    except UserError as error:
        return "blind.html", context | others(index, view, settings) | {"error": str(error)}
    place = int(view.at) - 1 if view.at.isdecimal() and int(view.at) <= len(check.plan) else check.next_place
    if place is not None and 0 <= place < len(check.plan):
        return "blind.html", context | {"check": check, "place": place} | game_of(index, view, check, place)
    return "blind.html", context | {"check": check, "place": None} | result_of(index, view, check)


def others(index: BenchIndex, view: View, settings: JudgeSettings | None) -> dict[str, Any]:
    """Who has checked this judge so far, and what a further check lacks."""
    found = blind_agreement.checks(index.bench, view.judge) if view.judge else []
    together = blind_agreement.agreement(found, longer=partial(longer, index)) if found else None
    people = found[0].name if len(found) == 1 else "whoever decided"
    differ = differences(together, view.judge, people)
    lack = lacking(index, view.judge, settings) if view.judge else None
    return {"found": found, "together": together, "people": people, "differ": differ, "lack": lack}


def opened(index: BenchIndex, judge: str, name: str, settings: JudgeSettings | None) -> Check:
    """The person's check, begun now if it was not before. Raises UserError."""
    file = blind_agreement.check_file(index.bench, judge, name)
    check = blind_agreement.load(file)
    if check is not None:
        return check
    if index.reading:
        raise UserError(lacking(index, judge, settings).words)
    seed = int.from_bytes(f"{judge}/{name}".encode(), "big") % 2**32
    plan = blind_check.draw(index, judge, showable(index, judge, settings), seed)
    if not plan:
        raise UserError(lacking(index, judge, settings).words)
    return blind_check.start(index.bench, judge, name, plan)


def showable(index: BenchIndex, judge: str, settings: JudgeSettings | None) -> dict[tuple[int, int], str]:
    """The baseline's name for each (model, question) that is judged and has both answers."""
    return {place: baseline for place, baseline, lacking in judged_places(index, judge, settings) if not lacking}


def judged_places(
    index: BenchIndex, judge: str, settings: JudgeSettings | None
) -> Iterator[tuple[tuple[int, int], str, list[str]]]:
    """((model, question), baseline, whose answers are missing) of each judgment on a known question."""
    table = index.judged[judge]
    answered = {model: index.answered(model) for model in index.answers}
    nothing = np.zeros(len(index.question_ids), dtype=bool)
    for model, question in np.argwhere(table.row >= 0).tolist():
        baseline = game_selection.baseline_name(index, judge, model, question, settings)
        names = (index.models[model], baseline)
        if index.questions[question] is not None and baseline != index.models[model]:
            yield (model, question), baseline, [n for n in names if not answered.get(n, nothing)[question]]


def lacking(index: BenchIndex, judge: str, settings: JudgeSettings | None) -> Lack:
    """What keeps games of a judge from being shown."""
    if index.reading:
        return Lack("A blind check can begin when all is read: its games are drawn from all models.", "", False)
    table = index.judged[judge]
    readable = (table.first >= 0) | (table.second >= 0)
    if not readable.any():
        words = f"No verdict of {judge} could be read, and a blind check needs them. This judges again:"
        return Lack(words, index.commands.judge("--retry-unreadable"), False)
    places = [(place, names) for place, _, names in judged_places(index, judge, settings) if readable[place]]
    missing = list(dict.fromkeys(name for _, names in places for name in names))
    hidden = sum(bool(names) for _, names in places)
    if not missing:
        words = (
            ""
            if places
            else f"No game can be shown: no question of {index.bench.question_file} was judged against a baseline."
        )
        return Lack(words, "", bool(places))
    some = "No game can be shown" if hidden == len(places) else f"{hidden:,} of {len(places):,} judgments are left out"
    words = (
        f"{some}: answers of {shortened(missing)} are missing in {index.bench.name}/model_answer/. "
        "Published ones are fetched as README.md says; this makes them:"
    )
    return Lack(words, index.commands.answer("--models", *missing), hidden < len(places))


class Texts(NamedTuple):
    """The texts of a planned game by turn: the question's, then each answer's in the order of the game.

    changed: a file whose texts are not here, because it was changed since it was read.
    """

    question: tuple[str, ...]
    answers: list[list[str]]
    changed: Changed | None

    @property
    def mark(self) -> str:
        """What tells them from any others: a decision is on those that were shown."""
        return mark_of([repr((self.question, self.answers))]).hex()


def texts_of_game(index: BenchIndex, planned: Planned) -> Texts:
    """What is decided in a planned game."""
    code = index.question_code(planned.question_id)
    question = index.questions[code] if code is not None else None
    order = [planned.baseline, planned.model] if planned.game == 1 else [planned.model, planned.baseline]
    read = [partial(index.answer, model, code) for model in order] if code is not None else []
    found = [game_selection.unless_changed(each) for each in read] or [(None, None)] * 2
    answers = [[turn.content for turn in answer.turns] if answer else [] for answer, _ in found]
    changed = next((changed for _, changed in found if changed), None)
    return Texts(tuple(question.turns) if question else (), answers, changed)


def game_of(index: BenchIndex, view: View, check: Check, place: int) -> dict[str, Any]:
    """The texts of one planned game, without names."""
    texts = texts_of_game(index, check.plan[place])
    answers = [[games_page.text_of(turn, view) for turn in turns] for turns in texts.answers]
    return {
        "prompts": [games_page.text_of(turn, view) for turn in texts.question],
        "answers": list(zip("AB", answers)),
        "chosen": check.decisions.get(place, ""),
        "changed": texts.changed,
        "mark": texts.mark,
    }


def result_of(index: BenchIndex, view: View, check: Check) -> dict[str, Any]:
    """The agreement with the judge and the games, those that differ most first."""
    rows: list[tuple[int, Differing]] = []
    for place, planned in enumerate(check.plan):
        own = check.decisions[place]
        if own == blind_agreement.SKIP:
            continue
        code = index.question_code(planned.question_id)
        question = index.questions[code] if code is not None else None
        seen = View(tab="games", bench=view.bench, judge=check.judge, model=planned.model, question=planned.question_id)
        words = games_page.short(question.turns[0], 90) if question else planned.question_id
        gap, old = abs(LABELS.index(own) - LABELS.index(planned.verdict)), place in check.old_layout
        rows.append((gap, Differing(words, own, planned.verdict, gap == 0, old, seen)))
    rows.sort(key=lambda row: -row[0])
    table = [differing for _, differing in rows]
    found = blind_agreement.agreement([check], longer=partial(longer, index))
    differ = differences(found, check.judge, check.name)
    return {"agreement": found, "differ": differ, "rows": table, "skipped": len(check.plan) - len(rows)}


def longer(index: BenchIndex, planned: Planned) -> int:
    """1 where the first answer of a game has more characters than the second, -1 where it has fewer, else 0.

    Also 0 while a file is being read again that was changed.
    """
    code = index.question_code(planned.question_id)
    if code is None:
        return 0
    read = [partial(index.answer, model, code) for model in (planned.baseline, planned.model)]
    answers = [game_selection.unless_changed(each)[0] for each in read]
    lengths = [sum(len(turn.content) for turn in answer.turns) if answer else None for answer in answers]
    if lengths[0] is None or lengths[1] is None:
        return 0
    return int(np.sign(lengths[0] - lengths[1])) * (1 if planned.game == 1 else -1)


def differences(found: Agreement | None, judge: str, people: str) -> list[str]:
    """In which direction the judge and people differ: by place, and by length."""
    if found is None:
        return []
    kinds = (("the answer shown first", found.place), ("the longer answer", found.longer))
    return [_direction(words, each, judge, people) for words, each in kinds if each is not None]


def _direction(words: str, more: Estimate, judge: str, people: str) -> str:
    if more.lower <= 0.0 <= more.upper:
        points, low, high = (signed(value, 0) for value in (more.value, more.lower, more.upper))
        return f"Neither clearly prefers {words} more than the other ({points} points for {judge}, {low} to {high})."
    one = judge if more.value > 0 else people
    low, high = (f"{value:.0f}" for value in sorted((abs(more.lower), abs(more.upper))))
    return f"Of the two, {one} prefers {words} more: by {abs(more.value):.0f} points ({low} to {high})."


def decide(index: BenchIndex, judge: str, name: str, place: int, label: str, mark: str = "") -> None:
    """Store a decision of a check that was begun. mark: of the texts that were shown, where it is known.

    Raises UserError, also when the texts are no longer those.
    """
    check = blind_agreement.load(blind_agreement.check_file(index.bench, judge, name))
    if check is None:
        raise UserError(f"{name} has not started a blind check of {judge}.")
    if 0 <= place < len(check.plan):
        texts = texts_of_game(index, check.plan[place])
        if texts.changed:
            raise texts.changed
        if mark and mark != texts.mark:
            raise UserError(
                "The texts of this game have changed since they were shown. Load the page anew and look again."
            )
    blind_check.decide(check, place, label)
