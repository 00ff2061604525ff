"""What other programs do to a file that a run is writing: each puts another file in its place, or none."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.processes import wait_until

Change = Callable[[Path], object]
SAID = "was changed by another program during the run"


def lines_of(file: Path) -> int:
    """How many whole lines there are; the last one may be half written."""
    try:
        return file.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def wait_for_lines(file: Path, wanted: int, or_else: Callable[[], bool] = lambda: False) -> None:
    """Wait until a file has so many lines, or something else is so."""
    wait_until(lambda: or_else() or lines_of(file) >= wanted, 120)


def sed(file: Path) -> None:
    """A copy with the same lines, while records come; the old file stays under another name."""
    subprocess.run(["sed", "-i.bak", "s/no such text/x/", str(file)], check=True)


def save_the_beginning(file: Path) -> None:
    """As an editor does whose user opened the file a while ago."""
    old = file.with_name("old")
    old.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:5]))
    old.replace(file)


def save_with_a_backup(file: Path) -> None:
    """As other editors do: the file becomes the backup, and its text is written to a new one."""
    text = file.read_bytes()
    file.rename(f"{file}~")
    file.write_bytes(text)


def move_away(file: Path) -> None:
    """To the name of a backup."""
    file.rename(file.with_name(f"{file.stem}_backup{file.suffix}"))


CHANGES: tuple[Change, ...] = (sed, Path.unlink, save_the_beginning, save_with_a_backup, move_away)


def some_changes(number: int, rng: random.Random) -> Sequence[Change]:
    """So many, as different as can be."""
    every = [change for _ in range(-(-number // len(CHANGES))) for change in rng.sample(CHANGES, len(CHANGES))]
    return every[:number]
