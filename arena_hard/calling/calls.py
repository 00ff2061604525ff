"""The one call to a model: the only place in the project that waits, retries and limits."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from arena_hard.calling.asking import NO_ANSWER, Asking
from arena_hard.calling.batch import EMPTY_TRIES, ROUNDS, Mailbox, Waiting
from arena_hard.calling.context import recognised
from arena_hard.calling.gate import Gate, Slot
from arena_hard.calling.kept_replies import key_of
from arena_hard.calling.models import Clock, Model
from arena_hard.calling.providers.base import OUTPUT_LIMITS, CallError, Message, Reply, Request, Unforeseen
from arena_hard.calling.providers.constraints import in_choices
from arena_hard.calling.providers.registry import adapter_of, provider_of
from arena_hard.calling.reading import read_reply
from arena_hard.calling.spending import NoRoom, Outrun, Ticket, TicketFor
from arena_hard.calling.time_limits import timeout
from arena_hard.calling.waiting_line import NoSlot
from arena_hard.data.records import UserError
from arena_hard.data.settings import ModelSettings
from arena_hard.data.usage import Usage

GIVE_UP_AFTER = 10  # records in a row that got nothing but errors from an endpoint
LONGEST_WAIT = 60.0


async def chat_completion(
    model: Model,
    messages: list[Message],
    temperature: float | None,
    max_tokens: int,
    clock: Clock | None = None,
    shared: int = 0,
    choices: Sequence[str] = (),
    logprobs: bool = False,
    fields: Sequence[str] = (),
) -> Reply:
    """One completion. Waits for a slot, retries what may pass, asks in the server's terms.

    A 429 waits as long as the server asks and costs no attempt; a transient error costs one of
    `attempts`, with exponential backoff and jitter; an empty reply, which is paid for, comes at most twice; all
    within `deadline` seconds of the record's clock. With `retry_truncated`, what max_tokens cut is asked for once
    more. The usage, of the reply or of the error, is that of all tries together.
    `shared`: characters of the first user message that other requests begin with too, for prompt caches.
    `choices`: the only replies that the server is to allow, or what it may put into each of the `fields` of an object;
    one that knows no such constraint is asked in words alone.
    `logprobs`: ask for the tokens' probabilities, which few servers have.
    A model with a mailbox is asked by batch: raises Waiting until the reply is there.
    Raises CallError of kind 'final' when no reply could be had, NoRoom when the record's purse has none for a try.
    """
    how = {"choices": tuple(choices), "fields": tuple(fields), "shared": shared, "logprobs": logprobs}
    request = _request(model.settings, messages, temperature, max_tokens, **how)
    request = _one_of(request, max_tokens) if choices else request
    clock = clock or Clock()
    got = await _ask(model, request, clock, clock.label)
    if got.finish_reason == "length" and model.settings.retry_truncated and not choices:
        got = await _with_more_room(model, request, got, clock)
    if isinstance(got, CallError):
        raise recognised(got, request.max_tokens)
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
            return await persistently(model, request, clock)
        key = key_of(request, label, clock.asked)
        if clock.looks:
            return clock.had(model.mailbox or clock.kept, key)
        if model.mailbox is not None:
            posted = await _posted(model, model.mailbox, key, request, clock, rounds)
            if posted:
                model.learn_size(request, posted)
            return posted or model.mailbox.keep(key, await persistently(model, request, clock))
        assert clock.kept is not None
        found = clock.kept.find(key)
        return found or await clock.kept.keep(key, clock.label, await persistently(model, request, clock))
    except CallError as error:
        return error


async def _posted(
    model: Model, mailbox: Mailbox, key: str, request: Request, clock: Clock, rounds: int
) -> Reply | None:
    """A reply by batch, None when it is to be asked live. Raises Waiting, CallError, and NoRoom for another batch."""
    clock.purse.receive(key, mailbox.tries(key))
    try:
        return mailbox.reply(key, request, rounds, clock.record)
    except Waiting:
        if mailbox.tries_form(key, request) and (reply := await _tried_live(model, mailbox, key, request, clock)):
            return reply
        try:
            await clock.purse.post(key, request)
        except NoRoom:
            mailbox.withdraw(key)
            raise
        raise


async def _tried_live(model: Model, mailbox: Mailbox, key: str, request: Request, clock: Clock) -> Reply | None:
    """The reply to a call that tries a form for those that go by batch; None where it is to go with these after all."""
    try:
        reply = await persistently(model, request, clock)
    except (CallError, NoRoom):
        with contextlib.suppress(Waiting):
            mailbox.reply(key, request)
        return None
    mailbox.learn(model.endpoints[0].dialect)
    return mailbox.keep(key, reply)


async def persistently(model: Model, request: Request, clock: Clock) -> Reply:
    """A live call with its retries. Raises CallError of kind 'final'."""
    asking = Asking(model, request, clock, model.endpoints[0])
    empty = 0
    while True:
        try:
            async with asking.turn(), TicketFor(clock.purse, request) as ticket:
                reply = await _call(asking, ticket)
                ticket.settle(reply)
            asking.answered()
            model.learn_size(request, reply)
            usage = reply.usage and paid_for([reply, *asking.errors])
            return reply if usage is reply.usage else replace(reply, usage=usage)
        except Outrun:
            continue
        except CallError as error:
            asking.errors.append(error)
            if asking.learns(error):
                continue
            asking.failures += error.kind == "transient"
            asking.failed = None if error.kind == "rate limit" else asking.endpoint
            asking.refused += [asking.endpoint] if error.refuses_request() else []
            empty += error.finish_reason is not None
            wait = _wait_before_retry(asking, error) if empty < EMPTY_TRIES else None
            if wait is None or wait > asking.seconds_left():
                asking.doubts.withdrawn()
                raise _given_up(asking) from None
            await _sleep(model, wait)


def _request(
    model: ModelSettings, messages: list[Message], temperature: float | None, max_tokens: int, **how: Any
) -> Request:
    return Request(
        model=model.model_name,
        messages=messages,
        temperature=temperature if model.temperature is None else model.temperature,
        max_tokens=max_tokens if model.max_tokens is None else model.max_tokens,
        extra=model.extra_body or {},
        reasoning_effort=model.reasoning_effort,
        thinking=model.thinking,
        stop=model.stop or None,
        **how,
    )


def _one_of(request: Request, max_tokens: int) -> Request:
    """A request for no more than one of some choices: in a form that is forced, servers refuse to think."""
    return replace(request, max_tokens=min(max_tokens, request.max_tokens), thinking=None, stop=None)


def request_body(
    model: ModelSettings, messages: list[Message], temperature: float | None, max_tokens: int, logprobs: bool = False
) -> dict[str, Any]:
    """A call's JSON as it would be sent first, without sending it. Raises UserError where a provider cannot make it."""
    try:
        request = _request(model, messages, temperature, max_tokens, logprobs=logprobs)
        return adapter_of(model).body(request, set())
    except CallError as error:
        raise UserError(f"{model.name}: {error.message.rstrip('. ')}.") from None


async def _call(asking: Asking, ticket: Ticket) -> Reply:
    """One try on one endpoint, within its gate. Raises CallError; Outrun where the limit leaves no room any more."""
    gate, slot = await _slot(asking)
    if not ticket.fits():
        gate.abandoned()
        raise Outrun
    endpoint = asking.endpoint
    asking.clock.start()
    try:
        if asking.request.choices:
            reply = await _tried(asking, ticket)
        else:
            asking.begin()
            reply = await _sent(asking, ticket)
    except CallError as error:
        if error.lesson in asking.spoken:  # the server says it again: it does not help
            error.lesson, error.kind = None, "final"
        await endpoint.explain(error)
        gate.failed(slot, error)
        raise
    except BaseException:
        gate.abandoned()
        raise
    endpoint.failed_in_a_row = 0
    spent = reply.usage.prompt_tokens + reply.usage.completion_tokens if reply.usage else None
    gate.succeeded(slot, spent, reply.quotas)
    return reply


async def _tried(asking: Asking, ticket: Ticket) -> Reply:
    """One request for a reply of some choices, which may have to wait until another has tried the server's form."""
    endpoint = asking.endpoint
    await endpoint.forms.wait(asking.begin, endpoint.dialect, asking.seconds_left)
    with endpoint.forms.trying(asking.begin(), endpoint.dialect):
        return await _sent(asking, ticket)


async def _sent(asking: Asking, ticket: Ticket) -> Reply:
    """One request, begun by now, within its timeout. Whatever goes wrong is a CallError: it ends no other call."""
    model, endpoint, body = asking.model, asking.endpoint, asking.body
    seconds = max(min(_longest(model.settings, body), asking.seconds_left()), 0.0)
    try:
        async with timeout(seconds):
            ticket.sent = True
            came = await model.adapter.send(endpoint.client, body)
        endpoint.check_owner()
        return in_choices(lambda: read_reply(came, model.settings), body, endpoint.dialect)
    except (asyncio.TimeoutError, TimeoutError):  # the second one is the system's, until Python 3.11
        raise CallError("transient", f"{NO_ANSWER} {seconds:.3g} s", unheard=True) from None
    except (CallError, UserError):
        raise
    except Exception as error:
        raise Unforeseen(error) from None


def _longest(settings: ModelSettings, body: dict[str, Any]) -> float:
    """Seconds for one request as a whole; between the events of a stream the client's time-out holds."""
    streams = body.get("stream") is True and not provider_of(settings).is_own
    return settings.deadline if streams else settings.timeout


async def _slot(asking: Asking) -> tuple[Gate, Slot]:
    """A slot at the first gate that has one, and its endpoint in `asking`.

    To wait for the first one is free, as long as a server takes anything. Raises CallError.
    """
    model, request = asking.model, asking.request
    # providers count the prompt and all of max_tokens against their limits
    tokens = sum(len(message["content"]) for message in request.messages) / 4 + request.max_tokens
    left = max(asking.seconds_left(), 0.0)
    try:
        longest = math.inf if asking.clock.started is None else left
        gate, slot = await model.line.enter(asking.place, tokens, left, asking.avoided(), longest)
    except asyncio.TimeoutError:
        asking.out_of_time = True
        raise CallError("final", asking.no_other_try()) from None
    except NoSlot as none:
        asking.endpoint = model.endpoint_behind(none.gate)
        raise none.error from None
    asking.endpoint = model.endpoint_behind(gate)
    return gate, slot


def _wait_before_retry(asking: Asking, error: CallError) -> float | None:
    """Seconds to wait before the next try, or None when there is none."""
    settings = asking.model.settings
    if error.kind == "rate limit":
        return 0.0  # the gate is closed for as long as the server asks
    if error.kind == "final":
        is_of_server = error.finish_reason is None  # what another one may do otherwise
        return 0.0 if is_of_server and not asking.out_of_time and asking.others() else None
    if asking.failures >= settings.attempts:
        return None
    longest = min(LONGEST_WAIT, settings.backoff * 2 ** (asking.failures - 1))
    return max(error.retry_after or 0.0, random.uniform(longest / 2, longest))


def _given_up(asking: Asking) -> CallError:
    """The final error of a record; an endpoint that only ever fails is not asked any more."""
    endpoint, error = asking.endpoint, asking.errors[-1]
    message = asking.told() + (f" (after {asking.failures} tries)" if asking.failures > 1 else "")
    if error.kind == "transient" or isinstance(error, Unforeseen):
        endpoint.failed_in_a_row += 1
        if endpoint.failed_in_a_row >= GIVE_UP_AFTER:
            rest = f"{message}; nothing else succeeded, so the rest was not sent"
            endpoint.gate.shut(CallError("final", rest, endpoint_wide=True))
    how = {"endpoint_wide": error.endpoint_wide, "finish_reason": error.finish_reason}
    ended = CallError("final", f"{endpoint.host}: {message}", **how, usage=paid_for(asking.errors))
    ended.about_request = error.refuses_request() and not asking.out_of_time
    return ended


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
    """How many records of a model are worked on at once: twice what its gates grant, for some wait for the disk."""
    return 2 * sum(endpoint.gate.width.ceiling for endpoint in model.endpoints)


def paid_for(tries: Sequence[Reply | CallError]) -> Usage | None:
    """The tokens of those tries that counted them, or None when none did."""
    counts = [each.usage for each in tries if each.usage]
    return sum(counts[1:], counts[0].whole()) if counts else None


def total_usage(replies: Sequence[Reply | CallError]) -> Usage | None:
    """The tokens of several calls, or None where a server did not count them."""
    counts = [reply.usage for reply in replies]
    if any(count is None for count in counts):
        return None
    return paid_for(replies) or Usage()


def finish_reason_of(replies: list[Reply]) -> str:
    """The finish reason of a record: that of a reply that was cut, if one was, else that of the last."""
    reasons = [reply.finish_reason for reply in replies]
    return next((cut for cut in ("length", "content_filter") if cut in reasons), reasons[-1])
