"""Tokens that calls have cost, as servers count them and as records hold them."""

from __future__ import annotations

import operator
from typing import Any

import msgspec

from arena_hard.data.record_values import is_object, token_count


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one or more calls, as the server counted them; `batched` of them were bought by batch."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    batched: int = 0

    def __add__(self, other: Usage) -> Usage:
        one, two = msgspec.structs.astuple(self.whole()), msgspec.structs.astuple(other.whole())
        return Usage(*map(operator.add, one, two))

    def whole(self) -> Usage:
        """With no part above its whole: some count cached tokens beside the prompt, and thoughts beside the answer."""
        counts = msgspec.structs.astuple(self)
        if min(counts) >= 0 and counts[2] + counts[3] <= counts[0] and counts[4] <= counts[1]:
            return self
        prompt, completion, *parts = (max(0, count) for count in counts)
        prompt += parts[0] + parts[1] if parts[0] + parts[1] > prompt else 0
        return Usage(prompt, completion + (parts[2] if parts[2] > completion else 0), *parts)


def usage_from_row(row: Any) -> Usage | None:
    """The token counts of a record, or None when it carries none that can be read."""
    if not is_object(row):
        return None
    counts = {name: token_count(row[name]) for name in Usage.__struct_fields__ if name in row}
    return None if None in counts.values() else Usage(**{name: int(count or 0) for name, count in counts.items()})


def usage_row(usage: Usage | None) -> dict[str, int] | None:
    """A usage as it stands in a record: only the counts that are not zero."""
    return None if usage is None else msgspec.to_builtins(usage)
