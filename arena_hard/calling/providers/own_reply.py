"""What an adapter of the user's brings, in the types that the call loop expects.

An answer is paid for: what is odd beside it is passed over and noted, as in the replies of servers.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Any, get_args

from arena_hard.calling.providers.base import CallError, Kind, Note, Reply, printable, without_secrets
from arena_hard.calling.providers.fields import Fields
from arena_hard.calling.providers.quotas import Quota, sound_quota
from arena_hard.calling.providers.usage import any_usage

_KINDS: dict[str, Kind] = {kind.replace(" ", ""): kind for kind in get_args(Kind)}


def is_readable(reply: Any) -> bool:
    """Whether it is a Reply with a content in which texts can be found; None is one without a text."""
    return isinstance(reply, Reply) and isinstance(reply.content, (str, list, Mapping, int, float, type(None)))


def sound_reply(reply: Reply) -> Reply:
    """The same with all fields of the types that they are declared with."""
    notes = _notes(reply.notes)
    names = ("content", "finish_reason", "served_model", "fingerprint", "thought")
    said = Fields({name: _plain(getattr(reply, name)) for name in names}, notes=notes)
    content, within = said.said("content")
    thought = "\n\n".join(filter(None, (said.thought("thought"), within)))
    return Reply(
        content=content,
        finish_reason=said.word("finish_reason") or "stop",
        usage=any_usage(reply.usage, notes, bool(content or thought)),
        served_model=said.text("served_model"),
        fingerprint=said.text("fingerprint"),
        thought=thought or None,
        quotas=_quotas(reply.quotas),
        notes=tuple(notes),
    )


def sound_error(error: CallError) -> CallError:
    """The same, in the same way; a kind that there is not is said, and final."""
    written = without_secrets(str(error.message))
    kind = _KINDS.get("".join(letter for letter in str(error.kind).lower() if letter.isalpha()))
    if kind is None:
        written += f" (CallError of kind {error.kind!r}; kinds are {', '.join(map(repr, _KINDS.values()))})"
    return CallError(
        kind or "final",
        written,
        retry_after=_seconds(error.retry_after),
        endpoint_wide=bool(error.endpoint_wide),
        lesson=error.lesson if isinstance(error.lesson, str) else None,
        finish_reason=printable(error.finish_reason) if isinstance(error.finish_reason, str) else None,
        usage=any_usage(error.usage, [], has_text=False),
        wrong_address=bool(error.wrong_address),
        not_taken=bool(error.not_taken),
        busy=bool(error.busy),
    )


def _plain(value: Any) -> Any:
    """A member of an enum as its name: SDKs have finish reasons of that kind."""
    return value.name if isinstance(value, enum.Enum) and not isinstance(value, str) else value


def _notes(given: Any) -> list[Note]:
    pairs = given if isinstance(given, (tuple, list)) else ()
    texts = (pair for pair in pairs if isinstance(pair, tuple) and list(map(type, pair)) == [str, str])
    return [(kind, without_secrets(what)) for kind, what in texts]


def _quotas(given: Any) -> dict[str, Quota]:
    quotas = given if isinstance(given, Mapping) else {}
    told = {kind: quotas.get(kind) for kind in ("requests", "tokens")}
    found = {
        kind: sound_quota(each.limit, each.remaining, each.reset)
        for kind, each in told.items()
        if isinstance(each, Quota)
    }
    return {kind: quota for kind, quota in found.items() if quota is not None}


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
