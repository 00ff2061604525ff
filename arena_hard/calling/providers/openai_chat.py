"""Chat completions in the OpenAI protocol: OpenAI itself, Azure, and every server that speaks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from arena_hard.calling.providers.base import CallError, Connection, Dialect, Reply, Request, without_secrets
from arena_hard.calling.providers.http import call_error, decoded, empty_reply, message_of, quotas_of, status_error
from arena_hard.calling.providers.thoughts import split_thought
from arena_hard.data.records import Usage

AZURE_SEED = 42  # the original sends this seed to Azure


class _Message(msgspec.Struct):
    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None


class Completion(msgspec.Struct):
    """What is read of a completion; everything else in it is passed over."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    error: Any = None


_DECODER = msgspec.json.Decoder(Completion)


class OpenAIChat:
    """Adapter over the openai SDK."""

    def open(self, connection: Connection) -> Any:
        """One AsyncOpenAI (or AsyncAzureOpenAI) over the transport of transport.py."""
        import openai

        from arena_hard.calling.providers.transport import http_client

        options: dict[str, Any] = {
            "api_key": connection.api_key,
            "timeout": connection.timeout,
            "max_retries": 0,  # retries happen in one place, the call loop
            "http_client": http_client(),
        }
        if connection.api_type == "azure":
            return openai.AsyncAzureOpenAI(
                azure_endpoint=str(connection.base_url), api_version=connection.api_version, **options
            )
        return openai.AsyncOpenAI(base_url=connection.base_url, **options)

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        """The JSON of one call, in the terms that this server has asked for."""
        limit = "max_completion_tokens" if "max_completion_tokens" in dialect else "max_tokens"
        body: dict[str, Any] = {
            "model": request.model,
            "messages": in_dialect(request.messages, dialect),
            limit: request.max_tokens,
        }
        if request.temperature is not None and "no temperature" not in dialect:
            body["temperature"] = request.temperature
        if request.reasoning_effort is not None:
            body["reasoning_effort"] = request.reasoning_effort
        if request.stop:
            body["stop"] = request.stop
        return body | request.extra

    async def send(self, client: Any, body: dict[str, Any]) -> Reply:
        """POST /chat/completions through the SDK; the reply is decoded here, typed and once."""
        import httpx2
        import openai

        if isinstance(client, openai.AsyncAzureOpenAI):
            body = {"seed": AZURE_SEED} | body
        try:
            response = await client.post("/chat/completions", body=body, cast_to=httpx2.Response)
        except (openai.APIError, ValueError) as error:
            raise call_error(openai, error, client, body) from None
        return replace(read_completion(response.content), quotas=quotas_of(response.headers))

    async def close(self, client: Any) -> None:
        """Close its connections."""
        await client.close()


def in_dialect(messages: list[dict[str, str]], dialect: Dialect) -> list[dict[str, str]]:
    """The messages with the system prompt where this server wants it."""
    if not messages or messages[0]["role"] != "system":
        return messages
    system, rest = messages[0]["content"], messages[1:]
    if "no system role" in dialect:
        first = {"role": "user", "content": f"{system}\n\n{rest[0]['content']}"}
        return [first, *rest[1:]]
    if "developer role" in dialect:
        return [{"role": "developer", "content": system}, *rest]
    return messages


def read_completion(content: bytes) -> Reply:
    """A completion's JSON as a reply. Raises CallError for one that holds no answer."""
    completion = decoded(_DECODER, content)
    if not completion.choices:
        raise _no_choices(completion)
    choice = completion.choices[0]
    own_field = choice.message.reasoning_content or choice.message.reasoning
    text, thought = split_thought(_text_of(choice.message), has_own_field=bool(own_field))
    finish, usage = choice.finish_reason or "stop", _usage(completion.usage)
    if not text.strip():
        raise empty_reply(finish, usage)
    return Reply(
        content=text,
        finish_reason=finish,
        usage=usage,
        served_model=completion.model,
        fingerprint=completion.system_fingerprint,
        thought="\n\n".join(part for part in (own_field, thought) if part) or None,
    )


def _no_choices(completion: Completion) -> CallError:
    """Some gateways send their errors with status 200."""
    if completion.error:
        text = without_secrets(message_of({"error": completion.error}))
        code = completion.error.get("code") if isinstance(completion.error, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
        return status_error(status, {}, completion.error, text)
    return CallError("transient", "the reply holds no choices")


def _text_of(message: _Message) -> str:
    """The answer's text; a refusal in its own field is an answer too."""
    if isinstance(message.content, list):
        return "".join(part.get("text") or "" for part in message.content if part.get("type") == "text")
    return message.content or message.refusal or ""


def _usage(usage: _Usage | None) -> Usage | None:
    if usage is None:
        return None
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        prompt_tokens=usage.prompt_tokens or 0,
        completion_tokens=usage.completion_tokens or 0,
        cached_tokens=(prompt.cached_tokens if prompt else None) or usage.prompt_cache_hit_tokens or 0,
        reasoning_tokens=(completion.reasoning_tokens if completion else None) or 0,
    )


ADAPTER = OpenAIChat()
