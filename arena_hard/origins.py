"""Where a model's replies come from: what a manifest says of the endpoints, and nothing that is secret."""

from __future__ import annotations

import os
import re

from arena_hard.providers import provider_of
from arena_hard.settings import ModelSettings, with_environment

_ADDRESS_NAMES = {  # what the SDKs read where no api_base is given
    "openai": "OPENAI_BASE_URL",
    "azure": "AZURE_OPENAI_ENDPOINT",
    "anthropic": "ANTHROPIC_BASE_URL",
}


def origins(model: ModelSettings) -> list[str]:
    """The api_type and the address of each endpoint, without credentials; sorted, each once."""
    if model.serve is not None:  # its port is another one in each run
        return [f"{model.api_type}, served by {model.serve.partition(' ')[0]}"]
    addresses = {_address(model.api_type, each.api_base) for each in model.endpoints or []}
    addresses = addresses or {_address(model.api_type, provider_of(model).base_url)}
    return sorted(f"{model.api_type} {address}".strip() for address in addresses)


def _address(api_type: str, base: str | None) -> str:
    text = with_environment(base or os.environ.get(_ADDRESS_NAMES.get(api_type, "")) or "").strip()
    return re.sub(r"//[^/@]*@", "//", re.split("[?#]", text)[0]).rstrip("/")
