"""What both wire formats have in common: a request once read, and the ways in which it is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Ask:
    """One request for a completion. `boundaries` are the prefixes (ends in bytes of `prompt`, whether to
    store) which a provider's prompt cache could know."""

    model: str
    body: Mapping[str, Any]
    messages: list[tuple[str, str]]  # (role, text), the system prompt included
    room: int | None  # tokens that the answer may have
    prompt: bytes = b""
    boundaries: list[tuple[int, bool]] = field(default_factory=list)
    digest: bytes = b""

    def __post_init__(self) -> None:
        if not self.prompt:
            self.prompt = b"".join(piece(role, text) for role, text in self.messages)
        self.digest = hashlib.blake2b(self.prompt, digest_size=8, person=b"ask").digest()

    @property
    def prompt_tokens(self) -> int:
        return tokens(len(self.prompt))

    @property
    def last_user_text(self) -> str:
        return next((text for role, text in reversed(self.messages) if role == "user"), "")


@dataclass
class Reply:
    """What the model says. `finish` in OpenAI's words: stop, length, content_filter."""

    content: str | None
    thought: str | None = None
    finish: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    thought_tokens: int = 0
    cached_tokens: int = 0  # read from the prompt cache
    stored_tokens: int = 0  # written to it
    caching: bool = False
    logprobs: Any = None
    tool_input: Any = None


class Refused(Exception):
    """An error in place of an answer; `kind` is a row of the wire formats' tables, `facts` fill its words."""

    def __init__(
        self, kind: str, *, param: str | None = None, retry_after: float | None = None,
        form: str | None = None, status: int | None = None, message: str | None = None, **facts: Any,
    ) -> None:  # fmt: skip
        super().__init__(kind)
        self.kind = kind
        self.param = param
        self.retry_after = retry_after
        self.form = form
        self.status = status
        self.message = message
        self.facts = facts


def tokens(size: int) -> int:
    """The server's idea of tokens: four bytes each."""
    return -(-size // 4)


def piece(role: str, text: str) -> bytes:
    """One message's share of the prompt. Lone surrogates, which JSON can carry, must not end the server."""
    return f"{role}\n{text}\n".encode("utf-8", "surrogatepass")


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts with text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "".join(str(part.get("text", "")) for part in content)
    raise Refused("400", message="Invalid type for 'messages.content': expected a string or a list of parts.")


def checked_messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The body's messages. Raises Refused when the model or the messages are missing."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refused("400", message="you must provide a model parameter", param="model")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise Refused("400", message="Missing required parameter: 'messages'.", param="messages")
    return messages
