"""Anthropic's messages: the system prompt stands apart, and the reply comes in blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from arena_hard.calling.providers.base import Connection, Dialect, Reply, Request
from arena_hard.calling.providers.http import call_error, decoded, empty_reply, quotas_of
from arena_hard.data.records import Usage

_FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "content_filter"}


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class MessageReply(msgspec.Struct):
    """What is read of a message; everything else in it is passed over."""

    content: list[_Block] | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    model: str | None = None


_DECODER = msgspec.json.Decoder(MessageReply)


class AnthropicMessages:
    """Adapter over the anthropic SDK."""

    def open(self, connection: Connection) -> Any:
        """One AsyncAnthropic over the transport of transport.py."""
        import anthropic

        from arena_hard.calling.providers.transport import http_client

        base = connection.base_url.removesuffix("/v1") if connection.base_url else None
        return anthropic.AsyncAnthropic(
            api_key=connection.api_key,
            base_url=base,
            timeout=connection.timeout,
            max_retries=0,  # retries happen in one place, the call loop
            http_client=http_client(),
        )

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
        return body | request.extra

    async def send(self, client: Any, body: dict[str, Any]) -> Reply:
        """POST /v1/messages through the SDK; the reply is decoded here, typed and once."""
        import anthropic
        import httpx2

        try:
            response = await client.post("/v1/messages", body=body, cast_to=httpx2.Response)
        except (anthropic.APIError, ValueError) as error:
            raise call_error(anthropic, error, client, body) from None
        return replace(read_message(response.content), quotas=quotas_of(response.headers))

    async def close(self, client: Any) -> None:
        """Close its connections."""
        await client.close()


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


def read_message(content: bytes) -> Reply:
    """A message's JSON as a reply. Raises CallError for one that holds no answer."""
    message = decoded(_DECODER, content)
    blocks = message.content or []
    text = "".join(block.text or "" for block in blocks if block.type == "text")
    thought = "".join(block.thinking or "" for block in blocks if block.type == "thinking")
    finish = _FINISH.get(message.stop_reason or "end_turn", message.stop_reason or "stop")
    usage = _usage(message.usage)
    if not text.strip():
        raise empty_reply(finish, usage)
    return Reply(text, finish, usage, message.model, thought=thought or None)


def _usage(usage: _Usage | None) -> Usage | None:
    """Anthropic counts cached tokens beside the input tokens; here the prompt holds them all."""
    if usage is None:
        return None
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Usage(
        prompt_tokens=(usage.input_tokens or 0) + cached + written,
        completion_tokens=usage.output_tokens or 0,
        cached_tokens=cached,
        cache_write_tokens=written,
    )


ADAPTER = AnthropicMessages()
