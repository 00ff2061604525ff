"""What a run may cost and has cost: a budget that is kept, and bills from the tokens that servers reported."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from arena_hard.calling.batch import Waiting
from arena_hard.calling.providers.base import OUTPUT_LIMITS, Reply, Request
from arena_hard.calling.spending import NoRoom, Outcome, may_be_billed
from arena_hard.data.name_lists import counted, shortened
from arena_hard.data.records import UserError
from arena_hard.data.settings import ModelSettings
from arena_hard.data.usage import Usage
from arena_hard.money.prices import Price, money, price_of
from arena_hard.money.purses import PER_DOLLAR, PaidTicket, RecordPurse, Room, picodollars
from arena_hard.money.surplus import STRANGER_TOKENS, Lessons

# ----------------------------------------------------------------------------------------- budget


class Spent(msgspec.Struct, frozen=True):
    """What was sent on one bill, and how many records the limit left undone, `begun` of them after a request.

    unknown: dollars for silent requests.
    """

    requests: int = 0
    silent: int = 0
    usage: Usage = Usage()
    unknown: float = 0.0
    not_sent: int = 0
    begun: int = 0


class Bill(msgspec.Struct):
    """What one model or judge was paid for: every request that was sent.

    usage sums what was reported; silent: requests of which no usage is known and that may cost something all the same;
    unsure: those of this run, each with what it was counted for. lessons: what the model's replies taught, tickets: its
    requests under way, siblings: its bills, this one included; all for all its bills. elsewhere: the dollars for
    silent requests that other processes have sent.
    """

    model: ModelSettings
    price: Price | None
    requests: int = 0
    silent: int = 0
    usage: Usage = Usage()
    unsure: list[PaidTicket] = []
    lessons: Lessons = msgspec.field(default_factory=Lessons)
    tickets: set[PaidTicket] = set()
    siblings: list[Bill] = []
    elsewhere: float = 0.0

    @property
    def unknown(self) -> float:
        """The dollars for which requests without usage were counted."""
        return sum(ticket.amount for ticket in self.unsure) / PER_DOLLAR + self.elsewhere

    @property
    def dollars(self) -> float | None:
        """The cost of what was reported, or None when the price is not known."""
        return self.price.cost(self.usage) if self.price else None

    @property
    def says_nothing(self) -> bool:
        """Whether no request reported its usage."""
        return 0 < self.requests <= self.silent

    def size_of(self, request: Request) -> tuple[int, int]:
        """The bytes of a prompt, which no tokenizer makes more tokens of, and the most tokens of its reply."""
        size = sum(len(message["content"].encode("utf-8", "replace")) for message in request.messages)
        own = request.max_tokens + (request.thinking or 0)
        return size, max([own, *_limits_of(request.extra)])

    def most(self, size: tuple[int, int], batch: bool = False) -> float:
        """The most dollars that a request may cost, by its size and by what was learnt."""
        prompt, reply = size
        lessons = self.lessons
        return self._dollars(prompt + lessons.prompt.of(prompt), reply + lessons.reply.of(reply), batch)

    def stranger(self) -> float:
        """Dollars to have in reserve for each request, until a reply has shown how the server counts."""
        return 0.0 if self.lessons.known else self._dollars(STRANGER_TOKENS, STRANGER_TOKENS, False)

    def _dollars(self, prompt: float, reply: float, batch: bool) -> float:
        if self.price is None:
            return 0.0
        price = (self.price.batch if batch else None) or self.price
        return (prompt * max(price.input, price.cache_write) + reply * price.output) / 1e6

    def count(self, outcome: Outcome | None, ticket: PaidTicket) -> float:
        """A request that was sent has ended; the dollars that it cost, or at most may have cost."""
        self.requests += 1
        usage = outcome.usage if outcome else None
        if isinstance(outcome, Reply) or usage:
            self._learn(ticket.size, usage)
        if usage:
            self.usage += usage
            return self.price.cost(usage) if self.price else 0.0
        if not may_be_billed(outcome):
            return 0.0
        self.silent += 1
        self.unsure.append(ticket)
        return self.most(ticket.size, ticket.batch)

    def _learn(self, size: tuple[int, int], usage: Usage | None) -> None:
        """What is under way is expected to cost as much as this, and what came back without usage to have cost it."""
        if any(size) and self.lessons.learn(*size, usage):
            unsure = (ticket for bill in self.siblings for ticket in bill.unsure)
            for ticket in (*self.tickets, *unsure):
                ticket.raise_to(picodollars(self.most(ticket.size, ticket.batch)))


class Account:
    """The bills of a run, and the limit that it must not pass.

    limit: dollars (--max-cost), or None. Before a record is begun, room for what it is expected to cost at most is set
    aside; while there is none, the record waits for what is in flight. Each of its requests asks again before it is
    sent (money.purses), also the tries and attempts that nobody expected.
    """

    def __init__(self, limit: float | None = None, by_batch: bool = False, may_go_live: bool = False) -> None:
        if limit is not None and not 0 <= limit * PER_DOLLAR < math.inf:  # NaN is not, either
            raise UserError(f"--max-cost {limit:g}: must be a number of dollars, 0 or more. Leave it out for no limit.")
        self.limit = limit
        self.bills: dict[str, Bill] = {}
        self.not_sent, self.begun = 0, 0
        self._room = Room(limit)
        self._by_batch = by_batch
        self._half_price = by_batch and not may_go_live
        self._of_models: dict[str, tuple[Lessons, set[PaidTicket], list[Bill]]] = {}
        self._counted: dict[str, int] = {}
        self._waiting: dict[tuple[str, str], RecordPurse] = {}

    def open(self, label: str, model: ModelSettings) -> None:
        """Begin a bill. Raises UserError when a limit is set and the price is not known."""
        price = price_of(model)
        if price is None and self.limit is not None:
            raise UserError(
                f"--max-cost: the price of {model.name} is not known. Add price: {{input: …, output: …}} "
                "(dollars per million tokens) to its entry."
            )
        if label not in self.bills:
            lessons, tickets, siblings = self._of_models.setdefault(model.name, (Lessons(), set(), []))
            self.bills[label] = Bill(model, price, lessons=lessons, tickets=tickets, siblings=siblings)
            siblings.append(self.bills[label])

    @property
    def left(self) -> float | None:
        """The dollars that the limit leaves; None where there is no limit."""
        return None if self.limit is None else max(0.0, self.limit - self._room.paid / PER_DOLLAR)

    def spent(self, label: str) -> Spent:
        """What this process has spent on a bill."""
        bill = self.bills[label]
        return Spent(bill.requests, bill.silent, bill.usage, bill.unknown, self.not_sent, self.begun)

    def add(self, label: str, spent: Spent) -> None:
        """Add to a bill what another process has spent on it."""
        bill = self.bills[label]
        bill.requests += spent.requests
        bill.silent += spent.silent
        bill.usage += spent.usage
        bill.elsewhere += spent.unknown
        self.not_sent += spent.not_sent
        self.begun += spent.begun
        known = bill.price.cost(spent.usage) if bill.price else 0.0
        self._room.paid += picodollars(known + spent.unknown)

    def worst(self, label: str, prompts: Sequence[int], max_tokens: int, attempts: int = 1) -> float:
        """The most dollars that some requests may cost: prompts in bytes, which no tokenizer makes more of.

        Each further attempt sees the prompt and the replies before it again, and so does one with twice the room.
        """
        bill = self.bills[label]
        if bill.price is None:
            return 0.0
        price = (bill.price.batch if self._half_price else None) or bill.price
        sends, room = (2, 3) if bill.model.retry_truncated else (1, 1)
        most = room * _longest_reply(bill.model, max_tokens)
        per_token = sends * max(price.input, price.cache_write)
        again = range(attempts)
        return sum((size + k * most) * per_token + most * price.output for size in prompts for k in again) / 1e6

    @contextlib.asynccontextmanager
    async def room(self, label: str, record: str, worst: float) -> AsyncIterator[RecordPurse | None]:
        """A record's purse while the body runs; None where there is no room for it and nothing may be sent.

        label: the bill; record: its name. A record that waits for a batch keeps its purse until it comes in again.
        """
        purse = self._waiting.pop((label, record), None)
        if purse:
            self._room.working += 1
        else:
            purse = await self._begun(label, worst)
        try:
            yield purse
        except Waiting:
            if purse:
                self._waiting[label, record] = purse
                self._room.working -= 1
                self._room.changed()
                purse = None
            raise
        except NoRoom:
            self.not_sent += 1
            self.begun += bool(purse and purse.has_asked)
            raise
        finally:
            if purse:
                purse.empty()

    async def _begun(self, label: str, worst: float) -> RecordPurse | None:
        """Set room aside for a record; None, for good, when there is none left."""
        room, bill = self._room, self.bills[label]
        amount = picodollars(worst)
        while not room.fits(amount):
            if not room.working or (self.not_sent and not self._by_batch):
                self.not_sent += 1
                room.changed()
                return None
            await room.wait()
        purse = RecordPurse(room, bill, bill.tickets, self._counted)
        purse.fill(worst)
        return purse

    def lines(self) -> list[str]:
        """The bills for people, and what the limit left undone."""
        rows = [(label, bill) for label, bill in self.bills.items() if bill.requests]
        lines = bill_lines(rows) if rows else []
        unknown = sum(bill.unknown for bill in self.bills.values())
        if unknown and self.limit is not None:
            silent = sum(bill.silent for bill in self.bills.values())
            lines.append(
                f"--max-cost {self.limit:g}: counts {money(unknown)} more, the most that the {silent} requests without "
                "usage may have cost."
            )
        if self.not_sent:
            counts = {"not asked for": self.not_sent - self.begun, "begun and not finished": self.begun}
            told = (f"{counted(n, 'record was', 'records were')} {what}" for what, n in counts.items() if n)
            said = " and ".join(told)
            stopped = f"--max-cost {self.limit:g}: stopped before exceeding it; {said}."
            lines.append(f"{stopped} Rerun with a higher limit to continue.")
        return lines


def _longest_reply(model: ModelSettings, max_tokens: int) -> int:
    """The most tokens that a reply may have; what extra_body says of it goes over the wire too."""
    own = (max_tokens if model.max_tokens is None else model.max_tokens) + (model.thinking or 0)
    return max([own, *_limits_of(model.extra_body or {})])


def _limits_of(extra: Mapping[str, Any]) -> list[int]:
    """What extra_body says of a reply's length."""
    return [extra[name] for name in OUTPUT_LIMITS if isinstance(extra.get(name), int)]


def bill_lines(rows: Iterable[tuple[str, Bill]]) -> list[str]:
    """One line for each bill, cached input apart, and their sum."""
    bills = list(rows)
    lines = [_bill_line(label, bill) for label, bill in bills]
    return ["cost by the reported usage:", *lines, f"  total: {_total([bill for _, bill in bills])}"]


def _total(bills: Sequence[Bill]) -> str:
    """The sum in words, with the models that are not in it; a sum of nothing beside what is not known says nothing."""
    priceless = dict.fromkeys(bill.model.name for bill in bills if bill.dollars is None)
    silent = dict.fromkeys(bill.model.name for bill in bills if bill.dollars is not None and bill.says_nothing)
    left_out = [f"{shortened(list(priceless))}, whose price is unknown"] if priceless else []
    left_out += [f"{shortened(list(silent))}, which reported no usage"] if silent else []
    total = sum(bill.dollars or 0.0 for bill in bills if not bill.says_nothing)
    if left_out and not total:
        return "unknown"
    return money(total) + (f" (excluding {'; and '.join(left_out)})" if left_out else "")


def _bill_line(label: str, bill: Bill) -> str:
    usage, dollars = bill.usage, bill.dollars
    requests = "request" if bill.requests == 1 else "requests"
    line = f"  {label}: {bill.requests:,} {requests}, {usage.prompt_tokens:,} input tokens"
    if usage.cached_tokens:
        line += f" ({usage.cached_tokens:,} of them cached)"
    line += f", {usage.completion_tokens:,} output tokens: "
    line += "cost unknown" if bill.says_nothing else "price unknown" if dollars is None else money(dollars)
    saved = bill.price.saved_by_cache(usage) if bill.price else 0.0
    if abs(saved) >= 5e-7:
        line += f" (the cache {'saved' if saved > 0 else 'cost'} {money(abs(saved))})"
    return line + (f"; {counted(bill.silent, 'request')} reported no usage" if bill.silent else "")


# ----------------------------------------------------------------------------------------- report


def print_costs(account: Account) -> None:
    """What a run has cost, and what its limit left undone; nothing where nothing was asked."""
    lines = account.lines()
    if lines:
        print("\n".join(lines))
