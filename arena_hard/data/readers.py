"""Which code reads records: what it has made of them counts for the same code alone."""

from __future__ import annotations

import functools
import hashlib
import sys
from pathlib import Path

import msgspec

import arena_hard
from arena_hard.data.saved import MARK

READERS = ("data/*.py", "rating/arrays.py", "rating/game_codes.py", "rating/game_records.py")


def files_of(patterns: tuple[str, ...]) -> list[Path]:
    """The files of this package with such names."""
    package = Path(arena_hard.__file__).parent
    return sorted(file for pattern in patterns for file in package.glob(pattern))


@functools.cache
def code_of(*patterns: str) -> bytes:
    """A digest of what some files of this package say, wherever and whenever they were put there.

    The versions of what decodes records for them are in it. READERS say how records are read.
    """
    digest = hashlib.blake2b(f"{sys.version_info[:2]} {msgspec.__version__}".encode(), digest_size=MARK)
    for file in files_of(patterns):
        data = file.read_bytes()
        digest.update(f"{file.name} {len(data)} ".encode() + data)
    return digest.digest()
