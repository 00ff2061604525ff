"""Labels on disk: a file for each instrument, so that those of different ones never mix.

data/BENCH/building/labels/MODEL.FINGERPRINT.jsonl has a line for each prompt, by its id. What cannot be read is null,
with the reason and the number of attempts; it is never a label. Those of a shard are in a file beside it,
MODEL.FINGERPRINT.shard-K-of-N.jsonl, and count like the others, whatever N is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import file_name
from arena_hard.data.record_values import is_object
from arena_hard.data.records import UserError
from arena_hard.data.usage import Usage, usage_row

FOLDER = "labels"
_SHARD = re.compile(r"\.shard-[1-9]\d*-of-[1-9]\d*\.jsonl")


class Shard(msgspec.Struct, frozen=True):
    """Part `number` of `count` parts of the prompts, by a hash of their ids that is the same on every machine."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"shard {self.number} of {self.count}"

    def holds(self, key: str) -> bool:
        """Whether a prompt is in it."""
        return int(hashlib.sha256(f"shard {key}".encode()).hexdigest()[:16], 16) % self.count == self.number - 1


def shard_of(text: str) -> Shard:
    """What --shard says: K/N. Raises UserError."""
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
    number, count = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= count:
        raise UserError(f"--shard {text}: must be K/N with K from 1 to N, like --shard 1/4.")
    return Shard(number, count)


class Kept(msgspec.Struct, frozen=True):
    """What planning needs of a record. criteria: yes or no for each, in their order; None where none could be read.

    attempts: how often it was asked for; unreadable: why it was not read.
    """

    question_id: str
    instrument: str
    criteria: list[bool] | None
    attempts: int = 1
    unreadable: str | None = None
    usage: Usage | None = None

    @property
    def rank(self) -> tuple[bool, int]:
        """Of several records of a prompt the one with the highest counts: a label, else the last attempt."""
        return self.criteria is not None, self.attempts


class LabelRecord(msgspec.Struct, frozen=True):
    """The record of a prompt: a label, or null and why. labelled_by: "text", asked for "constrained" or in "words"."""

    question_id: str
    model: str
    instrument: str
    criteria: list[bool] | None
    labelled_by: str | None
    unreadable: str | None
    attempts: int
    reply: str
    usage: Usage | None
    served_model: str | None
    finish_reason: str
    thought: str | None = None

    def row(self) -> dict[str, Any]:
        """The line of a file."""
        row = msgspec.structs.asdict(self) | {"usage": usage_row(self.usage)}
        return {key: value for key, value in row.items() if value is not None or key == "criteria"}


_DECODER = msgspec.json.Decoder(Kept)


def label_file(folder: Path, model: str, instrument: str, shard: Shard | None = None) -> Path:
    """Where the labels of an instrument lie, or those of a shard. folder: that of all labels."""
    part = f".shard-{shard.number}-of-{shard.count}" if shard else ""
    return folder / f"{file_name(model)}.{instrument}{part}.jsonl"


def files_of(folder: Path, model: str, instrument: str) -> list[Path]:
    """All files that may hold labels of an instrument: its own, then those of its shards that are there."""
    own = label_file(folder, model, instrument)
    start = own.name.removesuffix(".jsonl")
    beside = (each for each in folder.glob("*.jsonl") if each.name.startswith(start))
    shards = sorted(each for each in beside if _SHARD.fullmatch(each.name.removeprefix(start)))
    return [own, *shards]


def load_labels(files: Iterable[Path], instrument: str, names: Sequence[str]) -> dict[str, Kept]:
    """The record of each prompt, of several the one that counts. Raises UserError with the line."""
    found: dict[str, Kept] = {}
    for file in files:
        add_better(found, _labels_in(file, instrument, names))
    return found


def add_better(found: dict[str, Kept], others: Mapping[str, Kept]) -> int:
    """Add records from elsewhere to those that were found, where they are of higher rank. Returns how many are."""
    better = {key: each for key, each in others.items() if key not in found or each.rank > found[key].rank}
    found.update(better)
    return len(better)


def _labels_in(file: Path, instrument: str, names: Sequence[str]) -> dict[str, Kept]:
    """The record of each prompt in a file, the last of several; empty where there is no file."""
    found: dict[str, Kept] = {}
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


def better_rows(
    files: Sequence[Path], instrument: str, names: Sequence[str], known: Mapping[str, Kept]
) -> list[dict[str, Any]]:
    """The lines of records that count for more than those that are known, one for each prompt. Raises UserError."""
    found = load_labels(files, instrument, names)
    ranks = {key: each.rank for key, each in found.items() if key not in known or each.rank > known[key].rank}
    rows: dict[str, dict[str, Any]] = {}
    for file in files:
        for _, row in jsonl.rows(file, jsonl.decode_object) if file.is_file() else ():
            record = msgspec.convert(row, Kept)
            if record.instrument == instrument and record.rank == ranks.get(record.question_id):
                rows[record.question_id] = row
    return list(rows.values())


def other_instruments(folder: Path, own: Iterable[Path]) -> set[str]:
    """The other instruments whose labels lie in a folder, as their files are called. own: those of this one."""
    own = set(own)
    return {_SHARD.sub(".jsonl", other.name) for other in folder.glob("*.jsonl") if other not in own}


# ----------------------------------------------------------------------------------- labels that are given

GIVEN = "given"  # in the place of a model: labels that come with the conversations
TAG, _TASK = "category_tag", "criteria_v0.1"


def given_label(tag: Any, names: Sequence[str]) -> list[bool] | None:
    """The label in the category_tag of a conversation of Chatbot Arena; None where it does not decide all criteria.

    The tag is an object or, as in some sets, JSON as a text, and so is criteria_v0.1 in it.
    """
    said = _said_in(tag)
    decided = [said.get(name) for name in names]
    return [bool(each) for each in decided] if decided and all(isinstance(each, bool) for each in decided) else None


def carries_label(tag: Any) -> bool:
    """Whether a category_tag decides criteria, whichever they are."""
    said = _said_in(tag)
    return any(isinstance(each, bool) for each in said.values())


def _said_in(tag: Any) -> dict[str, Any]:
    tags = _decoded(tag)
    said = _decoded(tags.get(_TASK)) if is_object(tags) else None
    return said if is_object(said) else {}


def _decoded(value: Any) -> Any:
    """What a JSON text holds, be it encoded once or twice; any other value as it is."""
    for _ in range(2):
        if isinstance(value, str):
            try:
                value = msgspec.json.decode(value)
            except msgspec.DecodeError:
                return None
    return value


def none_is_given(names: Sequence[str]) -> UserError:
    """The message where `given` is asked for and no conversation has a label."""
    return UserError(
        f"model: {GIVEN}: none of these conversations carries {TAG}.{_TASK} with the criteria {', '.join(names)}. Name "
        "a model of the endpoint file in its place."
    )
