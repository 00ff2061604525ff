"""Labels by the workers of a Dask cluster: a shard for each of them, through the same calls as here.

Where a worker sees the folder of labels, it writes there; else into one of its own machine, which outlives the run, and
what it has comes back. All workers together keep the limits of the config and of --max-cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
import uuid
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.building.label_files import Kept, Shard, add_better, label_file
from arena_hard.building.label_shard import ShardResult, ShardTask, label_shard, rows_there, stop
from arena_hard.building.label_stage import LabelStage
from arena_hard.building.labelling import LabelRun, check_alone, report
from arena_hard.building.shards import cluster, wait_for_any
from arena_hard.calling.manifest import begin_run, end_run
from arena_hard.calling.progress import LINE_SECONDS, NARROW, WIDE, is_wide
from arena_hard.calling.providers.base import without_secrets
from arena_hard.calling.providers.registry import connections, provider_of
from arena_hard.data.name_lists import counted
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.writer import RecordWriter

STOP_SECONDS = 15.0  # in which the workers bring back what they have, when the run is stopped


def stays_here(model: ModelSettings, batch: bool = False) -> str:
    """Why a model is not asked from other machines; empty where it can be. batch: whether by batch."""
    if batch:  # a shard of another size would not find them again
        return "its batches are kept here"
    if model.serve is not None:
        return "serve starts its server here"
    if model.record is not None:
        return "its replies are recorded here"
    return "its api_type is a file here" if model.api_type == "recorded" or provider_of(model).is_own else ""


def label_on_cluster(stage: LabelStage, address: str | None, processes: int) -> int:
    """Make the missing labels on the workers of a cluster. Returns the exit code. Raises UserError."""
    check_alone(stage)
    settings = with_keys(stage.model)
    with cluster(address, processes) as client:
        workers: list[str] = sorted(client.nthreads())
        with _token(stage.folder) as token:
            common = ShardTask(
                replace(stage.instrument, model=settings),
                msgspec.structs.replace(stage.bench, data_dir=Path(os.path.abspath(stage.bench.data_dir))),
                Path(os.path.abspath(stage.folder)),
                token,
                _home(stage.folder),
                stage.attempts,
            )
            _fetch(client, common, stage)
            tasks = list(_tasks(stage, common, len(workers)))
            if not tasks:  # the workers had them all
                return 0
            with shown(client, token, sum(len(task.questions) for task in tasks)):
                results = _results(client, stage, tasks, workers)
    stage.load()
    runs = [(f"{stage.model.name}, {shard}", result.run) for shard, result in results if result.run]
    code = report(stage, runs)
    if wrong := [f"{shard}: {result.error}" for shard, result in results if result.error]:
        raise UserError("\n".join(wrong))
    return code


def with_keys(model: ModelSettings) -> ModelSettings:
    """A model's settings with the addresses and keys that the environment of this process says. Raises UserError.

    Clouds have ways of their own to know who asks, which each worker's machine has to have.
    """
    if model.api_type in ("bedrock", "vertex"):
        return model
    found = [
        EndpointSettings(
            api_base=each.base_url,
            api_key=each.api_key or None,
            api_version=each.api_version or None,
            verify=each.verify,
            options=dict(each.options) or None,
        )
        for each in connections(model)
    ]
    return msgspec.structs.replace(model, endpoints=found)


def part_of(model: ModelSettings, number: int, count: int) -> ModelSettings:
    """Settings whose limits are those of one of `count` runs side by side; `parallel` is at least as large as count."""

    def divided(limit: float | None) -> float | None:
        return None if limit is None else limit / count

    parallel = model.parallel
    if isinstance(parallel, int):
        parallel = parallel // count + (number <= parallel % count)
    return msgspec.structs.replace(
        model,
        parallel=parallel,
        requests_per_minute=divided(model.requests_per_minute),
        tokens_per_minute=divided(model.tokens_per_minute),
    )


@contextlib.contextmanager
def _token(folder: Path) -> Iterator[str]:
    """A word in a file: who can read it sees this folder. It also names the run."""
    word = uuid.uuid4().hex
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f".{word}.run"
    file.write_text(word)
    try:
        yield word
    finally:
        file.unlink(missing_ok=True)


def _home(folder: Path) -> str:
    """A name for the folder of labels, under which other machines keep what they make for it, from run to run."""
    file = folder / ".home"
    if not file.is_file():
        file.write_text(uuid.uuid4().hex)
    return file.read_text()


def _fetch(client: Any, common: ShardTask, stage: LabelStage) -> None:
    """Take over what the workers' machines have kept of runs before, which is paid for. Raises UserError."""
    found: dict[str, Any] = client.run(rows_there, common, stage.kept, on_error="return")
    if wrong := next((each for each in found.values() if isinstance(each, UserError)), None):
        raise wrong
    better: dict[str, dict[str, Any]] = {}
    for row in (row for rows in found.values() if isinstance(rows, list) for row in rows):  # one machine, many workers
        record = msgspec.convert(row, Kept)
        if add_better(stage.kept, {record.question_id: record}):
            better[record.question_id] = row
    if better:
        _write(stage, None, list(better.values()))
        print(f"{counted(len(better), 'label')} of earlier runs taken over from the workers' machines.")


def _tasks(stage: LabelStage, common: ShardTask, workers: int) -> Iterator[ShardTask]:
    """A shard for each worker, as far as limits and missing labels go round."""
    parallel = common.instrument.model.parallel
    missing, left = stage.missing, stage.account.left
    count = min(workers, len(missing), parallel if isinstance(parallel, int) else workers)
    for number in range(1, count + 1):
        shard = Shard(number, count)
        instrument = replace(common.instrument, model=part_of(common.instrument.model, number, count))
        questions = [question for question in missing if shard.holds(question.question_id)]
        kept = {each.question_id: stage.kept[each.question_id] for each in questions if each.question_id in stage.kept}
        limit = None if left is None else left / count
        if questions:
            yield replace(common, instrument=instrument, shard=shard, questions=questions, kept=kept, limit=limit)


@contextlib.contextmanager
def shown(client: Any, token: str, total: int) -> Iterator[None]:
    """Show how far all shards are while the body runs, from what their workers say: (shard, labels, failed calls)."""
    from tqdm import tqdm

    ended: dict[int, tuple[int, int]] = {}
    said = time.monotonic()
    form = WIDE if is_wide() else NARROW
    with tqdm(total=total, desc="labels", unit="", bar_format=form, dynamic_ncols=True, disable=None) as bar:

        def hear(event: tuple[float, tuple[int, int, int]]) -> None:
            nonlocal said
            shard, *counts = event[1]
            ended[shard] = (counts[0], counts[1])
            done, failed = (sum(column) for column in zip(*ended.values()))
            bar.set_postfix_str(f"{failed} failed" if failed else "", refresh=False)
            bar.update(done + failed - bar.n)
            if bar.disable and time.monotonic() - said >= LINE_SECONDS:
                said = time.monotonic()
                print(f"labels: {done} of {total}, {failed} failed", file=sys.stderr, flush=True)

        client.subscribe_topic(token, hear)
        try:
            yield
        finally:
            client.unsubscribe_topic(token)


def _results(
    client: Any, stage: LabelStage, tasks: Sequence[ShardTask], workers: Sequence[str]
) -> list[tuple[Shard, ShardResult]]:
    """What came of each shard; what a worker has had that died is used where the folder is the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        futures = {
            client.submit(label_shard, task, pure=False, workers=[worker], allow_other_workers=True): task.shard
            for task, worker in zip(tasks, workers)
        }
    results: list[tuple[Shard, ShardResult]] = []
    waiting = set(futures)

    def take(future: Any) -> None:
        waiting.discard(future)
        result = _result(future)
        _take_in(stage, futures[future], result)
        results.append((futures[future], result))

    try:
        while waiting:
            wait_for_any(client, list(waiting))
            for future in [each for each in waiting if each.done()]:
                take(future)
    except KeyboardInterrupt:
        client.run(stop, tasks[0].token, on_error="ignore")
        _take_what_comes(waiting, take)
        raise
    finally:
        client.cancel(list(waiting))
    return sorted(results, key=lambda each: each[0].number)


def _take_what_comes(waiting: set[Any], take: Any) -> None:
    """What the workers bring back once they are told to stop."""
    end = time.monotonic() + STOP_SECONDS
    while waiting and time.monotonic() < end:
        for future in [each for each in waiting if each.done()]:
            take(future)
        time.sleep(0.1)


def _result(future: Any) -> ShardResult:
    """What a worker handed back, or that there is none who can."""
    error = future.exception()
    if error is None:
        return future.result()
    told = without_secrets(f"{type(error).__name__}: {error}".partition("\n")[0])
    return ShardResult(error=f"no worker could end it ({told}). The same command goes on with the rest.")


def _take_in(stage: LabelStage, shard: Shard, result: ShardResult) -> None:
    """Put what a worker has had where it belongs: its bill, and its records where it wrote them elsewhere."""
    stage.account.add(stage.bill, result.spent)
    add_better(stage.had, result.kept)  # a shared folder may show late what others have written
    if result.rows is not None and result.run is not None:
        _write(stage, shard, result.rows, result.run)


def _write(stage: LabelStage, shard: Shard | None, rows: Sequence[dict[str, Any]], run: LabelRun | None = None) -> None:
    """Add records to the file of a shard, and the run that made them to its manifest. Raises UserError."""
    file = label_file(stage.folder, stage.model.name, stage.instrument.fingerprint, shard)

    async def write(writer: RecordWriter) -> None:
        await asyncio.gather(*(writer.write(file, lambda row=row: row) for row in rows))

    with RecordWriter() as writer:
        writer.open(file)
        if run is not None:
            run.tally.records = file
            begin_run(run.tally, [stage.instrument.shaping])
        asyncio.run(write(writer))
        if run is not None:
            end_run(run.tally)
