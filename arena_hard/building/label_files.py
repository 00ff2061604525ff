"""Labels on disk: a file for each instrument, so that those of different ones never mix.

data/BENCH/building/labels/MODEL.FINGERPRINT.jsonl has a line for each prompt, by its id. What cannot be read is null,
with the reason and the number of attempts; it is never a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.building.label_reading import Label
from arena_hard.data import jsonl
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import file_name
from arena_hard.data.records import Usage, UserError, usage_row

FOLDER = "labels"


class LabelRecord(msgspec.Struct, frozen=True):
    """The record of a prompt: a label, or null and why. labelled_by: "text", asked for "constrained" or in "words".

    criteria: yes or no for each, in their order. attempts: how often it was asked for, this time included.
    """

    question_id: str
    instrument: str
    criteria: list[bool] | None
    model: str = ""
    labelled_by: str | None = None
    unreadable: str | None = None
    attempts: int = 1
    reply: str = ""
    thought: str | None = None
    usage: Usage | None = None
    served_model: str | None = None
    finish_reason: str | None = None

    @property
    def label(self) -> Label | None:
        """What was read."""
        return None if self.criteria is None else tuple(self.criteria)

    def row(self) -> dict[str, Any]:
        """The line of a file."""
        row = msgspec.structs.asdict(self) | {"usage": usage_row(self.usage)}
        return {key: value for key, value in row.items() if value is not None or key == "criteria"}


def label_file(folder: Path, model: str, instrument: str) -> Path:
    """Where the labels of an instrument lie. folder: that of all labels."""
    return folder / f"{file_name(model)}.{instrument}.jsonl"


def load_labels(file: Path, instrument: str, names: Sequence[str]) -> dict[str, LabelRecord]:
    """The record of each prompt, the last of several; empty where there is no file. Raises UserError with the line."""
    found: dict[str, LabelRecord] = {}
    others = 0
    for number, record in jsonl.rows(file, _DECODER.decode) if file.is_file() else ():
        if record.instrument != instrument:
            others += 1
            continue
        if record.criteria is not None and len(record.criteria) != len(names):
            wrong = f"criteria holds {len(record.criteria)} values, and there are {len(names)} criteria"
            raise jsonl.line_error(file, number, ValueError(wrong))
        found[record.question_id] = record
    if others:
        jsonl.warn([f"{file}: {counted(others, 'label')} of another instrument not counted."])
    return found


_DECODER = msgspec.json.Decoder(LabelRecord)


def other_instruments(file: Path) -> list[Path]:
    """The files with labels by other instruments that lie beside this one."""
    return sorted(other for other in file.parent.glob("*.jsonl") if other != file) if file.parent.is_dir() else []


# ----------------------------------------------------------------------------------- labels that are given

GIVEN = "given"  # in the place of a model: labels that come with the conversations
_FIELD, _TASK = "category_tag", "criteria_v0.1"


def given_criteria(row: dict[str, Any], names: Sequence[str]) -> list[bool] | None:
    """The label that a conversation of Chatbot Arena carries, where it decides all criteria; None where it has none.

    It stands in category_tag.criteria_v0.1, by name; some sets have JSON as a text there.
    """
    tags = _decoded(row.get(_FIELD))
    said = _decoded(tags.get(_TASK)) if isinstance(tags, dict) else None
    decided = [said.get(name) for name in names] if isinstance(said, dict) else []
    return [bool(each) for each in decided] if decided and all(isinstance(each, bool) for each in decided) else None


def _decoded(value: Any) -> Any:
    """What a JSON text holds; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return None


def labels_in_order(keys: Iterable[str], found: dict[str, LabelRecord]) -> Iterator[list[bool] | None]:
    """The label of each prompt, None where it has none."""
    return (record.criteria if (record := found.get(key)) else None for key in keys)


def check_given(labels: Sequence[list[bool] | None], names: Sequence[str]) -> None:
    """Raises UserError where `given` is asked for and no conversation has a label."""
    if all(label is None for label in labels):
        raise UserError(
            f"model: {GIVEN}: none of the conversations carries {_FIELD}.{_TASK} with the criteria {', '.join(names)}. "
            "Name a model of the endpoint file in its place."
        )
