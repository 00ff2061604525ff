"""What the adapters over HTTP share: the SDKs' errors told apart, Retry-After and refusals read."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Any

from arena_hard.pacing import Quota, quota_from
from arena_hard.providers.base import CallError, without_secrets

_NO_QUOTA = ("insufficient_quota", "insufficient balance", "billing", "credit balance", "exceeded your current quota")
_ENDPOINT_WIDE = (401, 402, 403, 404)
_TRANSIENT = (408, 409, 425)


def call_error(sdk: Any, error: Any, client: Any, body: dict[str, Any]) -> CallError:
    """The CallError for what an SDK raised; openai and anthropic name their errors alike."""
    if isinstance(error, sdk.APIStatusError):
        text = without_secrets(message_of(error.body or error.message), client.api_key)
        found = status_error(error.status_code, error.response.headers, error.body, text)
        found.lesson = lesson(error.status_code, error.body, text, body)
        return found
    if isinstance(error, sdk.APITimeoutError):
        return CallError("transient", f"no answer within {client.timeout:g} s")
    reason = without_secrets(str(error.__cause__ or error) or type(error.__cause__).__name__, client.api_key)
    if isinstance(error, sdk.APIConnectionError):
        return CallError("transient", f"connection to {client.base_url.host} failed: {reason}")
    # a key or URL that cannot be put on the wire
    return CallError("final", f"the request cannot be sent: {reason}", endpoint_wide=True)


def status_error(status: int, headers: Mapping[str, str], body: Any, text: str) -> CallError:
    """The error for an HTTP status; `text` is what the provider said, without secrets."""
    message = f"{status}: {text}"
    wait = retry_after(headers)
    lowered = f"{text} {body}".lower()
    if status in (400, 402, 403, 429) and any(words in lowered for words in _NO_QUOTA):
        return CallError("final", message, endpoint_wide=True)
    if status == 429:
        return CallError("rate limit", message, wait)
    if status >= 500 or status in _TRANSIENT:
        return CallError("transient", message, wait)
    flagged = "moderation" in lowered or "flagged" in lowered
    return CallError("final", message, endpoint_wide=status in _ENDPOINT_WIDE and not flagged)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: retry-after-ms, or Retry-After as seconds or as a date."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def quotas_of(headers: Mapping[str, str]) -> dict[str, Quota]:
    """What the server announces of its limits, by kind; empty for most."""
    found = {kind: quota_from(headers, kind) for kind in ("requests", "tokens")}
    return {kind: quota for kind, quota in found.items() if quota is not None}


def message_of(body: Any) -> str:
    """The provider's own words in an error body of any of the common shapes."""
    if isinstance(body, list) and body:
        return message_of(body[0])
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        if isinstance(inner, Mapping):
            return str(inner.get("message") or inner.get("detail") or dict(inner))
        return str(inner)
    return str(body)


def lesson(status: int, error_body: Any, text: str, body: dict[str, Any]) -> str | None:
    """How the server wants to be asked instead, read from its refusal; None when it is no such refusal."""
    if status not in (400, 422, 500):  # some chat templates fail with 500
        return None
    inner = error_body.get("error", error_body) if isinstance(error_body, dict) else {}
    param = str(inner.get("param") or "") if isinstance(inner, dict) else ""
    lowered = text.lower()
    if "max_tokens" in body and (param == "max_tokens" or "max_completion_tokens" in lowered):
        refused = "unsupported" in lowered or "not supported" in lowered or "max_completion_tokens" in lowered
        return "max_completion_tokens" if refused else None
    refused = any(words in lowered for words in ("unsupported", "not supported", "does not support", "deprecated"))
    if "temperature" in body and refused and (param == "temperature" or "temperature" in lowered):
        return "no temperature"
    role = body["messages"][0]["role"]
    if refused and role in ("system", "developer") and ("role" in param or f"{role}" in lowered):
        return "developer role" if role == "system" else "no system role"
    return None


def empty_reply(finish: str) -> CallError:
    """The error for a reply without a text: what it was cut by decides whether to ask again."""
    if finish == "length":
        return CallError("final", "the reply was cut at max_tokens before an answer began; raise max_tokens")
    if finish == "content_filter":
        return CallError("final", "the provider's content filter held the answer back")
    return CallError("transient", f"the reply holds no text (finish_reason {finish})")
