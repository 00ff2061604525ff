"""The page of a large benchmark, as it was printed last: printed again while nothing that it comes from has changed.

What it comes from: every file of the benchmark, the options and the config, the day, and this program with what it
computes with. It is kept where results are kept anyway, for runs that read judgments and write nothing but these, and
only where nothing was said beside the page. The file may be deleted or torn, and belongs to one set of options.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.data import jsonl, secrets
from arena_hard.data.expected import Expected
from arena_hard.data.paths import Bench
from arena_hard.data.program import program
from arena_hard.data.record_index import Stamp, is_old, is_worth_keeping, mark_of, stamp_of
from arena_hard.data.saved import opened, remove, save
from arena_hard.rating import caches
from arena_hard.showing import flags

MOST = 30  # pages of a benchmark
_DEEPEST = 4  # folders: model_judgment/JUDGE/vs_BASELINE, and one more
_OTHER_SOURCES = ("battles", "load_battles", "load_bootstrap", "output", "plot")

Stamps = dict[str, Stamp | None]


class _Kept(msgspec.Struct, array_like=True):
    """of: digest of what the page comes from; left: the files that its run left, as they were."""

    of: bytes
    left: Stamps
    page: str


class KeptPage:
    """The page of one run."""

    def __init__(self, args: argparse.Namespace, expected: Expected) -> None:
        self.args, self.bench = args, expected.bench
        self._stamps: Stamps = {}
        self._began = time.time_ns()
        self.is_kept = flags.leaves_files(args) and not any(getattr(args, name) for name in _OTHER_SOURCES)
        self.is_kept &= not sys.warnoptions  # which may keep remarks from being said
        if not self.is_kept:
            return
        self._stamps = _stamps_in(self.bench)
        self.is_kept = is_worth_keeping(sum(stamp.size for stamp in self._stamps.values() if stamp))
        options = mark_of([repr(sorted(vars(args).items())), repr(expected)])
        self._file = self.bench.folder / "cache" / "pages" / f"{options.hex()}.page"
        self._options = options

    def text(self) -> str | None:
        """The page, if it would come out the same now."""
        if not self.is_kept:
            return None
        with contextlib.suppress(OSError, ValueError, msgspec.DecodeError), opened(self._file) as (data, _):
            kept = msgspec.msgpack.decode(data, type=_Kept)
            if kept.of == self._made_of() and all(stamp_of(Path(name)) == was for name, was in kept.left.items()):
                return kept.page
        return None

    @contextlib.contextmanager
    def making(self) -> Generator[Callable[[str, Sequence[Any]], None]]:
        """Make the page in the body; what is given keeps it, with the results' files, if nothing was said."""
        with jsonl.hearing(Warning) as said:

            def keep(page: str, results: Sequence[Any]) -> None:
                if self.is_kept and not said and secrets.mask(page) == page:
                    self._keep(page, [caches.as_left(file) for file in self._left(results)])

            yield keep

    def _keep(self, page: str, each: Sequence[Mapping[Path, Stamp] | None]) -> None:
        """each: the stamps of a file of the results, and of its note, as this run has left them."""
        is_settled = all(is_old(stamp, self._began) for stamp in self._stamps.values() if stamp)
        if not is_settled or None in each or _stamps_in(self.bench) != self._stamps:
            return
        left: Stamps = {str(file): stamp for files in each for file, stamp in (files or {}).items()}
        with contextlib.suppress(UnicodeEncodeError):  # names that no text holds
            save(self._file, msgspec.msgpack.encode(_Kept(self._made_of(), left, page)))
            _tidy(self._file.parent)

    def _left(self, results: Sequence[Any]) -> Iterator[Path]:
        """The files that results leave in the data folder, beside which there is a note."""
        for result in results:
            case = flags.case(self.args, result.part.category, result.part.baseline)
            yield caches.battle_file(self.bench, case)
            if result.fit.rounds is not None and not self.args.control_features:
                yield caches.round_file(self.bench, case, self.args.interval)

    def _made_of(self) -> bytes:
        files = (f"{name} {stamp}" for name, stamp in self._stamps.items())
        return mark_of([self._options.hex(), str(datetime.date.today()), program().hex(), *files])


def _stamps_in(bench: Bench) -> Stamps:
    """The stamp of every file of a benchmark by its place in it; folders have none. Without what is cached."""
    found: Stamps = {}
    folders: list[tuple[str, int]] = [("", 0)]
    while folders:
        inside, depth = folders.pop()
        for name, is_folder in _entries(bench.folder / inside):
            place = f"{inside}{name}"
            if place == "cache":
                continue
            found[place] = None if is_folder else stamp_of(f"{bench.folder}/{place}")
            folders += [(f"{place}/", depth + 1)] * (is_folder and depth < _DEEPEST)
    return found


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """The names in a folder in order, and whether each is a folder or a link to one."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return sorted((entry.name, entry.is_dir()) for entry in entries)
    return []


def _tidy(folder: Path) -> None:
    """Leave the newest pages alone."""
    with contextlib.suppress(OSError):
        pages: Sequence[Path] = sorted(folder.glob("*.page"), key=lambda file: file.stat().st_mtime_ns)
        remove(pages[:-MOST])
