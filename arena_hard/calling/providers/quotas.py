"""The limits that a server announces in the headers of a reply."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import msgspec

_MOST = 1e12  # of requests, tokens or seconds; gateways write the largest integer for "no limit"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Quota(msgspec.Struct, frozen=True):
    """What a server said of one of its limits when it took a request.

    limit: the size of its bucket; remaining: what is left; reset: seconds until it is full again.
    """

    limit: float
    remaining: float
    reset: float

    @property
    def rate(self) -> float | None:
        """How fast the bucket fills, or None when that cannot be told from a full bucket."""
        used = self.limit - self.remaining
        return used / self.reset if used > 0 and self.reset > 0 else None


def sound_quota(limit: Any, remaining: Any, reset: Any) -> Quota | None:
    """The quota of these numbers, also as texts; None where they are none, or so large that nothing is limited."""
    try:
        numbers = [float(each) for each in (limit, remaining, reset)]
    except (TypeError, ValueError, OverflowError):
        return None
    return Quota(*numbers) if all(abs(each) <= _MOST for each in numbers) else None


def quota_from(headers: Mapping[str, str], kind: str) -> Quota | None:
    """The quota of 'requests' or 'tokens' in a reply's headers, OpenAI's or Anthropic's; None without one."""
    for limit, remaining, reset in (
        (f"x-ratelimit-limit-{kind}", f"x-ratelimit-remaining-{kind}", f"x-ratelimit-reset-{kind}"),
        (
            f"anthropic-ratelimit-{kind}-limit",
            f"anthropic-ratelimit-{kind}-remaining",
            f"anthropic-ratelimit-{kind}-reset",
        ),
    ):
        if remaining in headers:
            try:
                return sound_quota(headers[limit], headers[remaining], _seconds(headers[reset]))
            except (KeyError, ValueError, OverflowError):
                return None
    return None


def _seconds(text: str) -> float:
    """Seconds in '1m30.5s', '500ms', '12' or a date and time. Raises ValueError."""
    if "T" in text:
        when = datetime.fromisoformat(text.replace("Z", "+00:00"))
        zone = when.tzinfo or timezone.utc
        return max(0.0, (when.replace(tzinfo=zone) - datetime.now(timezone.utc)).total_seconds())
    total, number, unit = 0.0, "", ""
    for letter in text + "0":  # the added digit ends the last unit
        if letter.isdigit() or letter == ".":
            if unit:
                total, number, unit = total + float(number) * _UNITS.get(unit, 1.0), "", ""
            number += letter
        else:
            unit += letter
    return total if total or len(number) < 2 else float(number[:-1])
