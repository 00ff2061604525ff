"""What the server saw: counts for assertions, and the last requests as they came."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .faults import Fault

# A client's timer may fire this much before the time that it was told (seconds).
_TIMER_SLACK = 0.005

_COUNTS = ("path", "model", "key", "faults", "refused", "statuses", "early", "tokens")


@dataclass
class Visit:
    """One request on its way through the server."""

    path: str
    key: str | None
    digest: bytes  # of the body as it came
    attempt: int  # how often this body has come, this time included
    headers: Mapping[str, str]
    raw: bytes
    at: float  # monotonic seconds
    model: str = ""
    fault: Fault | None = None


@dataclass(frozen=True)
class Wait:
    """A Retry-After: when it was said and until when it holds, in monotonic seconds."""

    said: float
    until: float


class Stats:
    """Counts since the start or the last reset."""

    def __init__(self, keep_requests: int) -> None:
        self.in_flight = 0
        self._last: deque[Visit] = deque(maxlen=keep_requests)
        self.clear()

    def keep(self, requests: int) -> None:
        """Keep at most that many of the last requests."""
        if requests != self._last.maxlen:
            self._last = deque(self._last, maxlen=requests)

    def clear(self) -> None:
        """Forget everything but the requests that are in flight now."""
        self.max_in_flight = self.in_flight
        self.early_repeats = 0
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTS}
        self._bodies: Counter[bytes] = Counter()
        self._good: Counter[bytes] = Counter()
        self._waits: dict[str | None, Wait] = {}
        self._body_waits: dict[bytes, Wait] = {}
        self._last.clear()

    def arrive(self, path: str, key: str | None, headers: Mapping[str, str], raw: bytes, grace: float) -> Visit:
        """Count a request that has been read."""
        digest = hashlib.blake2b(raw, digest_size=8).digest()
        self._bodies[digest] += 1
        visit = Visit(path, key, digest, self._bodies[digest], headers, raw, time.monotonic())
        self._last.append(visit)
        self.counts["path"][path] += 1
        self.counts["key"][key or ""] += 1
        if _is_early(self._waits.get(key), visit.at, grace):
            self.counts["early"][key or ""] += 1
        if _is_early(self._body_waits.get(digest), visit.at, 0.0):
            self.early_repeats += 1
        return visit

    def told_to_wait(self, visit: Visit, seconds: float) -> None:
        """Remember a Retry-After, for the key and for the body that met it."""
        now = time.monotonic()
        wait = Wait(now, now + seconds)
        known = self._waits.get(visit.key)
        if known is None or known.until < wait.until:
            self._waits[visit.key] = wait
        self._body_waits[visit.digest] = wait

    def answered(self, visit: Visit, status: int) -> None:
        """Count a reply that was sent whole."""
        self.counts["statuses"][str(status)] += 1
        if status == 200 and (visit.fault is None or visit.fault.name == "slow"):
            self._good[visit.digest] += 1

    def last(self, number: int) -> list[dict[str, Any]]:
        """The last requests, oldest first, nothing left out."""
        return [_shown(visit) for visit in list(self._last)[-number:]] if number > 0 else []

    def as_dict(self) -> dict[str, Any]:
        repeats = Counter(self._bodies.values())
        return {
            "requests": sum(self._bodies.values()),
            "successes": sum(self._good.values()),
            "429s": self.counts["statuses"]["429"],
            "by_path": dict(self.counts["path"]),
            "by_model": dict(self.counts["model"]),
            "by_key": dict(self.counts["key"]),
            "faults": dict(self.counts["faults"]),
            "refused": dict(self.counts["refused"]),
            "statuses": dict(self.counts["statuses"]),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "distinct_bodies": len(self._bodies),
            "repeats": {str(times): number for times, number in sorted(repeats.items())},
            "answered_bodies": len(self._good),
            "answered_again": sum(times - 1 for times in self._good.values()),
            "early": sum(self.counts["early"].values()),
            "early_by_key": dict(self.counts["early"]),
            "early_repeats": self.early_repeats,
            "tokens": dict(self.counts["tokens"]),
        }


def _is_early(wait: Wait | None, at: float, grace: float) -> bool:
    return wait is not None and wait.said + grace < at < wait.until - _TIMER_SLACK


def _shown(visit: Visit) -> dict[str, Any]:
    try:
        body = json.loads(visit.raw)
    except ValueError:
        body = visit.raw.decode("utf-8", "replace")
    return {
        "path": visit.path,
        "key": visit.key,
        "model": visit.model,
        "headers": dict(visit.headers),
        "body": body,
        "attempt": visit.attempt,
        "fault": visit.fault.name if visit.fault else None,
        "at": visit.at,
    }
