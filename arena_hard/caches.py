"""The battle and bootstrap files that show_result.py leaves, and whether they still hold.

The default case keeps the names that the original documents; every other case has a name of its own.
Beside each file a sidecar says what it was made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from arena_hard import jsonl
from arena_hard.paths import Bench, file_name, record_files
from arena_hard.records import UserError
from arena_hard.typed import InputFile, is_unchanged, name_in

_DEFAULT = ("arena-hard-v0.1", "gpt-4-1106-preview", "gpt-4-0314", 3, False)


class Case(msgspec.Struct, frozen=True):
    """What battles depend on besides their inputs."""

    bench: str
    judge: str
    baseline: str
    weight: int
    first_game_only: bool = False


class Sidecar(msgspec.Struct, frozen=True):
    """What a cache was made from; `rule` names the bootstrap and is empty for battles."""

    case: Case
    inputs: tuple[InputFile, ...]
    rule: str = ""


@dataclass(frozen=True)
class CacheFiles:
    """Where the caches of a case lie."""

    battles: Path
    bootstrap: Path


def cache_files(bench: Bench, case: Case) -> CacheFiles:
    """The original's names in the default case, names that carry the case otherwise."""
    if msgspec.structs.astuple(case) == _DEFAULT:
        return CacheFiles(
            bench.data_dir / "arena_hard_battles.jsonl", bench.data_dir / "bootstrapping_results.jsonl"
        )
    first = "_first" if case.first_game_only else ""
    tail = f"{file_name(case.judge)}_vs_{file_name(case.baseline)}_w{case.weight}{first}.jsonl"
    folder = bench.folder / "cache"
    return CacheFiles(folder / f"battles_{tail}", folder / f"bootstrap_{tail}")


def sidecar_file(cache: Path) -> Path:
    """Where the sidecar of a cache lies."""
    return cache.with_name(cache.name.removesuffix(".jsonl") + ".meta.json")


def write(cache: Path, lines: Iterable[bytes], sidecar: Sidecar) -> None:
    """Write a cache and its sidecar; a cache without a sidecar of its own never stands. Raises OSError."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    sidecar_file(cache).unlink(missing_ok=True)
    jsonl.replace(cache, lines)
    text = msgspec.json.format(msgspec.json.encode(sidecar), indent=1)
    jsonl.replace(sidecar_file(cache), [text, b"\n"])


def check(bench: Bench, cache: Path, case: Case, rule: str = "") -> bool:
    """Whether a cache is known to hold; False for one of the original, of which nobody knows.

    Raises UserError when it does not exist, belongs to another case, or its inputs have changed.
    """
    if not cache.is_file():
        raise UserError(f"{cache} does not exist. Run once without --load-battles and --load-bootstrap.")
    if not sidecar_file(cache).is_file():
        return False
    try:
        known = msgspec.json.decode(sidecar_file(cache).read_bytes(), type=Sidecar)
    except msgspec.MsgspecError:
        raise UserError(f"{sidecar_file(cache)} is not readable. Run once without --load-battles.") from None
    reason = _stale(bench, known, case, rule)
    if reason:
        raise UserError(f"{cache} is stale: {reason}. Run without --load-battles and --load-bootstrap to renew it.")
    return True


def _stale(bench: Bench, known: Sidecar, case: Case, rule: str) -> str | None:
    """Why a cache does not hold any more."""
    if known.case != case:
        names = [name for name in Case.__struct_fields__ if getattr(known.case, name) != getattr(case, name)]
        return "it was made for " + ", ".join(f"{name} {getattr(known.case, name)}" for name in names)
    if known.rule != rule:
        return f"it was made by {known.rule or 'another rule'}, not by {rule}"
    for each in known.inputs:
        if not is_unchanged(bench.data_dir / each.name, each):
            return f"{each.name} has changed"
    names = {each.name for each in known.inputs}
    for judge in case.judge.split(","):
        for file in record_files(bench.judgment_folder(judge)):
            if name_in(bench.data_dir, file) not in names:
                return f"{file} is new"
    return None


def round_lines(models: Sequence[str], rounds: np.ndarray) -> list[bytes]:
    """The original's bootstrap file: one line for each round, {model: rating}; no rating is null."""
    return [
        jsonl.encode({model: rating if np.isfinite(rating) else None for model, rating in zip(models, row)})
        for row in rounds.tolist()
    ]


def read_rounds(file: Path, models: Sequence[str]) -> np.ndarray:
    """Rounds [rounds, p] for these models. Raises UserError for a file of other models."""
    rows = list(jsonl.read(file, lambda row: row))
    if not rows or set(rows[0]) != set(models):
        raise UserError(f"{file} holds rounds of other models. Run without --load-bootstrap to renew it.")
    return np.array([[np.nan if row.get(model) is None else row[model] for model in models] for row in rows])
