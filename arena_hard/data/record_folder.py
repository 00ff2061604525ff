"""What lies in a folder of records: the record files, and what stands beside them or in their place.

Judgments are told apart by what they hold, not by the file they are in: a model's may be in several files, or in one
of another name. So a backup within the folder is read like any other file, and would replace what it is a backup of.
One that its name shows to be one is passed over, and so is a copy that bears a number or date and has records of the
plain file (others are parts of it); of other files with the same record, the one named after the model counts
(`rank`). Nothing is passed over without a note.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from arena_hard.data import jsonl
from arena_hard.data.name_lists import shortened
from arena_hard.data.record_values import text_of

_WORD = (
    r"(?:back[ _-]?up|bac?k|bkp|bck|old|orig(?:inal)?|prev(?:ious)?|before|saved?|te?mp|check[ _-]?point|archived?"
    r"|copy|kopie|copie|copia|duplicate|[^()]*\bconflict(?:ed)?\b.*)"
)
_NUMBER = r"(?:[ ._-]*\(?v?\d[\dTZ ._:-]*\)?)?"  # copies are counted or dated
_BACKUP = (
    re.compile(rf"(?P<plain>.+?)(?:[ ._~-]+\(?|\(){_WORD}{_NUMBER}\)?", re.IGNORECASE | re.DOTALL),
    re.compile(rf"{_WORD}{_NUMBER}[ ._~-]+(?:(?:of|von|de)[ ._-]+)?(?P<plain>.+)", re.IGNORECASE | re.DOTALL),
)
_COUNTED = re.compile(r"(?P<plain>.+?)[ ._-]*(?:\(\d+\)|(?<=[ ._-])v?\d[\dTZ._:-]*)", re.DOTALL)
_OTHER_ENDINGS = {
    **dict.fromkeys((".jsonl.gz", ".jsonl.zst", ".jsonl.bz2", ".jsonl.xz", ".jsonl.zip"), "Unpack it first"),
    **dict.fromkeys((".JSONL", ".jsonl.txt", ".ndjson", ".jsonlines"), "Rename it"),
    ".json": "Rename it if it holds one record per line, else convert it",
}
_OURS = (".manifest.json", ".meta.json")  # what the program itself puts beside records


class Found(NamedTuple):
    """The record files of a folder in sorted order, and what has to be said of what else lies there."""

    files: list[Path]
    notes: list[str]


def record_files(folder: Path, named: Container[str] = ()) -> list[Path]:
    """The record files of a folder, so that nothing depends on the file system; what is passed over is a warning.

    named: as in `look_into`.
    """
    found = look_into(folder, named)
    for note in found.notes:
        warnings.warn(note, jsonl.Remark, stacklevel=1)
    return found.files


def look_into(folder: Path, named: Container[str] = ()) -> Found:
    """What a folder holds. named: models that other records know by this name, so that theirs is no backup."""
    if not folder.is_dir():
        return Found([], [])
    entries = sorted(entry for entry in folder.iterdir() if is_ours(entry))
    records = [entry for entry in entries if entry.name.endswith(".jsonl")]
    there = {file.stem: file for file in records if file.is_file()}
    notes = [f"{in_place_of(file)} It is skipped." for file in records if file.stem not in there]
    notes += [_unreadable_form(entry) for entry in entries if _stem_of_other_form(entry) not in (None, *there)]
    plain_of = {file: _plain_of(file, there) for name, file in there.items() if unquote(name) not in named}
    backups = [f"{file.name} of {plain.name}{_lacking(file, plain)}" for file, plain in plain_of.items() if plain]
    if backups:
        notes.append(
            f"{folder}: skipped as backups, because their records are of the same models: {shortened(backups)}. "
            "Rename those that should count."
        )
    notes += [_instead_note(file, there) for name, file in there.items() if unquote(name) not in named]
    return Found([file for file in there.values() if not plain_of.get(file)], [note for note in notes if note])


def is_there(file: Path) -> bool:
    """Whether there is a record file of this name; what is in its place is a warning."""
    if file.is_file():
        return True
    note = in_place_of(file)
    if note:
        warnings.warn(note, jsonl.Remark, stacklevel=1)
    return False


def in_place_of(file: Path) -> str:
    """What is there instead of a record file, with the remedy; empty where it is one, or nothing is there."""
    if file.is_file():
        return ""
    if file.is_symlink() and not file.exists():
        return f"{file} is a link to {file.readlink()}, which is not there. Fetch that, or delete the link."
    if file.is_dir():
        return f"{file} is a folder, not a file. Move it away."
    if file.exists():
        return f"{file} is not a readable file. Move it away."
    forms = [file.with_name(file.name.removesuffix(".jsonl") + ending) for ending in _OTHER_ENDINGS]
    return next((_unreadable_form(form) for form in forms if form.is_file()), "")


def is_ours(path: Path) -> bool:
    """Whether a file or folder is more than what systems and editors leave beside others' (._x, ~$x, …)."""
    return not path.name.startswith((".", "~$")) and path.name != "__MACOSX"


def rank(file: Path, model: str) -> int:
    """How well a file is named after a model: 2 as it is called, 1 in another spelling, 0 not at all.

    Of files with the same record, the one with the highest rank counts; of several such, the last.
    """
    name = unquote(file.name.removesuffix(".jsonl"))
    if name == model:
        return 2
    return int(_letters(name) in (_letters(model), _letters(model.rpartition("/")[2])))


def _letters(name: str) -> str:
    """A name without what is often spelled otherwise in file names."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _stem_of_other_form(entry: Path) -> str | None:
    """The name without its ending, of a file that may hold records in a form that is not read."""
    ending = next((ending for ending in _OTHER_ENDINGS if entry.name.endswith(ending)), None)
    if ending is None or entry.name.endswith(_OURS) or not entry.is_file():
        return None
    return entry.name.removesuffix(ending)


def _unreadable_form(file: Path) -> str:
    remedy = next(words for ending, words in _OTHER_ENDINGS.items() if file.name.endswith(ending))
    return f"{file} is not read: record files end with .jsonl. {remedy}."


def _plain_of(file: Path, there: dict[str, Path]) -> Path | None:
    """The file that this one is a backup or copy of, by its name and by what its records are."""
    plain = _named_plain(file, there, _BACKUP)
    copied = None if plain else _named_plain(file, there, (_COUNTED,))
    for other in filter(None, (plain, copied)):
        if other.stat().st_size and _is_about(file, other, is_said=bool(plain)):
            return other if other == plain or _keys(file) & _keys(other) else None
    return None


def _named_plain(file: Path, there: dict[str, Path], patterns: Iterable[re.Pattern[str]]) -> Path | None:
    """The file whose name is in this one's, with a word or number around it."""
    found = (pattern.fullmatch(file.stem) for pattern in patterns)
    return next((there[match["plain"]] for match in found if match and match["plain"] in there), None)


def _is_about(file: Path, plain: Path, is_said: bool = False) -> bool:
    """Whether the records of a file are of the model that another one is named after.

    is_said: whether the file's own name says so, where its records name none.
    """
    model = next((model for model, _, _ in _heads(file)), None)
    if model == "":
        return is_said
    return model is not None and bool(rank(plain, model)) and not rank(file, model)


def _instead_note(file: Path, there: dict[str, Path]) -> str:
    """What to say of a backup that counts because the file itself is empty."""
    plain = _named_plain(file, there, (*_BACKUP, _COUNTED))
    if plain is None or plain.stat().st_size or not _is_about(file, plain):
        return ""
    return f"{plain} is empty, so that what is in {file.name} counts instead. Rename it if it is meant."


def _lacking(file: Path, plain: Path) -> str:
    """How many records only the backup has, in words."""
    count = len(_keys(file) - _keys(plain))
    return f", which lacks {count} of its records" if count else ""


class _Head(msgspec.Struct):
    question_id: Any = None
    uid: Any = None
    model: Any = None
    model_id: Any = None
    baseline: Any = None


def _keys(file: Path) -> set[tuple[str, str]]:
    """(question, baseline) of each record of a file."""
    return {(question, baseline) for _, question, baseline in _all_heads(file, _stamp(file))}


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=32)  # the browser looks into each folder for each page
def _all_heads(file: Path, stamp: tuple[int, int]) -> list[tuple[str, str, str]]:
    return list(_heads(file))


def _heads(file: Path) -> Iterator[tuple[str, str, str]]:
    """(model, question, baseline) of each record of a file that can be read."""
    try:
        with open(file, "rb") as stream:
            for span in jsonl.spans(stream, msgspec.json.Decoder(_Head).decode):
                if span.error is None:
                    head: _Head = span.value
                    texts = (head.model or head.model_id, head.question_id or head.uid, head.baseline)
                    yield str(texts[0] or ""), str(text_of(texts[1])), str(texts[2] or "")
    except OSError:
        return
