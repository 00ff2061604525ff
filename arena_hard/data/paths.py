"""Where the files of a bench lie, and how names become file names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from arena_hard.data.name_lists import shortened
from arena_hard.data.record_folder import in_place_of, is_ours, record_files
from arena_hard.data.records import UserError

# Everything that the common file systems take stays as it is, so that files of the original keep
# their names; the rest (slashes, colons, control characters, %) is percent-encoded and maps back.
_KEPT = " !#$&'()+,;=@[]^`{}~"
_LONGEST = 150  # file systems take 255 bytes, and endings come to it


def file_name(name: str) -> str:
    """A model's or judge's name as a file name that maps back by `name_of`. Raises UserError."""
    if not name or name.startswith(".") or any(part in ("", ".", "..") for part in name.split("/")):
        raise UserError(
            f"The name {name!r} cannot be used as a file name: it is empty, begins with a dot or holds an "
            "empty or '..' part. Give the model another name in the config."
        )
    return _encoded(name)


def _encoded(name: str) -> str:
    return quote(name, safe=_KEPT, errors="surrogateescape")  # an argument that the locale has no letters for


def existing(folder: Path, name: str, ending: str = "") -> Path:
    """The path of this name in a folder: as `file_name` writes it or, where only that is there, in another's spelling.

    The original and other tools write llama3:8b.jsonl and café.jsonl as they are.
    """
    own = folder / f"{file_name(name)}{ending}"
    if own.exists() or not folder.is_dir():
        return own
    return next(
        (path for path in sorted(folder.iterdir()) if path.name.endswith(ending) and name_of(path) == name), own
    )


def by_name(files: Iterable[Path]) -> dict[str, Path]:
    """The file of each name, as `existing` chooses it."""
    in_order = sorted(files, key=lambda file: (file.name == f"{_encoded(name_of(file))}.jsonl", file))
    return {name_of(file): file for file in in_order}


def short_file_name(parts: Sequence[str]) -> str:
    """A file name of several names, which ends with a fingerprint where it would be too long for a file system."""
    name = "_".join(file_name(part) for part in parts)
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 30]}~{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:16]}"


def name_of(file: Path) -> str:
    """The model's name that `file_name` turned into this file's stem."""
    return unquote(file.name.removesuffix(".jsonl"))


class JudgmentSet(msgspec.Struct, frozen=True):
    """The judgments of one judge in one folder.

    baseline: the one that the folder is for; empty for the judge's own folder, where the original's judgments are.
    """

    judge: str
    baseline: str
    folder: Path

    @property
    def label(self) -> str:
        """A name for people."""
        return f"{self.judge} against {self.baseline}" if self.baseline else self.judge


_AGAINST = "vs_"  # begins the name of a folder within a judge's, which neither reader takes for a judge or a model


class Bench(msgspec.Struct, frozen=True):
    """The files of one bench: data/BENCH/…"""

    data_dir: Path
    name: str

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or "\\" in self.name or self.name.startswith("."):
            raise UserError(f"bench_name {self.name!r} must be the plain name of a folder in {self.data_dir}/.")

    @property
    def folder(self) -> Path:
        return self.data_dir / self.name

    @property
    def question_file(self) -> Path:
        return self.folder / "question.jsonl"

    @property
    def answer_folder(self) -> Path:
        return self.folder / "model_answer"

    def answer_file(self, model: str) -> Path:
        return existing(self.answer_folder, model, ".jsonl")

    def reference_file(self, model: str) -> Path:
        return existing(self.folder / "reference_answer", model, ".jsonl")

    def judgment_folder(self, judge: str, baseline: str = "") -> Path:
        """A judge's own folder, which is the original's, or the one in it for a further baseline."""
        folder = existing(self.folder / "model_judgment", judge)
        return folder / f"{_AGAINST}{file_name(baseline)}" if baseline else folder

    def judgment_file(self, judge: str, model: str, baseline: str = "") -> Path:
        return existing(self.judgment_folder(judge, baseline), model, ".jsonl")

    def judgment_sets(self, judge: str | None = None) -> list[JudgmentSet]:
        """All folders with judgments, of one judge or of all, each judge's own before those of further baselines."""
        root = self.folder / "model_judgment"
        found: list[JudgmentSet] = []
        for own in sorted(root.iterdir()) if root.is_dir() else []:
            name = unquote(own.name)
            if own.is_dir() and is_ours(own) and judge in (None, name):
                further = sorted(folder for folder in own.glob(f"{_AGAINST}*") if folder.is_dir())
                found += [JudgmentSet(name, "", own)]
                found += [JudgmentSet(name, unquote(each.name[len(_AGAINST) :]), each) for each in further]
        return [each for each in found if record_files(each.folder)]

    def answer_files(self) -> list[Path]:
        """The answers of all models; what bears the name of a model that was judged is no backup of another's."""
        return record_files(self.answer_folder, self.judged_names())

    def judged_names(self) -> set[str]:
        """The names of the files with judgments, which are mostly those of models."""
        return {name_of(file) for each in self.judgment_sets() for file in record_files(each.folder)}

    def log_file(self, model: str) -> Path:
        """Where the output of a model's own server goes."""
        return self.folder / "logs" / f"{file_name(model)}.log"

    def judges(self) -> list[str]:
        """Names of the judges that have a folder with judgments, sorted."""
        return sorted({each.judge for each in self.judgment_sets()})

    def check(self) -> None:
        """Raises UserError when the bench has no question file."""
        if self.question_file.is_file():
            return
        if in_place := in_place_of(self.question_file):
            raise UserError(in_place)
        known = benches(self.data_dir)
        raise UserError(
            f"{self.question_file} does not exist. "
            + (
                f"Benchmarks in {self.data_dir}/: {shortened(known)}. "
                if known
                else f"{self.data_dir}/ contains no benchmark. "
            )
            + "Set bench_name to one of them, or fetch the questions as README.md says."
        )


def benches(data_dir: Path, with_questions: bool = True) -> list[str]:
    """Names of the folders that hold questions, sorted; without `with_questions` also of those with other records."""
    inside = ("question.jsonl",) if with_questions else ("question.jsonl", "model_judgment", "model_answer")
    return sorted(
        {found.parent.name for name in inside for found in data_dir.glob(f"*/{name}") if is_ours(found.parent)}
    )


def manifest_file(records: Path) -> Path:
    """Where the manifest of a record file lies."""
    return records.with_name(records.name.removesuffix(".jsonl") + ".manifest.json")
