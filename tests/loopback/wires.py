"""Which path speaks which wire format, and where a request's key is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from . import wire_anthropic, wire_openai
from .asks import Ask, Refused

# Where OpenAI and the providers compatible with it have their completions.
_OPENAI_BASES = ("", "/v1", "/openai/v1", "/api/v1", "/v1beta/openai", "/compatibility/v1", "/anthropic/v1")
_AZURE_PATH = re.compile(r"/openai/deployments/(.+)/chat/completions")
MODELS_PATHS = frozenset(base + "/models" for base in _OPENAI_BASES)


@dataclass(frozen=True)
class Wire:
    """One wire format: how to read a body, and how to write replies and errors."""

    name: str
    read: Callable[[Mapping[str, Any]], Ask]
    refusal: Callable[[Ask, str], Refused | None]
    completion: Callable[..., dict[str, Any]]
    emptied: Callable[[dict[str, Any], str], dict[str, Any]]
    error: Callable[[Refused, Mapping[str, Any]], tuple[int, dict[str, Any]]]
    key_header: str | None  # besides Authorization: Bearer
    request_id_header: str


def _wire(name: str, module: Any, error: Any, key_header: str | None, request_id_header: str) -> Wire:
    return Wire(name, module.read, module.refusal, module.completion, module.emptied, error, key_header,
                request_id_header)  # fmt: skip


OPENAI = _wire("openai", wire_openai, wire_openai.error, None, "x-request-id")
AZURE = _wire("azure", wire_openai, wire_openai.azure_error, "api-key", "apim-request-id")
ANTHROPIC = _wire("anthropic", wire_anthropic, wire_anthropic.error, "x-api-key", "request-id")

_BY_PATH = {base + "/chat/completions": OPENAI for base in _OPENAI_BASES} | {
    "/v1/messages": ANTHROPIC,
    "/anthropic/v1/messages": ANTHROPIC,
}


def wire_of(path: str) -> tuple[Wire, str | None] | None:
    """The wire format of a path, and the deployment that an Azure path names; None for an unknown path."""
    if path in _BY_PATH:
        return _BY_PATH[path], None
    azure = _AZURE_PATH.fullmatch(path)
    return (AZURE, azure.group(1)) if azure else None


def key_of(request: web.BaseRequest, wire: Wire) -> str | None:
    """The key that a request carries, or None."""
    key = request.headers.get(wire.key_header) if wire.key_header else None
    if key:
        return key
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return bearer if scheme.lower() == "bearer" and bearer else None


def masked(key: str | None) -> str:
    """A key as a provider shows it in an error."""
    return f"{key[:3]}***{key[-4:]}" if key and len(key) > 8 else "***"


def json_response(status: int, body: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    """An object as a JSON response."""
    return web.Response(body=json.dumps(body).encode(), status=status, headers=headers,
                        content_type="application/json")  # fmt: skip
