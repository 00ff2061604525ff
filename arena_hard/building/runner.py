"""Runs steps one after the other: what is up to date is passed over, what was killed is made anew."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arena_hard.building.steps import FORMAT, Context, Output, Step
from arena_hard.building.tables import Table
from arena_hard.calling.progress import is_wide
from arena_hard.data import jsonl
from arena_hard.data.name_lists import counted, suggestion
from arena_hard.data.records import UserError
from arena_hard.data.writer import alone_in

_BAR = "{desc} {percentage:3.0f}% {bar:20} {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"
_NARROW = "{desc} {percentage:3.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"


def chosen_steps(steps: Sequence[Step], until: str | None, start: str | None) -> tuple[list[Step], set[str]]:
    """The steps up to --until, and the names of those that --from makes anew. Raises UserError for unknown names."""
    names = [step.name for step in steps]
    for flag, name in (("--until", until), ("--from", start)):
        if name is not None and name not in names:
            raise UserError(f"{flag} {name}: there is no such step. {suggestion(name, set(names))}")
    wanted = list(steps) if until is None else list(steps[: names.index(until) + 1])
    if start is not None and start not in [step.name for step in wanted]:
        raise UserError(f"--from {start} comes after --until {until}. Name a step that is not after it.")
    anew = set() if start is None else needing(wanted, {start})
    return wanted, anew


def needing(steps: Sequence[Step], names: set[str]) -> set[str]:
    """These steps and all that need one of them, directly or not."""
    found = set(names)
    for step in steps:
        if found & set(step.needs):
            found.add(step.name)
    return found


def run_steps(context: Context, steps: Sequence[Step], anew: set[str]) -> int:
    """Run what is not up to date. Returns the exit code. Raises UserError while another run is at work on the bench."""
    waiting = check(context, steps, anew)
    with contextlib.ExitStack() as alone:
        if not (waiting and waiting[0].is_shared(context)):
            alone.enter_context(alone_in(context.folder))
        return _run_each(context, steps, anew, alone)


def _run_each(context: Context, steps: Sequence[Step], anew: set[str], alone: contextlib.ExitStack) -> int:
    """alone: what keeps other runs out, until a step that they may share."""
    code = 0
    for step in steps:
        if step.name not in anew and is_current(context, step):
            print(f"{step.name:<12} up to date: {left_by(context.manifest(step.name) or {})}")
            continue
        if step.is_shared(context):
            alone.close()
        out = _run(context, step)
        for line in out.lines:
            print(f"  {line}")
        code = max(code, out.code)
        if out.stopped:
            break
    return code


def is_current(context: Context, step: Step) -> bool:
    """Whether a step has ended, from the same as it would be made from now, and what it left is still there."""
    manifest = context.manifest(step.name)
    if manifest is None or not step.is_there(context) or manifest.get("made_from") != origin_of(context, step):
        return False
    return manifest["output"] == _left(context, step)


def outdated(context: Context, steps: Sequence[Step]) -> set[str]:
    """The steps that have ended, but were made from what a step before them had left before it was done anew."""
    found: set[str] = set()
    for step in steps:
        before = (context.manifest(step.name) or {}).get("made_from", {}).get("before")
        if before is None:
            continue
        changed = any(said != (context.manifest(name) or {}).get("output") for name, said in before.items())
        if changed or set(before) != set(step.needs) or found & set(before):
            found.add(step.name)
    return found


def origin_of(context: Context, step: Step) -> dict[str, Any]:
    """What a step would be made from now, as its manifest says it; of steps that have not ended, nothing."""
    before = {name: (context.manifest(name) or {}).get("output") for name in step.needs}
    return json.loads(json.dumps({"format": FORMAT, "before": before, **step.made_from(context)}))


def print_plan(context: Context, steps: Sequence[Step], anew: set[str]) -> None:
    """What each step will do, and what each that is up to date has left."""
    waiting = check(context, steps, anew)
    context.waiting = frozenset(step.name for step in waiting)
    rows: int | None = None
    for step in steps:
        if step in waiting:
            up_to = "up to " * (step is not waiting[0])
            print(f"{step.name:<12} to do" + ("" if rows is None else f" with {up_to}{counted(rows, 'row')}"))
        else:
            manifest = context.manifest(step.name) or {}
            rows = manifest["counts"]["out"] if step.has_table else rows
            print(f"{step.name:<12} up to date: {left_by(manifest)}")
        for line in step.plan(context, rows):
            print(f"  {line}")


def check(context: Context, steps: Sequence[Step], anew: set[str]) -> list[Step]:
    """The steps that are not up to date, as far as is known before the first of them is run. Raises UserError."""
    waiting: list[Step] = []
    names: set[str] = set()
    for step in steps:
        if step.name in anew or set(step.needs) & names or not is_current(context, step):
            waiting.append(step)
            names.add(step.name)
            step.check(context)
    return waiting


def left_by(manifest: dict[str, Any]) -> str:
    """How many rows came into a step, how many it left, and why it dropped the others; for people."""
    counts = manifest["counts"]
    dropped = sorted(counts["dropped"].items(), key=lambda item: (-item[1], item[0]))
    reasons = ", ".join(f"{number} {reason}" for reason, number in dropped)
    return f"{counts['in']} → {counts['out']}" + f" ({reasons})" * bool(reasons)


def _run(context: Context, step: Step) -> Output:
    """Run one step and write its manifest, which makes it count."""
    file = context.manifest_file(step.name)
    file.unlink(missing_ok=True)
    started = time.monotonic()
    origin = origin_of(context, step)
    rows = context.table(step.needs[0]) if step.needs else None
    with _bar(step.name, None if rows is None else _count(rows)) as bar:
        out = Output(context.folder / f"{step.name}.parquet", bar)
        try:
            step.run(context, rows, out)
        except BaseException:
            if out.writer is not None:
                out.writer.abandon()
            raise
        if out.writer is not None:
            out.writer.finish()
            out.rows_out = out.writer.rows
    if out.stopped and not out.rows_out:
        print(f"{step.name:<12} not finished, after {time.monotonic() - started:.1f} s")
        return out
    out.rows_in = out.rows_in or (0 if rows is None else _count(rows) or 0)
    manifest = _manifest(context, step, origin, out, time.monotonic() - started)
    said = "not finished after" if out.stopped else f"{left_by(manifest)} in"
    print(f"{step.name:<12} {said} {manifest['seconds']:.1f} s")
    if step.has_table and not out.rows_out:
        raise UserError(_nothing_left(context, step, manifest))
    if not out.stopped:
        jsonl.replace(file, [json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n"])
    return out


def _count(rows: Table) -> int | None:
    return rows.count if rows.file.is_file() else None


def _manifest(context: Context, step: Step, origin: dict[str, Any], out: Output, seconds: float) -> dict[str, Any]:
    counts = {"in": out.rows_in, "out": out.rows_out, "dropped": dict(sorted(out.dropped.items()))}
    return {
        "step": step.name,
        "made_from": origin,
        "output": _left(context, step),
        "counts": counts,
        "examples": dict(sorted(out.examples.items())),
        "facts": out.facts,
        "lines": out.lines,
        "seconds": round(seconds, 1),
    }


def _files(context: Context, step: Step) -> list[Path]:
    return [*([context.folder / f"{step.name}.parquet"] if step.has_table else []), *map(context.file, step.files)]


def _left(context: Context, step: Step) -> dict[str, dict[str, Any]]:
    """The fingerprints of the files that a step has left: one that was damaged since is not what was left."""
    return {file.name: fingerprint(file) for file in _files(context, step) if file.is_file()}


def _nothing_left(context: Context, step: Step, manifest: dict[str, Any]) -> str:
    reasons = left_by(manifest)
    return (
        f"After the step {step.name} no conversation is left: {reasons}. {context.args.setting_file} says what stays; "
        "README.md (From conversations to a benchmark) says what its keys mean."
    )


def fingerprint(file: Path) -> dict[str, Any]:
    """The size and the SHA-256 of a file. Raises UserError."""
    try:
        found = file.stat()
        return {"bytes": found.st_size, "sha256": _digest(file, found.st_size, found.st_mtime_ns)}
    except OSError as error:
        raise jsonl.unreadable(file, error) from None


@functools.cache
def _digest(file: Path, size: int, changed: int) -> str:
    """Once in a run, unless the file changes."""
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _bar(name: str, total: int | None) -> Any:
    from tqdm import tqdm

    form = _BAR if is_wide() else _NARROW
    return tqdm(
        total=total, desc=name, unit="", bar_format=form, dynamic_ncols=True, leave=False, mininterval=0.2, disable=None
    )
