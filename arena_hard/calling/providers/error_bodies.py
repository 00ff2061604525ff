"""What an error's body says, in any of the shapes that providers and gateways give it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from arena_hard.calling.providers.addresses import web_page
from arena_hard.calling.providers.fields import whole_number

# Where the error itself stands: OpenAI, Cloudflare, MiniMax, FastAPI, Apigee, Tencent, Spark.
_WRAPPERS = ("error", "errors", "base_resp", "detail", "fault", "Response", "Error", "header")
_WORDS = (
    "message",
    "msg",
    "status_msg",
    "error_msg",
    "error_message",
    "errorMessage",
    "err_msg",
    "errmsg",
    "error_description",
    "detail",
    "faultstring",
    "Message",
    "title",
    "error",
    "errors",
    "reason",
)
_CODES = (
    "status_code",
    "httpCode",
    "httpStatus",
    "code",
    "status",
    "error_code",
    "err_code",
    "errcode",
    "Code",
    "statusCode",
    "http_status",
    "http_code",
)
_NAMES = ("code", "type", "status", "reason", "error", "err_type", "error_code", "Code")
_GOOD = (None, 0, 200)

# The HTTP status that a name stands for, where a body comes with status 200. Names without case and separators.
_STATUS_OF_NAMES = {
    "invalidrequesterror": 400,
    "badrequesterror": 400,
    "badrequest": 400,
    "invalidparameter": 400,
    "datainspectionfailed": 400,
    "authenticationerror": 401,
    "authenticationfailed": 401,
    "unauthenticated": 401,
    "invalidtoken": 401,
    "invalidaccesstoken": 401,
    "invalidauthorization": 401,
    "invalidcredentials": 401,
    "tokenexpired": 401,
    "invalidapikey": 401,
    "unauthorized": 401,
    "permissionerror": 403,
    "permissiondeniederror": 403,
    "permissiondenied": 403,
    "forbidden": 403,
    "accessdenied": 403,
    "notfounderror": 404,
    "modelnotfound": 404,
    "ratelimiterror": 429,
    "ratelimitexceeded": 429,
    "toomanyrequests": 429,
    "resourceexhausted": 429,
    "limitrequests": 429,
    "throttling": 429,
    "throttlingratequota": 429,
    "throttlingexception": 429,
    "requestlimitexceeded": 429,
}
_STATUS_OF_MINIMAX = {1002: 429, 1004: 401, 1008: 402, 1026: 400, 1027: 400, 1039: 429, 1041: 429, 2013: 400, 2049: 401}
_BEGINS_WITH_STATUS = re.compile(r"\W*(?:http|status|error|code|[\s:])*([45]\d\d)\W+", re.IGNORECASE)
_PHRASES = {each.value: each.phrase.lower() for each in HTTPStatus}
_LIMIT_WORDS = ("rate limit", "ratelimit", "too many requests", "requests per minute")


def inner_of(body: Any) -> Mapping[str, Any]:
    """The error object within an error body; the body itself where it has none, empty for what is no object."""
    if isinstance(body, list) and body:
        return inner_of(body[0])
    if not isinstance(body, Mapping):
        return {}
    for key in _WRAPPERS:
        value = body.get(key)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, Mapping) and value:
            return inner_of(value) if not any(isinstance(value.get(name), str) for name in _WORDS) else value
    return body


def message_of(body: Any) -> str:
    """The provider's own words."""
    if isinstance(body, list) and body:
        return message_of(body[0])
    if not isinstance(body, Mapping):
        return web_page(str(body)) or str(body)
    inner = inner_of(body)
    words = words_within(inner)
    if words is None:
        return str(dict(inner))
    place = inner.get("loc")  # FastAPI names the field that it refuses
    if isinstance(place, list) and place:
        words = f"{'.'.join(map(str, place))}: {words}"
    if (most := inner.get("n_ctx")) and str(most) not in words:  # llama.cpp tells the numbers beside the words
        words += f" (n_prompt_tokens {inner.get('n_prompt_tokens')}, n_ctx {most})"
    metadata = inner.get("metadata")  # OpenRouter hands on what its provider said
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return f"{words}: {raw}" if isinstance(raw, str) and raw else words


def words_within(inner: Mapping[str, Any]) -> str | None:
    """The words for people in an error object; None where it has none."""
    return next((words for key in _WORDS if (words := _text(inner.get(key)))), None)


def _text(value: Any) -> str:
    """A text, or those of a list."""
    texts = value if isinstance(value, list) else [value]
    return "; ".join(text for text in texts if isinstance(text, str) and text.strip())


def names_of(inner: Mapping[str, Any]) -> set[str]:
    """The codes, types and reasons of an error object, in small letters."""
    found = [inner.get(key) for key in _NAMES]
    found += [detail.get("reason") for detail in details_of(inner)]
    return {name.lower() for name in found if isinstance(name, str)}


def details_of(inner: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Google's details of an error object."""
    details = inner.get("details")
    return [each for each in details if isinstance(each, Mapping)] if isinstance(details, list) else []


def code_of(inner: Mapping[str, Any]) -> int | None:
    """The error's number: an HTTP status or the provider's own."""
    return next((number for key in _CODES if (number := whole_number(inner.get(key))) is not None), None)


def tells_error(body: Any) -> bool:
    """Whether a body without an answer speaks of an error: it has words for people, and no code that all is well."""
    if isinstance(body, str):
        return bool(body.strip())
    inner = inner_of(body)
    words = words_within(inner)
    return words is not None and (code_of(inner) not in _GOOD or words.lower() not in ("ok", "success"))


def status_told(body: Any, text: str) -> int:
    """The HTTP status that an error should have had which came with status 200; 500 for one that nothing is known of.

    text: what the provider said.
    """
    inner = inner_of(body)
    code = code_of(inner)
    if isinstance(body, Mapping) and isinstance(body.get("base_resp"), Mapping):
        return _STATUS_OF_MINIMAX.get(code or 0, 500)
    if code is not None and 400 <= code < 600:
        return code
    if code is None and (told := _status_in(text)):
        return told
    names = {re.sub("[^a-z0-9]", "", name.lower()) for name in (*names_of(inner), text)}
    told = next((status for name, status in _STATUS_OF_NAMES.items() if name in names), None)
    if told is not None:
        return told
    return 429 if any(words in text.lower() for words in _LIMIT_WORDS) else 500


def _status_in(text: str) -> int | None:
    """The status that a text begins with and names, as '401 Unauthorized' does."""
    begins = _BEGINS_WITH_STATUS.match(text)
    known = begins and _PHRASES.get(int(begins[1]))
    return int(begins[1]) if begins and known and text[begins.end() :].lower().startswith(known) else None
