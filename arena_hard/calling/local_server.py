"""A local server for the time of a run: started, waited for, used, and stopped on every way out.

The command runs under a guard (process_guard.py), a small process that watches a pipe from the run. When the run ends
in whatever way, kill -9 included, the pipe closes and the guard stops the server's whole group.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings

START_SECONDS = 1800.0  # large models take long to load
STOP_SECONDS = 20.0  # a little more than the guard gives the server
SHOWN_LOG_LINES = 15
_GUARD = Path(__file__).resolve().with_name("process_guard.py")


@contextmanager
def serving(model: ModelSettings, log: Path) -> Iterator[ModelSettings]:
    """Run the model's `serve` command; yields its settings with the endpoint to use.

    Without `serve` the settings come back as they are. {port} in the command becomes a free port; a
    command without it needs an endpoint that names the address. Raises UserError when the server
    cannot be started or dies before it answers.
    """
    if model.serve is None:
        yield model
        return
    port = _free_port()
    try:
        command = shlex.split(model.serve.replace("{port}", str(port)))
    except ValueError as error:
        raise UserError(f"{model.name}: serve is no command ({error}). Close the quotes in {model.serve!r}.") from None
    base = f"http://127.0.0.1:{port}/v1"
    if "{port}" not in model.serve:
        base = next((e.api_base for e in model.endpoints or [] if e.api_base), "")
        if not base:
            raise UserError(f"{model.name}: serve has no {{port}}. Write it into the command, or add an api_base.")
    guard = _start(model, command, log)
    try:
        print(f"{model.name}: waiting for {command[0]} at {base} (log: {log})", flush=True)
        _wait_until_ready(model, guard, base, log)
        yield msgspec.structs.replace(model, endpoints=[EndpointSettings(api_base=base, api_key="EMPTY")])
    finally:
        _stop(guard)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _start(model: ModelSettings, command: list[str], log: Path) -> subprocess.Popen[bytes]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = open(log, "wb")  # noqa: SIM115 - closed below, when the guard has it
    except OSError as error:
        raise UserError(f"{log}: the log of serve cannot be written: {error.strerror}. Free its place.") from None
    with stream:
        return subprocess.Popen(
            [sys.executable, "-I", str(_GUARD), *command],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C in the terminal reaches the run, and the run stops the server
        )


def _wait_until_ready(model: ModelSettings, guard: subprocess.Popen[bytes], base: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if guard.poll() is not None:
            raise UserError(f"{model.name}: the server ended before it answered. Its last lines:\n{_tail(log)}")
        if _answers(f"{base}/models"):
            return
        time.sleep(0.2)
    raise UserError(f"{model.name}: no answer from {base}/models in {START_SECONDS:g} s. Last lines:\n{_tail(log)}")


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return response.status == 200
    except (OSError, urllib.error.URLError, ValueError):
        return False


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-SHOWN_LOG_LINES:]) or "  (nothing)"


def _stop(guard: subprocess.Popen[bytes]) -> None:
    """Close the pipe and wait; the guard does the rest."""
    if guard.stdin:
        guard.stdin.close()
    try:
        guard.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(guard.pid, signal.SIGKILL)
        guard.wait()
