"""The SDKs, imported when something comes that needs them: a lost connection, a stream, a batch.

To import one takes longer than all else that a script does before its first request, and most runs would have it write
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
from typing import TYPE_CHECKING, Any, NamedTuple

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


class Hand(NamedTuple):
    """How an SDK writes requests. package: what it is called; agent: what it calls itself, but for its version.

    major: its first number, in the versions of which this is known; tellers: how variables begin that tell it more than
    the connection does, but for those that are `used`; headers: of a request with this key, time-out in seconds, and
    those of the machine, to a POST or a GET.
    """

    package: str
    major: str
    agent: str
    tellers: tuple[str, ...]
    used: tuple[str, ...]
    headers: Callable[[str, float, Mapping[str, str], bool], dict[str, str]]


_ASYNC, _TRIES = {"X-Stainless-Async": "async:asyncio"}, {"x-stainless-retry-count": "0"}


def _accepted(posts: bool) -> dict[str, str]:
    return {"Accept": "application/json"} | ({"Content-Type": "application/json"} if posts else {})


def _of_openai(key: str, seconds: float, machine: Mapping[str, str], posts: bool) -> dict[str, str]:
    read = {"x-stainless-read-timeout": str(seconds)}
    return {"Authorization": f"Bearer {key}", **_accepted(posts), **machine, **_ASYNC, **_TRIES, **read}


def _of_anthropic(key: str, seconds: float, machine: Mapping[str, str], posts: bool) -> dict[str, str]:
    own = {"x-stainless-timeout": "NOT_GIVEN" if posts else str(seconds)}  # a POST is given none
    read = {"x-stainless-read-timeout": str(seconds)}
    mine = {"Authorization": f"Bearer {key}", **_ASYNC, "anthropic-version": "2026-10-21"}
    return {**own, **_TRIES, **read, **_accepted(posts), **machine, **mine}


OPENAI = Hand("openai", "3", "AsyncOpenAI", ("OPENAI_",), ("OPENAI_API_KEY", "OPENAI_BASE_URL"), _of_openai)
ANTHROPIC = Hand(
    "anthropic",
    "2",
    "AsyncAnthropic",
    ("ANTHROPIC_", "OTEL_"),
    ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
    _of_anthropic,
)


class LateClient(CanWait):
    """Stands for an SDK's client; whatever else is asked of it, is asked of one that is made then."""

    def __init__(
        self, hand: Hand, base: str, connection: Connection, http: DirectClient, make: Callable[[], Any]
    ) -> None:
        self.base_url = f"{base.rstrip('/')}/"
        self._hand, self._http, self._make = hand, http, make
        self._made: Any = None
        self._making = threading.Lock()
        self._key, self._timeout = connection.api_key or "", connection.timeout

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
        headers = self._headers(self._key, self._timeout, posts=True)
        return self._http.prepared("POST", self.base_url + path.lstrip("/"), headers, self._timeout)

    async def get(
        self, url: str, cast_to: type[httpx2.Response], options: Mapping[str, float] | None = None
    ) -> httpx2.Response:
        """A plain response to a GET; with a time-out of its own it needs no SDK, and raises httpx2.HTTPError."""
        if options is None:
            await self.ready()
            return await self._sdks().get(url, cast_to=cast_to)
        seconds = options["timeout"]
        response = await self._http.get(url, headers=self._headers(self._key, seconds), timeout=seconds)
        return response.raise_for_status()

    async def status_of_stranger(self, url: str) -> int:
        """The status of a GET with a key that nobody has. Raises what comes of it otherwise."""
        headers = self._headers(f"unknown-{secrets.token_hex(16)}", LOOK_SECONDS)
        return await self._http.status("GET", url, headers, LOOK_SECONDS)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    def _headers(self, key: str, seconds: float, posts: bool = False) -> dict[str, str]:
        return self._hand.headers(key, seconds, of_this_machine(self._hand.package, self._hand.agent), posts)


def client_of(hand: Hand, base: str, connection: Connection, http: Any, make: Callable[[], Any]) -> Any:
    """One that can wait for the SDK where that is possible, else the SDK's, which `make` makes.

    base: the address under which the SDK looks for its paths; http: what it sends through.
    """
    from arena_hard.calling.providers.transport import DirectClient

    if isinstance(http, DirectClient) and can_wait(hand, base, connection):
        return LateClient(hand, base, connection, http, make)
    return make()


def can_wait(hand: Hand, base: str, connection: Connection) -> bool:
    """Whether it is known how the SDK would write a request, without a proxy."""
    key = connection.api_key or ""
    plain_url = _URL.fullmatch(base) is not None
    plain_key = key.isascii() and key.isprintable() and key == key.strip() != ""
    told = any(name.startswith(hand.tellers) and name not in hand.used for name in os.environ)
    machine = of_this_machine(hand.package, hand.agent)
    is_known = machine.get("X-Stainless-Package-Version", "").split(".")[0] == hand.major
    return plain_url and plain_key and not told and is_known


@functools.cache
def of_this_machine(package: str, agent: str) -> dict[str, str]:
    """What an SDK tells of itself and of this machine; empty for a machine of which that is not known."""
    system, machine = _SYSTEMS.get(sys.platform), _MACHINES.get(platform.machine().lower())
    if not system or not machine or hasattr(sys, "getandroidapilevel"):
        return {}
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:  # its import will say so
        return {}
    return {
        "User-Agent": f"{agent}/Python {version}",
        "X-Stainless-Lang": "python",
        "X-Stainless-Package-Version": version,
        "X-Stainless-OS": system,
        "X-Stainless-Arch": machine,
        "X-Stainless-Runtime": platform.python_implementation(),
        "X-Stainless-Runtime-Version": platform.python_version(),
    }
