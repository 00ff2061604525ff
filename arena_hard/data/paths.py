"""Where the files of a bench lie, and how names become file names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from arena_hard.data.records import UserError

# Everything that the common file systems take stays as it is, so that files of the original keep
# their names; the rest (slashes, colons, control characters, %) is percent-encoded and maps back.
_KEPT = " !#$&'()+,;=@[]^`{}~"


def file_name(name: str) -> str:
    """A model's or judge's name as a file name that maps back by `name_of`. Raises UserError."""
    if not name or name.startswith(".") or any(part in ("", ".", "..") for part in name.split("/")):
        raise UserError(
            f"The name {name!r} cannot be used as a file name: it is empty, begins with a dot or holds an "
            "empty or '..' part. Give the model another name in the config."
        )
    return quote(name, safe=_KEPT)


def name_of(file: Path) -> str:
    """The model's name that `file_name` turned into this file's stem."""
    return unquote(file.name.removesuffix(".jsonl"))


@dataclass(frozen=True)
class Bench:
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
        return self.answer_folder / f"{file_name(model)}.jsonl"

    def reference_file(self, model: str) -> Path:
        return self.folder / "reference_answer" / f"{file_name(model)}.jsonl"

    def judgment_folder(self, judge: str) -> Path:
        return self.folder / "model_judgment" / file_name(judge)

    def judgment_file(self, judge: str, model: str) -> Path:
        return self.judgment_folder(judge) / f"{file_name(model)}.jsonl"

    def log_file(self, model: str) -> Path:
        """Where the output of a model's own server goes."""
        return self.folder / "logs" / f"{file_name(model)}.log"

    def judges(self) -> list[str]:
        """Names of the judges that have a folder with judgments, sorted."""
        folder = self.folder / "model_judgment"
        if not folder.is_dir():
            return []
        return sorted(unquote(judge.name) for judge in folder.iterdir() if is_ours(judge) and record_files(judge))

    def check(self) -> None:
        """Raises UserError when the bench has no question file."""
        if self.question_file.is_file():
            return
        known = benches(self.data_dir)
        raise UserError(
            f"{self.question_file} does not exist. "
            + (f"Benches in {self.data_dir}/: {', '.join(known)}. " if known else f"{self.data_dir}/ holds no bench. ")
            + "Set bench_name to one of them, or fetch the questions as README.md says."
        )


def benches(data_dir: Path) -> list[str]:
    """Names of the folders that hold questions, sorted."""
    return sorted(file.parent.name for file in data_dir.glob("*/question.jsonl") if is_ours(file.parent))


def is_ours(path: Path) -> bool:
    """Whether a file or folder is more than what systems and editors leave beside others' (._x, .ipynb_checkpoints)."""
    return not path.name.startswith(".") and path.name != "__MACOSX"


def record_files(folder: Path) -> list[Path]:
    """The record files of a folder in sorted order, so that nothing depends on the file system."""
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.glob("*.jsonl") if is_ours(file) and file.is_file())
