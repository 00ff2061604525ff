"""What can go wrong, and when: rates drawn with a seed, and scripts for the next requests."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

# An error reply in the provider's own format.
ERRORS = (
    "400", "401", "404", "408", "429", "quota", "500", "502", "503", "504", "529",
    "context_length", "content_filter_400", "unsupported_parameter",
)  # fmt: skip
# No whole HTTP reply; `slow` is a good reply that comes late.
CONNECTION = ("hang", "slow", "cut", "cut_body")
# Status 200 around something that is no good answer.
REPLIES = (
    "broken_json", "html", "empty_choices", "null_content", "empty_content", "truncated", "content_filter",
    "body",
)  # fmt: skip
NAMES = ERRORS + CONNECTION + REPLIES


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, with its details. None leaves a detail to the settings."""

    name: str
    retry_after: float | None = None  # seconds
    form: str | None = None  # seconds, date, ms, none
    seconds: float = 5.0  # how long `slow` takes
    param: str | None = None  # what `unsupported_parameter` refuses; None: the first that is refusable
    status: int | None = None  # another status than the usual one
    message: str | None = None  # another message than the usual one
    body: Any = None  # what `body` sends in place of the reply: JSON, or a text as it is


_DETAILS = frozenset(each.name for each in fields(Fault)) - {"name"}


def fault_from(entry: Any) -> Fault | None:
    """A fault from `None`, a name, or `{"fault": name, ...details}`. Raises ValueError for anything else."""
    if entry is None or isinstance(entry, Fault):
        return entry
    if not isinstance(entry, Mapping):
        entry = {"fault": entry}
    name = str(entry.get("fault"))
    if name not in NAMES:
        raise ValueError(f"unknown fault {name!r}; known are {', '.join(NAMES)}")
    details = {key: value for key, value in entry.items() if key != "fault"}
    if unknown := set(details) - _DETAILS:
        raise ValueError(f"fault {name}: unknown {sorted(unknown)}; known are {sorted(_DETAILS)}")
    return Fault(name, **details)


def fault_rates(entries: Mapping[str, Any]) -> list[tuple[float, Fault]]:
    """(cumulative rate, fault) from `{name: rate}` or `{name: {"rate": rate, ...details}}`."""
    table: list[tuple[float, Fault]] = []
    total = 0.0
    for name, entry in entries.items():
        details = dict(entry) if isinstance(entry, Mapping) else {"rate": entry}
        total += float(details.pop("rate"))
        fault = fault_from({"fault": name, **details})
        assert fault is not None
        table.append((total, fault))
    if total > 1.0 + 1e-9:
        raise ValueError(f"faults: the rates add up to {total:g}, more than 1")
    return table


class FaultSource:
    """Decides for each request what goes wrong with it: a script first, then the rule, then the rates."""

    def __init__(self, seed: int, rule: Fault | None, rates: list[tuple[float, Fault]]) -> None:
        self._seed = seed
        self._rule = rule
        self._rates = rates

    def choose(self, digest: bytes, attempt: int) -> Fault | None:
        """The fault for the n-th time that a body arrives.

        Drawn from seed, body and n rather than from one stream, so that the order in which parallel
        requests happen to arrive changes nothing in a rerun.
        """
        if self._rule is not None or not self._rates:
            return self._rule
        drawn = share(b"fault", self._seed, digest, attempt)
        return next((fault for upto, fault in self._rates if drawn < upto), None)


class Script:
    """Exact faults for the next requests, in order of arrival; None is a request that goes well."""

    def __init__(self) -> None:
        self._entries: deque[Fault | None] = deque()

    def extend(self, entries: Iterable[Any]) -> None:
        self._entries.extend([fault_from(entry) for entry in entries])

    def clear(self) -> None:
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def pop(self) -> Fault | None:
        return self._entries.popleft()


def share(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    return seed_of(*parts) / 2**64


def seed_of(*parts: object) -> int:
    """64 bits that depend on the parts alone."""
    text = b"\0".join(part if isinstance(part, bytes) else str(part).encode() for part in parts)
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
