"""Room under a limit: set aside for a record, drawn from by each of its requests, given back or paid.

Amounts are whole numbers of picodollars, so that sums of what comes and goes return to zero.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from arena_hard.calling.providers.base import Request
from arena_hard.calling.spending import NoRoom, Outcome
from arena_hard.data.usage import Usage

PER_DOLLAR = 10**12


def picodollars(dollars: float) -> int:
    """A whole number of them."""
    return round(dollars * PER_DOLLAR)


class Room:
    """What a limit leaves. working: records under way, which will give back or spend what they hold."""

    def __init__(self, limit: float | None) -> None:
        self._limit = None if limit is None else picodollars(limit)
        self.paid = 0
        self.aside = 0
        self.working = 0
        self._waiters: list[asyncio.Future[None]] = []

    def fits(self, amount: int) -> bool:
        """Whether so much more may be set aside."""
        return self._limit is None or self.paid + self.aside + amount <= self._limit

    async def wait(self) -> None:
        """Until something has changed."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def changed(self) -> None:
        """Whoever waits looks again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Payee(Protocol):
    """Whom a request is paid to: the bill of one model (money.account.Bill)."""

    def size_of(self, request: Request) -> tuple[int, int]:
        """The bytes of its prompt and the most tokens of its reply."""
        ...

    def most(self, size: tuple[int, int], batch: bool) -> float:
        """The most dollars that it may cost, as far as is known."""
        ...

    def stranger(self) -> float:
        """Dollars to have in reserve for each request, until a reply has shown how the server counts."""
        ...

    def count(self, outcome: Outcome | None, ticket: PaidTicket) -> float:
        """A request that was sent has ended; the dollars that it cost, or may have cost."""
        ...


class PaidTicket:
    """One request and what is set aside for it, or what it was paid for once it has ended."""

    def __init__(self, purse: RecordPurse, size: tuple[int, int], batch: bool) -> None:
        self._purse, self.size, self.batch = purse, size, batch
        self.amount = 0
        self.sent = batch
        self._is_paid = False

    def fits(self) -> bool:
        """Whether there still is the room that was set aside for it: others may have cost more than was thought."""
        return self._purse.room.fits(0)

    def raise_to(self, amount: int) -> None:
        """Set more aside, or pay more, whether there is room or not: the request was sent."""
        more = max(0, amount - self.amount)
        self.amount += more
        if self._is_paid:
            self._purse.room.paid += more
        else:
            self._purse.room.aside += more

    def settle(self, outcome: Outcome | None) -> None:
        """Pay for it, and give the rest back."""
        purse = self._purse
        purse.tickets.discard(self)
        purse.room.aside -= self.amount
        self.amount, self._is_paid = 0, True
        if self.sent:
            self.raise_to(picodollars(purse.payee.count(outcome, self)))
            purse.note(outcome)
        purse.room.changed()


class RecordPurse:
    """What one record may spend: what was set aside for it, and whatever else there is room for.

    tickets: the requests to the same model that are under way, of all records.
    """

    def __init__(self, room: Room, payee: Payee, tickets: set[PaidTicket], counted: dict[str, int]) -> None:
        self.room, self.payee, self.tickets = room, payee, tickets
        self._counted = counted
        self._posted: dict[str, PaidTicket] = {}
        self._left = 0
        self.requests = 0
        self.usage = Usage()
        self.has_asked = False

    def fill(self, dollars: float) -> None:
        """Set room aside for the record; whether there is any was asked before."""
        self._left = picodollars(dollars)
        self.room.aside += self._left
        self.room.working += 1

    def empty(self) -> None:
        """The record has ended: what it did not spend is free. What waits for a batch all the same is not."""
        self.room.aside -= self._left
        self._left = 0
        self.room.working -= 1
        self.room.changed()

    async def draw(self, request: Request, batch: bool = False) -> PaidTicket:
        """Room for one request, from what the record has left and from what is free. Raises NoRoom."""
        ticket = PaidTicket(self, self.payee.size_of(request), batch)
        while (amount := self._affordable(ticket)) is None:
            await self._wait()
        own = min(amount, self._left)
        self._left -= own
        self.room.aside += amount - own
        ticket.amount = amount
        self.tickets.add(ticket)
        return ticket

    def _affordable(self, ticket: PaidTicket) -> int | None:
        """What to set aside for a request, or None while there is no room.

        A server that has not shown how it counts gets one request alone, or as many as leave the limit whole should
        each be a surprise. A batch goes as a whole: to try it with one request would take a day.
        """
        most = picodollars(self.payee.most(ticket.size, ticket.batch))
        careful = most + (0 if ticket.batch else picodollars(self.payee.stranger()))
        if self.room.fits(max(0, careful - self._left)):
            return careful
        alone = not self.tickets or careful == most
        return most if alone and self.room.fits(max(0, most - self._left)) else None

    async def _wait(self) -> None:
        """While other records may give something back. Raises NoRoom."""
        self.room.working -= 1
        try:
            if not self.room.working:
                raise NoRoom
            await self.room.wait()
        finally:
            self.room.working += 1

    async def post(self, key: str, request: Request) -> None:
        """Room for a request in a batch, once until its outcome comes. Raises NoRoom."""
        if key not in self._posted:
            self._posted[key] = await self.draw(request, batch=True)

    def receive(self, key: str, outcomes: Sequence[Outcome]) -> None:
        """Pay for what batches have brought and was not counted before."""
        for outcome in outcomes[self._counted.get(key, 0) :]:
            ticket = self._posted.pop(key, None) or PaidTicket(self, (0, 0), batch=True)
            ticket.settle(outcome)
        self._counted[key] = max(len(outcomes), self._counted.get(key, 0))

    def note(self, outcome: Outcome | None) -> None:
        """A request of this record was sent, and has ended."""
        self.has_asked = True
        self.requests += 1
        self.usage += (outcome.usage if outcome else None) or Usage()

    def take_counts(self) -> tuple[int, Usage]:
        """The requests since the last time, and their tokens."""
        counts = self.requests, self.usage
        self.requests, self.usage = 0, Usage()
        return counts
