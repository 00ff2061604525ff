"""The openai SDK, imported when something comes that needs it: a lost connection, a stream, a batch.

To import it takes longer than all else that a script does before its first request, and most runs would have it write
the same headers again and again. Here they are written as it does, byte for byte (tests/calling/test_direct.py), where
that is known; in all other cases the SDK is there from the beginning.
"""

from __future__ import annotations

import asyncio
import functools
import os
import platform
import re
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

from arena_hard.calling.providers.addresses import LOOK_SECONDS
from arena_hard.calling.providers.base import Connection
from arena_hard.calling.providers.direct import CanWait, Prepared
from arena_hard.data.records import UserError

if TYPE_CHECKING:
    import httpx2

    from arena_hard.calling.providers.transport import DirectClient

_SYSTEMS = {"linux": "Linux", "darwin": "MacOS"}
_MACHINES = {"arm64": "arm64", "aarch64": "arm64", "x86_64": "x64"}
_URL = re.compile(r"https?://[a-z0-9.-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~-]+)*/?")  # of which there is one way to write it
_USED = ("OPENAI_API_KEY", "OPENAI_BASE_URL")  # variables that say nothing more than the connection does


class LateOpenAI(CanWait):
    """Stands for an AsyncOpenAI; whatever else is asked of it, is asked of one that is made then."""

    def __init__(self, connection: Connection, http: DirectClient, make: Callable[[], Any]) -> None:
        self.base_url = f"{str(connection.base_url).rstrip('/')}/"
        self._http, self._make = http, make
        self._made: Any = None
        self._making = threading.Lock()
        self._key, self._timeout = connection.api_key, connection.timeout

    def _sdks(self) -> Any:
        """The SDK's client, made once; several threads may ask for it."""
        with self._making:
            if self._made is None:
                self._made = self._make()
        return self._made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sdks(), name)

    async def ready(self) -> None:
        """Have the SDK's client there; its import takes too long for the loop. Raises UserError."""
        try:
            await asyncio.to_thread(self._sdks)
        except ImportError as error:
            raise UserError(f"{error}. Run: pip install -r requirements.txt") from None

    def prepared(self, path: str) -> Prepared:
        """A POST as the SDK would send it, but for its body."""
        headers = self._headers(self._timeout, {"Content-Type": "application/json"})
        return self._http.prepared("POST", self.base_url + path.lstrip("/"), headers, self._timeout)

    async def get(self, url: str, cast_to: type[httpx2.Response], options: Mapping[str, float]) -> httpx2.Response:
        """A plain response to a GET. Raises httpx2.HTTPError, for a refusal too."""
        seconds = options["timeout"]
        response = await self._http.get(url, headers=self._headers(seconds, {}), timeout=seconds)
        return response.raise_for_status()

    async def status_of_stranger(self, url: str) -> int:
        """The status of a GET with a key that nobody has. Raises what comes of it otherwise."""
        headers = self._headers(LOOK_SECONDS, {}) | {"Authorization": f"Bearer unknown-{secrets.token_hex(16)}"}
        return await self._http.status("GET", url, headers, LOOK_SECONDS)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    def _headers(self, seconds: float, more: Mapping[str, str]) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._key}",
            "Accept": "application/json",
            **more,
            **of_this_machine(),
            "X-Stainless-Async": "async:asyncio",
            "x-stainless-retry-count": "0",
            "x-stainless-read-timeout": str(seconds),
        }


def can_wait(connection: Connection) -> bool:
    """Whether it is known how the SDK would write a request, without a proxy."""
    key = connection.api_key or ""
    plain_url = _URL.fullmatch(connection.base_url or "") is not None
    plain_key = key.isascii() and key.isprintable() and key == key.strip() != ""
    told = any(name.startswith("OPENAI_") and name not in _USED for name in os.environ)
    return connection.api_type != "azure" and plain_url and plain_key and not told and bool(of_this_machine())


@functools.cache
def of_this_machine() -> dict[str, str]:
    """What the SDK tells of itself and of this machine; empty for a machine of which that is not known."""
    system, machine = _SYSTEMS.get(sys.platform), _MACHINES.get(platform.machine().lower())
    if not system or not machine or hasattr(sys, "getandroidapilevel"):
        return {}
    version = metadata.version("openai")
    return {
        "User-Agent": f"AsyncOpenAI/Python {version}",
        "X-Stainless-Lang": "python",
        "X-Stainless-Package-Version": version,
        "X-Stainless-OS": system,
        "X-Stainless-Arch": machine,
        "X-Stainless-Runtime": platform.python_implementation(),
        "X-Stainless-Runtime-Version": platform.python_version(),
    }
