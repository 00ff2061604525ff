"""The page *Games*: one question, both games, everything that was written."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from arena_hard.browse import address, game_selection, game_words, markup
from arena_hard.browse.address import View
from arena_hard.browse.commands import Commands
from arena_hard.browse.game_selection import Pair, Selection
from arena_hard.browse.index import BenchIndex
from arena_hard.browse.record_file import NO_GAME, UNREADABLE
from arena_hard.data.lengths import CUT_OFF
from arena_hard.data.records import Game
from arena_hard.data.settings import DEFAULT_PATTERN, JudgeSettings
from arena_hard.data.verdicts import LABELS

PLAIN = "plain"
LINE, LONG = 62, 24  # letters of a line, and lines beyond which a text is folded


class Choice(NamedTuple):
    """An entry of a dropdown."""

    value: str
    words: str


class Shown(NamedTuple):
    """A text as HTML; is_long: whether a page shows its beginning first; is_empty: whether nothing is to be seen."""

    html: Markup
    is_long: bool
    is_empty: bool = False

    def __html__(self) -> str:
        return self.html


class Column(NamedTuple):
    """One answer in one game: `turns` are HTML; `words` say why there is none; `again` asks for it anew."""

    label: str
    model: str
    role: str
    turns: list[Shown]
    thoughts: list[str | None]
    words: str
    notes: list[str]
    is_cut: bool
    again: str


class Board(NamedTuple):
    """One game as it is shown: number, verdict in words, two columns, the judge's text.

    why, again: what is wrong with a game without a verdict or without a text, and the command that makes it anew.
    shortened: that the judge saw less of the answers.
    """

    number: int
    label: str
    kind: str
    words: str
    columns: tuple[Column, Column]
    judgment: Shown | None
    prompt: str
    why: str
    again: str
    shortened: str


class Listed(NamedTuple):
    """A game in the exported list: verdicts, what it is an example of, and its view."""

    words: str
    model: str
    first: str
    second: str
    kinds: str
    is_own: bool
    view: View
    category: str
    cluster: str


def build(index: BenchIndex, view: View, settings: JudgeSettings | None) -> tuple[str, dict[str, Any]]:
    """Template and values of the page."""
    selection = game_selection.select(index, view, settings)
    view = view if index.reading else shown_view(index, view, selection)  # what was asked for may be read soon
    context = {
        "own_view": view,
        "filters": filters(index, view),
        "questions": question_choices(index, view, selection),
        "active": active_filters(view),
    }
    return "games.html", context | page_of(index, view, selection, settings)


def shown_view(index: BenchIndex, view: View, selection: Selection) -> View:
    """The view whose game is shown: that of an address may be none that its filters leave."""
    if not view.question or selection.place < 0:
        return view
    model = index.models[int(selection.models[selection.place])]
    question = index.question_ids[int(selection.questions[selection.place])]
    return view.but(question=question, at=view.at and model)


def page_of(index: BenchIndex, view: View, selection: Selection, settings: JudgeSettings | None) -> dict[str, Any]:
    """The values of the page that show a selection's current game."""
    context: dict[str, Any] = {"title": "Games", "selection": selection, "pair": None}
    if selection.place < 0:
        return context
    model, question = int(selection.models[selection.place]), int(selection.questions[selection.place])
    pair = game_selection.load(index, view.judge, model, question, settings)
    patterns = tuple(settings.patterns) if settings else default_patterns()
    return context | {
        "title": f"{pair.model.model} · {short(first_turn(pair), 60)}",
        "pair": pair,
        "summary": game_words.agreement_words(pair),
        "unjudged": game_words.unjudged_words(view.judge, pair, index.commands),
        "nameless": nameless(index, view.judge, pair, settings),
        "prompts": question_turns(pair, view),
        "boards": [board(pair, number, view, patterns, index.commands) for number in (1, 2)],
        "at": view.but(question=pair.question_id, at="" if view.model else pair.model.model),
        **neighbours(index, view, selection),
    }


def listed(index: BenchIndex, view: View, model: int, question: int, is_own: bool = False) -> Listed:
    """A game as an entry of a list. is_own: of the baseline against itself, so that no verdict is looked for in it."""
    first, second = game_selection.verdict_codes(index, view.judge, [model])
    one, two = first[0, question], second[0, question]
    total = sum(int(points) for points in game_selection.strengths(one, two))
    kinds = ["won" if total > 0 else "lost" if total < 0 else "even"]
    kinds += ["disagree"] if game_selection.disagree(one, two) else []
    kinds += ["unreadable"] if UNREADABLE in (one, two) else []
    found = index.questions[question]
    words = short(found.turns[0], 100) if found else index.question_ids[question]
    labels = (label_of(int(one)), label_of(int(two)))
    groups = (found.category, found.cluster or "") if found else ("", "")
    return Listed(words, index.models[model], *labels, " ".join(kinds) * (not is_own), is_own, view, *groups)


def default_patterns() -> tuple[Any, ...]:
    """The verdict pattern of the original, and v2.0's with single brackets."""
    import re

    return re.compile(DEFAULT_PATTERN), re.compile(r"\[([AB][<>=]{1,2}[AB])\]")


# ----------------------------------------------------------------------------- dropdowns, links


def filters(index: BenchIndex, view: View) -> dict[str, list[Choice]]:
    """The entries of every dropdown but the questions'."""
    found = [question for question in index.questions if question is not None]
    categories = sorted({question.category for question in found if question.category})
    inside = [question for question in found if view.category in ("", question.category)]
    clusters = sorted({question.cluster for question in inside if question.cluster})
    verdicts = [Choice("", "any"), *(Choice(label, label) for label in LABELS)]
    verdicts += [Choice("unreadable", "unreadable"), Choice("none", "no game")]
    return {
        "judge": [Choice(judge, judge) for judge in index.judges],
        "model": [Choice("", "all models"), *(Choice(model, model) for model in index.models)],
        "category": [Choice("", "any category"), *(Choice(name, name) for name in categories)],
        "cluster": [Choice("", "any cluster"), *(Choice(name, name) for name in clusters)],
        "first": verdicts,
        "second": verdicts,
        "show": [Choice(value, words) for value, words in address.SHOWN.items()],
    }


def active_filters(view: View) -> int:
    """How many filters besides judge and model are set."""
    return sum(bool(value) for value in (view.category, view.cluster, view.first, view.second, view.show, view.text))


def question_choices(index: BenchIndex, view: View, selection: Selection) -> list[Choice]:
    """The questions that are left, each once, with the verdicts where one model is chosen."""
    codes, places = np.unique(selection.questions, return_index=True)
    choices = []
    for code, place in zip(codes.tolist(), places.tolist()):
        question = index.questions[code]
        words = short(question.turns[0], 80) if question else "not in question.jsonl"
        verdicts = f"[{pair_label(index, view.judge, int(selection.models[place]), code)}] " if view.model else ""
        choices.append(Choice(index.question_ids[code], f"{code + 1}. {verdicts}{words}"))
    return choices or [Choice("", "none is left")]


def pair_label(index: BenchIndex, judge: str, model: int, question: int) -> str:
    """Both verdicts of a judgment in a few characters: 'A>B, B>A'."""
    first, second = game_selection.verdict_codes(index, judge, [model])
    return f"{label_of(int(first[0, question]))}, {label_of(int(second[0, question]))}"


def label_of(code: int) -> str:
    """A verdict code as it is shown."""
    return LABELS[code] if code >= 0 else {UNREADABLE: "?", NO_GAME: "–"}[code]


def neighbours(index: BenchIndex, view: View, selection: Selection) -> dict[str, View | None]:
    """The views of the previous and the next game, None at the ends."""

    def at(place: int) -> View | None:
        if not 0 <= place < len(selection):
            return None
        model = index.models[int(selection.models[place])]
        question = index.question_ids[int(selection.questions[place])]
        return view.but(question=question, at="" if view.model else model)

    return {"previous": at(selection.place - 1), "next": at(selection.place + 1)}


# ---------------------------------------------------------------------------------------- words


def short(text: str, most: int) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def first_turn(pair: Pair) -> str:
    """The question's first turn, or its id when the question is unknown."""
    return pair.question.turns[0] if pair.question else pair.question_id


def nameless(index: BenchIndex, judge: str, pair: Pair, settings: JudgeSettings | None) -> str:
    """What shows the baseline of a judgment that names none, in the leaderboard's words."""
    if pair.judgment is None or pair.judgment.baseline:
        return ""
    category = pair.question.category if pair.question else ""
    return game_selection.nameless_words(index, judge, pair.baseline.model, settings, category)


# ---------------------------------------------------------------------------------------- games


def text_of(text: str, view: View, patterns: tuple[Any, ...] = ()) -> Shown:
    """A model's text as the view wants it: formatted, or as it stands in the file."""
    render = markup.plain if view.format == PLAIN else markup.formatted
    return Shown(render(text, patterns), is_long(text), not text.strip())


def is_long(text: str) -> bool:
    """Whether a text takes more than LONG lines of a column."""
    return sum(1 + len(line) // LINE for line in text.splitlines()) > LONG


def question_turns(pair: Pair, view: View) -> list[Shown]:
    """The turns of the question as HTML."""
    return [text_of(turn, view) for turn in pair.question.turns] if pair.question else []


def board(pair: Pair, number: int, view: View, patterns: tuple[Any, ...], commands: Commands) -> Board:
    """One game, ready for the template."""
    game = pair.game(number)
    code = pair.codes[number - 1]
    words, kind = game_words.verdict_words(code, pair, number)
    a, b = (column(label, side, view, pair, commands) for label, side in zip("AB", pair.sides(number)))
    why, again = game_words.lacking(pair, number, patterns, commands)
    return Board(
        number=number,
        label=label_of(code),
        kind=kind,
        words=words,
        columns=(a, b),
        judgment=judgment_html(game, view, patterns),
        prompt=game.user_prompt if game else "",
        why=why,
        again=again,
        shortened=game_words.shortened_words(game),
    )


def judgment_html(game: Game | None, view: View, patterns: tuple[Any, ...]) -> Shown | None:
    """The judge's text with its verdict marked; None when it wrote nothing."""
    return text_of(game.judgment, view, patterns) if game is not None and game.judgment.strip() else None


def column(label: str, side: game_selection.Side, view: View, pair: Pair, commands: Commands) -> Column:
    """One answer under its label."""
    turns = side.answer.turns if side.answer else ()
    return Column(
        label=label,
        model=side.model,
        role=side.role,
        turns=[text_of(turn.content, view) for turn in turns],
        thoughts=[turn.thought for turn in turns],
        words=side.missing,
        notes=notes(side),
        is_cut=side.answer is not None and side.answer.finish_reason in CUT_OFF,
        again=commands.answer_again(side.model, pair.question_id),
    )


def notes(side: game_selection.Side) -> list[str]:
    """Short facts about an answer: its length, and whether it was cut off."""
    answer = side.answer
    if answer is None:
        return []
    lengths = [turn.token_len for turn in answer.turns if turn.token_len is not None]
    tokens = sum(lengths) if len(lengths) == len(answer.turns) else None
    facts = [f"{int(tokens):,} tokens"] if tokens is not None and tokens >= 0 else []
    facts += ["cut off at max_tokens"] if answer.finish_reason in CUT_OFF else []
    facts += [f"choice 1 of {len(answer.choices)}"] if len(answer.choices) > 1 else []
    return facts
