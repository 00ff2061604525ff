"""The one call to a model: the only place in the project that waits, retries and limits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from arena_hard.calling.batch import EMPTY_TRIES, ROUNDS, Mailbox, Waiting
from arena_hard.calling.gate import Slot
from arena_hard.calling.kept_replies import key_of
from arena_hard.calling.models import Clock, Endpoint, Model
from arena_hard.calling.providers import adapter_of
from arena_hard.calling.providers.base import (
    OUTPUT_LIMITS,
    CallError,
    Message,
    Reply,
    Request,
)
from arena_hard.calling.reading import read_reply
from arena_hard.calling.spending import NoRoom, Ticket, ticket_for
from arena_hard.data.records import Usage, UserError
from arena_hard.data.settings import ModelSettings

GIVE_UP_AFTER = 10  # records in a row that got nothing but errors from an endpoint
LONGEST_WAIT = 60.0


async def chat_completion(
    model: Model,
    messages: list[Message],
    temperature: float | None,
    max_tokens: int,
    clock: Clock | None = None,
    shared: int = 0,
) -> Reply:
    """One completion. Waits for a slot, retries what may pass, asks in the server's terms.

    A 429 waits as long as the server asks and costs no attempt; a transient error costs one of
    `attempts`, with exponential backoff and jitter; an empty reply, which is paid for, comes at most twice; all
    within `deadline` seconds of the record's clock. With `retry_truncated`, what max_tokens cut is asked for once
    more. The usage, of the reply or of the error, is that of all tries together.
    `shared`: characters of the first user message that other requests begin with too, for prompt caches.
    A model with a mailbox is asked by batch: raises Waiting until the reply is there.
    Raises CallError of kind 'final' when no reply could be had, NoRoom when the record's purse has none for a try.
    """
    request = replace(_request(model.settings, messages, temperature, max_tokens), shared=shared)
    clock = clock or Clock()
    got = await _ask(model, request, clock, clock.label)
    if got.finish_reason == "length" and model.settings.retry_truncated:
        got = await _with_more_room(model, request, got, clock)
    if isinstance(got, CallError):
        raise got
    if model.record and got.key not in model.recorded:
        model.recorded |= {got.key} if got.key else set()
        await model.record(messages, got)
    return got


async def _ask(model: Model, request: Request, clock: Clock, label: str, rounds: int = ROUNDS) -> Reply | CallError:
    """By batch where the model has a mailbox, live where it has none or the mailbox says so.

    What an earlier run was given for the same call of an unfinished record is not asked for again.
    """
    try:
        if model.mailbox is None and clock.kept is None:
            return await _persistently(model, request, clock)
        key = key_of(request, label, clock.asked)
        if model.mailbox is not None:
            posted = await _posted(model.mailbox, key, request, clock, rounds)
            return posted or model.mailbox.keep(key, await _persistently(model, request, clock))
        assert clock.kept is not None
        found = clock.kept.find(key)
        return found or await clock.kept.keep(key, clock.label, await _persistently(model, request, clock))
    except CallError as error:
        return error


async def _posted(mailbox: Mailbox, key: str, request: Request, clock: Clock, rounds: int) -> Reply | None:
    """A reply by batch, None when it is to be asked live. Raises Waiting, CallError, and NoRoom for another batch."""
    clock.purse.receive(key, mailbox.tries(key))
    try:
        return mailbox.reply(key, request, rounds)
    except Waiting:
        try:
            await clock.purse.post(key, request)
        except NoRoom:
            mailbox.withdraw(key)
            raise
        raise


async def _persistently(model: Model, request: Request, clock: Clock) -> Reply:
    """A live call with its retries. Raises CallError of kind 'final'."""
    failures = empty = 0
    wasted: list[CallError] = []
    failed: Endpoint | None = None
    while True:
        endpoint = model.best_endpoint(failed)
        try:
            async with ticket_for(clock.purse, request) as ticket:
                reply = await _call(model, endpoint, request, clock, ticket)
                ticket.settle(reply)
            return replace(reply, usage=reply.usage and paid_for([reply, *wasted]))
        except CallError as error:
            wasted.append(error)
            if error.lesson:
                endpoint.dialect.add(error.lesson)
                continue
            failures += error.kind == "transient"
            empty += error.finish_reason is not None
            failed = endpoint
            left = model.settings.deadline - clock.age()
            wait = _wait_before_retry(model, endpoint, error, failures, left) if empty < EMPTY_TRIES else None
            if wait is None or wait > left:
                raise _given_up(model, endpoint, wasted, failures) from None
            await _sleep(model, wait)


def _request(model: ModelSettings, messages: list[Message], temperature: float | None, max_tokens: int) -> Request:
    return Request(
        model=model.model_name,
        messages=messages,
        temperature=temperature if model.temperature is None else model.temperature,
        max_tokens=max_tokens if model.max_tokens is None else model.max_tokens,
        extra=model.extra_body or {},
        reasoning_effort=model.reasoning_effort,
        thinking=model.thinking,
        stop=model.stop or None,
    )


def request_body(
    model: ModelSettings, messages: list[Message], temperature: float | None, max_tokens: int
) -> dict[str, Any]:
    """A call's JSON as it would be sent first, without sending it. Raises UserError where a provider cannot make it."""
    try:
        return adapter_of(model).body(_request(model, messages, temperature, max_tokens), set())
    except CallError as error:
        raise UserError(f"{model.name}: {error.message}.") from None


async def _call(model: Model, endpoint: Endpoint, request: Request, clock: Clock, ticket: Ticket) -> Reply:
    """One try on one endpoint, within its gate and its timeout. Raises CallError."""
    import anyio

    # providers count the prompt and all of max_tokens against their limits
    estimate = sum(len(message["content"]) for message in request.messages) / 4 + request.max_tokens
    slot = await _slot(model, endpoint, estimate, clock)
    clock.start()
    spoken = frozenset(endpoint.dialect)
    timeout = max(min(model.settings.timeout, model.settings.deadline - clock.age()), 0.0)
    try:
        with anyio.fail_after(timeout):
            ticket.sent = True
            came = await model.adapter.send(endpoint.client, model.adapter.body(request, endpoint.dialect))
        reply = read_reply(came, model.settings)
    except TimeoutError:
        error = CallError("transient", f"no answer within {timeout:.3g} s")
        endpoint.gate.failed(error)
        raise error from None
    except CallError as error:
        if error.lesson in spoken:  # the server says it again: it does not help
            error.lesson, error.kind = None, "final"
        await endpoint.explain(error)
        endpoint.gate.failed(error)
        raise
    except BaseException:
        endpoint.gate.abandoned()
        raise
    endpoint.failed_in_a_row = 0
    spent = reply.usage.prompt_tokens + reply.usage.completion_tokens if reply.usage else None
    endpoint.gate.succeeded(slot, spent, reply.quotas)
    return reply


async def _slot(model: Model, endpoint: Endpoint, tokens: float, clock: Clock) -> Slot:
    """A slot at the gate. To wait for the first one is free, unless the server is closed for longer than the deadline.

    Raises CallError.
    """
    import anyio

    left = max(model.settings.deadline - clock.age(), 0.0)
    if clock.started is None:
        return await endpoint.gate.enter(tokens, patience=left)
    try:
        with anyio.fail_after(left):
            return await endpoint.gate.enter(tokens, patience=left)
    except TimeoutError:
        message = f"no other try within the deadline of {model.settings.deadline:g} s"
        raise CallError("final", message) from None


def _wait_before_retry(model: Model, endpoint: Endpoint, error: CallError, failures: int, left: float) -> float | None:
    """Seconds to wait before the next try, or None when there is none. `left`: seconds up to the deadline."""
    if error.kind == "rate limit":
        return 0.0  # the gate is closed for as long as the server asks
    if error.kind == "final":
        others = [other for other in model.endpoints if other is not endpoint and other.gate.opens_within(left)]
        return 0.0 if error.endpoint_wide and others else None
    if failures >= model.settings.attempts:
        return None
    longest = min(LONGEST_WAIT, model.settings.backoff * 2 ** (failures - 1))
    return max(error.retry_after or 0.0, random.uniform(longest / 2, longest))


def _given_up(model: Model, endpoint: Endpoint, errors: list[CallError], failures: int) -> CallError:
    """The final error of a record; an endpoint that only ever fails is not asked any more."""
    error = errors[-1]
    message = error.message + (f" (after {failures} tries)" if failures > 1 else "")
    if error.kind == "transient":
        endpoint.failed_in_a_row += 1
        if endpoint.failed_in_a_row >= GIVE_UP_AFTER:
            rest = f"{message}; nothing else came, so the rest was not sent"
            endpoint.gate.shut(CallError("final", rest, endpoint_wide=True))
    return CallError(
        "final",
        f"{endpoint.host}: {message}",
        endpoint_wide=error.endpoint_wide,
        finish_reason=error.finish_reason,
        usage=paid_for(errors),
    )


async def _sleep(model: Model, seconds: float) -> None:
    if seconds <= 0:
        return
    model.backing_off += 1
    try:
        await asyncio.sleep(seconds)
    finally:
        model.backing_off -= 1


async def _with_more_room(model: Model, request: Request, cut: Reply | CallError, clock: Clock) -> Reply | CallError:
    """Ask once more, with twice the room; what was cut stays when that fails. Both are paid for."""
    limits = {name: 2 * request.extra[name] for name in OUTPUT_LIMITS if isinstance(request.extra.get(name), int)}
    wider = replace(request, max_tokens=2 * request.max_tokens, extra=request.extra | limits)
    # under the cut reply's own name: of two choices, both may have been cut
    whole = await _ask(model, wider, clock, cut.key or clock.label, rounds=1)
    if isinstance(whole, Reply):
        return replace(whole, usage=total_usage([cut, whole]))
    if isinstance(cut, Reply):
        return replace(cut, usage=cut.usage and paid_for([cut, whole]))
    cut.usage = paid_for([cut, whole])
    return cut


def width(model: Model) -> int:
    """How many records of a model are worked on at once: twice what its gates could ever grant.

    While some records wait for the disk, others fill the slots.
    """
    return 2 * sum(endpoint.gate.ceiling for endpoint in model.endpoints)


def paid_for(tries: Sequence[Reply | CallError]) -> Usage | None:
    """The tokens of those tries that counted them, or None when none did."""
    counts = [each.usage for each in tries if each.usage]
    return sum(counts, Usage()) if counts else None


def total_usage(replies: Sequence[Reply | CallError]) -> Usage | None:
    """The tokens of several calls, or None where a server did not count them."""
    counts = [reply.usage for reply in replies]
    if any(count is None for count in counts):
        return None
    return sum((count for count in counts if count), Usage())


def finish_reason_of(replies: list[Reply]) -> str:
    """The finish reason of a record: that of a reply that was cut, if one was, else that of the last."""
    reasons = [reply.finish_reason for reply in replies]
    return next((cut for cut in ("length", "content_filter") if cut in reasons), reasons[-1])
