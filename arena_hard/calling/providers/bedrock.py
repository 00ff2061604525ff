"""Amazon Bedrock's Converse interface, the same for all models there."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from arena_hard.calling.providers import constraints
from arena_hard.calling.providers.base import CallError, Connection, Dialect, Reply, Request, host_of, without_secrets
from arena_hard.calling.providers.decoding import decoded, readable
from arena_hard.calling.providers.error_bodies import message_of
from arena_hard.calling.providers.fields import whole_reply
from arena_hard.calling.providers.finish_reasons import in_our_words
from arena_hard.calling.providers.http import error_beside, retry_after, status_error
from arena_hard.calling.providers.lessons import SYSTEM, TEMPERATURE, constraint_lesson, refuses
from arena_hard.calling.providers.openai_chat import in_dialect
from arena_hard.calling.providers.threads import in_thread
from arena_hard.calling.providers.usage import bedrock_usage
from arena_hard.data import secret_sources
from arena_hard.data.environment import Proxy, proxy_for
from arena_hard.data.records import UserError

CONNECT_SECONDS = 30
CONNECTIONS = 1024  # more than a gate ever grants; the SDK's 10 would close what is above them
_ADDRESSES = ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL")  # variables of the SDK's
_CERTIFICATES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")

_THROTTLED = {"ThrottlingException", "Throttling", "TooManyRequestsException"}
_PASSING = {
    "InternalServerException",
    "ModelErrorException",
    "ModelNotReadyException",
    "ModelTimeoutException",
    "ServiceUnavailableException",
}
_NOT_TAKEN = {"ModelNotReadyException", "ServiceUnavailableException"}
_FOR_ALL = {  # every other request would be refused with the same words
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
}
_WRONG_MODEL = ("model identifier is invalid", "on-demand throughput")
_CAME = "body as it came"
_CHARSET = re.compile(r"charset=[\"']?([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Client:
    """A client of the SDK, which threads may share. way: by which proxy, for messages."""

    runtime: Any
    credentials: Any
    verify: bool | str
    way: str

    @property
    def base_url(self) -> str:
        return self.runtime.meta.endpoint_url

    def know_keys(self) -> None:
        """Make known which keys are in use now: the SDK renews some of them."""
        if self.credentials:
            secret_sources.know_all(self.credentials.get_frozen_credentials()[:3])


class Bedrock:
    """Adapter over boto3, which blocks: each call has a thread."""

    def open(self, connection: Connection) -> Client:
        """A client with region and credentials from the endpoint, or as the SDK finds them. Raises UserError."""
        try:
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise UserError("api_type bedrock needs one more package: pip install boto3") from None
        settings = {
            "retries": {"total_max_attempts": 1},  # retries happen in one place, the call loop
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": connection.timeout,
            "max_pool_connections": CONNECTIONS,
        }
        if connection.api_key:
            settings["auth_scheme_preference"] = "httpBearerAuth"
        try:
            session = _session(connection)
            region = session.region_name or connection.options["aws_fallback_region"]
            proxy = _proxy(connection, region)
            runtime = session.client(
                "bedrock-runtime",
                endpoint_url=connection.base_url,
                verify=_trusted(connection, session),
                config=Config(
                    region_name=region, proxies={"http": proxy.url, "https": proxy.url} if proxy else {}, **settings
                ),
            )
            runtime.meta.events.register("before-parse.bedrock-runtime.Converse", _hand_on)
            credentials = None if connection.api_key else session.get_credentials()
            if not connection.api_key and credentials is None and not _has_bearer(session):
                raise UserError(
                    "api_type bedrock: no AWS credentials. Run: aws configure, or export AWS_ACCESS_KEY_ID=... and "
                    "AWS_SECRET_ACCESS_KEY=..., or write them in the endpoint as ${NAME}."
                )
        except (BotoCoreError, ValueError) as error:
            text = without_secrets(str(error))
            raise UserError(f"api_type bedrock: {text.rstrip('.')}. Fix the entry, or the AWS profile.") from None
        way = f" (through the proxy of {proxy.variable})" if proxy else ""
        return Client(runtime, credentials, connection.verify, way)

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        """The arguments of Converse; `extra` is merged into its groups."""
        messages = in_dialect(request.messages, dialect)
        limits: dict[str, Any] = {"maxTokens": request.max_tokens + (request.thinking or 0)}
        body: dict[str, Any] = {"modelId": request.model, "inferenceConfig": limits}
        if messages and messages[0]["role"] == "system":
            body["system"] = [{"text": messages[0]["content"]}]
            messages = messages[1:]
        body["messages"] = [{"role": each["role"], "content": [{"text": each["content"]}]} for each in messages]
        if request.stop:
            limits["stopSequences"] = request.stop
        if request.thinking:
            thinking = {"type": "enabled", "budget_tokens": request.thinking}
            body["additionalModelRequestFields"] = {"thinking": thinking}
        elif request.temperature is not None and "no temperature" not in dialect:
            limits["temperature"] = request.temperature
        if request.reasoning_effort is not None:
            body.setdefault("additionalModelRequestFields", {})["reasoning_effort"] = request.reasoning_effort
        forced = constraints.constraint(constraints.BEDROCK, request, dialect)
        for key, value in (request.extra | forced).items():
            both = isinstance(value, dict) and isinstance(body.get(key), dict)
            body[key] = body[key] | value if both else value
        return body

    async def send(self, client: Client, body: dict[str, Any]) -> Reply:
        """Converse, in a thread."""
        try:
            found = await in_thread(lambda: _converse(client, body))
        except CallError as error:
            raise await _doubted(client, error) from None
        return read_response(decoded(*found))

    async def close(self, client: Client) -> None:
        """Close its connections."""
        client.runtime.close()


def _session(connection: Connection) -> Any:
    """The SDK's session; a Bedrock API key in the endpoint stands before all other credentials."""
    import boto3
    import botocore.session

    core = botocore.session.get_session()
    if connection.api_key:
        core.register_component("token_provider", _ApiKey(connection.api_key))
    own = {name: connection.options[name] for name in CREDENTIALS if connection.options.get(name)}
    return boto3.Session(botocore_session=core, region_name=connection.options.get("aws_region"), **own)


def _trusted(connection: Connection, session: Any) -> bool | str | None:
    """Whom to trust in the SDK's terms: None is what its profile says, or brings along. Raises UserError."""
    from arena_hard.calling.providers import tls

    if str(connection.base_url).startswith("http:"):
        return None
    if connection.verify is False:  # said once by the run, not with each call
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    own = session._session.get_config_variable("ca_bundle")
    if connection.verify is True and own and not os.environ.get(_CERTIFICATES[0]):
        return None
    found = tls.trusted_file(connection.verify, *_CERTIFICATES)
    return None if found is True else found


def _proxy(connection: Connection, region: str) -> Proxy | None:
    """The proxy for its address, as other api_types have it. Raises UserError for one that cannot be used."""
    named = next((os.environ[name] for name in _ADDRESSES if os.environ.get(name)), None)
    address = connection.base_url or named or f"https://bedrock-runtime.{region}.amazonaws.com"
    return proxy_for(address, kinds=("http", "https"))


def _has_bearer(session: Any) -> bool:
    """Whether AWS_BEARER_TOKEN_BEDROCK is set: with it no other credentials are needed."""
    return session._session.get_auth_token(signing_name="bedrock") is not None


class _ApiKey:
    """A token provider of the SDK's that knows one key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def load_token(self, **_: Any) -> _ApiKey:
        return self

    def get_frozen_token(self) -> Any:
        from botocore.tokens import FrozenAuthToken

        return FrozenAuthToken(self._key)


def _hand_on(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Take a reply as it came: the SDK's own reading ends with a traceback at any field of an odd type.

    Of a refusal it gets what it needs, in the types that it needs.
    """
    if response_dict["status_code"] < 300:
        charset = _CHARSET.search(str(response_dict["headers"].get("content-type")))
        customized_response_dict[_CAME] = response_dict["body"], charset and charset[1]
        response_dict["body"] = b""
        return
    with contextlib.suppress(CallError):  # what is no JSON it takes for the message
        found = readable(response_dict["body"])
        names = found if isinstance(found, Mapping) else {}
        kept = {name: names[name] for name in ("__type", "code") if isinstance(names.get(name), str)}
        response_dict["body"] = json.dumps(kept | {"message": message_of(found)}).encode()


def _converse(client: Client, body: dict[str, Any]) -> tuple[bytes, str | None]:
    """One call, in its thread, and the body that came with its charset. Raises CallError."""
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    from arena_hard.calling.providers import tls

    try:
        client.know_keys()
        return client.runtime.converse(**body)[_CAME]
    except exceptions.ClientError as error:
        raise refusal(error.response, without_secrets(str(error.response["Error"].get("Message"))), body) from None
    except (exceptions.ReadTimeoutError, exceptions.ConnectTimeoutError) as error:
        unreached = isinstance(error, exceptions.ConnectTimeoutError)
        told = f"no answer in time: {without_secrets(str(error))}"
        raise CallError("transient", told, not_taken=unreached, unheard=True) from None
    except (exceptions.ConnectionError, exceptions.HTTPClientError, ResponseParserError) as error:
        unusable = tls.fault(error, client.verify, "api_base", *_CERTIFICATES)
        if unusable:
            raise CallError("final", str(unusable), endpoint_wide=True) from None
        unreached = isinstance(error, (exceptions.EndpointConnectionError, exceptions.ProxyConnectionError))
        reason = f"connection failed: {tls.reason_of(error) or _without_address(client, error)}{client.way}"
        raise CallError("transient", reason, not_taken=unreached, unheard=True) from None
    except (exceptions.BotoCoreError, ValueError) as error:  # no region or credentials; arguments that Converse lacks
        reason = without_secrets(str(error))
        raise CallError("final", f"the request cannot be sent: {reason}", endpoint_wide=True) from None


async def _doubted(client: Client, error: CallError) -> CallError:
    """The error; of a server that hangs up where it is asked without TLS, what it may have expected."""
    from arena_hard.calling.providers import tls

    parts = urlsplit(client.base_url)
    hung_up = "closed before" in error.message or "reset by peer" in error.message
    if parts.scheme != "http" or not hung_up or not parts.hostname:
        return error
    expected = await tls.speaks_tls(parts.hostname, parts.port or 80)
    return CallError("final", tls.SPEAKS_TLS, endpoint_wide=True) if expected else error


def _without_address(client: Client, error: Exception) -> str:
    """The SDK's words end with the whole address, path and model; the host is enough."""
    return without_secrets(str(error).partition(' URL: "')[0] + f" ({host_of(client.base_url)})")


def refusal(response: Mapping[str, Any], text: str, body: Mapping[str, Any]) -> CallError:
    """The error for what Bedrock answered in place of a reply; `text`: its words, without secrets."""
    code = str(response["Error"].get("Code") or "")
    about = response.get("ResponseMetadata", {})
    status, headers = about.get("HTTPStatusCode", 500), about.get("HTTPHeaders", {})
    message = f"{status}: {code}: {text}"
    if code in _THROTTLED:
        if "per day" in text:
            return CallError("final", message, endpoint_wide=True)
        return CallError("rate limit", message, retry_after(headers))
    if code in _PASSING:
        busy = code in _NOT_TAKEN
        return CallError("transient", message, retry_after(headers), not_taken=busy, busy=busy)
    if code in _FOR_ALL or any(words in text for words in _WRONG_MODEL):
        return CallError("final", message, endpoint_wide=True)
    if code == "ValidationException":
        return CallError("final", message, lesson=_lesson(text.lower(), body))
    return status_error(status, headers, {"error": {"code": code, "message": text}}, text)


def _lesson(lowered: str, body: Mapping[str, Any]) -> str | None:
    """How the model wants to be asked instead, read from a refusal."""
    if "temperature" in body["inferenceConfig"] and refuses(lowered, TEMPERATURE):
        return "no temperature"
    if "system" in body and refuses(lowered, SYSTEM):
        return "no system role"
    return constraint_lesson(400, lowered, body)


def read_response(found: Any) -> Reply:
    """What Converse answered, as a reply; its text may be empty. Raises CallError for one that tells of an error."""
    whole = whole_reply(found, "output")
    output = whole.inner("output")
    is_text = isinstance(output.raw("message"), str)
    text, thought = output.said("message") if is_text else output.inner("message").said("content")
    text = constraints.tool_input(output.inner("message").raw("content")) or text if not is_text else text
    reason, usage = whole.word("stopReason"), bedrock_usage(whole.inner("usage"), bool(text or thought))
    error = error_beside((found, whole.whole), text, reason and in_our_words(reason))
    if error is not None:
        error.usage = usage
        raise error
    whole.note_no_end("stopReason")
    return Reply(text, reason or "stop", usage, None, thought=thought or None, notes=tuple(whole.notes))


ADAPTER = Bedrock()
