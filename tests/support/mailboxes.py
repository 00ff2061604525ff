"""A provider of batches in this process, and a mailbox that sends to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from arena_hard.calling.batch import Mailbox, Waiting
from arena_hard.calling.kept_replies import key_of
from arena_hard.calling.providers.base import CallError, Reply, Request
from arena_hard.calling.providers.batch_answers import TooMuch
from arena_hard.calling.providers.batches import Limits, Line, Status
from arena_hard.calling.providers.openai_chat import ADAPTER
from arena_hard.data.usage import Usage


class Provider:
    """A provider in this process: takes batches, counts what it is paid for, and answers as it is told."""

    limits = Limits(3, 1_000_000)

    def __init__(self) -> None:
        self.taken: dict[str, tuple[str, list[Line]]] = {}
        self.outcomes: dict[str, Any] = {}  # by the user's text
        self.lose_the_yes = False
        self.queue = self.largest = 1000  # requests that are taken at once, and that a batch may have
        self.refused: list[int] = []

    async def submit(self, lines: list[Line], marker: str) -> str:
        if len(lines) > self.largest:
            self.refused.append(len(lines))
            raise TooMuch("final", "413: too large")
        batch_id = f"batch_{marker}"
        self.taken[batch_id] = (marker, lines)
        if self.lose_the_yes:
            raise KeyboardInterrupt
        return batch_id

    async def find(self, marker: str, count: int, known: set[str]) -> str | None:
        return next((key for key, (mark, _) in self.taken.items() if mark == marker), None)

    async def status(self, batch_id: str) -> Status:
        return Status(True, "completed")

    async def results(self, batch_id: str, bodies: dict[str, Any]) -> dict[str, Reply | CallError]:
        lines = self.taken[batch_id][1]
        if len(lines) > self.queue:
            self.refused.append(len(lines))
            del self.taken[batch_id]
            raise TooMuch("rate limit", "the queue is full")
        return {key: self._outcome(body) for key, body in lines}

    def _outcome(self, body: dict[str, Any]) -> Any:
        """What is told for the text, or for the text and the room; a reply without that."""
        text, room = body["messages"][-1]["content"], body.get("max_tokens")
        told = self.outcomes.get(f"{text} {room}") or self.outcomes.get(text)
        return told or Reply(f"re: {text}", "stop", Usage(10, 5), "served")

    @property
    def requests(self) -> int:
        return sum(len(lines) for _, lines in self.taken.values())


def request(text: str) -> Request:
    return Request("m", [{"role": "user", "content": text}], 0.0, 100)


def mailbox(folder: Path, provider: Provider, **options: Any) -> Mailbox:
    return Mailbox(folder / "box", provider, ADAPTER, lambda text: None, poll=(0.0, 0.0), **options)


def ask(box: Mailbox, text: str, asked: dict[str, int]) -> Reply | None:
    return box.reply(key_of(request(text), text, asked), request(text), record=text)


def play(box: Mailbox, texts: list[str]) -> dict[str, Any]:
    """Each text as a record of its own; what each came to."""
    found: dict[str, Any] = {}
    for text in texts:
        try:
            found[text] = ask(box, text, {})
        except (Waiting, CallError) as error:
            found[text] = error
    return found


def contents(found: dict[str, Any]) -> dict[str, str]:
    return {text: reply.content for text, reply in found.items()}
