"""A server that answers with given bytes and keeps those that came, and an adapter that is asked through it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import asdict

from arena_hard.calling.providers.addresses import looked_at
from arena_hard.calling.providers.base import CallError, Connection, Reply
from arena_hard.calling.providers.registry import adapter_of, embedding_adapter_of
from arena_hard.data.settings import ModelSettings

KEY = "plain-looking-private-value-9876"
TLS = b"\x16"  # how a client that would speak it begins
Bodies = Callable[[Any], Iterable[dict[str, Any]]]  # the bodies to send, from the adapter


@dataclass
class Heard:
    """What came of each body, the requests byte for byte, and how many of them an SDK's client was asked for."""

    outcomes: list[Reply | CallError] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    through_sdk: int = 0
    host: str = ""

    def told(self) -> list[Any]:
        """The outcomes, to compare: all that a reply and an error say, but for the server's port."""
        return [_fields(each) | {"type": type(each), "message": self._shown(each)} for each in self.outcomes]

    def _shown(self, outcome: Reply | CallError) -> str:
        return str(getattr(outcome, "message", "")).replace(self.host, "HOST")


def _fields(outcome: Reply | CallError) -> dict[str, Any]:
    return asdict(outcome) if isinstance(outcome, Reply) else vars(outcome)


def response(status: int = 200, body: bytes = b"", *headers: str) -> bytes:
    """A whole response."""
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def asked(
    api_type: str,
    answers: list[bytes],
    bodies: Bodies,
    timeout: float = 20.0,
    embeds: bool = False,
    base: Callable[[str], str] | None = None,
    key: str = KEY,
    looks: bool = False,
    **options: Any,
) -> Heard:
    """Send bodies one after the other through one client, each answered with these bytes; the last goes on.

    An answer that is cut short, or empty, is followed by a hang-up; b"..." is silence. base: the address to ask, from
    the server's; looks: whether to look first which models there are.
    """
    heard = Heard()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(1)
                if head == TLS:
                    break
                head += await reader.readuntil(b"\r\n\r\n")
                lines = dict(line.lower().split(b": ", 1) for line in head.splitlines()[1:] if line)
                heard.requests.append(head + await reader.readexactly(int(lines.get(b"content-length", 0))))
                answer = answers[min(len(heard.requests), len(answers)) - 1]
                if answer != b"...":
                    writer.write(answer)
                    if not _is_whole(answer):
                        break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = ModelSettings(name="m", model_name="m", api_type=api_type)
        adapter = embedding_adapter_of(settings) if embeds else adapter_of(settings)
        root = f"http://127.0.0.1:{port}"
        address = base(root) if base else root + ("" if api_type == "azure" else "/v1")
        client = adapter.open(Connection(api_type, address, key, "2024-10-21", timeout, options=options))
        async with server:
            if looks:
                await looked_at(client, f"{address}/models")
            await _send_all(adapter, client, bodies(adapter), heard)
            await adapter.close(client)
        heard.host = f"127.0.0.1:{port}"
        heard.requests = [each.replace(heard.host.encode(), b"HOST") for each in heard.requests]

    asyncio.run(asyncio.wait_for(run(), 60))
    return heard


async def _send_all(adapter: Any, client: Any, bodies: Iterable[dict[str, Any]], heard: Heard) -> None:
    sdk = vars(client).get("through", client)

    def counting(*args: Any, **how: Any) -> Any:
        heard.through_sdk += 1
        del sdk.post  # what is there without this one, which may be made when it is asked for
        try:
            return sdk.post(*args, **how)
        finally:
            sdk.post = counting

    sdk.post = counting
    for body in bodies:
        try:
            heard.outcomes.append(await adapter.send(client, body))
        except CallError as error:
            heard.outcomes.append(error)


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    return b"content-length: %d\r\n" % len(body) in head + b"\r\n"


@contextlib.asynccontextmanager
async def answering(*answers: bytes, body: int = 0) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives each connection one of these answers, the last again and again, and the requests it saw.

    body: bytes of a request behind its head.
    """
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(body))
        writer.write(answers[min(len(seen), len(answers)) - 1])
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen
