"""The registry of api_types: which adapter speaks to a provider, where it lives, whose key it takes.

A new provider that speaks the OpenAI protocol is one row here.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass

from arena_hard.calling.providers.addresses import Pasted, shown, understood
from arena_hard.calling.providers.base import NO_KEY, Adapter, CallError, Connection, Dialect, Reply, Request
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings, fill_from_environment, suggestion

__all__ = ["Adapter", "CallError", "Connection", "Dialect", "Provider", "Reply", "Request", "PROVIDERS"]


@dataclass(frozen=True)
class Provider:
    """One row of the registry; `key_names` and `base_name` are the variables of the provider's own SDK."""

    adapter: str
    base_url: str | None = None
    key_names: tuple[str, ...] = ()
    cost_name: str | None = None
    base_name: str | None = None


PROVIDERS = {
    "openai": Provider("openai_chat", None, ("OPENAI_API_KEY",), "openai", "OPENAI_BASE_URL"),
    "azure": Provider("openai_chat", None, ("AZURE_OPENAI_API_KEY",), "azure", "AZURE_OPENAI_ENDPOINT"),
    "anthropic": Provider("anthropic_messages", None, ("ANTHROPIC_API_KEY",), "anthropic", "ANTHROPIC_BASE_URL"),
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
    verify, notes = _verify(endpoint, where), list[str]()
    if settings.api_type == "recorded":
        if not base:
            raise UserError(f"{where}: api_type recorded needs api_base: the file with the recordings.")
        return Connection(settings.api_type, base.strip().rstrip("/"), key, version, settings.timeout)
    key = key or _key_from_environment(provider, base, where)
    address = base or os.environ.get(provider.base_name or "")
    if address:
        pasted = understood(address, azure=settings.api_type == "azure")
        _check_deployment(pasted, settings, where)
        address, version = pasted.base, version or pasted.version
        if pasted.changed:
            notes.append(f"{where}: the address is taken as {shown(address)}; the rest of it belongs to a single call.")
    if settings.api_type == "azure":
        version = version or os.environ.get("OPENAI_API_VERSION")
        if not (version and address):
            raise UserError(f"{where}: azure needs api_base and api_version; add them to the endpoint.")
    address = address or provider.base_url
    if verify is False:
        notes.append(f"{where}: certificates are not checked (verify: false).")
    return Connection(settings.api_type, address, key, version, settings.timeout, verify, tuple(notes))


def _verify(endpoint: EndpointSettings, where: str) -> bool | str:
    """Whom to trust; true and false may come as texts, from a variable."""
    if endpoint.verify is None or isinstance(endpoint.verify, bool):
        return endpoint.verify is not False
    text = (fill_from_environment(endpoint.verify, where) or "").strip()
    if not text:
        raise UserError(f"{where}: verify is empty. Write true, false, or the file with the certificates to trust.")
    return {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(text.lower(), text)


def _check_deployment(pasted: Pasted, settings: ModelSettings, where: str) -> None:
    """An azure address that names another deployment than model_name would be asked for the wrong model."""
    if pasted.deployment not in (None, settings.model_name):
        raise UserError(
            f"{where}: api_base names the deployment {pasted.deployment!r} and model_name is {settings.model_name!r}. "
            f"For azure, model_name is the deployment: write model_name: {pasted.deployment}, or mend api_base."
        )


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
