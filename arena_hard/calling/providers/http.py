"""What the adapters over HTTP share: the SDKs' errors told apart, Retry-After read."""

from __future__ import annotations

import email.utils
import importlib
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from arena_hard.calling.providers import direct
from arena_hard.calling.providers.addresses import shown, understood
from arena_hard.calling.providers.base import CallError, Reply, is_of, without_secrets
from arena_hard.calling.providers.context_length import too_long
from arena_hard.calling.providers.decoding import decoded, readable
from arena_hard.calling.providers.error_bodies import (
    code_of,
    details_of,
    inner_of,
    message_of,
    names_of,
    status_told,
    tells_error,
)
from arena_hard.calling.providers.failures_beside import failure_in, perhaps_failed, surely_failed
from arena_hard.calling.providers.fields import alone
from arena_hard.calling.providers.finish_reasons import is_known
from arena_hard.calling.providers.lessons import teach
from arena_hard.calling.providers.quotas import Quota, quota_from
from arena_hard.calling.providers.usage import usage_told

# Codes, types and reasons by which providers say that nothing will be taken any more ...
_NO_QUOTA = {
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "insufficient_balance",
    "insufficient_credits",
    "insufficient_funds",
    "insufficient_user_quota",
    "pre_consume_token_quota_failed",
    "arrearage",
}
_A_MINUTES_WORDS = ("per minute", "per second", "per hour", "rpm", "tpm", "rate limit")  # what passes by itself
_WRONG_KEY = {"invalid_api_key", "api_key_invalid", "authentication_error"}
# ... and the words of those that give them no code.
_NO_QUOTA_WORDS = (
    "credit balance is too low",
    "insufficient balance",
    "insufficient credits",
    "insufficient funds",
    "insufficient account balance",
    "out of credits",
    "out of funds",
    "in arrears",
    "exceeded your current quota",
    "reached its hard limit",
    "payment required",
    "余额不足",
    "餘額不足",
    "额度不足",
    "額度不足",
    "欠费",
    "欠費",
    "请充值",
    "残高不足",
    "잔액 부족",
    "잔액이 부족",
    "недостаточно средств",
)
# the same with other words in between
_NO_QUOTA_SENTENCE = re.compile(
    r"(?:balance|credits?|funds)\b[^.;]{0,40}\b(?:insufficient|not enough|too low|exhausted|depleted|used up|negative)"
    r"|\b(?:not enough|insufficient|used up (?:all )?your|run out of|ran out of|exhausted your)"
    r" (?:\w+ ){0,3}(?:credits?|balance|funds)\b"
    r"|\bno (?:\w+ ){0,2}(?:credits|funds)\b|\bno (?:\w+ )?(?:credit|balance|quota) (?:left|remain|available)"
    r"|quota\b.{0,80}\b(?:billing|recharge|top.?up|upgrade your plan)|\bbilling\b.{0,80}\bquota"
    r"|(?:余额|额度|资源包).{0,8}(?:耗尽|用尽|用完|不够|为0|为负)"
)
_WRONG_KEY_WORDS = (
    "incorrect api key",
    "invalid api key",
    "api key not valid",
    "api key is invalid",
)
# said of a request by itself, but a prompt that is repeated in a refusal may hold them too
_WRONG_KEY_SENTENCES = (
    "missing api key",
    "api key is missing",
    "no api key",
    "not authenticated",
    "unauthenticated",
    "authentication failed",
    "authentication required",
    "no auth credentials",
    "invalid authentication",
    "authentication error",
    "access token invalid",
    "access token expired",
    "access token is invalid",
    "access token has expired",
    "invalid access token",
    "token is invalid",
    "token has expired",
    "无效的令牌",
    "鉴权失败",
    "身份验证失败",
    "认证失败",
)
_ENDPOINT_WIDE = (401, 402, 403, 404, 405)
_TRANSIENT = (408, 409, 425)
_BUSY = (503, 529)  # takes no more for now
_NOT_TAKEN = (425, *_BUSY)  # too early, too busy: the work was not begun
_ABOUT_THE_MODEL = ("model", "deployment")  # a 404 that says so came from the right address
_NO_SUCH_PATH_WORDS = ("unexpected endpoint", "invalid url (")
_HTTPS_ONLY_WORDS = (
    "request was sent to https port",
    "http request to an https server",
    "plain http to an ssl-enabled",
)
_WAIT = re.compile(r"(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?\s*[a-z]+\s*)+)", re.IGNORECASE)
_PART_OF_WAIT = re.compile(
    r"(\d+(?:\.\d+)?)\s*(ms|milli|[smhd])(?:ec|econd|second|in|inute|our|ay)?s?(?![a-z])", re.IGNORECASE
)
_UNITS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_ASKED_OF_LIMIT = re.compile(r"limit:? ([\d,]+)\b.*?\brequested:? ([\d,]+)", re.IGNORECASE)

Reader = Callable[[Any, dict[str, Any]], Reply]  # of a reply's JSON and the body that it answers


async def post(sdk: str, client: Any, path: str, body: dict[str, Any], read: Reader, **how: Any) -> Reply:
    """POST through the client of the SDK of this name; what came is decoded here, once, and read. Raises CallError."""
    try:
        response = await direct.post(client, path, body, **how)
    except direct.Refused as refused:
        raise _refusal(refused.response, body) from refused
    except Exception as error:
        if not isinstance(error, ValueError) and not is_of(error, sdk, "APIError"):
            raise
        raise call_error(importlib.import_module(sdk), error, client, body) from error
    try:
        found = read(decoded(response.content, response.charset_encoding), body)
    except CallError as error:
        error.is_page = error.wrong_address
        raise
    quotas = quotas_of(response.headers)
    return replace(found, quotas=quotas) if quotas else found


def call_error(sdk: Any, error: Any, client: Any, body: dict[str, Any]) -> CallError:
    """The CallError for what an SDK raised; openai and anthropic name their errors alike."""
    import httpx2

    from arena_hard.calling.providers.tls import Unusable

    if isinstance(error, sdk.APIStatusError):
        return _refusal(error.response, body)
    if isinstance(error, sdk.APITimeoutError):
        unreached = isinstance(error.__cause__, httpx2.ConnectTimeout)
        return CallError("transient", f"no answer within {client.timeout:g} s", not_taken=unreached, unheard=True)
    if isinstance(error.__cause__, Unusable):
        return CallError("final", without_secrets(str(error.__cause__)), endpoint_wide=True)
    reason = without_secrets(str(error.__cause__ or error) or type(error.__cause__).__name__)
    if isinstance(error, sdk.APIConnectionError):
        unreached = isinstance(error.__cause__, (httpx2.ConnectError, httpx2.ProxyError))
        return CallError("transient", f"connection failed: {reason}", not_taken=unreached, unheard=True)
    # a key or URL that cannot be put on the wire
    return CallError("final", f"the request cannot be sent: {reason}", endpoint_wide=True)


def _refusal(response: Any, body: dict[str, Any]) -> CallError:
    """The CallError for a response that is an error, to a request with this body."""
    told, status = _told(response), response.status_code
    text = without_secrets(message_of(told or f"Error code: {status}") + _moved(response))
    found = status_error(status, response.headers, told, text)
    found.usage = usage_told(told)
    teach(found, status, told, text, body)
    return found


def _told(response: Any) -> Any:
    """The body of a refusal; the SDKs read it in the declared charset, which is often not that of the text."""
    try:
        return readable(response.content, response.charset_encoding)
    except CallError:  # a web page, or half of the JSON
        return response.text.strip()


def http_error(status: int, headers: Mapping[str, str], body: Any) -> CallError:
    """The error for a refusal by HTTP; `body` is its JSON or its text, from which the provider's words are read."""
    return status_error(status, headers, body, without_secrets(message_of(body)))


def status_error(status: int, headers: Mapping[str, str], body: Any, text: str) -> CallError:
    """The error for an HTTP status; `text` is what the provider said, without secrets."""
    message = f"{status}: {text}"
    inner = inner_of(body)
    lowered, names = text.lower(), names_of(inner)
    wait = retry_after(headers)
    wait = _told_wait(inner, text) if wait is None else wait
    no_such_path = _path_is_unknown(status, lowered)
    if status in (400, 402, 403, 429) and _quota_is_gone(names, lowered, wait, freely=status != 400):
        return CallError("final", message, endpoint_wide=True)
    if status == 429 and _larger_than_its_limit(lowered):
        return CallError("final", message)  # waiting brings it no room, and its repetition would stop the others
    if status == 429:
        return CallError("rate limit", message, wait)
    if status >= 500 and too_long(text):
        return CallError("final", message)  # as llama.cpp said it for a while
    if status >= 500 or status in _TRANSIENT:
        not_taken, busy = status in _NOT_TAKEN, status in _BUSY
        return CallError("transient", message, wait, wrong_address=no_such_path, not_taken=not_taken, busy=busy)
    if status == 400 and any(words in lowered for words in _HTTPS_ONLY_WORDS):
        return CallError("final", f"{message} Write https:// instead of http:// in api_base.", endpoint_wide=True)
    if status == 400:
        return CallError("final", message, endpoint_wide=_key_is_wrong(names, lowered))
    flagged = status == 403 and ("moderation" in lowered or "flagged" in lowered or "flagged_input" in str(inner))
    for_all = status < 400 or status in _ENDPOINT_WIDE  # a redirection that leads nowhere is none of one request
    return CallError("final", message, endpoint_wide=for_all and not flagged, wrong_address=no_such_path)


def _path_is_unknown(status: int, lowered: str) -> bool:
    """Whether a server refuses where it is asked, not what."""
    if any(words in lowered for words in _NO_SUCH_PATH_WORDS):
        return True
    return status in (404, 405) and not any(word in lowered for word in _ABOUT_THE_MODEL)


def _moved(response: Any) -> str:
    """Where a request was redirected to; most redirections turn a POST into a GET, which is refused there."""
    if not response.history:
        return ""
    return f" (redirected: write api_base: {shown(understood(str(response.url)).base)})"


def error_told(found: Any, asked: dict[str, Any] | None = None) -> CallError | None:
    """The error that a reply with status 200 and no answer tells of, in the provider's words; None where it tells none.

    asked: the request's body, for what the server may want asked otherwise.
    """
    return _error_in(found, asked) if tells_error(found) else None


def _error_in(found: Any, asked: dict[str, Any] | None) -> CallError:
    inner, text = inner_of(found), without_secrets(message_of(found))
    status = status_told(found, text)
    if _quota_is_gone(names_of(inner), text.lower(), _told_wait(inner, text), freely=status != 400):
        status = 402
    elif (
        _key_is_wrong(names_of(inner), text.lower())
        or status != 400
        and any(words in text.lower() for words in _WRONG_KEY_SENTENCES)
    ):
        status = 401
    error = status_error(status, {}, found, text)
    code = code_of(inner)
    error.message = text if code is None else f"{code}: {text}"
    if asked:
        teach(error, status, found, text, asked)
    return error


def error_beside(
    bodies: Iterable[Any], text: str, finish: str | None, asked: dict[str, Any] | None = None
) -> CallError | None:
    """The error that a reply with status 200 tells of; beside a text that ended well nothing is one.

    bodies: the reply, and the object in it that holds the answer. text: what it holds of an answer; finish: the reason
    that it gives, in our words; asked: as for `error_told`.
    """
    if not text.strip():
        return next((error for body in bodies if (error := error_told(body, asked))), None)
    if finish and is_known(finish):
        return None
    failed = (failure_in(body) for body in map(alone, bodies) if surely_failed(body) or perhaps_failed(body))
    return next((_error_in(body, asked) for body in failed), None)


def _key_is_wrong(names: set[str], lowered: str) -> bool:
    return bool(names & _WRONG_KEY) or any(words in lowered for words in _WRONG_KEY_WORDS)


def _quota_is_gone(names: set[str], lowered: str, wait: float | None, freely: bool) -> bool:
    """Whether an account is empty; many a passing rate limit speaks of quota and billing too, and when to return.

    freely: whether the words may be read in any order; not where they may be those of a prompt that is refused.
    """
    if names & _NO_QUOTA:
        return True
    if wait is not None or any(words in lowered for words in _A_MINUTES_WORDS):
        return False
    is_told = any(words in lowered for words in _NO_QUOTA_WORDS)
    return is_told or freely and _NO_QUOTA_SENTENCE.search(lowered) is not None


def _larger_than_its_limit(lowered: str) -> bool:
    """Whether one request asks for more tokens than a minute holds."""
    asked = _ASKED_OF_LIMIT.search(lowered)
    if asked:
        limit, requested = (int(number.replace(",", "")) for number in asked.groups())
        return requested > limit
    return "request too large" in lowered


def _told_wait(inner: Mapping[str, Any], text: str) -> float | None:
    """Seconds to wait as told in the body: Google's RetryInfo, or words like 'try again in 1m2.5s'."""
    for detail in details_of(inner):
        if "retryDelay" in detail:
            return _seconds(str(detail["retryDelay"]))
    told = _WAIT.search(text)
    return _seconds(told[1]) if told else None


def _seconds(text: str) -> float | None:
    parts = [(float(number), unit.lower()) for number, unit in _PART_OF_WAIT.findall(text)]
    seconds = sum(number * _UNITS[unit] for number, unit in parts)
    return seconds if parts and math.isfinite(seconds) else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: retry-after-ms, or Retry-After as seconds or as a date."""
    seconds = _retry_after(headers)
    return seconds if seconds is not None and math.isfinite(seconds) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def quotas_of(headers: Mapping[str, str]) -> dict[str, Quota]:
    """What the server announces of its limits, by kind; empty for most."""
    found = {kind: quota_from(headers, kind) for kind in ("requests", "tokens")}
    return {kind: quota for kind, quota in found.items() if quota is not None}
