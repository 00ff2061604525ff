"""OpenAI's chat completions as they look on the wire, and Azure's where they differ."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .asks import Ask, Refused, Reply, checked_messages, text_of
from .settings import Settings

ROLES = ("system", "developer", "user", "assistant", "tool")
CACHE_STEP = 512  # bytes: 128 tokens

# kind -> status, type, code, message
ERRORS: Mapping[str, tuple[int, str | None, str | None, str]] = {
    "400": (400, "invalid_request_error", None, "Invalid request."),
    "401": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: {masked}."),
    "404": (404, "invalid_request_error", "model_not_found",
            "The model `{model}` does not exist or you do not have access to it."),
    "408": (408, "server_error", None, "Request timed out."),
    "429": (429, "requests", "rate_limit_exceeded",
            "Rate limit reached for {model} in organization org-loopback on requests per min (RPM): "
            "Limit {limit}, Used {limit}, Requested 1.{hint}"),
    "quota": (429, "insufficient_quota", "insufficient_quota",
              "You exceeded your current quota, please check your plan and billing details."),
    "500": (500, "server_error", None, "The server had an error while processing your request."),
    "502": (502, "server_error", None, "Bad gateway."),
    "503": (503, "server_error", None, "The engine is currently overloaded, please try again later."),
    "504": (504, "server_error", None, "Gateway timeout."),
    "529": (529, "server_error", "overloaded", "The server is overloaded."),
    "context_length": (400, "invalid_request_error", "context_length_exceeded",
                       "This model's maximum context length is {window} tokens. However, your messages "
                       "resulted in {tokens} tokens. Please reduce the length of the messages."),
    "content_filter_400": (400, "invalid_request_error", "content_filter",
                           "Your request was rejected because its prompt may go against our usage policies."),
    "unsupported_parameter": (400, "invalid_request_error", "unsupported_parameter",
                              "Unsupported parameter: '{param}' is not supported with this model.{instead}"),
    "unsupported_value": (400, "invalid_request_error", "unsupported_value",
                          "Unsupported value: '{param}' does not support {value} with this model.{instead}"),
}  # fmt: skip

# Azure: kind -> code, message; other kinds as OpenAI has them.
AZURE_ERRORS: Mapping[str, tuple[str, str]] = {
    "401": ("401", "Access denied due to invalid subscription key or wrong API endpoint."),
    "404": ("DeploymentNotFound", "The API deployment for this resource does not exist."),
    "429": ("429", "Requests to the ChatCompletions_Create Operation have exceeded the call rate limit of "
                   "your current pricing tier.{hint}"),
    "content_filter_400": ("content_filter", "The response was filtered due to the prompt triggering the "
                                             "content management policy."),
    "no_api_version": ("404", "Resource not found"),
}  # fmt: skip


def read(body: Mapping[str, Any]) -> Ask:
    """The request that a body makes. Raises Refused for one that OpenAI would not take."""
    messages: list[tuple[str, str]] = []
    for number, message in enumerate(checked_messages(body)):
        if message.get("role") not in ROLES:
            role = repr(message.get("role"))
            raise Refused("unsupported_value", param=f"messages[{number}].role", value=role)
        messages.append((message["role"], text_of(message.get("content"))))
    if body.get("stream"):
        raise Refused("400", message="This server does not stream.", param="stream")
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise Refused("400", message="Setting 'max_tokens' and 'max_completion_tokens' at the same time is "
                                     "not supported.", param="max_tokens")  # fmt: skip
    ask = Ask(body["model"], body, messages, body.get("max_completion_tokens") or body.get("max_tokens"))
    ask.boundaries = [(end, True) for end in range(CACHE_STEP, len(ask.prompt) + 1, CACHE_STEP)]
    return ask


def refusal(ask: Ask, name: str) -> Refused | None:
    """The refusal of a parameter if the request carries it. `system` is the role, `temperature_value`
    the refusal of all temperatures but 1; any other name is the parameter's own."""
    if name == "system":
        for number, (role, _) in enumerate(ask.messages):
            if role == "system":
                return Refused("unsupported_value", param=f"messages[{number}].role", value="'system'")
        return None
    if name == "temperature_value":
        value = ask.body.get("temperature", 1)
        if value == 1:
            return None
        hint = " Only the default (1) value is supported."
        return Refused("unsupported_value", param="temperature", value=value, instead=hint)
    if name not in ask.body:
        return None
    instead = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
    return Refused("unsupported_parameter", param=name, instead=instead)


def completion(ask: Ask, reply: Reply, *, identity: str, served: str, fingerprint: str | None,
               field: str | None) -> dict[str, Any]:  # fmt: skip
    """The body of a good reply; `field` is the name under which the thought is sent."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.content, "refusal": None}
    if reply.thought is not None:
        message[field or "reasoning_content"] = reply.thought
    return {
        "id": f"chatcmpl-{identity}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": served,
        "choices": [{"index": 0, "message": message, "logprobs": reply.logprobs, "finish_reason": reply.finish}],
        "usage": {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": reply.thought_tokens},
        },
        "system_fingerprint": fingerprint,
    }


def emptied(body: dict[str, Any], how: str) -> dict[str, Any]:
    """A good reply with its choices or its content gone."""
    if how == "empty_choices":
        return {**body, "choices": []}
    content = None if how == "null_content" else ""
    message = {**body["choices"][0]["message"], "content": content}
    return {**body, "choices": [{**body["choices"][0], "message": message}]}


def error(refused: Refused, facts: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and body of an error as OpenAI sends it."""
    status, kind, code, message = ERRORS.get(refused.kind, ERRORS["400"])
    message = refused.message or message.format(**facts)
    body = {"message": message, "type": kind, "param": refused.param, "code": code}
    return refused.status or status, {"error": body}


def azure_error(refused: Refused, facts: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and body of an error as Azure sends it."""
    if refused.kind not in AZURE_ERRORS:
        return error(refused, facts)
    code, message = AZURE_ERRORS[refused.kind]
    status = 404 if refused.kind == "no_api_version" else ERRORS[refused.kind][0]
    body: dict[str, Any] = {"code": code, "message": refused.message or message.format(**facts)}
    if refused.kind == "content_filter_400":
        body |= {"param": "prompt", "type": None, "status": 400}
        body["innererror"] = {"code": "ResponsibleAIPolicyViolation"}
    return refused.status or status, {"error": body}


def models(settings: Settings) -> dict[str, Any]:
    """The body of /v1/models."""
    owner = {"models": "vllm", "props": "llamacpp"}.get(settings.context_told or "", "loopback")
    told = {"max_model_len": settings.context_window} if settings.context_told == "models" else {}
    names = settings.served_models or ("loopback",)
    rows = [{"id": name, "object": "model", "created": 0, "owned_by": owner, **told} for name in names]
    return {"object": "list", "data": rows}
