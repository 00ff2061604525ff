"""The words between the call loop and the adapters: request, reply, and three kinds of error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from arena_hard.pacing import Quota
from arena_hard.records import Usage

Message = dict[str, str]
Kind = Literal["rate limit", "transient", "final"]


@dataclass(frozen=True)
class Request:
    """One completion to ask for. `max_tokens` counts the tokens of the reply.

    shared: characters at the start of the first user message that other requests begin with too.
    """

    model: str
    messages: list[Message]
    temperature: float | None
    max_tokens: int
    extra: dict[str, Any] = field(default_factory=dict)
    reasoning_effort: str | None = None
    thinking: int | None = None
    shared: int = 0


@dataclass(frozen=True)
class Reply:
    """What a server answered. `finish_reason` 'length' means that it was cut at max_tokens.

    key: its name in a mailbox, the same whenever its record is played; None for what was only asked live.
    """

    content: str
    finish_reason: str
    usage: Usage | None
    served_model: str | None
    fingerprint: str | None = None
    thought: str | None = None
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    key: str | None = None


class CallError(Exception):
    """A call that brought no reply.

    kind: 'rate limit' (wait, then ask again), 'transient' (ask again a few times), 'final' (never
        ask the same again).
    retry_after: seconds that the server asked to wait, if it did.
    endpoint_wide: every other request to this endpoint would end the same way (wrong key, no quota).
    lesson: how the server wants to be asked instead (a term of `Dialect`), if it said so.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        retry_after: float | None = None,
        endpoint_wide: bool = False,
        lesson: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.retry_after = retry_after
        self.endpoint_wide = endpoint_wide
        self.lesson = lesson


@dataclass(frozen=True)
class Connection:
    """Where an adapter sends its requests: all that is needed to open a client."""

    api_type: str
    base_url: str | None
    api_key: str | None
    api_version: str | None
    timeout: float


# What a server may have taught about how it wants to be asked: "max_completion_tokens",
# "no temperature", "developer role", "no system role".
Dialect = set[str]


class Adapter(Protocol):
    """One small adapter for each wire format. It never sleeps, retries, prints or logs."""

    def open(self, connection: Connection) -> Any:
        """The client that all requests of one endpoint share."""
        ...

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        """The request as it goes over the wire, in the server's terms."""
        ...

    async def send(self, client: Any, body: dict[str, Any]) -> Reply:
        """One call. Raises CallError."""
        ...

    async def close(self, client: Any) -> None:
        """Give the client's connections back."""
        ...


_SECRET = re.compile(r"(?i)\b(bearer\s+\S+|(?:sk|key|gsk|xai|pk)-[\w*.-]{4,})")


def without_secrets(text: str, *secrets: str | None) -> str:
    """A provider's message with the keys in it made unreadable, and not longer than a few lines."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[key]")
    text = " ".join(_SECRET.sub("[key]", text).split())
    return text if len(text) <= 500 else text[:500] + " …"
