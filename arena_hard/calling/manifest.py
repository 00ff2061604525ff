"""What a run leaves beside its records, so that others can repeat it: MODEL.manifest.json.

`settings` holds, by the short hash that each record carries, the settings that shaped the records;
`runs` holds one entry for each run, oldest first.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.calling.killed_runs import is_killed, killed_note, settled
from arena_hard.calling.origins import without_options
from arena_hard.calling.probe import Probed
from arena_hard.calling.redo import Redo, written_since
from arena_hard.calling.run_tally import Earlier, RunTally
from arena_hard.data import jsonl, secrets
from arena_hard.data.bench_files import put_in_order
from arena_hard.data.columns import different
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import manifest_file
from arena_hard.data.records import Question, UserError
from arena_hard.data.settings import short_hash
from arena_hard.data.writer import is_being_written


def load(records: Path) -> dict[str, Any]:
    """The manifest of a record file; an empty one when there is none. Raises UserError."""
    file = manifest_file(records)
    try:
        if not file.is_file():
            return {"settings": {}, "runs": []}
        found = {"settings": {}, "runs": []} | msgspec.json.decode(file.read_bytes())
        msgspec.convert(found, _Manifest)
    except (*jsonl.BROKEN, TypeError):
        raise UserError(f"{file} is not valid. Move it away; the records do not depend on it.") from None
    except OSError as error:
        raise jsonl.unreadable(file, error) from None
    return found


class _Run(msgspec.Struct):
    """The parts of a run's entry that later runs read."""

    ended: str | None = None
    written: int = 0
    failed: dict[str, str] = {}
    kept: list[str] = []
    replaced: list[str] = []
    endpoints: list[str] = []
    served_models: list[str] = []
    system_fingerprints: list[str] = []
    redo: Redo | None = None
    probe: Probed | None = None


class _Manifest(msgspec.Struct):
    settings: dict[str, dict[str, Any]]
    runs: list[_Run]


def _runs(records: Path) -> list[_Run]:
    return _runs_in(load(records))


def _runs_in(manifest: Mapping[str, Any]) -> list[_Run]:
    return msgspec.convert(manifest, _Manifest).runs


def begin_run(tally: RunTally, settings: Iterable[Mapping[str, Any]]) -> None:
    """Note a run and the settings of its records, by their hash, before its first record is written.

    A run that is killed stays in the manifest like this, begun and not ended; the next one notes what it wrote.
    """
    manifest = load(tally.records)
    before = _runs_in(manifest)
    if before and is_killed(manifest["runs"][-1]):
        manifest["runs"][-1] = settled(tally.records, manifest["runs"][-1])
    tally.earlier = _earlier(before)
    for each in settings:
        manifest["settings"][short_hash(each)] = dict(each)
    tally.begin(_last_redo(tally.records, before))
    tally.place = len(manifest["runs"])
    manifest["runs"].append(tally.entry(ended=None))
    _save(tally.records, manifest)


def _earlier(runs: Sequence[_Run]) -> Earlier:
    probes = [run.probe.hash for run in runs if run.probe and run.probe.hash]
    return Earlier(
        frozenset(name for run in runs for name in run.served_models),
        frozenset(name for run in runs for name in run.system_fingerprints),
        probes[-1] if probes else None,
    )


def broken_off_redo(records: Path) -> Redo | None:
    """The last --redo of some records, with what its runs have made, also one that was killed; None without one."""
    return _last_redo(records, _runs(records))


def _last_redo(records: Path, runs: Sequence[_Run]) -> Redo | None:
    redo = runs[-1].redo if runs else None
    if redo and not runs[-1].ended:
        return redo.with_more(written_since(records, redo.size))
    return redo


def withdraw_run(tally: RunTally) -> None:
    """Take back a run that was refused before it asked for anything. It cannot end any more."""
    if tally.place is None:
        return
    manifest = load(tally.records)
    del manifest["runs"][tally.place :]
    tally.place = None
    _save(tally.records, manifest)


def end_run(tally: RunTally) -> None:
    """Note what there is to say of a run that has ended, before its records are put in order."""
    if tally.place is None:
        return
    manifest = load(tally.records)
    kept = {key for run in manifest["runs"] for key in run.get("kept", ())}
    tally.replaced = sorted(kept & tally.ids)
    manifest["runs"][tally.place :] = [tally.entry(ended=time.time())]
    _save(tally.records, manifest)


def note(records: Path, name: str, value: Any) -> None:
    """Write something besides runs and settings into a manifest. Raises UserError."""
    _save(records, load(records) | {name: value})


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
    today = different(wanted)
    if len(today) == 1 and different(found) <= {None, *today}:
        return []
    return [key for key, made_with in found.items() if made_with not in (None, wanted.get(key, made_with))]


def mixed_message(
    records: Path, name: str, ids: list[str], found: Mapping[str, str | None], today: Mapping[str, Mapping[str, Any]]
) -> str:
    """What to say of records that were made with other settings. `today`: settings by question id."""
    known = load(records)["settings"]
    reasons = {changes(known.get(str(found[key])), today[key]) for key in ids}
    return (
        f"{records}: {len(ids)} of {counted(len(found), 'record was', 'records were')} made with other settings "
        f"({'; '.join(sorted(reasons))}). "
        f"--redo {name} asks for them again, --keep-mixed keeps them next to the new ones."
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


def failed_calls(records: Path) -> list[tuple[str, str]]:
    """(question id, why) of each call that failed, run by run."""
    return [failed for run in _runs(records) for failed in run.failed.items()]


def earlier_notes(records: Path, endpoints: Sequence[str], existing: int) -> list[str]:
    """What is to be said of the runs before: that the last one was killed, that they had other endpoints.

    existing: how many records there are.
    """
    manifest = load(records)
    moved = _moved_note(_runs_in(manifest), endpoints) if existing else None
    return [note for note in (killed_note(records, manifest["runs"]), moved) if note]


def finish_killed(records: Path, questions: list[Question]) -> None:
    """Put records in order that a run was killed over; no other run does where none is missing. Raises UserError."""
    manifest = load(records)
    *_, last = [{"ended": True}, *manifest["runs"]]
    if not is_killed(last) or last.get("redo") or not records.exists() or is_being_written(records):
        return
    if not last.get("killed"):  # what it wrote is found by its place in the file
        manifest["runs"][-1] = settled(records, last)
        _save(records, manifest)
    put_in_order(records, questions)


def _moved_note(runs: Sequence[_Run], endpoints: Sequence[str]) -> str | None:
    """A sentence when none of the runs before that wrote something had these endpoints; None otherwise."""
    before = {each for run in runs if run.written or not run.ended for each in run.endpoints}
    new = [each for each in endpoints if not before & {each, without_options(each)}]
    if not before or not new:
        return None
    return f"existing records came from {', '.join(sorted(before))}; new ones will come from {', '.join(new)}."
