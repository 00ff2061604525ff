"""Servers that nobody here wrote, llmock and mock-ai-api, from the environment that ARENA_HARD_TEST_SERVERS names.

It names the folder with their programs (.ci/run makes one). Where it is missing, the test that asks is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.pipeline_bench import clean_environment
from tests.support.processes import end_process, free_port, opener, wait_for_server

# llmock's own program; its batches take three seconds, which hundreds of runs would feel
_LLMOCK = """
import llmock.routers.batch, sys
llmock.routers.batch._BATCH_DELAY = float(sys.argv.pop(1))
from llmock.cli import app
app()
"""


@contextmanager
def llmock(*options: str, batch_delay: float = 3.0) -> Iterator[str]:
    """The root URL of a running llmock, started with these options of its `serve`.

    batch_delay: seconds until a batch has ended; three are its own.
    """
    port = free_port()
    serve = ["serve", "-h", "127.0.0.1", "-p", str(port), "--log-level", "error", *options]
    command = [_python_with("llmock"), "-c", _LLMOCK, str(batch_delay), *serve]
    with _running("llmock", command, f"http://127.0.0.1:{port}", "/_llmock/verdict") as root:
        yield root


def llmock_command(port: str) -> str:
    """The shell command of llmock's own program."""
    program = Path(_python_with("llmock")).with_name("llmock")
    return f"{program} serve -h 127.0.0.1 -p {port} --log-level error"


@contextmanager
def mock_ai_api() -> Iterator[str]:
    """The root URL of mock-ai-api's Anthropic half. A batch of it ends only when its results are fetched."""
    port = free_port()
    # as its own program starts it, which stops what it started only for Ctrl-C
    app = ["-m", "uvicorn", "app.anthropic_app:app", "--host", "127.0.0.1", "--port", str(port)]
    command = [_python_with("mock-ai-api"), *app, "--log-level", "error"]
    with _running("mock-ai-api", command, f"http://127.0.0.1:{port}", "/health") as root:
        yield root


def call(root: str, path: str, body: Any = None) -> Any:
    """GET, or POST where there is a body; the JSON of the reply."""
    return json.loads(fetch(root, path, body))


def fetch(root: str, path: str, body: Any = None) -> bytes:
    """GET, or POST where there is a body; the reply."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{root}{path}", data, {"content-type": "application/json"})
    with opener.open(request, timeout=30) as response:
        return response.read()


def _python_with(program: str) -> str:
    folder = Path(os.environ.get("ARENA_HARD_TEST_SERVERS") or "/nonexistent")
    if not (folder / program).is_file():
        pytest.skip(f"ARENA_HARD_TEST_SERVERS names no folder with {program}")
    return str(folder / "python")


@contextmanager
def _running(name: str, command: Sequence[str], root: str, ready: str) -> Iterator[str]:
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, env=clean_environment(), stdout=nowhere, stderr=nowhere)
    try:
        wait_for_server(name, f"{root}{ready}", process)
        yield root
    finally:
        end_process(process)
