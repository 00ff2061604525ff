"""What each request costs, told to whoever keeps the account: room before it is sent, the outcome afterwards.

Calls know no prices. A record has a purse (money.account gives it one), and each try takes a ticket from it: before it
waits for a slot, so that nothing is sent without room, and whatever way it ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from arena_hard.calling.providers.base import CallError, Reply, Request
from arena_hard.data.usage import Usage

Outcome = Reply | CallError


class NoRoom(Exception):
    """The limit leaves no room for a request; it was not sent."""


class Outrun(Exception):
    """A request that waited for its slot has no room any more, for others have cost more than was thought."""


class Ticket(Protocol):
    """One request, from the room that was set aside for it to its outcome."""

    sent: bool

    def fits(self) -> bool:
        """Whether there still is the room that was set aside for it."""
        ...

    def settle(self, outcome: Outcome | None) -> None:
        """The request has ended; None: nobody waited for its reply. What was not sent costs nothing."""
        ...


class Purse(Protocol):
    """What one record may spend."""

    async def draw(self, request: Request) -> Ticket:
        """Room for one request; waits while others may give some back. Raises NoRoom."""
        ...

    async def post(self, key: str, request: Request) -> None:
        """Room for a request of this name in a batch, once until its outcome comes. Raises NoRoom."""
        ...

    def receive(self, key: str, outcomes: Sequence[Outcome]) -> None:
        """All that batches have brought for a request up to now; each outcome is counted once."""
        ...


class CountingPurse(Purse, Protocol):
    """A record's purse, which counts what is taken from it."""

    def take_counts(self) -> tuple[int, Usage]:
        """The requests that were sent since the last time, and their tokens."""
        ...


class Budget(Protocol):
    """What a run may cost and has cost (money.account.Account)."""

    not_sent: int

    def room(
        self, label: str, record: str, worst: float
    ) -> contextlib.AbstractAsyncContextManager[CountingPurse | None]:
        """A record's purse while the body runs; None where nothing may be sent."""
        ...


class _Uncounted:
    """A request of which nobody keeps an account."""

    sent = False

    def fits(self) -> bool:
        return True

    def settle(self, outcome: Outcome | None) -> None: ...


class Unwatched:
    """A purse without a bottom, for calls outside a run."""

    async def draw(self, request: Request) -> Ticket:
        return _Uncounted()

    async def post(self, key: str, request: Request) -> None: ...

    def receive(self, key: str, outcomes: Sequence[Outcome]) -> None: ...


class TicketFor:
    """A ticket for one try: the body settles it with a reply; an error or the end of the wait is seen here.

    Raises NoRoom before the body runs.
    """

    def __init__(self, purse: Purse, request: Request) -> None:
        self._purse, self._request = purse, request
        self._ticket: Ticket

    async def __aenter__(self) -> Ticket:
        self._ticket = await self._purse.draw(self._request)
        return self._ticket

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._ticket.settle(error if isinstance(error, CallError) else None)


def may_be_billed(outcome: Outcome | None) -> bool:
    """Whether a provider may take money for an outcome of which it told no usage.

    It may for a reply, also where a gateway has put a page in its place, and for work that was broken off: time-outs,
    lost connections, errors within the server. It does not for what it refused, or could not be asked.
    """
    if not isinstance(outcome, CallError):
        return True
    if outcome.finish_reason is not None or outcome.is_page:
        return True
    return outcome.kind == "transient" and not (outcome.not_taken or outcome.wrong_address)


def as_own_try(outcome: Reply | CallError) -> Reply | CallError:
    """What one try brought, with its tokens marked as bought by batch."""
    if isinstance(outcome, Reply):
        return replace(outcome, content="", thought=None, tokens=None, usage=bought_by_batch([outcome]))
    outcome.usage = bought_by_batch([outcome])
    return outcome


def bought_by_batch(outcomes: Sequence[Reply | CallError]) -> Usage | None:
    """The tokens of one request in its batches, or None where none of them counted any."""
    counts = [outcome.usage for outcome in outcomes if outcome.usage]
    usage = sum(counts, Usage())
    batched = usage.prompt_tokens + usage.completion_tokens
    return msgspec.structs.replace(usage, batched=batched) if counts else None
