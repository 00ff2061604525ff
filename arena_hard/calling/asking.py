"""A live call on its way through its tries."""

from __future__ import annotations

import contextlib
from collections.abc import Set
from typing import Any

import msgspec

from arena_hard.calling.doubts import LOGPROBS_HOLD, Doubts
from arena_hard.calling.form_probes import untried_form
from arena_hard.calling.gate import Gate
from arena_hard.calling.models import Clock, Endpoint, Model
from arena_hard.calling.providers.base import CallError, Request
from arena_hard.calling.waiting_line import next_place

NO_ANSWER = "no answer within"


class Asking(msgspec.Struct):
    """A live call on its way through its tries.

    place: where it stands in the model's line; endpoint: where it was sent last, or why it was not; failed: where it
    should not be sent next; refused: where it was refused for what it asks; errors: what came of the tries;
    out_of_time: whether the deadline came before a slot; body: of the last try, in the dialect that was `spoken` then.
    """

    model: Model
    request: Request
    clock: Clock
    endpoint: Endpoint
    failed: Endpoint | None = None
    refused: list[Endpoint] = []
    place: float = msgspec.field(default_factory=next_place)
    failures: int = 0
    errors: list[CallError] = []
    out_of_time: bool = False
    body: dict[str, Any] = {}
    spoken: Set[str] = frozenset()
    doubts: Doubts = msgspec.field(default_factory=Doubts)

    def seconds_left(self) -> float:
        """Until the record's deadline."""
        return self.model.settings.deadline - self.clock.age()

    def avoided(self) -> list[Gate]:
        """The gates of the endpoints that it should not be sent to next."""
        return [each.gate for each in (*self.refused, *([self.failed] if self.failed else []))]

    def others(self) -> list[Endpoint]:
        """Endpoints that may still answer what the last one will not."""
        left = self.seconds_left()
        asked = (self.endpoint, *self.refused)
        return [each for each in self.model.endpoints if each not in asked and each.gate.opens_within(left)]

    def begin(self) -> dict[str, Any]:
        """The body of the next try, in what the endpoint is known to take."""
        self.spoken = frozenset(self.endpoint.dialect)
        self.body = self.model.adapter.body(self.request, self.endpoint.dialect)
        return self.body

    def turn(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Where a form is to be tried first, one at a time."""
        if not self.request.choices:
            return contextlib.nullcontext()
        return self.model.turns.turn(self.forms_untried, self.seconds_left)

    def forms_untried(self) -> list[bool]:
        """Of each endpoint, whether it would be asked in a form of constraint that is not known there."""
        dialects = [endpoint.dialect for endpoint in self.model.endpoints]
        return [untried_form(self.model.adapter.body(self.request, each), each) is not None for each in dialects]

    def answered(self) -> None:
        """A reply came to the last body."""
        if self.body.get("logprobs"):
            self.endpoint.dialect.add(LOGPROBS_HOLD)
        self.doubts.helped()

    def learns(self, error: CallError) -> bool:
        """Whether to ask otherwise at once: the server has said so, or what it may not take has had its tries."""
        if self.out_of_time:
            return False
        dialect, before = self.endpoint.dialect, self.doubts.last
        if error.lesson:
            self.doubts.learnt(dialect, error.lesson)
        attempts = self.model.settings.attempts
        found = error.lesson or self.doubts.lesson(error, self.body, self.spoken, dialect, attempts)
        if found or self.doubts.last != before:
            self.failures = 0
        dialect |= {found} if found else set()
        return found is not None

    def told(self) -> str:
        """What the last try came to; where no answer came in time, also what the server said last."""
        last = self.errors[-1].message
        said = [error.message for error in self.errors if not error.message.startswith(NO_ANSWER)]
        return f"{last}; before it: {said[-1].rstrip('. ')}" if said and last.startswith(NO_ANSWER) else last

    def no_other_try(self) -> str:
        """Why a record ends that waits."""
        ends = f"no further attempt within the deadline of {self.model.settings.deadline:g} s"
        said = self.told() if self.errors else self.endpoint.gate.said
        return f"{said.rstrip('. ')}; {ends}" if said else ends
