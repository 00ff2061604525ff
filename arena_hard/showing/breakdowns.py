"""Breakdowns of models by cluster and category in words: what can be said, a table, a small picture for each row."""

from __future__ import annotations

import argparse
import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from arena_hard.data import jsonl
from arena_hard.data.name_lists import counted, shortened, suggestion
from arena_hard.data.paths import Bench
from arena_hard.data.records import Question, UserError, question_from_row
from arena_hard.rating.breakdown import Breakdown, Group, breakdown, least_questions
from arena_hard.rating.categories import Part
from arena_hard.rating.outcomes import outcomes
from arena_hard.rating.same_place import without_models
from arena_hard.showing.leaderboard import score_text
from arena_hard.showing.notes import with_minus
from arena_hard.showing.sections import Section, plain_data, signed

KINDS = {"cluster": "clusters", "category": "categories"}  # what questions are grouped by
SHOWN = {"html": 20, "table": 10, "markdown": 10}
_NAME = 44  # letters of a group's name in a terminal


def groups_of(questions: Sequence[Question], by: str) -> dict[str, str]:
    """The cluster or category of each question by id; those in none are left out."""
    groups = {one.question_id: (one.category if by == "category" else one.cluster) or "" for one in questions}
    return {question: name for question, name in groups.items() if name}


def _values_of(file: Path, key: str) -> dict[str, str]:
    """The value of another key of question.jsonl by id, where it is a text or a number. Raises UserError."""
    keys: set[str] = set()
    values: dict[str, str] = {}
    for row in jsonl.read(file, dict[str, Any]):
        keys |= row.keys()
        if isinstance(value := row.get(key), (str, int, float)) and value != "":
            values[question_from_row(row).question_id] = str(value)
    if key not in keys:
        raise UserError(f"--breakdown {key}: no question in {file} has this key. {suggestion(key, keys)}")
    if not values:
        raise UserError(f"--breakdown {key}: in {file} it is no text or number, by which questions could be grouped.")
    return values


def plural(by: str) -> str:
    """What the groups are called."""
    return KINDS.get(by, f"values of {by}")


def sections_of(args: argparse.Namespace, parts: Sequence[Part], questions: Sequence[Question]) -> list[list[Section]]:
    """The breakdowns of each part that were asked for (--breakdown, --models). Raises UserError for unknown models."""
    _check_models(args.models, parts)
    file = Bench(args.data_dir, args.bench_name).question_file
    groups = {
        by: groups_of(questions, by) if by in KINDS or not questions else _values_of(file, by)
        for by in args.breakdown or KINDS
    }
    return [_of_part(args, part, groups) if part.table is not None else [] for part in parts]


def _check_models(wanted: Sequence[str], parts: Sequence[Part]) -> None:
    known = {name for part in parts for name in part.battles.models}
    rated = known - {part.baseline for part in parts}
    for name in wanted:
        if name not in rated:
            why = "is the baseline, which has 50 in every group" if name in known else "has no readable verdict"
            raise UserError(f"--models: {name} {why}. Models that can be broken down: {shortened(sorted(rated))}.")


def _of_part(args: argparse.Namespace, part: Part, groups: Mapping[str, Mapping[str, str]]) -> list[Section]:
    """The sections of one part: every model by one kind of group, then by the next; groups: of each question."""
    assert part.table is not None
    found = outcomes(without_models(part.table, part.silent), args.weight, args.first_game_only)
    score = dict(zip(found.models, found.score.tolist()))
    names = [name for name in args.models or sorted(score, key=lambda name: -score[name]) if name in score]
    sections: list[Section] = []
    missing: list[Section] = []
    for by, group_of in groups.items() if found.models else ():
        judged = {group_of.get(question, "") for question in found.questions}
        if len(judged - {""}) < 2:
            missing.append(_nothing(by, sorted(judged - {""})))
            continue
        every = [breakdown(found, name, by, group_of, args.level, args.seed) for name in names]
        divided = [one for one in every if not one.is_one]
        sections += [_section(args, one, is_last=one is divided[-1]) for one in divided]
        sections += _undivided([one for one in every if one.is_one])
    if args.breakdown or (args.breakdown is not None and len(missing) == len(groups)):
        sections += missing
    return sections + _silent([name for name in part.silent if name in (args.models or part.silent)])


def _silent(models: Sequence[str]) -> list[Section]:
    """Models of which the judge says nothing."""
    if not models:
        return []
    why = "Nothing is known of these, because the judge chose the same position in all of their games: "
    return [Section("Not broken down", [""], [], {"models": models}, [f"{why}{', '.join(models)}."])]


def _undivided(models: Sequence[Breakdown]) -> list[Section]:
    """Models whose judged questions are not in two groups."""
    if not models:
        return []
    by, reasons = models[0].by, [f"{one.model} ({_why_undivided(one)})" for one in models]
    why = f"There is nothing to compare: {', '.join(reasons)}."
    return [Section(f"Not broken down by {by}", [""], [], {"models": [one.model for one in models]}, [why])]


def _why_undivided(one: Breakdown) -> str:
    if not one.groups:
        return f"none of its judged questions has a {one.by}"
    with_one = "all its judged questions with one are" if one.ungrouped else "all its judged questions are"
    return f"{with_one} in {one.groups[0].name}"


def _nothing(by: str, names: Sequence[str]) -> Section:
    """Why there is no breakdown."""
    why = f"No judged question has a {by} in question.jsonl."
    if names:
        why = f"All judged questions are in one {by}, {names[0]}: there is nothing to compare it with."
    return Section(f"Breakdown by {by}", [""], [], {"note": why}, [why])


def _section(args: argparse.Namespace, one: Breakdown, is_last: bool) -> Section:
    """A model's groups, the most surprising first."""
    shown = one.groups[: SHOWN.get(args.format, len(one.groups))]
    columns = [one.by, "win rate", "points", f"{100 * one.level:g}% CI", "best guess", "p", "p corrected", "others"]
    columns.insert(1, "questions")
    rows = [
        [
            group.name if args.format != "table" or len(group.name) <= _NAME else group.name[: _NAME - 1] + "…",
            str(group.questions),
            score_text(group.score),
            points(group.value),
            f"({points(group.lower)}, {points(group.upper)})",
            points(group.estimate),
            f"{group.p_value:.2g}",
            f"{group.corrected:.2g}",
            points(group.others),
        ]
        for group in shown
    ]
    remark = sentence(one) + " Win rates are as judged, without style control." * bool(args.control_features)
    if len(shown) < len(one.groups):
        remark += f" Shown are the {len(shown)} most surprising of {len(one.groups)}; --format json has all."
    if is_last:
        remark += " " + explained(one.by)
    drawn = pictures(one, shown) if args.format == "html" else ""
    return Section(f"{one.model} by {one.by}", columns, rows, plain_data(one), [remark], drawn)


# --------------------------------------------------------------------------------------- words


def points(value: float) -> str:
    """A difference in points with its sign; n/a for NaN."""
    return "n/a" if math.isnan(value) else signed(value)


def sentence(one: Breakdown) -> str:
    """What can be said of a model with several groups: whether they differ at all, and which."""
    said = [f"Overall {score_text(one.score)}.", _whether_groups_differ(one), _which_groups_differ(one)]
    if one.ungrouped:
        has = "has" if one.ungrouped == 1 else "have"
        said.append(f"{one.ungrouped} of {counted(one.questions, 'judged question')} {has} no {one.by}.")
    return " ".join(said)


def _whether_groups_differ(one: Breakdown) -> str:
    many = plural(one.by)
    if max(group.questions for group in one.groups) < 2:
        return f"Every one of the {len(one.groups)} {many} has one question, so that nothing is known of any."
    if one.p_value <= 1.0 - one.level:
        spread = f", true spread about {one.spread:.0f} points" if one.spread >= 0.5 else ""
        return f"Win rates differ between {many} by more than chance (p {one.p_value:.2g}{spread})."
    text = f"Win rates differ between {many} by no more than chance explains (p {one.p_value:.2g})"
    stand_out = "one of them stands out" if len(one.told) == 1 else "some of them stand out"
    return f"{text} as a whole, but {stand_out}." if one.told else f"{text}."


def _which_groups_differ(one: Breakdown) -> str:
    if one.told:
        sides = [
            (word, [group.name for group in one.told if (group.value > 0) == is_better])
            for word, is_better in (("worse in ", False), ("better in ", True))
        ]
        named = ", ".join(word + shortened(names) for word, names in sides if names)
        return f"After correction for all {len(one.groups)} {plural(one.by)}, it is {named} than overall."
    sizes = [group.questions for group in one.groups]
    text = f"None of the {len(sizes)} {plural(one.by)} can be told apart from the overall score after correction"
    least = least_questions(one.level)
    if max(sizes) >= least:
        return text + "."
    number = counted(max(sizes), "question") if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)} questions"
    return f"{text}: with {number} each they never can be; it takes at least {least}."


def explained(by: str) -> str:
    """What the columns are."""
    return (
        f"Points: win rate in the {by} minus the overall score. Best guess: the same, shrunk toward 0 by what chance "
        f"explains; the largest is the most surprising. p corrected: by Holm's method for all {plural(by)} of the "
        f"model. Others: how far the other models are from their own overall scores in this {by}, on average, on the "
        f"questions of this model; where they deviate alike, the reason is the {by} and not the model."
    )


# -------------------------------------------------------------------------------------- picture


def pictures(one: Breakdown, groups: Sequence[Group]) -> str:
    """The groups as a picture that needs no style sheet: names beside the bars, or above where there is no room."""
    legend = "Win rates from 0 to 100. Upright line: overall; bar: from there to the win rate; thin line: interval"
    legend += "; dot: what the other models lead one to expect." if one.others else "."
    lines = [
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:0 1rem;margin:.25rem 0">'
        f'<span style="flex:1 1 14rem">{html.escape(group.name)} <b>{with_minus(points(group.value))}</b></span>'
        f'<span style="flex:2 1 16rem;padding:0 5px">{picture(one, group)}</span></div>'
        for group in groups
    ]
    return f'<p class="note">{legend}</p>{"".join(lines)}'


def picture(one: Breakdown, group: Group) -> str:
    """A row of win rates from 0 to 100 as SVG: the overall score, the group's and its interval, what others expect."""
    kind, fill = ("better", "#2e8b57") if group.value > 0 else ("worse", "#c0392b")
    start, end = sorted((one.score, group.score))
    low, high = (min(100.0, max(0.0, one.score + each)) for each in (group.lower, group.upper))
    label = f"{group.name}: win rate {score_text(group.score)}, overall {score_text(one.score)}, "
    label += f"interval {score_text(low)} to {score_text(high)}"
    ring = ""
    if not math.isnan(group.others):
        at = min(100.0, max(0.0, one.score + group.others))
        label += f", expected from the other models {score_text(at)}"
        ring = f'<circle class="others" cx="{at:.1f}%" cy="8" r="3.5" fill="none" {_INK} stroke-width="1.5"/>'
    return (
        '<svg class="deviation" width="100%" height="16" style="height:16px;display:block;overflow:visible" '
        f'role="img" aria-label="{html.escape(label)}">'
        f'<line class="interval" x1="{low:.1f}%" x2="{high:.1f}%" y1="8" y2="8" {_INK} stroke-opacity=".4"/>'
        f'<rect class="{kind}" x="{start:.1f}%" width="{end - start:.1f}%" y="4" height="8" fill="{fill}"/>'
        f'<line class="overall" x1="{one.score:.1f}%" x2="{one.score:.1f}%" y1="0" y2="16" {_INK}/>{ring}</svg>'
    )


_INK = 'stroke="currentColor"'
