"""The battle files that a run leaves; by category, which of them belong together, and which are left over."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from arena_hard.data import saved
from arena_hard.data.expected import Expected
from arena_hard.data.typed_jsonl import InputFile
from arena_hard.rating import battle_files, caches
from arena_hard.rating.caches import Case
from arena_hard.rating.categories import NO_CATEGORIES, Part, assumed_baseline
from arena_hard.showing import flags
from arena_hard.showing.notes import Text, as_data


def write_battles(
    args: argparse.Namespace,
    expected: Expected,
    parts: Sequence[Part],
    inputs: tuple[InputFile, ...],
    notes: Sequence[Text],
    remarks: Sequence[str],
) -> list[str]:
    """Write the battles for --load-battles and for other tools; a folder that takes no file is but a note.

    remarks: what was said of the judgment files while they were read.
    """
    problems: list[str | None] = []
    cases = [flags.case(args, part.category, part.baseline) for part in parts if flags.leaves_files(args)]
    for case, part in zip(cases, parts):
        lines = battle_files.game_lines(part.battles) if args.soft else battle_files.battle_lines(part.battles)
        said = {"said": [as_data(part.said), as_data(notes)], "silent": tuple(part.silent), "judged": part.judged}
        said |= {"most": part.battles.most, "told": part.told, "n_battles": part.n_battles, "remarks": tuple(remarks)}
        by_category = expected.has_categories and not args.category
        note = caches.Note(case, inputs, whole=_whole_of(args, cases), by_category=by_category, **said)
        problems.append(caches.save(caches.battle_file(expected.bench, case), lines, note))
    _forget_others(args, expected, cases)
    return [problem for problem in problems if problem]


def cached_cases(args: argparse.Namespace, expected: Expected) -> tuple[list[Case], list[str]]:
    """The cases of --load-battles, and a note where a run without it would rate more.

    They are the categories asked for, else those that a run without --category has rated on their own, else all in one.
    """
    if args.category:
        names = [""] if args.category == [NO_CATEGORIES] else args.category
        return [_assumed(args, expected, name) for name in names], []
    usual = _usual(args, expected)
    there = [case for case in usual if caches.battle_file(expected.bench, case).is_file()]
    notes = (caches.read_note(caches.battle_file(expected.bench, case)) for case in there)
    whole = next((note.whole for note in notes if note and note.whole), ())
    if whole:
        return list(whole), []
    if not there:
        return _all_in_one(args, expected)
    lacking = ", ".join(case.category for case in usual if case not in there)
    said = f"Battles are there of some categories alone, and not of {lacking}. Run without --load-battles for all."
    return there, [said] * bool(lacking)


def _all_in_one(args: argparse.Namespace, expected: Expected) -> tuple[list[Case], list[str]]:
    """The case of a benchmark as a whole, and a note where its battles were made without the config's categories."""
    case = _assumed(args, expected, "")
    note = caches.read_note(caches.battle_file(expected.bench, case))
    is_meant = note is None or note.by_category or not expected.has_categories
    said = f"Battles are there of all questions in one, not of each category that {expected.source} names."
    return [case], [f"{said} Run without --load-battles for these."] * (not is_meant)


def _whole_of(args: argparse.Namespace, cases: Sequence[Case]) -> tuple[Case, ...]:
    """All categories of a run that rates each on its own, as their notes have it; nothing where some were asked for."""
    return tuple(cases) if not args.category and cases[0].category else ()


def _forget_others(args: argparse.Namespace, expected: Expected, cases: Sequence[Case]) -> None:
    """Delete the battles of categories that a run of all does not rate any more: they would pass for some of its own.

    cases: those whose battles it has written, of which there are none where it writes nothing.
    """
    left = [case for case in _usual(args, expected) if case not in cases] if cases and not args.category else []
    for file in (caches.battle_file(expected.bench, case) for case in left):
        saved.remove([caches.note_file(file), file])


def _usual(args: argparse.Namespace, expected: Expected) -> list[Case]:
    return [flags.case(args, name, baseline) for name, baseline in expected.categories(args.baseline)]


def _assumed(args: argparse.Namespace, expected: Expected, category: str) -> Case:
    return flags.case(args, category, args.baseline or assumed_baseline(expected, args.judge_name, category))
