"""What one run did for one record file: counted as it goes, said afterwards, and written into the manifest."""

from __future__ import annotations

import functools
import platform
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from arena_hard import __version__
from arena_hard.calling.kept_replies import KeptReplies
from arena_hard.calling.probe import Probed
from arena_hard.calling.progress import Progress, failure_lines, kept_line
from arena_hard.calling.providers.base import Reply
from arena_hard.calling.redo import Redo, begun
from arena_hard.calling.reply_notes import ReplyNotes
from arena_hard.data.name_lists import counted, first_lines
from arena_hard.data.usage import Usage, usage_row

_PACKAGES = ("openai", "anthropic", "boto3", "google-auth", "httpx2", "aiohttp", "msgspec", "tiktoken")
_ROOT = Path(__file__).resolve().parents[2]


class Earlier(msgspec.Struct, frozen=True):
    """What the runs before say of who answered: the models served, their fingerprints, and the last probe."""

    served: frozenset[str] = frozenset()
    fingerprints: frozenset[str] = frozenset()
    probe: str | None = None


class RunTally(msgspec.Struct):
    """What one run did for one record file.

    before: the question ids of the records that it was to replace; new: of those that it was to make beside them;
    replaced: those of the former, which an earlier run had failed to replace, that it did; ids: the question ids of the
    records that it wrote. redo_name: of the --redo that the run was told to do, if it was; redo: that, or the one that
    waits to go on. size: bytes of the record file when the run began.
    """

    records: Path
    settings_hash: str
    started: float = msgspec.field(default_factory=time.time)
    place: int | None = 0
    size: int = 0
    written: int = 0
    cut: int = 0
    filtered: int = 0
    shortened: int = 0
    requests: int = 0
    usage: Usage = Usage()
    served: set[str] = set()
    fingerprints: set[str] = set()
    failed: dict[str, str] = {}
    endpoints: list[str] = []
    before: set[str] = set()
    new: set[str] = set()
    replaced: list[str] = []
    ids: set[str] = set()
    notes: ReplyNotes = msgspec.field(default_factory=ReplyNotes)
    redo_name: str = ""
    redo: Redo | None = None
    earlier: Earlier = Earlier()
    probe: Probed | None = None

    def begin(self, before: Redo | None) -> None:
        """The run begins. before: the last --redo of its records."""
        is_redo = self.redo_name and (self.before or self.new)
        self.redo = begun(before, self.before, self.redo_name, self.new) if is_redo else before
        self.size = self.records.stat().st_size
        if self.redo:
            self.redo.size = self.size

    @property
    def goes_on(self) -> bool:
        """Whether it is told to do a --redo of which an earlier run has done a part."""
        return bool(self.redo_name and self.redo and (self.redo.done or self.redo.name != self.redo_name))

    def count(self, question_id: str, replies: Sequence[Reply]) -> None:
        """The record of a question was written that these replies make."""
        self.ids.add(question_id)
        self.written += 1
        self.notes.add(question_id, [note for reply in replies for note in reply.notes])
        reasons = {reply.finish_reason for reply in replies}
        self.cut += "length" in reasons
        self.filtered += "content_filter" in reasons

    def paid(self, requests: int, usage: Usage) -> None:
        """So many requests were sent, whatever came of them, and their replies have these tokens."""
        self.requests += requests
        self.usage += usage

    def remarks(self, unit: str) -> list[str]:
        """What is to be said of the records that were written, for people."""
        lines, were = [], (f"{unit.removesuffix('s')} was", f"{unit} were")
        if self.cut:
            lines.append(f"{counted(self.cut, *were)} cut at max_tokens (finish_reason length).")
        if self.filtered:
            lines.append(f"{counted(self.filtered, *were)} cut by the provider's content filter.")
        if self.shortened:
            lines.append(f"{counted(self.shortened, *were)} made of shortened answers (truncate: answers).")
        return lines + _others("model", self.earlier.served, self.served) + self._other_fingerprints()

    def _other_fingerprints(self) -> list[str]:
        return _others("system_fingerprint", self.earlier.fingerprints, self.fingerprints)

    def saw(self, replies: Iterable[Reply]) -> None:
        """A server answered."""
        for reply in replies:
            self.served |= {reply.served_model} if reply.served_model else set()
            self.fingerprints |= {reply.fingerprint} if reply.fingerprint else set()

    def entry(self, ended: float | None) -> dict[str, Any]:
        """The run as it stands in the manifest; `ended` is None while it runs."""
        lost = self.failed.keys() - self.before
        redo = self.redo and msgspec.to_builtins(self.redo.with_more(self.ids, lost))
        return {
            "settings_hash": self.settings_hash,
            "started": _iso(self.started),
            "ended": ended and _iso(ended),
            **({} if ended else {"size": self.size}),
            "written": self.written,
            "cut_at_max_tokens": self.cut,
            "cut_by_content_filter": self.filtered,
            **({"of_shortened_answers": self.shortened} if self.shortened else {}),
            **self.notes.entry(),
            "failed": self.failed,
            "kept": [key for key in self.failed if key in self.before],
            "replaced": self.replaced,
            "endpoints": self.endpoints,
            **({"redo": redo} if redo else {}),
            **({"probe": msgspec.to_builtins(self.probe)} if self.probe else {}),
            "requests": self.requests,
            "usage": usage_row(self.usage),
            "served_models": sorted(self.served),
            "system_fingerprints": sorted(self.fingerprints),
            "script": Path(sys.argv[0]).name,
            "version": __version__,
            "git_commit": git_commit(),
            "python": platform.python_version(),
            "packages": versions(),
        }


class RunOutput(msgspec.Struct):
    """A record file that a run adds to.

    bill: the name under which its calls are billed; shapings: the settings that shape its records, each once;
    keeps_replies: whether a record takes several calls, so that the replies of an unfinished one are kept;
    written: the question ids of the records that are there, by label; missing: the labels of those to be made;
    against: the further baseline that it is for; part: which of several runs side by side this is; beside: record files
    of the same kind, whose kept replies count.
    """

    tally: RunTally
    bill: str
    shapings: Sequence[Mapping[str, Any]]
    keeps_replies: bool = True
    written: dict[str, str] = {}
    missing: Collection[str] = ()
    against: str = ""
    part: str = ""
    beside: Sequence[Path] = ()
    kept: KeptReplies | None = None

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.tally.records

    def record(self, label: str) -> str:
        """What a record of this file is called among those of all files for the same model."""
        return f"{self.path.parent.name}/{self.path.name} {label}"


def _others(what: str, before: Set[str], now: Set[str]) -> list[str]:
    """A sentence where nothing of what the server calls itself was seen in an earlier run."""
    if not before or not now or before & now:
        return []
    names = ", ".join(sorted(now))
    return [f"the server reports {names} as its {what}; in earlier runs it was {', '.join(sorted(before))}."]


def remark_lines(tallies: Sequence[tuple[str, RunTally]], unit: str, of_replies: bool = False) -> list[str]:
    """What is to be said of the records of several models, given with their names; the worst come first.

    of_replies: whether each model gave the replies itself, so that what is remarkable of them is its own.
    """
    worst = sorted(tallies, key=lambda each: -(each[1].cut + each[1].filtered))
    lines = [
        f"  {name}: {remark}"
        for name, tally in worst
        for remark in tally.remarks(unit) + (tally.notes.remarks(unit) if of_replies else [])
    ]
    return first_lines(lines, "remarks like these")


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@functools.cache  # each record file of a run has them in its manifest
def versions() -> dict[str, str]:
    """The versions of the packages that a record may depend on."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def git_commit() -> str | None:
    """The commit of this checkout, or None outside one."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=_ROOT, capture_output=True, encoding="utf-8", timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def remedy(tallies: Iterable[RunTally]) -> str:
    """What to do about failures, for people."""
    if any(key in tally.before for tally in tallies for key in tally.failed):
        return "The failed records are still the old ones; rerun with --only-failed to retry only those."
    return "Failed requests were not saved; rerun the same command to retry only those."


def report_failures(progress: Progress, tallies: Sequence[RunTally], unit: str) -> int:
    """Say what is kept of unfinished records, list what failed, and what to do about it. Returns the exit code."""
    for line in kept_line(progress.unfinished, unit):
        print(line)
    if not progress.failures:
        return 0
    print("\n".join(failure_lines(progress.failures)))
    print(remedy(tallies))
    return 1


def notes_together(tallies: Iterable[RunTally]) -> ReplyNotes:
    """What is remarkable of the replies to several record files, which one judge gave."""
    together = ReplyNotes()
    for tally in tallies:
        together.extend(tally.notes)
    return together
