"""Vectors from a server's /v1/embeddings, asked for in batches; what was had is kept and never paid again.

data/BENCH/building/vectors/FINGERPRINT holds them by the prompts' ids, a file for each reply, whatever rows later runs
leave; the fingerprint is that of the model and of all else that shapes a vector. A prompt that the server has refused
in as many runs as labels are asked for (labels: attempts) has none, a row of NaN, and so no topic.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from arena_hard.building.arrays import Floats
from arena_hard.building.reading import texts_of
from arena_hard.building.settings import EmbeddingSettings
from arena_hard.building.steps import Context, Output
from arena_hard.building.tables import Table
from arena_hard.calling.calls import width
from arena_hard.calling.embeddings import vectors_of
from arena_hard.calling.job_queue import run_jobs
from arena_hard.calling.local_server import serving
from arena_hard.calling.models import Model, Models
from arena_hard.calling.progress import Progress, failure_lines
from arena_hard.calling.providers.base import CallError, Message
from arena_hard.calling.providers.registry import embedding_adapter_of
from arena_hard.calling.spending import NoRoom
from arena_hard.data import jsonl
from arena_hard.data.name_lists import counted
from arena_hard.data.records import UserError
from arena_hard.data.settings import ModelSettings, short_hash
from arena_hard.money.prices import money
from arena_hard.money.quotes import Output as Expected
from arena_hard.money.quotes import quote

FOLDER = "vectors"
MOST_TEXTS, MOST_TOKENS = 64, 4000  # of a request: a server without a GPU answers it within a time-out too
_BYTES_PER_TOKEN = 3  # with which texts in any language make no more tokens than counted, but for few
_PIECE = 20_000
Batch = list[tuple[str, str]]  # (id, text)


def model_name(settings: EmbeddingSettings) -> str:
    """The entry of the endpoint file."""
    assert settings.model is not None  # the settings were checked
    return settings.model


def check(context: Context) -> None:
    """Whether the model can be asked for vectors. Raises UserError."""
    model = _model(context)
    embedding_adapter_of(model)
    if context.args.batch:
        raise UserError(
            "--batch: vectors are not asked for by batch. Run once with --until embed without it, then with it."
        )
    context.account.open(_bill(model), model)


def embedder(context: Context) -> dict[str, Any]:
    """All that shapes a vector but the text; the server is not part of it: the same model may move."""
    model = _model(context)
    return {
        "kind": "endpoint",
        "model": model.model_name,
        "extra_body": model.extra_body or {},
        "max_characters": context.settings.embedding.max_characters,
    }


def plan_lines(context: Context, rows: int | None) -> Iterator[str]:
    """How many vectors there are, and what the others cost."""
    if not context.is_known("language") or not context.table("language").file.is_file():
        yield "what it costs is known once the conversations are read: --until language does that, and sends nothing"
        return
    kept, model, rows_left = Kept(context), _model(context), context.table("language")

    def prompts() -> Iterator[list[Message]]:
        for batch in batches_of(missing_in(context, rows_left, kept)):
            yield [{"role": "user", "content": text} for _, text in batch]

    context.account.open(_bill(model), model)
    sizes = [len(text.encode()) for _, text in missing_in(context, rows_left, kept)]
    worst = context.account.worst(_bill(model), [sum(sizes)], 0)
    yield f"{model.name}: {len(kept)} vectors exist, {len(sizes)} to make"
    if sizes:
        found = quote(model, prompts(), 1, Expected(0.0, 0.0, 1), worst)
        about = "" if found.counted else "about "
        price = f"{money(found.live[0])}, at most {money(worst)}" if found.live else "price unknown"
        requests, tokens = round(found.requests[0]), round(found.input_tokens[0])
        yield f"{counted(requests, 'request')}, {about}{tokens:,} input tokens: {price}"


def _model(context: Context) -> ModelSettings:
    return context.models[model_name(context.settings.embedding)]


def _bill(model: ModelSettings) -> str:
    return f"{model.name} embedding"


# -------------------------------------------------------------------------------------------- what is kept


class Kept:
    """The vectors that were had, by id, and the prompts that were refused, with the reason of each run."""

    def __init__(self, context: Context) -> None:
        self.folder = context.folder / FOLDER / short_hash(embedder(context))
        self._place: dict[str, tuple[int, int]] = {}
        self._files: list[Floats] = []
        self._lock = threading.Lock()
        self._attempts = context.settings.labels.attempts
        self._refusals = self.folder / "refused.jsonl"
        self.refused: list[tuple[str, str]] = []
        if self._refusals.is_file():
            self.refused += jsonl.read(self._refusals, lambda row: (str(row["id"]), str(row["why"])))
        for file in sorted(self.folder.glob("*.npz")) if self.folder.is_dir() else ():
            try:
                with np.load(file, allow_pickle=False) as found:
                    self._take([str(key) for key in found["ids"]], found["vectors"])
            except (OSError, ValueError, KeyError) as error:
                raise UserError(
                    f"{file} is unreadable ({error}). Delete it; its vectors are asked for again."
                ) from None

    def __len__(self) -> int:
        return len(self._place)

    def __contains__(self, key: str) -> bool:
        return key in self._place

    def _take(self, ids: Sequence[str], vectors: Floats) -> None:
        with self._lock:
            self._place.update((key, (len(self._files), row)) for row, key in enumerate(ids))
            self._files.append(vectors)

    def add(self, ids: Sequence[str], vectors: Floats) -> None:
        """Keep vectors, on disk at once. Raises UserError for such as are not of the same length as those before."""
        if self._files and self._files[0].shape[1] != vectors.shape[1]:
            raise UserError(
                f"{self.folder}: vectors of {self._files[0].shape[1]} numbers are kept, and the server sends "
                f"{vectors.shape[1]}: it serves another model under the same name. Delete the folder, or fix the model."
            )
        file = self.folder / f"{uuid.uuid4().hex}.npz"
        temporary = file.with_suffix(".tmp")
        with jsonl.written(file):
            with open(temporary, "wb") as stream:
                np.savez(stream, ids=np.array(ids, dtype="U16"), vectors=vectors)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, file)
        self._take(ids, vectors)

    def refuse(self, refused: Sequence[tuple[str, str]]) -> None:
        """Keep which prompts were refused in a run, and why."""
        self.refused += refused
        jsonl.replace(self._refusals, (jsonl.encode({"id": key, "why": why}) for key, why in self.refused))

    def given_up(self) -> set[str]:
        """The prompts that have no vector: refused in enough runs, by a server that has made others."""
        counts = Counter(key for key, _ in self.refused if key not in self)
        return {key for key, count in counts.items() if count >= self._attempts}

    def of(self, ids: Sequence[str]) -> Floats:
        """The vectors of these ids; NaN for those without."""
        none = np.full(self._files[0].shape[1], np.nan, np.float32)
        places = map(self._place.get, ids)
        return np.array([none if place is None else self._files[place[0]][place[1]] for place in places], np.float32)


def missing_in(context: Context, rows: Table, kept: Kept) -> Iterator[tuple[str, str]]:
    """The id and text of each row that has no vector yet; --from embed asks for those that were given up, too."""
    given_up = set[str]() if getattr(context.args, "start", None) == "embed" else kept.given_up()
    yield from _rows_where(context, rows, lambda key: key not in kept and key not in given_up)


def _rows_where(context: Context, rows: Table, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    most = context.settings.embedding.max_characters
    for part in rows.parts(["id", "turns"]):
        for key, text in zip(part.column("id").to_pylist(), texts_of(part)):
            if wanted(key):
                yield key, text[:most]


def batches_of(rows: Iterator[tuple[str, str]]) -> Iterator[Batch]:
    """Texts in lots that a request may hold, by their number and by their tokens, as estimated."""
    batch: Batch = []
    size = 0
    for key, text in rows:
        tokens = len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1
        if batch and (len(batch) == MOST_TEXTS or size + tokens > MOST_TOKENS):
            yield batch
            batch, size = [], 0
        batch.append((key, text))
        size += tokens
    if batch:
        yield batch


# ---------------------------------------------------------------------------------------------------- run


def ask(context: Context, rows: Table, out: Output) -> bool:
    """Ask for the vectors that are missing. Returns whether the step can go on; what failed is said in `out`."""
    kept, model = Kept(context), _model(context)
    missing = list(missing_in(context, rows, kept))
    if missing:
        kept.folder.mkdir(parents=True, exist_ok=True)
        context.account.open(_bill(model), model)
        with serving(model, context.bench.log_file(model.name)) as served:
            progress, notes = asyncio.run(_ask(context, served, list(batches_of(iter(missing))), kept))
        left = sum(key not in kept for key, _ in missing)
        out.say(f"{model.name}: {counted(len(missing) - left, 'vector')} received, {left} not")
        out.lines += [*(f"note: {note}" for note in notes), *failure_lines(progress.failures)]
    given_up = kept.given_up()
    if any(key not in kept and key not in given_up for key, _ in missing):
        out.say("Rerun the same command to ask for the missing ones alone; what came is kept.")
        return False
    if without := list(_rows_where(context, rows, given_up.__contains__)):
        out.drop("without a vector", without)
        out.say(
            f"{counted(len(without), 'prompt')} refused in {counted(context.settings.labels.attempts, 'run')}: without "
            "a vector, and so without a topic; --from embed asks again"
        )
    return True


async def _ask(
    context: Context, settings: ModelSettings, batches: list[Batch], kept: Kept
) -> tuple[Progress, list[str]]:
    """Ask for the vectors of all batches. Returns what failed, and notes of endpoints that answered nothing."""
    models = Models()
    progress = Progress(len(batches), "requests", models)
    bill, refused, first = _bill(settings), list[tuple[str, str]](), set[str]()

    def may_be_one_text(batch: Batch) -> bool:
        """Whether it is asked for by halves; of a server that has made no vector yet, one request alone is."""
        first.update([] if first else [key for key, _ in batch])
        return len(batch) > 1 and (len(kept) > 0 or batch[0][0] in first)

    async def work(batch: Batch) -> None:
        worst = context.account.worst(bill, [sum(len(text.encode()) for _, text in batch)], 0)
        label = f"{batch[0][0]} and {len(batch) - 1} more" if len(batch) > 1 else batch[0][0]
        with contextlib.suppress(NoRoom):
            async with context.account.room(bill, label, worst) as purse:
                if purse is None:
                    return
                clock = progress.begin(label)
                clock.purse = purse
                try:
                    reply = await vectors_of(model, [text for _, text in batch], clock)
                except CallError as error:
                    if not (error.about_request and may_be_one_text(batch)):
                        refused.extend([(batch[0][0], error.message)] * (error.about_request and len(batch) == 1))
                        progress.fail(label, error.message)
                        return
                    progress.later(label)
                else:
                    found = np.array(reply.vectors, np.float32)
                    await asyncio.to_thread(kept.add, [key for key, _ in batch], found)
                    progress.finish(label)
                    return
        await _halves(batch, work)

    try:
        model: Model = models.open(settings, embeds=True)
        bound = models.bound_by_system()
        async with progress.shown():
            await run_jobs(batches, work, width(model))
    finally:
        await models.close()
        if refused and len(kept):  # a server that takes nothing says nothing of a text
            await asyncio.to_thread(kept.refuse, refused)
    idle = models.idle_notes([reason for _, reason in progress.failures])
    return progress, [*([bound] if bound else []), *idle]


async def _halves(batch: Batch, work: Any) -> None:
    """What a server refused as a whole may be too long, or hold one text that it does not take: half by half."""
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        await work(half)


def vectors(context: Context, rows: Table) -> Iterator[Floats]:
    """The vectors of all rows, once all are there."""
    kept = Kept(context)
    for part in rows.parts(["id"]):
        ids = part.column("id").to_pylist()
        for at in range(0, len(ids), _PIECE):
            yield kept.of(ids[at : at + _PIECE])
