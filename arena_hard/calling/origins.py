"""Where records came from, as a manifest says it: nothing that is secret."""

from __future__ import annotations

import os

from arena_hard.calling.providers.addresses import shown, understood
from arena_hard.calling.providers.registry import YES_OR_NO, Provider, provider_of, regions_of
from arena_hard.data.settings import ModelSettings, short_hash
from arena_hard.data.variables import with_environment


def origins(model: ModelSettings) -> list[str]:
    """The api_type and the address of each endpoint, without credentials; sorted, each once."""
    if model.serve is not None:  # its port is another one in each run
        command, _, options = model.serve.partition(" ")
        return [f"{model.api_type}, served by {command} (options {short_hash({'serve': options.split()})})"]
    provider = provider_of(model)
    addresses = {
        _address(model.api_type, provider, each.api_base) + _trust(each.verify) for each in model.endpoints or []
    }
    addresses = addresses or {_address(model.api_type, provider, provider.base_url)}
    if model.api_type in ("bedrock", "vertex"):
        addresses = {" ".join(filter(None, (*place, base))) for place in _places(model) for base in addresses}
    return sorted(f"{model.api_type} {address}".strip() for address in addresses)


def without_options(origin: str) -> str:
    """An origin as earlier versions wrote it, which did not say with which options a server was started."""
    return origin.partition(" (options ")[0]


def _places(model: ModelSettings) -> list[tuple[str, ...]]:
    """Where in a cloud a model is asked, as far as the entry and the environment say."""
    if model.api_type == "vertex":
        project = with_environment(model.project_id or os.environ.get("GOOGLE_CLOUD_PROJECT") or "")
        return [(project, region) for region in regions_of(model)]
    regions = {with_environment(each.aws_region or "") for each in model.endpoints or []} - {""}
    known = model.aws_region or os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or ""
    return [(region,) for region in sorted(regions or {known})]


def _trust(verify: bool | str | None) -> str:
    """Whose certificates are trusted, where it is not the usual ones."""
    if isinstance(verify, str):
        text = with_environment(verify).strip()
        verify = YES_OR_NO.get(text.lower(), text)
    if verify is None or verify is True:
        return ""
    return f" (certificates: {verify})" if verify else " (certificates not checked)"


def _address(api_type: str, provider: Provider, base: str | None) -> str:
    text = with_environment(base or os.environ.get(provider.base_name or "") or "").strip()
    if api_type == "recorded":
        return text.rstrip("/")
    if provider.is_own:
        return shown(text)
    return shown(understood(text, azure=api_type == "azure").base)
