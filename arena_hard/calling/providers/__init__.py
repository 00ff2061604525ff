"""The registry of api_types: which adapter speaks to a provider, where it lives, whose key it takes.

A new provider that speaks the OpenAI protocol is one row here.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass

from arena_hard.calling.providers.base import NO_KEY, Adapter, CallError, Connection, Dialect, Reply, Request
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings, fill_from_environment, suggestion

__all__ = ["Adapter", "CallError", "Connection", "Dialect", "Provider", "Reply", "Request", "PROVIDERS"]


@dataclass(frozen=True)
class Provider:
    """One row of the registry; `key_names` are the variables of the provider's own SDK."""

    adapter: str
    base_url: str | None = None
    key_names: tuple[str, ...] = ()
    cost_name: str | None = None


PROVIDERS = {
    "openai": Provider("openai_chat", None, ("OPENAI_API_KEY",), "openai"),
    "azure": Provider("openai_chat", None, ("AZURE_OPENAI_API_KEY",), "azure"),
    "anthropic": Provider("anthropic_messages", None, ("ANTHROPIC_API_KEY",), "anthropic"),
    "gemini": Provider(
        "openai_chat",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "google",
    ),
    "mistral": Provider("openai_chat", "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",), "mistral"),
    "cohere": Provider(
        "openai_chat", "https://api.cohere.ai/compatibility/v1", ("COHERE_API_KEY", "CO_API_KEY"), "cohere"
    ),
    "deepseek": Provider("openai_chat", "https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",), "deepseek"),
    "xai": Provider("openai_chat", "https://api.x.ai/v1", ("XAI_API_KEY",), "x-ai"),
    "together": Provider("openai_chat", "https://api.together.xyz/v1", ("TOGETHER_API_KEY",), "together"),
    "groq": Provider("openai_chat", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",), "groq"),
    "openrouter": Provider("openai_chat", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",), "openrouter"),
    "recorded": Provider("recorded"),
}


def provider_of(settings: ModelSettings) -> Provider:
    """The registry's row for a model. Raises UserError for an api_type that is not in it."""
    if settings.api_type not in PROVIDERS:
        raise UserError(
            f"{settings.name}: unknown api_type {settings.api_type!r}. {suggestion(settings.api_type, set(PROVIDERS))}"
        )
    return PROVIDERS[settings.api_type]


def adapter_of(settings: ModelSettings) -> Adapter:
    """The adapter for a model; its SDK is imported here and not before. Raises UserError for what it would ignore."""
    name = provider_of(settings).adapter
    _check_reasoning(settings, name)
    return importlib.import_module(f"arena_hard.calling.providers.{name}").ADAPTER


def _check_reasoning(settings: ModelSettings, adapter: str) -> None:
    """A key that has no effect would stand among the settings as if it had."""
    if adapter == "openai_chat" and settings.thinking is not None:
        raise UserError(
            f"{settings.name}: thinking is Anthropic's budget; for api_type {settings.api_type} use "
            "reasoning_effort or extra_body."
        )
    if adapter == "anthropic_messages" and settings.reasoning_effort is not None:
        raise UserError(
            f"{settings.name}: reasoning_effort is OpenAI's; for api_type {settings.api_type} use thinking: TOKENS "
            "or extra_body."
        )


def connections(settings: ModelSettings) -> list[Connection]:
    """Where a model's requests may go. Raises UserError for a missing key, base or environment variable."""
    provider = provider_of(settings)
    return [
        _connection(settings, provider, endpoint, f"{settings.name}, endpoint {number}")
        for number, endpoint in enumerate(settings.endpoints or [EndpointSettings()], 1)
    ]


def _connection(settings: ModelSettings, provider: Provider, endpoint: EndpointSettings, where: str) -> Connection:
    base = fill_from_environment(endpoint.api_base, where)
    key = fill_from_environment(endpoint.api_key, where)
    version = fill_from_environment(endpoint.api_version, where)
    if settings.api_type == "azure":
        version = version or os.environ.get("OPENAI_API_VERSION")
        base = base or os.environ.get("AZURE_OPENAI_ENDPOINT")
        if not (version and base):
            raise UserError(f"{where}: azure needs api_base and api_version; add them to the endpoint.")
    if settings.api_type == "recorded":
        if not base:
            raise UserError(f"{where}: api_type recorded needs api_base: the file with the recordings.")
    elif not key:
        key = _key_from_environment(provider, base, where)
    return Connection(settings.api_type, _clean(base) or provider.base_url, key, version, settings.timeout)


def _key_from_environment(provider: Provider, base: str | None, where: str) -> str:
    """The SDK's own variable; a server named by api_base never gets a key that is not meant for it.

    An azure resource and an Anthropic gateway are the provider's own, so they get theirs.
    """
    own_server = base is None or provider.adapter == "anthropic_messages" or provider.cost_name == "azure"
    values = [os.environ[name] for name in provider.key_names if os.environ.get(name)]
    if own_server and values:
        return values[0]
    if base is not None:
        return NO_KEY
    raise UserError(
        f"{where}: no key. Run: export {provider.key_names[0]}=... or write api_key: ${{NAME}} in the endpoint."
    )


def _clean(base: str | None) -> str | None:
    """A base URL as the SDKs want it: people paste it with the path of the call at its end."""
    if base is None:
        return None
    base = base.strip().rstrip("/")
    for tail in ("/chat/completions", "/v1/messages", "/messages"):
        base = base.removesuffix(tail)
    return base
