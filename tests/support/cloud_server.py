"""A scripted HTTP server in a thread, and what the servers of clouds check: AWS's signatures, Google's tokens.

Both checks are calculated here from what AWS and RFC 7515 document, not by the SDKs that are tested.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit


@dataclass(frozen=True)
class Got:
    """A request as it arrived; the names of headers are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


Answered = tuple[int, dict[str, str], Any]  # status, headers, JSON or bytes


@dataclass
class CloudServer:
    """What arrived, and how it is answered. most_at_once: how many requests were in work together."""

    answer: Callable[[Got, int], Answered]
    got: list[Got] = field(default_factory=list)
    address: str = ""
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, got: Got) -> Answered:
        with self._lock:
            self.got.append(got)
            number = len(self.got)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            return self.answer(got, number)
        finally:
            with self._lock:
                self._now -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def running(answer: Callable[[Got, int], Answered], tls: ssl.SSLContext | None = None) -> Iterator[CloudServer]:
    """A server on a free port of this machine."""
    state = CloudServer(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, body = state.reply(Got(self.command, self.path, headers, raw))
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in ({"content-type": "application/json"} | more).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError):  # the client has gone
                super().handle()

    server = _Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.address = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# ------------------------------------------------------------------------------------------ AWS


def signature_fault(got: Got, key_id: str, secret: str, token: str | None, region: str) -> str | None:
    """Why a request's Signature Version 4 is wrong; None when it is right and of now."""
    scheme, _, rest = got.headers.get("authorization", "").partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    stamp = got.headers.get("x-amz-date", "")
    scope = f"{stamp[:8]}/{region}/bedrock/aws4_request"
    if scheme != "AWS4-HMAC-SHA256" or parts.get("Credential") != f"{key_id}/{scope}":
        return f"The credential should be scoped to {scope}."
    if abs(time.mktime(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) - time.mktime(time.gmtime())) > 300:
        return "Signature expired."
    if got.headers.get("x-amz-security-token") != token:
        return "The security token included in the request is invalid."
    names = parts["SignedHeaders"].split(";")
    if not {"host", "x-amz-date", *(["x-amz-security-token"] if token else [])} <= set(names):
        return "Headers that must be signed are not."
    canonical = _canonical(got, names)
    text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    if hmac.new(key, text.encode(), "sha256").hexdigest() != parts["Signature"]:
        return f"The signature does not match. The canonical string should have been '{canonical}'"
    return None


def _canonical(got: Got, names: list[str]) -> str:
    path, _, query = got.path.partition("?")
    lines = [f"{name}:{' '.join(got.headers[name].split())}" for name in names]
    payload = hashlib.sha256(got.raw).hexdigest()
    return "\n".join((got.method, quote(path, safe="/-_.~"), query, *lines, "", ";".join(names), payload))


def converse_reply(*blocks: dict[str, Any], stop: str = "end_turn", **usage: int) -> Answered:
    """A reply of Converse with 10 tokens in and 20 out."""
    counts = {"inputTokens": 10, "outputTokens": 20, "totalTokens": 30} | usage
    message = {"role": "assistant", "content": list(blocks or ({"text": "fine"},))}
    return 200, {}, {"output": {"message": message}, "stopReason": stop, "usage": counts, "metrics": {"latencyMs": 5}}


def aws_error(status: int, code: str, message: str, **headers: str) -> Answered:
    """A refusal as Bedrock sends it."""
    kind = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    return status, kind | headers, {"message": message}


# --------------------------------------------------------------------------------------- Google


AUDIENCE = "https://oauth2.googleapis.com/token"  # whatever server the file names


class Account:
    """A service account, and the server of its tokens: POST /token of the address that its file names."""

    def __init__(self, life: float = 3600) -> None:
        from cryptography.hazmat.primitives.asymmetric import rsa

        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.life = life
        self.claims: list[dict[str, Any]] = []
        self.live: dict[str, float] = {}  # tokens by their end
        self.faults: list[str] = []

    @property
    def email(self) -> str:
        return "judge@my-project.iam.gserviceaccount.com"

    def key_text(self) -> str:
        """The private key as the file holds it."""
        from cryptography.hazmat.primitives import serialization as form

        plain = form.NoEncryption()
        return self._private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, plain).decode()

    def file_text(self, address: str) -> str:
        """The file that Google gives for a service account, with its tokens at this server."""
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "project-of-the-file",
                "private_key_id": "key-1",
                "private_key": self.key_text(),
                "client_email": self.email,
                "client_id": "1",
                "token_uri": f"{address}/token",
            }
        )

    def token(self, got: Got) -> Answered:
        """A new token for an assertion that the account's key has signed, and that is meant for Google's server."""
        assertion = parse_qs(got.raw.decode())["assertion"][0]
        claims = self._verified(assertion)
        if claims is None or claims["iss"] != self.email or claims["aud"] != AUDIENCE:
            return 400, {}, {"error": "invalid_grant", "error_description": f"Invalid JWT Signature in {assertion}"}
        self.claims.append(claims)
        token = f"ya29.token-{len(self.claims)}-0123456789"
        self.live[token] = time.monotonic() + self.life
        return 200, {}, {"access_token": token, "expires_in": self.life, "token_type": "Bearer"}

    def _verified(self, assertion: str) -> dict[str, Any] | None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        signed, _, signature = assertion.rpartition(".")
        head, claims = (json.loads(_from_base64(part)) for part in signed.split("."))
        try:
            self._private.public_key().verify(
                _from_base64(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return None
        right = head["alg"] == "RS256" and claims["iat"] - 60 <= time.time() < claims["exp"]
        return claims if right else None

    def refusal(self, got: Got) -> Answered | None:
        """Google's 401 for a token that does not live, or has been revoked; None when it is good."""
        token = got.headers.get("authorization", "").removeprefix("Bearer ")
        if self.live.get(token, 0.0) > time.monotonic():
            return None
        self.faults.append(token)
        said = f"Request had invalid authentication credentials: {token}"
        return 401, {}, [{"error": {"code": 401, "message": said, "status": "UNAUTHENTICATED"}}]


def _from_base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def path_of(got: Got) -> str:
    return urlsplit(got.path).path
