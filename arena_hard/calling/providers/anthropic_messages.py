"""Anthropic's messages: the system prompt stands apart, and the reply comes in blocks."""

from __future__ import annotations

import functools
import re
from typing import Any

from arena_hard.calling.providers import constraints
from arena_hard.calling.providers.base import Connection, Dialect, Reply, Request
from arena_hard.calling.providers.fields import whole_reply
from arena_hard.calling.providers.finish_reasons import in_our_words
from arena_hard.calling.providers.http import error_beside, post
from arena_hard.calling.providers.late_sdk import ANTHROPIC, client_of
from arena_hard.calling.providers.usage import anthropic_usage

OWN_ADDRESS = "https://api.anthropic.com"
# The most tokens of a reply that is not streamed: beyond them it may take more than ten minutes, in which an idle
# connection is cut on its way, and Anthropic's SDKs refuse to ask. The first models of Opus 4 are slower.
_MOST_UNSTREAMED = 21_333
_MOST_OF_SLOW_MODELS = 8_192
_SLOW_MODELS = re.compile(r"opus-4(?:-[01]\b|[-@]2025|$)|4-opus")


class AnthropicMessages:
    """Adapter over the anthropic SDK."""

    def open(self, connection: Connection) -> Any:
        """One AsyncAnthropic over the transport of transport.py, or what stands for it."""
        from arena_hard.calling.providers.transport import http_client

        base = (connection.base_url or OWN_ADDRESS).removesuffix("/v1")
        http = http_client(base, connection.verify)
        return client_of(ANTHROPIC, base, connection, http, functools.partial(_sdk_client, connection, base, http))

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        """The JSON of one call; the part that all models' prompts share may be cached."""
        body: dict[str, Any] = {"model": request.model, "max_tokens": request.max_tokens}
        messages = request.messages
        if messages and messages[0]["role"] == "system":
            body["system"] = messages[0]["content"]
            messages = messages[1:]
        body["messages"] = marked(messages, request.shared) if request.shared else messages
        if request.thinking:
            body["thinking"] = {"type": "enabled", "budget_tokens": request.thinking}
            body["max_tokens"] += request.thinking  # the budget is counted within max_tokens
        elif request.temperature is not None and "no temperature" not in dialect:
            body["temperature"] = request.temperature
        if request.stop:
            body["stop_sequences"] = request.stop
        body |= request.extra | constraints.constraint(constraints.ANTHROPIC, request, dialect)
        if "stream" in dialect or "no stream" not in dialect and _is_long(body):
            body.setdefault("stream", True)
        return body

    async def send(self, client: Any, body: dict[str, Any]) -> Reply:
        """POST /v1/messages through the SDK."""
        return await post("anthropic", client, "/v1/messages", body, read_message)

    async def close(self, client: Any) -> None:
        """Close its connections."""
        await client.close()


def _sdk_client(connection: Connection, base: str, http: Any) -> Any:
    import anthropic

    return anthropic.AsyncAnthropic(
        api_key=connection.api_key,
        base_url=base,
        timeout=connection.timeout,
        max_retries=0,  # retries happen in one place, the call loop
        http_client=http,
    )


def _is_long(body: dict[str, Any]) -> bool:
    """Whether the reply may be one that has to be streamed."""
    most = _MOST_OF_SLOW_MODELS if _SLOW_MODELS.search(str(body["model"])) else _MOST_UNSTREAMED
    return isinstance(body["max_tokens"], int) and body["max_tokens"] > most


def marked(messages: list[dict[str, str]], shared: int) -> list[dict[str, Any]]:
    """The messages with the shared beginning as a block of its own, which the server is asked to cache.

    What stands before it, the system prompt too, is cached with it.
    """
    text = messages[0]["content"]
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": text[:shared], "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": text[shared:]},
    ]
    whole = [block for block in blocks if block["text"].strip()]  # the server refuses empty blocks
    return [{"role": messages[0]["role"], "content": whole}, *messages[1:]]


def read_message(found: Any, asked: dict[str, Any] | None = None) -> Reply:
    """A message's JSON as a reply; its text may be empty. Raises CallError for one that tells of an error.

    asked: the request's body, for what the server may want asked otherwise.
    """
    whole = whole_reply(found, "content")
    text, thought = whole.said("content")
    text = constraints.tool_input(whole.raw("content")) or text
    reason, usage = whole.word("stop_reason"), anthropic_usage(whole.inner("usage"), bool(text or thought))
    finish = reason and in_our_words(reason)
    error = error_beside((found, whole.whole), text, finish, asked)
    if error is not None:
        error.usage = usage
        raise error
    whole.note_no_end("stop_reason")
    return Reply(
        content=text,
        finish_reason=finish or "stop",
        usage=usage,
        served_model=whole.text("model"),
        thought=thought or None,
        notes=tuple(whole.notes),
    )


ADAPTER = AnthropicMessages()
