"""Which program this is: what is computed by another one may come out otherwise in its last digit."""

from __future__ import annotations

import functools
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import arena_hard
from arena_hard.data.record_index import mark_of, stamp_of

_COMPUTED_WITH = ("numpy", "scipy", "msgspec")


@functools.cache
def program() -> bytes:
    """A digest of this program's files and those that tell the versions of what it computes with, by their stamps.

    Styles and texts beside the code count like it: they decide what is printed.
    """
    package = Path(arena_hard.__file__).parent
    found = [spec.origin for name in _COMPUTED_WITH if (spec := find_spec(name)) and spec.origin]
    found += (entry.path for entry in os.scandir(package.parent) if entry.name.endswith(".py"))
    for folder, inner, names in os.walk(package):
        inner[:] = [name for name in inner if name != "__pycache__"]
        found += (f"{folder}{os.sep}{name}" for name in names)
    return mark_of([sys.version, *(f"{file} {stamp_of(file)}" for file in sorted(found))])
