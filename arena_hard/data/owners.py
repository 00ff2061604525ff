"""Whose judgments a file holds: one rule for all who read them.

A record is of the model that it names; one that names none, of the model that the file is named after. So are those
whose name nothing else here bears, neither answers nor another file of judgments, where the file's name has answers: a
number, a path or another spelling in the place of the name.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from arena_hard.data.paths import Bench, name_of
from arena_hard.data.record_folder import rank
from arena_hard.data.records import UserError


class Owners(NamedTuple):
    """The model of each name in a file's records, and what has to be said of those that are not as they are named."""

    of: dict[str, str]
    notes: list[str]


def owners(bench: Bench, file: Path, questions: Mapping[str, AbstractSet[Hashable]]) -> Owners:
    """Whose the records of a file are. questions: by the name in the records, which is empty where they have none."""
    own = name_of(file)
    others = [name for name in questions if name not in ("", own)]
    found = Owners({name: name or own for name in questions}, [])
    if "" in questions:
        found.notes.append(f"{file}: records that name no model are taken to be of {own}, after which it is named.")
    if len(others) != 1 or not bench.answer_file(own).is_file() or _is_known(bench, file, others[0]):
        return found
    if questions[others[0]].isdisjoint(questions.get(own, frozenset())):  # else they are of two models
        found.of[others[0]] = own
        spelled = rank(file, others[0])
        found.notes.extend(
            [f"{file}: its records name the model {others[0]}, of which nothing else is here, and are taken to be of "
            f"{own}, after which it is named and whose answers are here."] * (not spelled)
        )  # fmt: skip
    return found


def _is_known(bench: Bench, file: Path, name: str) -> bool:
    """Whether answers or judgments beside a file bear a name."""
    try:
        answers = bench.answer_file(name)
    except UserError:  # it can be no file's
        return False
    return answers.is_file() or file.with_name(answers.name).is_file()
