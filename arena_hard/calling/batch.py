"""Batches at half the price: requests gather in a mailbox, go out together, and their replies come back.

A stage is played as ever; a call whose reply is not in the mailbox raises `Waiting`, and its record is
played again after the next exchange. So later turns and second attempts are later, smaller batches.

On disk, in one folder for each stage and model, each step before the next one:

    prepared   batch.jsonl: marker and keys; MARKER.jsonl: the requests
    submitted  batch.jsonl: the provider's id (after a kill before this note, the batch is found by its marker)
    collected  replies.jsonl: what came; then batch.jsonl

A batch is collected when all came that it says was completed. One whose results are gone for good stays open until
its MARKER.jsonl is removed: then it is given up, and what is missing is asked for, and paid for, anew.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import filelock
from msgspec.structs import replace

from arena_hard.calling import open_batches
from arena_hard.calling.batch_sizes import Lots, Refused
from arena_hard.calling.form_probes import untried_form
from arena_hard.calling.kept_replies import reply_from_row, reply_row
from arena_hard.calling.open_batches import Batch, begun_in, notes_of, records_in, replies_of, requests_of, way_out
from arena_hard.calling.patience import Patience
from arena_hard.calling.providers.base import Adapter, CallError, Dialect, Reply, Request
from arena_hard.calling.providers.batch_answers import Failed, TooMuch, Unread
from arena_hard.calling.providers.batches import Batches, Line, unstreamed
from arena_hard.calling.providers.constraints import in_choices
from arena_hard.calling.reading import read_reply
from arena_hard.calling.spending import as_own_try, bought_by_batch
from arena_hard.calling.stored_requests import append_rows, restored, rows_in, stored
from arena_hard.data import jsonl
from arena_hard.data.name_lists import counted
from arena_hard.data.records import UserError
from arena_hard.data.settings import ModelSettings

POLL_SECONDS = (2.0, 60.0)  # the first wait, and the longest
ROUNDS = 4  # a request that so many batches brought no reply for has failed
EMPTY_TRIES = 2  # a reply without a text is paid for: one that came so often is not asked for again


class Waiting(Exception):
    """The reply will come with a batch."""


class Mailbox:
    """The requests and replies of one stage and model. Use as a context manager: it holds a lock.

    finish_live: what a batch brought no reply for is asked live, once. say: a line for people. model: whose
    replies they are; records: those that are to be made.
    """

    def __init__(
        self,
        folder: Path,
        batches: Batches,
        adapter: Adapter,
        say: Callable[[str], None],
        finish_live: bool = False,
        poll: tuple[float, float] = POLL_SECONDS,
        *,
        model: ModelSettings | None = None,
        records: Set[str] = frozenset(),
    ) -> None:
        self._folder, self._batches, self._adapter = folder, batches, adapter
        self._say, self._finish_live, self._poll = say, finish_live, poll
        self._patience = Patience(poll, say)
        self._model, self._to_make = model or ModelSettings(), records
        self._lock = open_batches.lock_of(folder)
        self._replies: dict[str, Reply] = {}
        self._records: dict[str, str] = {}  # for which the replies are
        self._pending: dict[str, Request] = {}
        self._misses: dict[str, list[CallError]] = {}
        self._came: dict[str, list[Reply | CallError]] = {}  # each with the tokens of its own try
        self._asked_live: set[str] = set()
        self._dialect: Dialect = set()
        self._has_tried_form = False
        self._open: list[Batch] = []
        self._unread: list[str] = []
        self._known: set[str] = set()
        self._lots = Lots(batches.limits)

    def __enter__(self) -> Mailbox:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise UserError(f"{self._folder} is being used by another run. Wait for it to end, or stop it.") from None
        self._folder.mkdir(exist_ok=True)
        open_batches.take_over(self._folder, self._to_make)
        self._load()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @property
    def busy(self) -> bool:
        """Whether batches of an earlier run have not been collected yet."""
        return bool(self._open)

    def find(self, key: str) -> Reply | None:
        """The reply to a call, where it is there."""
        return self._replies.get(key)

    def reply(self, key: str, request: Request, rounds: int = ROUNDS, record: str = "") -> Reply | None:
        """The reply to a call for a record; None when it is to be asked live, and the reply to be kept here.

        Raises Waiting when it will come with the next batch, CallError when the provider refused it or
        `rounds` batches brought none.
        """
        self._records[key] = record or self._records.get(key, "")
        if key in self._replies:
            return self._replies[key]
        misses = self._misses.get(key, [])
        if misses and self._finish_live and key not in self._asked_live:
            self._asked_live.add(key)
            return None
        if misses and self._is_over(misses, rounds):
            message = f"in {counted(len(misses), 'batch', 'batches')}: {misses[-1].message}"
            ended = CallError(
                "final", message, finish_reason=misses[-1].finish_reason, usage=bought_by_batch(misses), key=key
            )
            ended.about_request = misses[-1].refuses_request()
            raise ended
        self._pending[key] = request
        raise Waiting

    def tries_form(self, key: str, request: Request) -> bool:
        """Whether this call is to be asked live first, to see which form of constraint the server takes.

        One call is: a batch in a form that the server ignores is paid for as a whole.
        """
        if self._has_tried_form or not untried_form(self._adapter.body(request, self._dialect), self._dialect):
            return False
        self._has_tried_form = True
        self.withdraw(key)
        return True

    def learn(self, dialect: Dialect) -> None:
        """What a live call has taught of how the server wants to be asked."""
        self._dialect |= dialect

    def tries(self, key: str) -> Sequence[Reply | CallError]:
        """What batches have brought for a call, for its bill; what was asked live is none of them."""
        if key in self._came:
            return self._came[key]
        return [self._replies[key]] if key in self._replies else []

    def withdraw(self, key: str) -> None:
        """Leave a call out of the next batch."""
        self._pending.pop(key, None)

    @staticmethod
    def _is_over(misses: list[CallError], rounds: int) -> bool:
        empty = sum(miss.finish_reason is not None for miss in misses)
        refused = misses[-1].kind == "final" and not misses[-1].lesson
        tries = sum(not miss.lesson for miss in misses)  # what taught something is asked otherwise the next time
        return refused or empty >= EMPTY_TRIES or tries >= rounds or len(misses) >= 2 * ROUNDS

    def keep(self, key: str, reply: Reply) -> Reply:
        """Put a reply that was asked live beside those of the batches: the record may be played again."""
        self._came.setdefault(key, [])
        self._replies[key] = replace(reply, key=key)
        self._note({"step": "live", **self._of([key])})
        append_rows(replies_of(self._folder), [reply_row(self._replies[key])])
        return self._replies[key]

    async def exchange(self) -> None:
        """Send what has gathered, wait for all batches, and take in what they brought.

        Raises CallError, and UserError where a batch cannot be read: it stays open.
        """
        under_way = {key for batch in self._open for key in batch.keys}
        lines = [
            (key, unstreamed(self._adapter.body(request, self._dialect)))
            for key, request in self._pending.items()
            if key not in under_way
        ]
        self._pending.clear()
        for lot in self._lots.of(lines):
            self._prepare(lot)
        sent = len(self._open)
        refused = await self._each(self._submit) + await self._each(self._see_through)
        self._lots.learn(refused, taken=sent - len(refused))
        if self._unread:
            raise UserError("\n".join(self._unread))
        await self._wait_for_the_queue()

    async def _each(self, step: Callable[[Batch], Awaitable[None]]) -> list[Refused]:
        """Take each batch a step further; what the provider took nothing of is put back and returned."""
        refused: list[Refused] = []
        for batch in list(self._open):
            try:
                await step(batch)
            except TooMuch as refusal:
                self._put_back(batch, refusal)
                refused.append((len(batch.keys), refusal))
            except Unread as error:  # the others come first: each run would stop here before them
                self._unread.append(way_out(self._folder, batch, error.message))
        return refused

    def archive(self, records: Set[str]) -> None:
        """Put the replies for these records away, so that asking again asks anew; those for others stay.

        Without a name (""): those whose records are not known, for they came in an earlier version.
        """
        if self._open or not any(self._folder.iterdir()):
            return
        left = {key: reply for key, reply in self._replies.items() if self._records.get(key, "") not in records}
        open_batches.put_away(self._folder, [jsonl.encode(reply_row(reply)) for reply in left.values()])
        self._replies = left

    # ------------------------------------------------------------------------------------ steps

    def _prepare(self, lines: list[Line]) -> None:
        batch = Batch(uuid.uuid4().hex[:12], [key for key, _ in lines])
        rows = [jsonl.encode({"key": key, **stored(body)}) for key, body in lines]
        self._folder.mkdir(exist_ok=True)
        jsonl.replace(requests_of(self._folder, batch), rows)
        self._note({"step": "prepared", "marker": batch.marker, **self._of(batch.keys)})
        self._open.append(batch)

    async def _submit(self, batch: Batch) -> None:
        if batch.batch_id is not None:
            return
        if not batch.fresh:  # an earlier run may have been stopped between the provider's yes and our note
            batch.batch_id = await self._patience.read(
                lambda: self._batches.find(batch.marker, len(batch.keys), self._known)
            )
        if batch.batch_id is None:
            lines = list(self._requests(batch).items())
            batch.batch_id = await self._patience.ask(
                lambda: self._batches.submit(lines, batch.marker),
                ("rate limit",),  # after a lost connection there may be a batch: the next run looks for it
            )
            self._say(f"batch {batch.batch_id}: {counted(len(lines), 'request')} submitted")
        else:
            self._say(f"batch {batch.batch_id}: resumed")
        self._known.add(batch.batch_id)
        self._note({"step": "submitted", "marker": batch.marker, "id": batch.batch_id})

    async def _see_through(self, batch: Batch) -> None:
        pause, longest = self._poll
        while batch.batch_id is not None:  # else nobody can tell whether it is there
            status = await self._patience.read(lambda: self._batches.status(str(batch.batch_id)))
            if status.ended:
                await self._collect(batch)
                return
            self._say(f"batch {batch.batch_id}: {status.word}; stop at any time, the same command continues")
            await asyncio.sleep(pause)
            pause = min(longest, pause * 1.5)

    async def _collect(self, batch: Batch) -> None:
        bodies = self._requests(batch)
        try:
            outcomes = await self._patience.read(lambda: self._batches.results(str(batch.batch_id), bodies))
        except Unread as error:
            self._take_in([key for key in batch.keys if key in error.outcomes], error.outcomes, bodies)
            raise
        except Failed as error:
            error.endpoint_wide = True  # of all its requests
            outcomes = dict.fromkeys(batch.keys, error)
        self._take_in(batch.keys, outcomes, bodies)
        came = self._close(batch)
        self._say(f"batch {batch.batch_id}: {came} of {counted(len(batch.keys), 'reply', 'replies')} collected")

    def _take_in(
        self, keys: Sequence[str], outcomes: Mapping[str, Reply | CallError], bodies: dict[str, dict[str, Any]]
    ) -> None:
        """Keep the replies of these requests, and remember what brought none."""
        replies: list[Reply] = []
        for key in keys:
            if key in self._replies:  # of a batch that an earlier run could read in part
                continue
            lost = CallError("transient", "the batch ended without this request", not_taken=True)
            outcome = self._read(outcomes.get(key) or lost, bodies.get(key, {}))
            self._came.setdefault(key, []).append(as_own_try(outcome))
            if isinstance(outcome, Reply):
                usage = outcome.usage and bought_by_batch([*self._misses.get(key, []), outcome])
                replies.append(replace(outcome, usage=usage, key=key))
            else:
                self._miss(key, outcome)
        self._replies |= {str(reply.key): reply for reply in replies}
        append_rows(replies_of(self._folder), list(map(reply_row, replies)))

    def _read(self, outcome: Reply | CallError, body: dict[str, Any]) -> Reply | CallError:
        if isinstance(outcome, CallError):
            return outcome
        try:
            return in_choices(lambda: read_reply(outcome, self._model), body, self._dialect)
        except CallError as error:
            return error

    def _miss(self, key: str, error: CallError) -> None:
        self._misses.setdefault(key, []).append(error)
        self._dialect |= {error.lesson} if error.lesson else set()

    def _close(self, batch: Batch) -> int:
        """Note that nothing more will come of a batch; how many replies did."""
        replies = sum(key in self._replies for key in batch.keys)
        self._note({"step": "collected", "marker": batch.marker, "replies": replies})
        self._open.remove(batch)
        return replies

    def _put_back(self, batch: Batch, refusal: TooMuch) -> None:
        """Nothing of a batch was taken, or paid for: its records ask again. One that is too large alone has failed."""
        if refusal.kind == "final" and len(batch.keys) == 1:
            self._miss(batch.keys[0], refusal)
        self._close(batch)
        self._say(f"{counted(len(batch.keys), 'request was', 'requests were')} rejected as a batch: {refusal.message}")

    async def _wait_for_the_queue(self) -> None:
        if not self._lots.turned_away:
            return
        pause = self._poll[1] * min(10, self._lots.turned_away)
        self._say(f"the next batch holds at most {counted(self._lots.most or 0, 'request')}, sent in {pause:.0f} s")
        await asyncio.sleep(pause)

    # ------------------------------------------------------------------------------------- disk

    def _requests(self, batch: Batch) -> dict[str, dict[str, Any]]:
        """What is asked, as it is sent."""
        return {row["key"]: restored(row) for row in jsonl.read(requests_of(self._folder, batch), dict)}

    def _of(self, keys: list[str]) -> dict[str, Any]:
        """Calls, and the records that they are for."""
        return {"keys": keys, "records": [self._records.get(key, "") for key in keys]}

    def _note(self, row: dict[str, Any]) -> None:
        append_rows(notes_of(self._folder), [row])

    def _load(self) -> None:
        """Where an earlier run stopped."""
        self._open, known = begun_in(self._folder)
        self._known |= known
        self._records = records_in(self._folder)
        for row in rows_in(replies_of(self._folder)):
            self._replies[row["key"]] = reply_from_row(row)
        for batch in [each for each in self._open if not requests_of(self._folder, each).exists()]:
            missing = counted(len(batch.keys) - self._close(batch), "reply", "replies")
            self._say(f"batch {batch.name}: given up, for its file was removed; {missing} missing")
