"""Chat completions in the OpenAI protocol: OpenAI itself, Azure, and every server that speaks it."""

from __future__ import annotations

import functools
import os
from typing import Any

from arena_hard.calling.providers import constraints
from arena_hard.calling.providers.base import CallError, Connection, Dialect, Reply, Request, is_of
from arena_hard.calling.providers.fields import Fields, whole_reply
from arena_hard.calling.providers.finish_reasons import in_our_words, tells_failure
from arena_hard.calling.providers.http import error_beside, error_told, post
from arena_hard.calling.providers.late_sdk import OPENAI, client_of
from arena_hard.calling.providers.token_odds import FEW, MOST, holds_odds, tokens_in
from arena_hard.calling.providers.usage import openai_usage
from arena_hard.data.records import UserError

OWN_ADDRESS = "https://api.openai.com/v1"
# a thought's own, of which a reply may have several that say the same; the last two are OpenRouter's and LiteLLM's
_OWN_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks")
AZURE_SEED = 42  # the original sends this seed to Azure


class OpenAIChat:
    """Adapter over the openai SDK."""

    def open(self, connection: Connection) -> Any:
        """One AsyncOpenAI (or AsyncAzureOpenAI) over the transport of transport.py, or what stands for it."""
        from arena_hard.calling.providers.transport import http_client

        _check_headers()
        base = connection.base_url or OWN_ADDRESS
        http = http_client(base, connection.verify)
        make = functools.partial(_sdk_client, connection, http)
        return make() if connection.api_type == "azure" else client_of(OPENAI, base, connection, http, make)

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
        if "stream" in dialect:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if request.logprobs and "no logprobs" not in dialect:
            body |= {"logprobs": True, "top_logprobs": FEW if "few logprobs" in dialect else MOST}
        return body | request.extra | constraints.constraint(constraints.OPENAI, request, dialect)

    async def send(self, client: Any, body: dict[str, Any]) -> Reply:
        """POST /chat/completions through the SDK."""
        if is_azure(client):
            body = {"seed": AZURE_SEED} | body
        return await post("openai", client, "/chat/completions", body, read_completion)

    async def close(self, client: Any) -> None:
        """Close its connections."""
        await client.close()


def _sdk_client(connection: Connection, http: Any) -> Any:
    import openai

    options: dict[str, Any] = {
        "api_key": connection.api_key,
        "timeout": connection.timeout,
        "max_retries": 0,  # retries happen in one place, the call loop
        "http_client": http,
    }
    if connection.api_type == "azure":
        return openai.AsyncAzureOpenAI(
            azure_endpoint=str(connection.base_url), api_version=connection.api_version, **options
        )
    return openai.AsyncOpenAI(base_url=connection.base_url, **options)


def is_azure(client: Any) -> bool:
    """Whether a client is the SDK's for Azure."""
    return is_of(client, "openai", "AsyncAzureOpenAI")


def _check_headers() -> None:
    """Whether the SDK can send what it takes from variables. Raises UserError with the name of the one at fault."""
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        value = os.environ.get(name, "")
        if not (value.isascii() and (value.isprintable() or not value)):
            raise UserError(f"{name}={value!r} cannot be sent in a header. Fix it, or run: unset {name}")


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


def read_completion(found: Any, asked: dict[str, Any] | None = None) -> Reply:
    """A completion's JSON as a reply; its text may be empty. Raises CallError for one that tells of an error.

    asked: the request's body, for what the server may want asked otherwise.
    """
    whole = whole_reply(found, "choices")
    choice = whole.first("choices")
    finish = _finish_reason(choice)
    text, thought = _said(choice)
    usage = openai_usage(whole.inner("usage"), bool(text or thought))
    error = _error_of(choice, text, finish, asked) or error_beside((found, whole.whole), text, finish, asked)
    if error is None and not whole.raw("choices"):
        error = CallError("transient", "the reply holds no choices")
    if error is not None:
        error.usage = usage
        raise error
    if finish is None:
        choice.note_no_end("finish_reason")
    tokens = tokens_in(choice.raw("logprobs"))
    if tokens is None and asked and asked.get("logprobs") and holds_odds(choice.raw("logprobs")):
        choice.note("logprobs")
    return Reply(
        content=text,
        finish_reason=finish or "stop",
        usage=usage,
        served_model=whole.text("model"),
        fingerprint=whole.text("system_fingerprint"),
        thought=thought or None,
        notes=tuple(whole.notes),
        tokens=tokens,
        refuses=_refuses(choice),
    )


def _error_of(choice: Fields, text: str, finish: str | None, asked: dict[str, Any] | None) -> CallError | None:
    """What a choice itself tells: SGLang's reason says in words why it aborted, OpenRouter sets an error beside it."""
    reason = choice.raw("finish_reason")
    if isinstance(reason, dict) and tells_failure(finish):
        return error_told(reason, asked)
    return error_beside([choice.whole], text, finish, asked) if text.strip() or choice.raw("error") else None


def _finish_reason(choice: Fields) -> str | None:
    """The reason in our words; the provider's own where a gateway made another of a failure, or gives none."""
    given = choice.word("finish_reason")
    own = choice.word("native_finish_reason")  # OpenRouter
    own = own or choice.inner("provider_specific_fields").word("native_finish_reason")  # LiteLLM
    reason = own if given is None or tells_failure(own) and not tells_failure(given) else given
    return reason and in_our_words(reason)


def _refuses(choice: Fields) -> bool:
    """Whether its text is a refusal in a field of its own."""
    message = choice.raw("message") or choice.raw("delta")
    return isinstance(message, dict) and bool(message.get("refusal")) and not message.get("content")


def _said(choice: Fields) -> tuple[str, str]:
    """(text, thought) of a choice. A refusal in its own field is an answer too."""
    if "message" not in choice and "delta" not in choice:  # as the older completions have it, MiniMax's, and others
        return next((said for key in ("text", "messages", "content") if any(said := choice.said(key))), ("", ""))
    if isinstance(choice.raw("message"), str):
        return choice.said("message")
    message = choice.inner("message" if "message" in choice else "delta")
    text, thought = message.said("content")
    own_field = message.thought(*_OWN_FIELDS)
    if not own_field and "provider_specific_fields" in message:
        own_field = message.inner("provider_specific_fields").thought(*_OWN_FIELDS)
    return text or message.text("refusal") or "", "\n\n".join(filter(None, (own_field, thought)))


ADAPTER = OpenAIChat()
