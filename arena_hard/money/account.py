"""What a run may cost and has cost: a budget that is kept, and bills from the tokens that servers reported."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from arena_hard.calling.batch import Waiting
from arena_hard.calling.providers.base import OUTPUT_LIMITS
from arena_hard.data.records import Usage, UserError
from arena_hard.data.settings import ModelSettings
from arena_hard.money.prices import Price, money, price_of

# ----------------------------------------------------------------------------------------- budget


@dataclass
class Bill:
    """What one model or judge was paid for: `usage` sums the calls that reported it, `silent` did not."""

    model: ModelSettings
    price: Price | None
    requests: int = 0
    silent: int = 0
    usage: Usage = Usage()

    @property
    def dollars(self) -> float | None:
        """The cost of what was reported, or None when the price is not known."""
        return self.price.cost(self.usage) if self.price else None


class Account:
    """The bills of a run, and the limit that it must not pass.

    limit: dollars (--max-cost), or None. Before a record's requests are sent, room for the most that
    they may cost is set aside; while there is none, the record waits for what is in flight.
    """

    def __init__(self, limit: float | None = None, by_batch: bool = False, may_go_live: bool = False) -> None:
        if limit is not None and not limit >= 0:  # NaN is not, either
            raise UserError(f"--max-cost {limit:g}: must be a number of dollars, 0 or more.")
        self.limit = limit
        self.bills: dict[str, Bill] = {}
        self.not_sent = 0
        self._paid = 0.0
        self._set_aside: list[float] = []  # a list, because a running sum of floats never comes back to zero
        self._by_batch = by_batch
        self._half_price = by_batch and not may_go_live
        self._paid_keys: set[str] = set()
        self._waiting: list[float] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._room = asyncio.Condition()

    def open(self, label: str, model: ModelSettings) -> None:
        """Begin a bill. Raises UserError when a limit is set and the price is not known."""
        price = price_of(model)
        if price is None and self.limit is not None:
            raise UserError(
                f"--max-cost: the price of {model.name} is not known. Add price: {{input: …, output: …}} "
                "(dollars per million tokens) to its entry."
            )
        self.bills.setdefault(label, Bill(model, price))

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

    async def enter(self, worst: float) -> bool:
        """Set room aside for a record; False, for good, when there is none left."""
        if self.limit is None:
            return True
        if self._loop is not asyncio.get_running_loop():  # judges, and servers of our own, run one after the other
            self._loop, self._room = asyncio.get_running_loop(), asyncio.Condition()
        async with self._room:
            while self._paid + math.fsum(self._set_aside) + worst > self.limit:
                nothing_will_come_free = len(self._set_aside) <= len(self._waiting)
                if nothing_will_come_free or (self.not_sent and not self._by_batch):
                    self.not_sent += 1
                    self._room.notify_all()
                    return False
                await self._room.wait()
            self._set_aside.append(worst)
        return True

    async def leave(self, worst: float) -> None:
        """A record is done: what was set aside for it and not spent is free again."""
        if self.limit is None:
            return
        async with self._room:
            self._set_aside.remove(worst)
            self._room.notify_all()

    @contextlib.asynccontextmanager
    async def room(self, worst: float) -> AsyncIterator[bool]:
        """Room for a record while the body runs; False where there is none and nothing may be sent."""
        granted = await self.enter(worst)
        try:
            yield granted
        except Waiting:
            if granted:
                await self._hold(worst)
            granted = False
            raise
        finally:
            if granted:
                await self.leave(worst)

    async def _hold(self, worst: float) -> None:
        if self.limit is None:
            return
        async with self._room:
            self._waiting.append(worst)
            self._room.notify_all()

    async def batches_came_back(self) -> None:
        """What was set aside for records that waited for a batch is free again; they come in once more."""
        while self._waiting:
            await self.leave(self._waiting.pop())

    def paid_before(self, keys: Iterable[str]) -> None:
        """Replies of these names were paid for by an earlier run."""
        self._paid_keys |= set(keys)

    def pay(self, label: str, usage: Usage | None, worst: float = 0.0, key: str | None = None) -> None:
        """A reply came. Without reported usage the most that it may have cost is counted as paid.

        key: the reply's name in a mailbox; a record that waited is played again, with the replies that it has.
        """
        if key is not None and key in self._paid_keys:
            return
        self._paid_keys |= {key} if key else set()
        bill = self.bills[label]
        bill.requests += 1
        if usage is None:
            bill.silent += 1
            self._paid += worst
            return
        bill.usage += usage
        self._paid += bill.price.cost(usage) if bill.price else 0.0

    def lines(self) -> list[str]:
        """The bills for people, and what the limit left undone."""
        rows = [(label, bill) for label, bill in self.bills.items() if bill.requests]
        lines = bill_lines(rows) if rows else []
        if self.not_sent:
            lines.append(
                f"--max-cost {self.limit:g}: stopped before it could be passed; {self.not_sent} records were not asked "
                "for. The same command with more goes on from there."
            )
        return lines


def _longest_reply(model: ModelSettings, max_tokens: int) -> int:
    """The most tokens that a reply may have; what extra_body says of it goes over the wire too."""
    own = (max_tokens if model.max_tokens is None else model.max_tokens) + (model.thinking or 0)
    extra = model.extra_body or {}
    return max([own, *(extra[name] for name in OUTPUT_LIMITS if isinstance(extra.get(name), int))])


def bill_lines(rows: Iterable[tuple[str, Bill]]) -> list[str]:
    """One line for each bill, cached input apart, and their sum."""
    lines, total, whole = [], 0.0, True
    rows = list(rows)
    for label, bill in rows:
        usage, dollars = bill.usage, bill.dollars
        line = f"  {label}: {bill.requests:,} requests, {usage.prompt_tokens:,} input tokens"
        if usage.cached_tokens:
            line += f" ({usage.cached_tokens:,} of them cached)"
        line += f", {usage.completion_tokens:,} output tokens: "
        line += "price unknown" if dollars is None else money(dollars)
        saved = bill.price.saved_by_cache(usage) if bill.price else 0.0
        if abs(saved) >= 5e-7:
            line += f" (the cache {'saved' if saved > 0 else 'cost'} {money(abs(saved))})"
        if bill.silent:
            line += f"; {bill.silent} requests reported no usage"
        lines.append(line)
        total += dollars or 0.0
        whole = whole and dollars is not None
    end = "" if whole else ", without what has no known price"
    return ["cost by the reported usage:", *lines, f"  all: {money(total)}{end}"]


# ----------------------------------------------------------------------------------------- report


def print_costs(account: Account) -> None:
    """What a run has cost, and what its limit left undone; nothing where nothing was asked."""
    lines = account.lines()
    if lines:
        print("\n".join(lines))
