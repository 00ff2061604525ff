"""The server as a process of its own, and a handle on it for tests and benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.processes import end_process, opener

_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0


class Server:
    """A running loopback server."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid
        self.root = f"http://127.0.0.1:{port}"
        self.openai_base = f"{self.root}/v1"
        self.azure_base = self.root
        self.anthropic_base = f"{self.root}/anthropic"

    def stats(self) -> dict[str, Any]:
        """Counts since the start or the last reset; the keys are those of `Stats.as_dict`."""
        return self._call("stats")

    def requests(self, last: int = 20) -> list[dict[str, Any]]:
        """The last requests, oldest first: path, key, model, headers, body, attempt, fault, at."""
        return self._call(f"requests?last={last}")

    def configure(self, **settings: Any) -> None:
        """Change some settings, for requests that arrive from now on. Raises ValueError for a bad one."""
        self._call("config", settings)

    def script(self, entries: Sequence[Any]) -> None:
        """Append faults for the next requests: a name, {"fault": name, ...details}, or None for none."""
        self._call("script", list(entries))

    def reset(self) -> None:
        """Back to the settings of the start, with nothing counted, scripted or cached."""
        self._call("reset", {})

    def _call(self, name: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        try:
            with opener.open(f"{self.root}/_control/{name}", data, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from None


@contextmanager
def running_server(**settings: Any) -> Iterator[Server]:
    """Start the server with these settings, wait until it listens, and stop it on every way out.

    Raises ValueError for settings that the server does not take.
    """
    command = [sys.executable, "-m", "tests.loopback", "--config", json.dumps(settings, default=list)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield Server(_port_of(process), process.pid)
    finally:
        end_process(process)


def _port_of(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None and process.stderr is not None
    watchdog = threading.Timer(_START_SECONDS, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
    if not line:
        raise ValueError(f"the loopback server did not start: {process.stderr.read().decode().strip()}")
    # What it says later belongs on this process's own stderr, and a full pipe would stop the server.
    threading.Thread(target=_pass_on, args=(process.stderr,), daemon=True).start()
    return json.loads(line)["port"]


def _pass_on(stream: Any) -> None:
    for line in stream:
        sys.stderr.write(line.decode(errors="replace"))
