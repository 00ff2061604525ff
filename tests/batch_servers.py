"""A third party's server of batches for the tests: llmock, from the environment that ARENA_HARD_TEST_SERVERS names."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# llmock's own program with shorter waits: its batches take three seconds, which hundreds of runs would feel
QUICK = """
import llmock.routers.batch
llmock.routers.batch._BATCH_DELAY = 0.3
from llmock.cli import app
app()
"""


@contextmanager
def llmock() -> Iterator[str]:
    """The root URL of a running llmock; the test is skipped where it is not installed."""
    folder = os.environ.get("ARENA_HARD_TEST_SERVERS")
    python = Path(folder or "") / "python"
    if not folder or not (python.parent / "llmock").is_file():
        pytest.skip("ARENA_HARD_TEST_SERVERS names no folder with llmock (pip install llmock==0.2)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(python), "-c", QUICK, "serve", "-h", "127.0.0.1", "-p", str(port), "--log-level", "error"]
    process = subprocess.Popen(
        [*command, "--response-style", "varied"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/v1/batches", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + 30
    while True:
        try:
            opener.open(url, timeout=5).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < end, "llmock did not start"
            time.sleep(0.1)
