"""The registry of api_types: which adapter speaks to a provider, where it lives, whose key it takes.

A new provider that speaks the OpenAI protocol is one row here; one of the user's own is none (own.py).
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from arena_hard.calling.providers import own
from arena_hard.calling.providers.addresses import Pasted, shown, understood
from arena_hard.calling.providers.base import NO_KEY, Adapter, Connection
from arena_hard.data import secret_sources
from arena_hard.data.api_types import LOCAL_SERVERS
from arena_hard.data.certificates import certificates_in
from arena_hard.data.environment import is_local
from arena_hard.data.name_lists import NEAR_KEY, nearest
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.variables import fill_from_environment

if TYPE_CHECKING:
    pass

AWS_KEYS = ("aws_region", "aws_access_key_id", "aws_secret_access_key", "aws_session_token")
AWS_REGION = "us-west-2"  # the original's, where neither the entry nor the SDK nor the variable knows one
REGION = "global"  # of Vertex
YES_OR_NO = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}


class Provider(msgspec.Struct, frozen=True):
    """One row of the registry; `key_names` and `base_name` are the variables of the provider's own SDK.

    keyless: it needs no api_key. is_own: the adapter is one that the user wrote.
    """

    adapter: str
    base_url: str | None = None
    key_names: tuple[str, ...] = ()
    cost_name: str | None = None
    base_name: str | None = None
    keyless: bool = False
    is_own: bool = False


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
    "bedrock": Provider("bedrock", cost_name="aws", keyless=True),
    "vertex": Provider("vertex", cost_name="google", keyless=True),
    "recorded": Provider("recorded"),
}


def settled(settings: ModelSettings, folder: Path) -> ModelSettings:
    """An entry of the endpoint file in `folder` with its model's name and the file of its provider found.

    `model_id` is Bedrock's name of a model, and that of others where the entry has no model_name. Raises UserError for
    an unknown api_type.
    """
    if own.is_file(settings.api_type):
        settings = msgspec.structs.replace(settings, api_type=own.located(settings.api_type, folder))
    provider_of(settings)
    if settings.model_id and (settings.api_type == "bedrock" or not settings.model_name):
        settings = msgspec.structs.replace(settings, model_name=settings.model_id)
    return settings


def provider_of(settings: ModelSettings) -> Provider:
    """The registry's row for a model. Raises UserError for an api_type that is not in it."""
    name = settings.api_type
    if name in PROVIDERS:
        return PROVIDERS[name]
    installed = set() if own.is_file(name) else set(own.entry_points())
    if not own.is_file(name) and name not in installed:
        known = {*PROVIDERS, *LOCAL_SERVERS, *installed}
        near = nearest(name, known, NEAR_KEY)
        raise UserError(
            f"unknown api_type {name!r}. {f'Did you mean {near!r}? ' if near else ''}Known are: "
            f"{', '.join(sorted(known))}, and FILE.py:CLASS. Any other server that speaks OpenAI's protocol is openai, "
            "with its api_base."
        )
    return Provider(name, keyless=True, is_own=True)


def adapter_of(settings: ModelSettings) -> Adapter:
    """The adapter for a model; its SDK is imported here and not before. Raises UserError for what it would ignore."""
    provider = provider_of(settings)
    if provider.is_own:
        own.check_file(provider.adapter, settings.line_of("api_type"))
        return own.adapter(provider.adapter)
    _check_reasoning(settings, provider.adapter)
    return importlib.import_module(f"arena_hard.calling.providers.{provider.adapter}").ADAPTER


def embedding_adapter_of(settings: ModelSettings) -> Adapter:
    """The adapter that asks a model for vectors. Raises UserError for an api_type that has none."""
    if provider_of(settings).adapter != "openai_chat":
        raise UserError(
            f"{settings.line_of('api_type')}{settings.name}: api_type {settings.api_type} has no embeddings here. Name "
            "a server with OpenAI's /v1/embeddings (api_type openai and its api_base)."
        )
    return importlib.import_module("arena_hard.calling.providers.openai_embeddings").ADAPTER


def _check_reasoning(settings: ModelSettings, adapter: str) -> None:
    """A key that has no effect would stand among the settings as if it had."""
    if adapter == "vertex":
        adapter = "anthropic_messages" if _is_claude(settings) else "openai_chat"
    where = f"{settings.line_of('thinking', 'reasoning_effort')}{settings.name}"
    if adapter == "openai_chat" and settings.thinking is not None:
        raise UserError(
            f"{where}: thinking is Anthropic's budget; for api_type {settings.api_type} use "
            "reasoning_effort or extra_body."
        )
    if adapter == "anthropic_messages" and settings.reasoning_effort is not None:
        raise UserError(
            f"{where}: reasoning_effort is OpenAI's; for api_type {settings.api_type} use thinking: TOKENS "
            "or extra_body."
        )


def _is_claude(settings: ModelSettings) -> bool:
    from arena_hard.calling.providers.vertex import is_claude

    return is_claude(settings.model_name)


def connections(settings: ModelSettings) -> list[Connection]:
    """Where a model's requests may go. Raises UserError for a missing key, base or environment variable."""
    provider = provider_of(settings)
    found: list[Connection] = []
    know_keys_of(settings)
    for number, endpoint in enumerate(settings.endpoints or [EndpointSettings()], 1):
        where = _Where(settings, number)
        found += [
            _connection(settings, provider, endpoint, options, where) for options in _options(settings, endpoint, where)
        ]
    return found


def know_keys_of(settings: ModelSettings) -> None:
    """Make known what is secret of an entry."""
    secret_sources.know_config(msgspec.to_builtins(msgspec.structs.replace(settings, lines={})), settings.name)


class _Where(msgspec.Struct, frozen=True):
    """An endpoint in messages: its line, where it comes from a file, its model and its number."""

    settings: ModelSettings
    number: int

    def __str__(self) -> str:
        return self.of()

    def of(self, *keys: str) -> str:
        """With the line of the first of these keys that is written there, or in the entry itself."""
        spot = f"endpoints {self.number}"
        line = self.settings.line_of(*(f"{spot} {key}" for key in keys), *keys, spot)
        return f"{line}{self.settings.name}, endpoint {self.number}"


def _options(settings: ModelSettings, endpoint: EndpointSettings, where: _Where) -> list[dict[str, Any]]:
    """What the connections of an endpoint need besides address and key; Vertex has one for each region."""
    if settings.api_type == "bedrock":
        given = {key: fill_from_environment(getattr(endpoint, key), where.of(key)) for key in AWS_KEYS}
        if bool(given["aws_access_key_id"]) != bool(given["aws_secret_access_key"]):
            raise UserError(
                f"{where.of(*AWS_KEYS[1:3])}: aws_access_key_id and aws_secret_access_key belong together; write both "
                "or none."
            )
        given["aws_region"] = given["aws_region"] or fill_from_environment(settings.aws_region, where.of("aws_region"))
        return [{**given, "aws_fallback_region": os.environ.get("AWS_REGION") or AWS_REGION}]
    if settings.api_type == "vertex":
        project = fill_from_environment(settings.project_id, where.of("project_id")) or os.environ.get(
            "GOOGLE_CLOUD_PROJECT"
        )
        if not project:
            raise UserError(f"{where}: vertex needs project_id in the entry. Or run: export GOOGLE_CLOUD_PROJECT=...")
        claude = _is_claude(settings)
        return [{"project": project, "region": region, "claude": claude} for region in regions_of(settings)]
    return [{key: _filled(value, where.of("options")) for key, value in (endpoint.options or {}).items()}]


def _filled(value: Any, where: str) -> Any:
    return fill_from_environment(value, where) if isinstance(value, str) else value


def regions_of(settings: ModelSettings) -> list[str]:
    """The regions whose servers share the load of a model on Vertex."""
    given = settings.regions or os.environ.get("GOOGLE_CLOUD_LOCATION") or REGION
    texts = [given] if isinstance(given, str) else given
    return [part.strip() for text in texts for part in text.split(",") if part.strip()] or [REGION]


def _connection(
    settings: ModelSettings, provider: Provider, endpoint: EndpointSettings, options: dict[str, Any], where: _Where
) -> Connection:
    base = fill_from_environment(endpoint.api_base, where.of("api_base"))
    key = fill_from_environment(endpoint.api_key, where.of("api_key"))
    version = fill_from_environment(endpoint.api_version, where.of("api_version"))
    verify, notes = _verify(endpoint, where), list[str]()
    if provider.is_own:  # its address is what it makes of it
        return Connection(settings.api_type, base, key, version, settings.timeout, verify, options=options)
    if settings.api_type == "recorded":
        if not base:
            raise UserError(f"{where}: api_type recorded needs api_base: the file with the recordings.")
        return Connection(settings.api_type, base.strip().rstrip("/"), key, version, settings.timeout)
    if not key and not provider.keyless:
        key = _key_from_environment(provider, base, where)
    address = base or os.environ.get(provider.base_name or "")
    if address:
        pasted = understood(address, azure=settings.api_type == "azure")
        _check_deployment(pasted, settings, where)
        address, version = pasted.base, version or pasted.version
        if pasted.changed:
            notes.append(
                f"{where.of('api_base')}: the address is taken as {shown(address)}; the rest of it belongs to a single "
                "call."
            )
    if settings.api_type == "azure":
        version = version or os.environ.get("OPENAI_API_VERSION")
        if not (version and address):
            raise UserError(f"{where}: azure needs api_base and api_version; add them to the endpoint.")
    address = address or provider.base_url
    notes += _key_notes(provider, endpoint, key, address, where)
    if verify is False:
        notes.append(f"{where.of('verify')}: certificates are not checked (verify: false).")
    return Connection(settings.api_type, address, key, version, settings.timeout, verify, tuple(notes), options)


def _key_notes(
    provider: Provider, endpoint: EndpointSettings, key: str | None, address: str | None, where: _Where
) -> list[str]:
    """What is to be said of a key: that it is the name of a variable, or which variable is not sent."""
    if key and key == endpoint.api_key and key in os.environ:
        return [
            f"{where.of('api_key')}: api_key is the text {key} itself; for the variable of that name write ${{{key}}}."
        ]
    known = [name for name in provider.key_names if os.environ.get(name)]
    if key != NO_KEY or endpoint.api_key or not known or is_local(urlsplit(address or "").hostname or ""):
        return []
    return [f"{where}: no api_key, so none is sent; to send that of {known[0]} write api_key: ${{{known[0]}}}."]


def _verify(endpoint: EndpointSettings, where: _Where) -> bool | str:
    """Whom to trust; true and false may come as texts, from a variable."""
    if endpoint.verify is None or isinstance(endpoint.verify, bool):
        return endpoint.verify is not False
    text = (fill_from_environment(endpoint.verify, where.of("verify")) or "").strip()
    if not text:
        raise UserError(
            f"{where.of('verify')}: verify is empty. Write true, false, or the file with the certificates to trust."
        )
    if text.lower() in YES_OR_NO:
        return YES_OR_NO[text.lower()]
    file = os.path.expanduser(text)
    if (endpoint.api_base or "").startswith("http:"):
        return file
    try:
        certificates_in(Path(file))
    except UserError as error:
        raise UserError(f"{where.of('verify')}: verify: {file}: {error}.") from None
    return file


def _check_deployment(pasted: Pasted, settings: ModelSettings, where: _Where) -> None:
    """An azure address that names another deployment than model_name would be asked for the wrong model."""
    if pasted.deployment not in (None, settings.model_name):
        raise UserError(
            f"{where.of('api_base')}: api_base names the deployment {pasted.deployment!r} and model_name is "
            f"{settings.model_name!r}. For azure, model_name is the deployment: write model_name: "
            f"{pasted.deployment}, or fix api_base."
        )


def _key_from_environment(provider: Provider, base: str | None, where: _Where) -> str:
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
