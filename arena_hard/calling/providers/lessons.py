"""How a server wants to be asked instead, read from its refusal of a parameter.

A refusal of the request's size names the same parameters ("reduce max_completion_tokens") and teaches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from arena_hard.calling.providers.base import CallError
from arena_hard.calling.providers.constraints import NAMED, asked_for
from arena_hard.calling.providers.error_bodies import inner_of
from arena_hard.calling.providers.token_odds import FEW

_STATUSES = (400, 422, 500, 501)  # some chat templates fail with 500
_OF_THE_MODEL = (403, 404)  # "You are not allowed to request logprobs from this model"
_OF_OTHERS = (401, 402, 403, 408, 409, 413, 425, 429)  # of the key, the account, the moment, the size
_SENTENCE_ENDS = re.compile(r"(?<=[.!?;])\s+|\n+")
_REFUSED = re.compile(
    r"\bunsupported\b|(?:\bnot|n't) (?:be |yet |currently )?(?:support|permitted|allowed|enabled|accept)|\bdeprecated\b"
    r"|\bunrecognized\b|\bunknown (?:parameter|argument|field)|\bextraneous\b|\bno longer (?:support|accept)"
    r"|\bdoes not stream\b"
)
_OF_SIZE = re.compile(
    r"\btoo (?:large|long|many|big|high)\b|\bcontext\b|\bexceed|\bmaximum\b|\bat most\b|\bsupported range\b"
    r"|\b(?:great|larg|low|small)er than\b|\bless than\b|\bmust be (?:<|≤|between)|\btokens? limit|\blimit of \d"
    r"|\breduce\b"
)
_LIMIT = re.compile(r"\bmax_tokens\b")
_OTHER_LIMIT = re.compile(r"\buse\b[^.]{0,30}\bmax_completion_tokens\b")
TEMPERATURE = re.compile(r"\btemperature\b")
_ROLES = {
    role: re.compile(
        rf"\b{role}\W{{0,3}}(?:role|message|prompt|instruction)s?\b|\broles?\b[^.]{{0,40}}\b{role}\b"
        rf"|\bmessages?\[0\]\.role\b[^.]*\b{role}\b"
    )
    for role in ("system", "developer")
}
SYSTEM = _ROLES["system"]
# templates that know two roles only; what is sent here alternates, a first prompt apart
_TWO_ROLES = re.compile(
    r"(?<!system message, )\bconversation roles must alternate"
    r"|\bonly user(?:,| and) (?:assistant|model)(?: and \w+)? roles"
)
_STREAMS = re.compile(
    r"\bstreaming is (?:strongly )?(?:recommended|required)|\bonly supports? stream|\bmust be streamed\b"
    r"|\bstream\W{0,3}(?:parameter )?must be (?:set to )?true|\bfor non-?stream\w* (?:calls|requests)"
    r"|\bnon-?stream\w*\b[^.]{0,40}\bnot (?:supported|allowed)|\bnot support (?:non-?stream)"
)
_LOGPROBS = re.compile(r"log_?prob")
_FILTERED = re.compile(r"content.{0,12}(?:filter|polic)|moderation|flagged|safety|usage policies")
_STREAM = re.compile(r"\bstream(?:ing|s|ed)?\b")


def teach(error: CallError, status: int, error_body: Any, text: str, body: dict[str, Any]) -> None:
    """Note in an error what `lesson` finds; then it says nothing of the endpoint or its address."""
    error.lesson = lesson(status, error_body, text, body)
    if error.lesson:
        error.endpoint_wide = error.wrong_address = False


def lesson(status: int, error_body: Any, text: str, body: dict[str, Any]) -> str | None:
    """How the server wants to be asked instead; None where it refuses something else than how it was asked.

    text: what the server said; body: what it was asked.
    """
    param = str(inner_of(error_body).get("param") or "").lower()
    lowered = text.lower()
    if "messages" not in body:  # texts to make vectors of
        named = "encoding_format" in f"{param} {lowered}" and "encoding_format" in body
        return "no encoding_format" if named and status in _STATUSES else None
    if status not in _STATUSES:
        return _lesson_of_extras(status, f"{param} {lowered}", body)
    if _STREAMS.search(lowered):
        return "stream" if "stream" not in body else None
    if body.get("stream") and refuses(lowered, _STREAM):
        return "no stream"
    if _limit_is_refused(param, lowered, body):
        return "max_completion_tokens"
    if "temperature" in body and param in ("", "temperature") and refuses(lowered, TEMPERATURE):
        return "no temperature"
    role = body["messages"][0]["role"]
    if role in _ROLES and _role_is_refused(role, param, lowered):
        return "developer role" if role == "system" and not _TWO_ROLES.search(lowered) else "no system role"
    return _lesson_of_extras(status, f"{param} {lowered}", body)


def _lesson_of_extras(status: int, lowered: str, body: Mapping[str, Any]) -> str | None:
    """That a server gives no probabilities, or takes no constraint: without them it may answer."""
    if status not in (*_STATUSES, *_OF_THE_MODEL) and not _is_of_the_request(status):
        return None
    if body.get("logprobs") and _LOGPROBS.search(lowered):
        is_size = _OF_SIZE.search(lowered) and body.get("top_logprobs", 0) > FEW
        return "few logprobs" if is_size else "no logprobs"
    return constraint_lesson(status, lowered, body)


def constraint_lesson(status: int, lowered: str, body: Mapping[str, Any]) -> str | None:
    """That a server takes no constraint of this form: it names it, or refuses the request without a better reason."""
    asked = asked_for(body)
    if asked is None:
        return None
    form = asked[0]
    other = not _is_of_the_request(status) or is_of_size_or_content(lowered)
    return None if other and not NAMED[form].search(lowered) else f"no {form}"


def _is_of_the_request(status: int) -> bool:
    """Whether a status may refuse a form: a 404 does, where no server behind a gateway takes it."""
    return 400 <= status < 500 and status not in _OF_OTHERS


def is_of_size_or_content(text: str) -> bool:
    """Whether a refusal speaks of how long a request is, or of what it says, which nothing else could help."""
    lowered = text.lower()
    return _OF_SIZE.search(lowered) is not None or _FILTERED.search(lowered) is not None


def _limit_is_refused(param: str, lowered: str, body: Mapping[str, Any]) -> bool:
    if "max_tokens" not in body or "max_completion_tokens" in body:  # both, from extra_body: nothing is left to learn
        return False
    if param not in ("", "max_tokens") or _OF_SIZE.search(lowered):
        return False
    return refuses(lowered, _LIMIT) or _OTHER_LIMIT.search(lowered) is not None


def _role_is_refused(role: str, param: str, lowered: str) -> bool:
    if _TWO_ROLES.search(lowered):
        return True
    if param and "role" not in param and "messages" not in param:
        return False
    return refuses(lowered, _ROLES[role])


def refuses(lowered: str, named: re.Pattern[str]) -> bool:
    """Whether a sentence refuses what it names, whatever its size."""
    return any(named.search(each) and not _OF_SIZE.search(each) for each in _refusals(lowered))


def _refusals(lowered: str) -> Iterator[str]:
    return (each for each in _SENTENCE_ENDS.split(lowered) if _REFUSED.search(each))
