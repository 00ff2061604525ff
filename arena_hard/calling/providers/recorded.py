"""Completions replayed from a JSONL file, keyed by model and messages.

Each line: {"model": …, "messages": […], "completion": {content, finish_reason, usage, …}}. Several
lines with the same model and messages are replayed in their order, and from the first one again.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.calling.providers.base import CallError, Connection, Dialect, Message, Reply, Request
from arena_hard.calling.providers.token_odds import tokens_from_row, tokens_row
from arena_hard.data import jsonl
from arena_hard.data.records import UserError
from arena_hard.data.usage import usage_from_row, usage_row


class Recordings:
    """The replies of one file, by model and messages."""

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise UserError(f"{file} does not exist: api_base should name the file with the recordings.")
        self.file = file
        self.api_key = None
        self._replies: dict[bytes, list[Reply]] = defaultdict(list)
        self._asked: dict[bytes, int] = defaultdict(int)
        for key, reply in jsonl.read(file, _reply_from_row):
            self._replies[key].append(reply)

    def next_reply(self, key: bytes) -> Reply:
        """The reply whose turn it is. Raises CallError when nothing was recorded for the key."""
        replies = self._replies.get(key)
        if not replies:
            raise CallError("final", f"{self.file} holds no recording of these messages for this model")
        self._asked[key] += 1
        return replies[(self._asked[key] - 1) % len(replies)]


def key_of(model: str, messages: list[Message]) -> bytes:
    """What a recording is found by."""
    return msgspec.json.encode([model, messages], order="deterministic")


def recording_row(model: str, messages: list[Message], reply: Reply) -> dict[str, Any]:
    """A line for a recordings file."""
    completion = {
        "content": reply.content,
        "finish_reason": reply.finish_reason,
        "usage": usage_row(reply.usage),
        "served_model": reply.served_model,
        "thought": reply.thought,
        "tokens": tokens_row(reply.tokens),
        "form": reply.form,
    }
    kept = {key: value for key, value in completion.items() if value is not None}
    return {"model": model, "messages": messages, "completion": kept}


def _reply_from_row(row: dict[str, Any]) -> tuple[bytes, Reply]:
    completion = row["completion"]
    reply = Reply(
        content=completion["content"],
        finish_reason=completion.get("finish_reason", "stop"),
        usage=usage_from_row(completion.get("usage")),
        served_model=completion.get("served_model"),
        thought=completion.get("thought"),
        tokens=tokens_from_row(completion.get("tokens")),
        form=completion.get("form"),
    )
    return key_of(row["model"], row["messages"]), reply


class Recorded:
    """Adapter over a recordings file: the file is its wire, read once when it is opened."""

    def open(self, connection: Connection) -> Recordings:
        """The recordings; a file:// in front of the path is understood."""
        return Recordings(Path(str(connection.base_url).removeprefix("file://")))

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        """What is looked up."""
        return {"model": request.model, "messages": request.messages}

    async def send(self, client: Recordings, body: dict[str, Any]) -> Reply:
        """The recorded reply. Raises CallError when there is none."""
        return client.next_reply(key_of(body["model"], body["messages"]))

    async def close(self, client: Recordings) -> None:
        """Nothing to give back."""


ADAPTER = Recorded()
