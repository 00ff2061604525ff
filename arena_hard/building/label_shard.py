"""What a worker of a cluster does: it labels its shard, and hands back what the client cannot see."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena_hard.building.label_files import FOLDER, Kept, Shard, better_rows, files_of
from arena_hard.building.label_prompt import Instrument
from arena_hard.building.label_stage import LabelStage
from arena_hard.building.labelling import LabelRun, ask_for_labels, tally_of
from arena_hard.calling.providers.base import without_secrets
from arena_hard.data.paths import Bench
from arena_hard.data.records import Question, UserError
from arena_hard.data.usage import Usage
from arena_hard.money.account import Account, Spent

LOOK_SECONDS = 0.2  # how often a worker looks whether it is to stop, and says how far it is
_stopped: set[str] = set()  # the runs that this process works for no more


@dataclass(frozen=True, repr=False)
class ShardTask:
    """A worker's part of a run. token: names the run, and stands in a file in `folder`; home: names that folder.

    limit: dollars; questions: prompts without a label; kept: what is known of them all the same.
    """

    instrument: Instrument
    bench: Bench
    folder: Path
    token: str
    home: str
    attempts: int
    shard: Shard = Shard(1, 1)
    questions: list[Question] = field(default_factory=list[Question])
    kept: dict[str, Kept] = field(default_factory=dict[str, Kept])
    limit: float | None = None

    def __repr__(self) -> str:
        """Dask writes the arguments of what fails into its log, and the settings hold a key."""
        return f"<{self.shard}>"


@dataclass(frozen=True)
class ShardResult:
    """What came of a shard. kept: its records in short; rows: all of them, None where they are in the client's folder.

    error: why it broke off.
    """

    run: LabelRun | None = None
    spent: Spent = Spent()
    kept: dict[str, Kept] = field(default_factory=dict[str, Kept])
    rows: list[dict[str, Any]] | None = None
    error: str = ""


def rows_there(task: ShardTask, known: Mapping[str, Kept]) -> list[dict[str, Any]]:
    """The records in this machine's own folder that count for more than those that are known. Raises UserError."""
    _, folder, is_shared = _places(task)
    return [] if is_shared else _rows(task.instrument, folder, known)


def label_shard(task: ShardTask) -> ShardResult:
    """Make the labels of a shard; a worker's errors are handed back, for Dask would log what it was given."""
    try:
        return _labelled(task)
    except UserError as error:
        return ShardResult(error=str(error))
    except Exception as error:
        return ShardResult(error=without_secrets(f"{type(error).__name__}: {error}"))


def stop(token: str) -> None:
    """End what this process does for a run."""
    _stopped.add(token)


def _labelled(task: ShardTask) -> ShardResult:
    bench, folder, is_shared = _places(task)
    account = Account(task.limit)
    stage = LabelStage(
        task.instrument,
        bench,
        folder,
        task.questions,
        task.attempts,
        account,
        shard=task.shard,
        had=task.kept,
    )
    account.add(stage.bill, _spent_before(stage))
    run = LabelRun(tally_of(stage), is_shown=False)
    error = ""
    try:
        if stage.missing:
            asyncio.run(_unless(_look(task, run), ask_for_labels(stage, stage.model, run)))
    except UserError as failure:  # what was had before counts
        error = str(failure)
    stage.load()
    ids = {question.question_id for question in stage.questions}
    kept = {key: record for key, record in stage.kept.items() if key in ids}
    rows = None if is_shared else _rows(task.instrument, folder, task.kept)
    rows = rows and [row for row in rows if row["question_id"] in kept]  # others work in this folder as well
    return ShardResult(run, account.spent(stage.bill), kept, rows, error)


def _places(task: ShardTask) -> tuple[Bench, Path, bool]:
    """Where records go, and whether that is the client's folder."""
    with contextlib.suppress(OSError):
        if (task.folder / f".{task.token}.run").read_text() == task.token:
            return task.bench, task.folder, True
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    bench = Bench(caches / "arena-hard" / task.home, task.bench.name)
    return bench, bench.folder / "building" / FOLDER, False


def _rows(instrument: Instrument, folder: Path, known: Mapping[str, Kept]) -> list[dict[str, Any]]:
    """The records of an instrument in a folder that count for more than those that are known."""
    files = files_of(folder, instrument.model.name, instrument.fingerprint)
    return better_rows(files, instrument.fingerprint, instrument.criteria.names, known)


def _spent_before(stage: LabelStage) -> Spent:
    """What records have cost that a worker made in this run, before it died."""
    known = {key: each.rank for key, each in stage.had.items()}
    before = (stage.kept.get(question.question_id) for question in stage.questions)
    made = [each for each in before if each and each.rank != known.get(each.question_id)]
    return Spent(len(made), sum(each.usage is None for each in made), sum((e.usage or Usage() for e in made), Usage()))


def _look(task: ShardTask, run: LabelRun) -> Callable[[], bool]:
    """Tells the client how far this thread's shard is, and whether nobody waits for it: it was stopped, or has gone."""
    from distributed.worker import get_worker

    worker: Any = get_worker()
    key = worker.get_current_task()
    told = (0, 0)

    def look() -> bool:
        nonlocal told
        if run.ended != told:
            told = run.ended
            worker.log_event(task.token, (task.shard.number, *told))
        state = worker.state.tasks.get(key)
        return task.token in _stopped or state is None or state.state == "cancelled"

    return look


async def _unless(look: Callable[[], bool], work: Coroutine[Any, Any, None]) -> None:
    """Do some work, until a look says that it is to stop; what it has had stays."""
    task = asyncio.ensure_future(work)
    is_told = False
    while not task.done():
        await asyncio.wait([task], timeout=LOOK_SECONDS)
        if look() and not is_told:
            is_told = task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
