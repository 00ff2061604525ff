"""What a batch interface answers: its errors, its objects, the lines of its results, and whether all of them came.

A batch is paid for. Results that lack what the batch itself says was completed are results that could not be read, not
requests that nobody worked on: a web page in place of a file is no reason to ask for all of it again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from arena_hard.calling.providers.addresses import shown, web_page
from arena_hard.calling.providers.base import CallError, Kind, Reply, Unforeseen, without_secrets
from arena_hard.calling.providers.decoding import decoded, unpacked
from arena_hard.calling.providers.error_bodies import message_of
from arena_hard.calling.providers.fields import Fields
from arena_hard.calling.providers.http import call_error, status_error
from arena_hard.calling.providers.lessons import teach
from arena_hard.data.records import UserError

T = TypeVar("T")
Outcome = Reply | CallError
# Codes of a batch that OpenAI or Azure took nothing of: its queue is full of tokens, or no batch may be so large.
TOO_MUCH: dict[str, Kind] = {"token_limit_exceeded": "rate limit", "too_many_tasks": "final"}
_PAGE_CHARACTERS = 4096  # in which a web page has its title


class TooMuch(CallError):
    """The provider took nothing of a batch: smaller ones may be taken, or with kind 'rate limit' the same later."""


class Failed(CallError):
    """A batch that the provider refused as a whole."""


class Unread(CallError):
    """Results of a batch that could not be read in full. outcomes: those that could."""

    def __init__(self, message: str, outcomes: dict[str, Outcome]) -> None:
        super().__init__("final", message)
        self.outcomes = outcomes


class Counts(NamedTuple):
    """What a batch says of its requests: how many were completed, and how many ended otherwise."""

    completed: int
    failed: int


class Page(NamedTuple):
    """Some of the batches of a key, each with an id."""

    batches: list[dict[str, Any]]
    is_last: bool


@contextlib.contextmanager
def call_errors(sdk: Any, client: Any, submits: bool = False) -> Iterator[None]:
    """What an SDK raises as a CallError. submits: whether a batch is sent, of which the provider may take nothing."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise CallError("transient", not_json(error.doc)) from None
    except (sdk.APIError, ValueError) as error:
        found = call_error(sdk, error, client, {"messages": [{"role": ""}]})
        status = getattr(error, "status_code", None)
        found.wrong_address = found.wrong_address or status == 404
        if found.wrong_address:
            request = getattr(error, "request", None)
            found.message += f" (asked was {shown(str(request.url))})" if request else ""
        kind = "final" if status == 413 else TOO_MUCH.get(str(getattr(error, "code", None)))
        raise TooMuch(kind, found.message) if kind and submits else found from None


def object_in(content: bytes, *keys: str) -> dict[str, Any]:
    """The object that a batch interface answers with. Raises CallError where it is none, or has not all of the keys."""
    found = decoded(content) if content.strip() else None
    if not isinstance(found, dict):
        raise CallError("transient", not_json(content.decode(errors="replace")))
    lacking = next((key for key in keys if not found.get(key)), None)
    if lacking:
        raise CallError("transient", f"the server's answer has no {lacking!r}: {_short(found)}")
    return found


def page_in(content: bytes) -> Page:
    """A part of the list of batches. Raises CallError for what is none: what is not listed there may be there."""
    found = object_in(content)
    batches = found.get("data")
    if not isinstance(batches, list) or not all(isinstance(each, dict) and each.get("id") for each in batches):
        raise CallError("transient", f"the server's answer is no list of batches: {_short(found)}")
    return Page(batches, not found.get("has_more") or not batches)


def counts_in(batch: dict[str, Any], completed: str, *failed: str) -> Counts | None:
    """What a batch says of its requests; None where it counts nothing. completed, failed: what it calls them."""
    told = Fields(batch.get("request_counts"))
    counts = Counts(told.count(completed) or 0, sum(told.count(each) or 0 for each in failed))
    return counts if any(counts) else None


def _short(found: dict[str, Any]) -> str:
    return without_secrets(json.dumps(found)[:200])


def not_json(text: str) -> str:
    """What to say of an answer with status 200 that is no object."""
    return f"the server answered with {what_came(text)}, not JSON"


def what_came(text: str) -> str:
    """What to call what came in place of JSON."""
    if not text.strip():
        return "an empty body"
    return web_page(text[:_PAGE_CHARACTERS]) or repr(without_secrets(text[:100]))


def failure(errors: list[Any]) -> CallError:
    """Why a batch failed as a whole, from the errors that OpenAI and Azure give it."""
    told = [Fields(error) for error in errors]
    reason = "; ".join(str(error.raw("message")) for error in told[:3]) or "no reason given"
    code = next((code for error in told if (code := str(error.raw("code"))) in TOO_MUCH), None)
    if code:
        return TooMuch(TOO_MUCH[code], without_secrets(reason))
    return Failed("final", f"the batch failed: {without_secrets(reason)}")


def rows_of(content: bytes) -> list[dict[str, Any]]:
    """The lines of a file of results; one that cannot be read brought nothing."""
    rows = []
    for line in filter(bytes.strip, unpacked(content).splitlines()):
        with contextlib.suppress(CallError):
            rows.append(decoded(line))
    return [row for row in rows if isinstance(row, dict)]


def read_line(read: Callable[[Any, dict[str, Any]], Outcome], told: Any, body: dict[str, Any]) -> Outcome:
    """What one line says; whatever is wrong with it costs no other line."""
    try:
        return read(told, body)
    except CallError as error:
        return error
    except Exception as error:
        return Unforeseen(error)


def refusal(status: int, answer: Any, body: dict[str, Any]) -> CallError:
    """The error that a line tells of."""
    text = without_secrets(message_of(answer or "no reason given"))
    error = status_error(status, {}, answer, text)
    if body:
        teach(error, status, answer, text, body)
    return error


def check_whole(outcomes: Mapping[str, Outcome], completed: int, counts: Counts | None, contents: list[bytes]) -> None:
    """Whether the results of a batch that has ended hold all that it says. Raises Unread.

    completed: how many of the outcomes are of completed requests; contents: the files that were read. Some servers
    count a failed request as a completed one: then its line is among the errors. Where nobody counts, an ended batch
    has some line.
    """
    said = counts or Counts(1, 0)
    if completed >= said.completed or len(outcomes) >= sum(said):
        return
    came = {what_came(content.decode(errors="replace")) for content in contents if not rows_of(content)}
    there = f"; what came is {' and '.join(sorted(came))}" if came else ""
    lines = f"{completed} of the {said.completed} completed requests" if counts else "none of the requests"
    raise Unread(f"its results have lines for {lines}{there}", dict(outcomes))


async def understood(ask: Callable[[], Awaitable[T]]) -> T:
    """What a batch interface tells. Raises CallError; an answer of another shape passes, and the batch stays there."""
    try:
        return await ask()
    except (CallError, UserError):
        raise
    except Exception as error:
        words = without_secrets(f"{type(error).__name__}: {error}")
        raise CallError("transient", f"the server's answer is not understood ({words})") from None
