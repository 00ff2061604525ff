"""The progress line of a long run, and the list of what failed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from arena_hard.calling.models import Clock, Models
from arena_hard.data.name_lists import counted

TICK_SECONDS = 0.5
LATE_SECONDS = 60.0
LINE_SECONDS = 60.0  # between two lines of a run that is not on a terminal
SHOWN_PER_REASON = 3


# What is waited for must be seen on a terminal of 80 columns, so there is a bar on wide ones only.
NARROW = "{percentage:3.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"
WIDE = "{desc} {percentage:3.0f}% {bar:20} {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"
WIDE_COLUMNS = 120


class Progress:
    """Counts records done and failed, and shows them with rate, remaining time and what is waited for."""

    def __init__(self, total: int, unit: str, models: Models, is_shown: bool = True) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(
            total=total,
            desc=unit,
            unit="",
            bar_format=WIDE if is_wide() else NARROW,
            dynamic_ncols=True,
            smoothing=0.1,
            mininterval=0.2,
            maxinterval=1.0,
            disable=None if is_shown else True,  # None: where it goes to a file or a pipe
        )
        self._is_shown = is_shown
        self._total, self._unit, self._models = total, unit, models
        self._started = self._said = time.monotonic()
        self._clocks: dict[str, Clock] = {}
        self.failures: list[tuple[str, str]] = []
        self.unfinished: dict[str, int] = {}  # how many replies are kept of records that are not on disk, by label
        self.done = 0

    def begin(self, label: str, name: str = "") -> Clock:
        """A record is being worked on. name: what people call it. Returns its clock."""
        self._clocks[label] = Clock(label, name or label)
        return self._clocks[label]

    def finish(self, label: str) -> None:
        """A record is on disk."""
        self._clocks.pop(label, None)
        self.done += 1
        self._bar.update(1)

    def later(self, label: str) -> None:
        """A record will be worked on again when its replies have come."""
        self._clocks.pop(label, None)

    def fail(self, label: str, reason: str) -> None:
        """A record could not be had."""
        self._clocks.pop(label, None)
        self.failures.append((label, reason))
        self._bar.update(1)

    def note(self, text: str) -> None:
        """A line for people, above the bar."""
        self._bar.write(text, file=sys.stderr)

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[Progress]:
        """Keep the line fresh while the body runs; the bar ends with it."""
        ticker = asyncio.create_task(self._tick())
        try:
            yield self
        finally:
            ticker.cancel()
            self._refresh()
            self._bar.close()

    async def _tick(self) -> None:
        while True:
            self._refresh()
            await asyncio.sleep(TICK_SECONDS)

    def _refresh(self) -> None:
        failed = f"{len(self.failures)} failed" if self.failures else ""
        state = "; ".join(part for part in [failed, *state_of(self._models), self._late()] if part)
        if not self._bar.disable:
            self._bar.set_postfix_str(state, refresh=False)
            self._bar.refresh()
        elif self._is_shown and time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            print(self._line(state), file=sys.stderr, flush=True)

    def _line(self, state: str) -> str:
        """How far a long run is, for a log: in a file a bar would be hundreds of lines."""
        ended, elapsed = self.done + len(self.failures), time.monotonic() - self._started
        left = f", about {elapsed * (self._total - ended) / ended / 60:.0f} min left" if ended else ""
        return f"{self._unit}: {ended} of {self._total} after {elapsed / 60:.0f} min{left}" + (
            f"; {state}" * bool(state)
        )

    def _late(self) -> str:
        """Which record is waited for longest, once that is long."""
        oldest = max(self._clocks.values(), key=Clock.age, default=None)
        if oldest is None or oldest.age() < LATE_SECONDS:
            return ""
        return f"{oldest.name} takes {oldest.age():.0f} s"


def is_wide() -> bool:
    """Whether the terminal that the line goes to has room for a bar; a file has none."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns >= WIDE_COLUMNS
    except (OSError, ValueError):
        return False


def state_of(models: Models) -> Iterator[str]:
    """What is waited for, and what is in flight; what matters most comes first, for the line may be cut."""
    gates = [endpoint.gate for endpoint in models.endpoints]
    for endpoint in models.endpoints:
        closed = endpoint.gate.closed_until - time.monotonic()
        if closed >= 1:
            yield f"waiting {closed:.0f} s on {endpoint.gate.closed_by} from {endpoint.host}"
    yield from (f"{gate.width.start} → {gate.width.limit} in flight" for gate in gates if gate.has_moved)
    in_flight = sum(gate.in_flight for gate in gates)
    if in_flight:
        yield f"{in_flight} now" if any(gate.has_moved for gate in gates) else f"{in_flight} in flight"
    elif any(model.line.waiting for model in models.opened):
        yield "at the rate limit"
    backing_off = sum(model.backing_off for model in models.opened)
    if backing_off:
        yield f"{backing_off} wait to retry"


def kept_line(unfinished: Mapping[str, int], unit: str) -> Iterator[str]:
    """What was received, and paid for, of records that were not finished; nothing where nothing was."""
    if not unfinished:
        return
    replies = counted(sum(unfinished.values()), "reply of", "replies of")
    records = counted(len(unfinished), f"unfinished {unit.removesuffix('s')}", f"unfinished {unit}")
    is_one = sum(unfinished.values()) == 1
    what = "was received and is kept" if is_one else "were received and are kept"
    yield f"{replies} {records} {what}; the same command goes on from {'it' if is_one else 'them'}."


def failure_lines(failures: list[tuple[str, str]]) -> Iterator[str]:
    """What failed, one line for each reason with the first few records."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for label, reason in failures:
        by_reason[reason].append(label)
    for reason, labels in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(labels[:SHOWN_PER_REASON])
        more = f" and {len(labels) - SHOWN_PER_REASON} more" if len(labels) > SHOWN_PER_REASON else ""
        yield f"  {len(labels)} × {reason}"
        yield f"      {shown}{more}"
