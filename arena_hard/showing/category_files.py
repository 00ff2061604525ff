"""The battle files of a benchmark that is rated by category: which belong together, and which are left over."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from arena_hard.data import saved
from arena_hard.data.expected import Expected
from arena_hard.rating import caches
from arena_hard.rating.caches import Case
from arena_hard.rating.categories import NO_CATEGORIES, assumed_baseline
from arena_hard.showing import flags


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
    if whole or not there:
        return list(whole) or [_assumed(args, expected, "")], []
    lacking = ", ".join(case.category for case in usual if case not in there)
    said = f"Battles are there of some categories alone, and not of {lacking}. Run without --load-battles for all."
    return there, [said] * bool(lacking)


def whole_of(args: argparse.Namespace, cases: Sequence[Case]) -> tuple[Case, ...]:
    """All categories of a run that rates each on its own, as their notes have it; nothing where some were asked for."""
    return tuple(cases) if not args.category and cases[0].category else ()


def forget_others(args: argparse.Namespace, expected: Expected, cases: Sequence[Case]) -> None:
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
