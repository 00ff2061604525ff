"""What the web server answers: the page and its parts, and nothing else that Gradio can do.

Gradio also knows how to hand out files, fetch addresses for the client and take uploads. None of it
is needed here, so none of it is reachable. Every answer carries a policy that keeps the browser from
loading anything from elsewhere, whatever a model wrote.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_OPEN = re.compile(
    r"/|/(assets|static)/[\w./-]+|/(theme\.css|favicon\.ico|robots\.txt|config|login|logout|manifest\.json)/?"
    r"|/gradio_api/(component_server|startup-events|login_check|app_id)/?|/gradio_api/heartbeat/\w+"
)
_PAGE = ("/", "/config", "/config/")  # their query is read by our page alone; of some keys Gradio makes an error
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'self'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


class Guard:
    """ASGI middleware. `hosts`: the names under which the page may be asked for (None: any), so that
    a page elsewhere cannot reach this one through a name of its own that points to 127.0.0.1."""

    def __init__(self, app: Any, hosts: Sequence[str] | None = None) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_open(scope):
            await send({"type": "http.response.start", "status": 404, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": b"Not found"})
            return

        async def send_with_policy(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        if scope["type"] == "http" and scope["path"] in _PAGE:
            scope = {**scope, "query_string": b""}
        await self.app(scope, receive, send_with_policy)

    def _is_open(self, scope: Scope) -> bool:
        path = scope["path"]
        if ".." in path or not _OPEN.fullmatch(path):
            return False
        if scope["method"] == "POST" and not _is_from_here(scope):
            return False
        return self.hosts is None or _host_of(scope) in self.hosts


def _header(scope: Scope, wanted: bytes) -> str:
    return next((value for name, value in scope["headers"] if name == wanted), b"").decode("latin-1")


def _is_from_here(scope: Scope) -> bool:
    """Whether a request that may write comes from our own page; a program that names no origin may, too."""
    origin = _header(scope, b"origin")
    return not origin or urlsplit(origin).netloc == (_header(scope, b"x-forwarded-host") or _header(scope, b"host"))


def _host_of(scope: Scope) -> str:
    """The host that the client asked for, without its port."""
    host = _header(scope, b"host")
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
