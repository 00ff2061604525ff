"""What a run leaves beside its records, so that others can repeat it: MODEL.manifest.json.

`settings` holds, by the short hash that each record carries, the settings that shaped the records;
`runs` holds one entry for each run, oldest first.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from arena_hard import __version__
from arena_hard.calling.providers.base import Reply
from arena_hard.calling.redo import Redo, begun, written_since
from arena_hard.calling.reply_notes import ReplyNotes
from arena_hard.data import jsonl, secrets
from arena_hard.data.name_lists import first_lines
from arena_hard.data.records import Usage, UserError, usage_row
from arena_hard.data.settings import short_hash

_PACKAGES = ("openai", "anthropic", "boto3", "google-auth", "httpx2", "aiohttp", "msgspec", "tiktoken")
_ROOT = Path(__file__).resolve().parents[2]


def manifest_file(records: Path) -> Path:
    """Where the manifest of a record file lies."""
    return records.with_name(records.name.removesuffix(".jsonl") + ".manifest.json")


def load(records: Path) -> dict[str, Any]:
    """The manifest of a record file; an empty one when there is none. Raises UserError."""
    file = manifest_file(records)
    try:
        if not file.is_file():
            return {"settings": {}, "runs": []}
        found = {"settings": {}, "runs": []} | msgspec.json.decode(file.read_bytes())
        msgspec.convert(found, _Manifest)
    except (*jsonl.BROKEN, TypeError):
        raise UserError(f"{file} is not readable. Move it away; the records do not need it.") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}. Mend its rights, or move it.") from None
    return found


class _Run(msgspec.Struct):
    """The parts of a run's entry that later runs read."""

    ended: str | None = None
    written: int = 0
    failed: dict[str, str] = {}
    kept: list[str] = []
    replaced: list[str] = []
    endpoints: list[str] = []
    redo: Redo | None = None


class _Manifest(msgspec.Struct):
    settings: dict[str, dict[str, Any]]
    runs: list[_Run]


def _runs(records: Path) -> list[_Run]:
    return msgspec.convert(load(records), _Manifest).runs


def begin_run(tally: RunTally, settings: Iterable[Mapping[str, Any]]) -> None:
    """Note a run and the settings of its records, by their hash, before its first record is written.

    A run that is killed stays in the manifest like this: begun, and not ended.
    """
    manifest = load(tally.records)
    before = broken_off_redo(tally.records)
    for each in settings:
        manifest["settings"][short_hash(each)] = dict(each)
    tally.begin(before)
    tally.place = len(manifest["runs"])
    manifest["runs"].append(tally.entry(ended=None))
    _save(tally.records, manifest)


def broken_off_redo(records: Path) -> Redo | None:
    """The last --redo of some records, with what its runs have made, also one that was killed; None without one."""
    runs = _runs(records)
    redo = runs[-1].redo if runs else None
    if redo and not runs[-1].ended:
        return redo.with_more(written_since(records, redo.size))
    return redo


def end_run(tally: RunTally) -> None:
    """Note what there is to say of a run that has ended, before its records are put in order."""
    manifest = load(tally.records)
    kept = {key for run in manifest["runs"] for key in run.get("kept", ())}
    tally.replaced = sorted(kept & tally.ids)
    manifest["runs"][tally.place :] = [tally.entry(ended=time.time())]
    _save(tally.records, manifest)


def _save(records: Path, manifest: Mapping[str, Any]) -> None:
    text = msgspec.json.format(secrets.mask_json(msgspec.json.encode(manifest)), indent=1)
    jsonl.replace(manifest_file(records), [text, b"\n"])


def changes(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str:
    """Which settings differ, in words; `old` is None where nobody noted them."""
    if old is None:
        return "unknown settings"
    names = [name for name in {**new, **old} if old.get(name) != new.get(name)]
    return ", ".join(_change(name, old.get(name), new.get(name)) for name in names) or "other settings"


def _change(name: str, old: Any, new: Any) -> str:
    shown = f"{old!r} → {new!r}"
    return f"{name} {shown}" if len(shown) <= 60 else name


def differing(found: Mapping[str, str | None], wanted: Mapping[str, str]) -> list[str]:
    """The question ids whose records were made with other settings than today's.

    found: the hash that each record carries (None: made by the original, nobody knows its settings).
    """
    return [key for key, made_with in found.items() if made_with not in (None, wanted.get(key, made_with))]


def mixed_message(
    records: Path, name: str, ids: list[str], found: Mapping[str, str | None], today: Mapping[str, Mapping[str, Any]]
) -> str:
    """What to say of records that were made with other settings. `today`: settings by question id."""
    known = load(records)["settings"]
    reasons = {changes(known.get(str(found[key])), today[key]) for key in ids}
    return (
        f"{records}: {len(ids)} of {len(found)} records were made with other settings ({'; '.join(sorted(reasons))}). "
        f"--redo {name} asks for them again, --keep-mixed keeps them beside what is new."
    )


def open_failures(records: Path, found: Container[str]) -> set[str]:
    """The question ids that failed in any run that was not killed, and for which nothing was written since.

    found: the question ids that have a record. A run may have failed to replace one; a later run did, or not.
    """
    failed: set[str] = set()
    kept: set[str] = set()
    for run in _runs(records):
        kept = kept - set(run.replaced) | set(run.kept)
        failed |= run.failed.keys() if run.ended else set()
    return {key for key in failed if key not in found or key in kept}


def moved_note(records: Path, endpoints: Sequence[str]) -> str | None:
    """A sentence when none of the runs before that wrote something had these endpoints; None otherwise."""
    before = {each for run in _runs(records) if run.written or not run.ended for each in run.endpoints}
    new = [each for each in endpoints if each not in before]
    if not before or not new:
        return None
    return f"records so far came from {', '.join(sorted(before))}; what is asked now comes from {', '.join(new)}."


def remedy(tallies: Iterable[RunTally]) -> str:
    """What to do about failures, for people."""
    if any(key in tally.before for tally in tallies for key in tally.failed):
        return "The records of what failed are still the old ones; the same command with --only-failed asks for those."
    return "Nothing was written for what failed; the same command asks for just that."


def notes_together(tallies: Iterable[RunTally]) -> ReplyNotes:
    """What is remarkable of the replies to several record files, which one judge gave."""
    together = ReplyNotes()
    for tally in tallies:
        together.extend(tally.notes)
    return together


@dataclass
class RunTally:
    """What one run did for one record file.

    before: the question ids of the records that it was to replace; replaced: those of them, which an earlier run
    had failed to replace, that it did; ids: the question ids of the records that it wrote. redo_name: of the --redo
    that the run was told to do, if it was; redo: that, or the one that waits to go on.
    """

    records: Path
    settings_hash: str
    started: float = field(default_factory=time.time)
    place: int = 0
    written: int = 0
    cut: int = 0
    filtered: int = 0
    requests: int = 0
    usage: Usage = Usage()
    served: set[str] = field(default_factory=set)
    fingerprints: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    endpoints: list[str] = field(default_factory=list)
    before: set[str] = field(default_factory=set)
    replaced: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    notes: ReplyNotes = field(default_factory=ReplyNotes)
    redo_name: str = ""
    redo: Redo | None = None

    def begin(self, before: Redo | None) -> None:
        """The run begins. before: the last --redo of its records."""
        self.redo = begun(before, self.before, self.redo_name) if self.redo_name and self.before else before
        if self.redo:
            self.redo.size = self.records.stat().st_size

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
        lines = []
        if self.cut:
            lines.append(f"{self.cut} {unit} were cut at max_tokens (finish_reason length).")
        if self.filtered:
            lines.append(f"{self.filtered} {unit} were cut by the provider's content filter.")
        return lines

    def saw(self, replies: Iterable[Reply]) -> None:
        """A server answered."""
        for reply in replies:
            self.served |= {reply.served_model} if reply.served_model else set()
            self.fingerprints |= {reply.fingerprint} if reply.fingerprint else set()

    def entry(self, ended: float | None) -> dict[str, Any]:
        """The run as it stands in the manifest; `ended` is None while it runs."""
        redo = self.redo and msgspec.to_builtins(self.redo.with_more(self.ids))
        return {
            "settings_hash": self.settings_hash,
            "started": _iso(self.started),
            "ended": ended and _iso(ended),
            "written": self.written,
            "cut_at_max_tokens": self.cut,
            "cut_by_content_filter": self.filtered,
            **self.notes.entry(),
            "failed": self.failed,
            "kept": [key for key in self.failed if key in self.before],
            "replaced": self.replaced,
            "endpoints": self.endpoints,
            **({"redo": redo} if redo else {}),
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


def versions() -> dict[str, str]:
    """The versions of the packages that a record may depend on."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The commit of this checkout, or None outside one."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=_ROOT, capture_output=True, encoding="utf-8", timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
