"""Google's Vertex AI: Gemini through its OpenAI-compatible address, Claude through Anthropic's client for Vertex."""

from __future__ import annotations

import functools
import math
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from arena_hard.calling.providers.anthropic_messages import ADAPTER as ANTHROPIC
from arena_hard.calling.providers.anthropic_messages import read_message
from arena_hard.calling.providers.base import NO_KEY, CallError, Connection, Dialect, Reply, Request, without_secrets
from arena_hard.calling.providers.google_session import token_server
from arena_hard.calling.providers.http import post
from arena_hard.calling.providers.openai_chat import ADAPTER as OPENAI
from arena_hard.calling.providers.openai_chat import read_completion
from arena_hard.calling.providers.threads import in_thread
from arena_hard.calling.providers.tokens import Tokens
from arena_hard.data import secret_sources
from arena_hard.data.records import UserError

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_HOSTS = {  # other regions have their name in front
    "global": "aiplatform.googleapis.com",
    "us": "aiplatform.us.rep.googleapis.com",
    "eu": "aiplatform.eu.rep.googleapis.com",
}


@dataclass(frozen=True)
class Client:
    """One region of a project: an SDK's client, for Claude or for others, and the tokens."""

    through: Any
    claude: bool
    tokens: Tokens
    timeout: float

    @property
    def base_url(self) -> str:
        return str(self.through.base_url)


def is_claude(model: str) -> bool:
    """Whether a model is asked in Anthropic's way."""
    return model.rpartition("/")[2].startswith("claude")


class Vertex:
    """Adapter over the SDKs of openai and anthropic, with access tokens of google-auth."""

    def open(self, connection: Connection) -> Client:
        """Find the credentials; the first token is fetched with the first call. Raises UserError."""
        fetch = _given(connection.api_key) if connection.api_key else _google_tokens(connection.verify)
        claude = connection.options["claude"]
        through = _anthropic(connection) if claude else _openai(connection)
        return Client(through, claude, Tokens(fetch), connection.timeout)

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        """As Anthropic's, or as OpenAI's; Gemini's names are written with their publisher there."""
        if is_claude(request.model):
            return ANTHROPIC.body(replace(request, model=request.model.rpartition("/")[2]), dialect)
        name = f"google/{request.model}" if request.model.startswith("gemini") else request.model
        return OPENAI.body(replace(request, model=name), dialect)

    async def send(self, client: Client, body: dict[str, Any]) -> Reply:
        """One call with a token that lives. One that is refused all the same is replaced for the next try."""
        token = await client.tokens.get()
        options: Any = {"headers": {"Authorization": f"Bearer {token}"}}
        claude = ("anthropic", client.through, "/v1/messages", body, read_message)
        others = ("openai", client.through, "/chat/completions", body, read_completion)
        try:
            return await post(*(claude if client.claude else others), options=options)
        except CallError as error:
            if getattr(error.__cause__, "status_code", None) == 401 and client.tokens.refused(token):
                raise CallError("transient", error.message) from None
            raise

    async def close(self, client: Client) -> None:
        """Close its connections."""
        await client.through.close()


def _base_of(connection: Connection) -> str:
    """The address without project and model; that of an endpoint of one's own, where api_base names one."""
    region = connection.options["region"]
    host = _HOSTS.get(region, f"{region}-aiplatform.googleapis.com")
    return connection.base_url or f"https://{host}/v1"


def _openai(connection: Connection) -> Any:
    """The SDK's client for Gemini, and for models that a project has deployed itself."""
    import openai

    from arena_hard.calling.providers.transport import http_client

    base = _base_of(connection)
    if "/endpoints/" not in base:
        base += "/projects/{project}/locations/{region}/endpoints/openapi".format_map(connection.options)
    return openai.AsyncOpenAI(
        api_key=NO_KEY,  # each request carries the token of its time
        base_url=base,
        timeout=connection.timeout,
        max_retries=0,  # retries happen in one place, the call loop
        http_client=http_client(base, connection.verify),
    )


def _anthropic(connection: Connection) -> Any:
    """The SDK's client for Claude."""
    from anthropic.lib.vertex import AsyncAnthropicVertex

    from arena_hard.calling.providers.transport import http_client

    base = _base_of(connection)
    return AsyncAnthropicVertex(
        region=connection.options["region"],
        project_id=connection.options["project"],
        base_url=base,
        timeout=connection.timeout,
        max_retries=0,
        http_client=http_client(base, connection.verify),
    )


def _given(token: str) -> Any:
    """A token that stands in the endpoint: nobody renews it."""

    async def fetch() -> tuple[str, float]:
        return token, math.inf

    return fetch


def _google_tokens(verify: bool | str) -> Any:
    """How tokens are fetched with the credentials that google-auth finds. Raises UserError."""
    try:
        import google.auth
        from google.auth import exceptions
        from google.auth.transport.requests import Request as Transport
    except ImportError:
        raise UserError('api_type vertex needs one more package: pip install "google-auth[requests]"') from None
    secret_sources.know_file(Path(os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")))
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except (exceptions.GoogleAuthError, OSError, ValueError) as error:
        raise UserError(
            f"api_type vertex: no Google credentials ({without_secrets(str(error)).rstrip('.')}). Run: gcloud auth "
            "application-default login, or export GOOGLE_APPLICATION_CREDENTIALS=FILE"
        ) from None

    secret_sources.know_all(getattr(credentials, name, None) for name in ("refresh_token", "client_secret"))
    server = token_server(credentials, verify)

    def refresh() -> tuple[str, float]:
        try:
            credentials.refresh(Transport(session=server.session()))
            token = credentials.token
            if not isinstance(token, str) or not token.strip():
                raise ValueError("its reply holds no access_token")
            return token, _life(credentials.expiry)
        except Exception as error:  # what the SDK makes of a reply of any other kind is a TypeError, say
            raise server.failure(error) from None

    return functools.partial(in_thread, refresh)


def _life(expiry: datetime | None) -> float:
    """Seconds up to the end of a token; google-auth tells it in UTC without saying so."""
    if expiry is None:
        return math.inf
    return (expiry.replace(tzinfo=timezone.utc) - datetime.now(timezone.utc)).total_seconds()


ADAPTER = Vertex()
