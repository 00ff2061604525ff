"""Run the loopback server: prints {"port": N} once it listens; SIGTERM, SIGINT or a closed stdin end it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import stat
import sys

from aiohttp import web

from .server import Loopback
from .settings import Settings

_BACKLOG = 4096


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.loopback", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--config", default="{}", help="settings as a JSON object; see settings.py")
    arguments = parser.parse_args()
    try:
        settings = Settings().changed(json.loads(arguments.config))
    except (ValueError, TypeError, KeyError) as wrong:
        print(f"--config: {wrong}", file=sys.stderr)
        return 2
    asyncio.run(serve(settings, arguments.port))
    return 0


async def serve(settings: Settings, port: int) -> None:
    """Serve until told to stop."""
    stopped = asyncio.Event()
    await _listen_for_the_end(stopped)
    # Cancelling the handler when its client leaves keeps `in flight` true for requests that hang.
    server = web.Server(Loopback(settings), access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=_BACKLOG)
    await site.start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await stopped.wait()
    await runner.cleanup()


async def _listen_for_the_end(stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        await loop.connect_read_pipe(lambda: _UntilClosed(stopped), sys.stdin)


class _UntilClosed(asyncio.Protocol):
    """Sets an event when the other end of stdin is closed, as it is when the parent dies."""

    def __init__(self, stopped: asyncio.Event) -> None:
        self._stopped = stopped

    def connection_lost(self, exc: Exception | None) -> None:
        self._stopped.set()


sys.exit(main())
