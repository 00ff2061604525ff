"""Anthropic's messages as they look on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .asks import Ask, Refused, Reply, checked_messages, piece, text_of

# kind -> status, type, message
ERRORS: Mapping[str, tuple[int, str, str]] = {
    "400": (400, "invalid_request_error", "Invalid request."),
    "401": (401, "authentication_error", "invalid x-api-key"),
    "404": (404, "not_found_error", "model: {model}"),
    "408": (408, "timeout_error", "Request timed out."),
    "429": (429, "rate_limit_error",
            "This request would exceed your organization's rate limit of {limit} requests per minute."),
    "quota": (400, "invalid_request_error",
              "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
              "upgrade or purchase credits."),
    "500": (500, "api_error", "Internal server error"),
    "502": (502, "api_error", "Bad gateway"),
    "503": (503, "api_error", "Service unavailable"),
    "504": (504, "timeout_error", "Gateway timeout"),
    "529": (529, "overloaded_error", "Overloaded"),
    "context_length": (400, "invalid_request_error",
                       "prompt is too long: {tokens} tokens > {window} maximum"),
    "content_filter_400": (400, "invalid_request_error", "Output blocked by content filtering policy"),
    "unsupported_parameter": (400, "invalid_request_error", "{param}: Extra inputs are not permitted"),
    "unsupported_value": (400, "invalid_request_error", "`{param}` is deprecated for this model."),
}  # fmt: skip

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


def read(body: Mapping[str, Any]) -> Ask:
    """The request that a body makes. Raises Refused for one that Anthropic would not take."""
    rows = checked_messages(body)
    if not isinstance(body.get("max_tokens"), int):
        raise Refused("400", message="max_tokens: Field required")
    if body.get("stream"):
        raise Refused("400", message="stream: this server does not stream")
    for row in rows:
        if row.get("role") not in ("user", "assistant"):
            told = f"messages: Unexpected role {json.dumps(row.get('role'))}. The system prompt is a top-level "
            raise Refused("400", message=told + "`system` parameter, not a message.")
    messages = [(row["role"], text_of(row.get("content"))) for row in rows]
    if body.get("system"):
        messages.insert(0, ("system", text_of(body["system"])))
    prompt, boundaries = _blocks(body)
    return Ask(body["model"], body, messages, body["max_tokens"], prompt, boundaries)


def _blocks(body: Mapping[str, Any]) -> tuple[bytes, list[tuple[int, bool]]]:
    """The prompt, and the ends of its blocks up to the last one that carries a cache_control.

    Only marked prefixes are stored, as the real cache does it; without a mark nothing is cached.
    """
    prompt = bytearray()
    turns = [(row["role"], row.get("content") or []) for row in body["messages"]]
    ends: list[tuple[int, bool]] = []
    for role, content in [("system", body.get("system") or []), *turns]:
        for block in [{"text": content}] if isinstance(content, str) else content:
            prompt += piece(role, str(block.get("text", "")))
            ends.append((len(prompt), "cache_control" in block))
    if "cache_control" in body and ends:
        ends[-1] = (ends[-1][0], True)
    last = max((index for index, (_, marked) in enumerate(ends) if marked), default=-1)
    return bytes(prompt), ends[: last + 1]


def refusal(ask: Ask, name: str) -> Refused | None:
    """The refusal of a parameter if the request carries it. max_tokens and system are always taken."""
    if name in ("max_tokens", "system") or name not in ask.body:
        return None
    return Refused("unsupported_value" if name == "temperature" else "unsupported_parameter", param=name)


def completion(ask: Ask, reply: Reply, *, identity: str, served: str, fingerprint: str | None,
               field: str | None) -> dict[str, Any]:  # fmt: skip
    """The body of a good reply; a thought becomes a block of its own."""
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.content}]
    if reply.tool_input is not None:
        content = [{"type": "tool_use", "id": "toolu_1", "name": "verdict", "input": reply.tool_input}]
    if reply.thought is not None:
        content.insert(0, {"type": "thinking", "thinking": reply.thought, "signature": "loopback"})
        if not reply.content:
            content.pop()
    return {
        "id": f"msg_{identity}",
        "type": "message",
        "role": "assistant",
        "model": served,
        "content": content,
        "stop_reason": _STOP_REASONS[reply.finish] if reply.tool_input is None else "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": reply.prompt_tokens - reply.cached_tokens - reply.stored_tokens,
            "cache_creation_input_tokens": reply.stored_tokens,
            "cache_read_input_tokens": reply.cached_tokens,
            "output_tokens": reply.completion_tokens,
        },
    }


def emptied(body: dict[str, Any], how: str) -> dict[str, Any]:
    """A good reply with its blocks or its text gone."""
    contents = {"empty_choices": [], "null_content": None, "empty_content": [{"type": "text", "text": ""}]}
    return {**body, "content": contents[how]}


def error(refused: Refused, facts: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and body of an error as Anthropic sends it."""
    status, kind, message = ERRORS.get(refused.kind, ERRORS["400"])
    inner = {"type": kind, "message": refused.message or message.format(**facts)}
    return refused.status or status, {"type": "error", "error": inner, "request_id": facts["request_id"]}
