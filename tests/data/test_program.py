"""What counts as this program: every file that decides what is printed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import arena_hard
from arena_hard.data import program

ENDINGS = sorted({file.suffix for file in Path(arena_hard.__file__).parent.rglob("*.*")} - {".pyc"})


def test_each_kind_of_file_counts_but_for_what_python_makes_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {".py", ".css", ".js", ".yaml", ".html"} <= set(ENDINGS)
    package = tmp_path / "package"
    (package / "room" / "__pycache__").mkdir(parents=True)
    files = [package / "room" / f"a{ending}" for ending in ENDINGS]
    compiled = package / "room" / "__pycache__" / "a.pyc"
    for file in (package / "__init__.py", compiled, *files):
        file.touch()
    monkeypatch.setattr(arena_hard, "__file__", str(package / "__init__.py"))

    def changed(file: Path) -> bool:
        before = program.program.__wrapped__()
        os.utime(file, (1, 1))
        return program.program.__wrapped__() != before

    assert all(map(changed, files)) and not changed(compiled)
