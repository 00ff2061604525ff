"""The JSON objects in an annotator's reply that decide all criteria, or list those that are met."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from arena_hard.building.label_lists import Item, Label, bare, item_of, label_of

_MET = {"criteriamet", "metcriteria", "met", "criteriasatisfied", "satisfiedcriteria", "satisfied", "criteria"}
_UNCLEAR = "criteria"
_NOT_MET = {"criterianotmet", "notmet", "unmet", "unmetcriteria", "criteriaunmet", "notsatisfied"}
_REASONS = {"reason", "reasons", "reasoning", "explanation", "rationale", "justification", "analysis", "evidence"}
_DECISIONS = {"met", "satisfied", "decision", "verdict", "answer"}  # in an object with reasons beside
_TRUE = {"yes": True, "true": True, "1": True, "met": True, "no": False, "false": False, "0": False, "not met": False}
_LAST_FENCE = re.compile(r"\A\s*```\s*")


class Stated(NamedTuple):
    """An object about criteria. label: None where it is not certain; is_whole: whether all are decided.

    above, below: the text around it.
    """

    label: Label | None
    is_whole: bool = False
    above: str = ""
    below: str = ""


def objects_in(text: str, names: Sequence[str]) -> Iterator[Stated]:
    """The objects about criteria that stand in lines of their own."""
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs)
    at = 0
    for line in re.finditer(r"^[ \t]*(\{)", text, re.MULTILINE):
        if line.start() < at:
            continue
        try:
            value, at = decoder.raw_decode(text, line.start(1))
        except (ValueError, RecursionError):
            continue
        beside, _, below = text[at:].partition("\n")
        if not beside.strip(" \t.`") and (stated := _stated(value, names)):
            yield stated._replace(above=text[: line.start()], below=_LAST_FENCE.sub("", below))


class _Pairs(dict[str, Any]):
    """An object; a key that occurs twice decides nothing."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        for key, _ in pairs if len(self) < len(pairs) else []:
            self[key] = None


def _stated(value: Mapping[str, Any], names: Sequence[str]) -> Stated | None:
    known = {key: item.place for key in value if (item := item_of(key, names)) and not item.pair}
    if not known:
        return Stated(_listed(value, names)) if _MET & set(map(bare, value)) else None
    decided = {place: decision(value[key]) for key, place in known.items()}
    others = [key for key in value if key not in known and bare(key) not in _REASONS]
    if others or None in decided.values() or not len(decided) == len(known) == len(names):
        return Stated(None)
    return Stated(tuple(decided[place] is True for place in range(len(names))), is_whole=True)


def _listed(value: Mapping[str, Any], names: Sequence[str]) -> Label | None:
    """The label of an object that lists what is met, and all the others as not met or nothing else."""
    lists = {bare(key): _label_of_values(each, names) for key, each in value.items()}
    met = [label for key, label in lists.items() if key in _MET]
    rest = [label for key, label in lists.items() if key in _NOT_MET]
    others = sum(bare(key) not in _REASONS for key in value)
    if others == len(met) == 1:
        is_unclear = _UNCLEAR in lists and met[0] is not None and all(met[0])  # it may as well list what there is
        return None if is_unclear else met[0]
    if others == 2 and len(met) == len(rest) == 1 and met[0] and rest[0]:
        return met[0] if all(one != other for one, other in zip(met[0], rest[0])) else None
    return None


def _label_of_values(values: Any, names: Sequence[str]) -> Label | None:
    if not isinstance(values, list):
        return None
    items: list[Item] = []
    for value in values:
        is_text = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
        item = item_of(str(value), names) if is_text else None
        if item is None or item.pair:
            return None
        items.append(item)
    return label_of(items, names)


def decision(value: Any) -> bool | None:
    """Yes or no in an object: as a text, true or false, 1 or 0, or within an object that holds reasons beside it."""
    if isinstance(value, dict):
        decided = [each for key, each in value.items() if bare(key) not in _REASONS]
        keys = [key for key in value if bare(key) in _DECISIONS]
        return decision(value[keys[0]]) if len(keys) == len(decided) == 1 else None
    return _TRUE.get(str(value).strip(" .").lower())
