"""The qualities that prompts are labelled by: a file with a name and a text for each, of any number."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from arena_hard.data.places import Place
from arena_hard.data.records import UserError
from arena_hard.data.settings import Text, parse_with_place
from arena_hard.data.yaml_files import load_written

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")  # a field of a JSON schema, which some servers allow no other names

_NONE_IS_MET = {"none", "nocriteria", "noneofthem"}


class Criterion(msgspec.Struct, frozen=True):
    """One quality, which a prompt has or has not."""

    name: Text
    text: Text


class Criteria(msgspec.Struct, frozen=True):
    """A file of config/criteria. reasons: whether the annotator explains each criterion before it decides."""

    criteria: list[Criterion]
    name: str = ""
    reasons: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The names in their order, in which labels hold yes or no."""
        return tuple(each.name for each in self.criteria)

    def __len__(self) -> int:
        return len(self.criteria)


def load_criteria(file: Path) -> Criteria:
    """Criteria from a file. Raises UserError with the line of what is wrong."""
    loaded, place = parse_with_place(Place(str(file), load_written(file)), Criteria)
    where = place.at("criteria")
    if not loaded.criteria:
        raise UserError(f"{place.line_only('criteria')}: criteria is empty. List at least one, with its name and text.")
    seen: dict[str, str] = {}
    for number, criterion in enumerate(loaded.criteria, 1):
        line = where.item(number).line_only("name")
        if not _NAME.fullmatch(criterion.name):
            raise UserError(
                f"{line}: the name {criterion.name!r} is not made of small letters, digits and _ alone, beginning with "
                "a letter (40 at most): servers know it as a field of JSON. Write it like real_world; the text may say "
                "it in any language."
            )
        bare = criterion.name.replace("_", "")
        if bare in _NONE_IS_MET:
            raise UserError(
                f"{line}: {criterion.name!r} is what an annotator says where no criterion is met. Write another name."
            )
        if bare in seen:
            same = seen[bare] == criterion.name
            wrong = (
                "occurs twice" if same else f"and {seen[bare]!r} are alike but for _, which replies do not tell apart"
            )
            raise UserError(f"{line}: the name {criterion.name!r} {wrong}. Name each criterion differently.")
        seen[bare] = criterion.name
    return loaded
