"""A local server for the time of a run: started, waited for, used, and stopped on every way out.

The command runs under a guard (process_guard.py), which watches a pipe from the run. When the run ends in whatever way,
kill -9 included, the pipe closes and the guard stops all that the server has started.
"""

from __future__ import annotations

import http.client
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
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from arena_hard.calling.listeners import MARK, UNTOLD, Watch, watching
from arena_hard.calling.providers.base import without_secrets
from arena_hard.calling.providers.registry import know_keys_of
from arena_hard.data import jsonl, secrets
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.variables import fill_from_environment

START_SECONDS = 1800.0  # large models take long to load
STOP_SECONDS = 20.0  # a little more than the guard gives the server
SHOWN_LOG_LINES = 15
Models = list[str]  # the names that a server lists
_GUARD = Path(__file__).resolve().with_name("process_guard.py")


class _Listed(msgspec.Struct):
    id: str


class _Listing(msgspec.Struct):
    """What /v1/models answers."""

    data: list[_Listed] = []


@contextmanager
def serving(model: ModelSettings, log: Path) -> Iterator[ModelSettings]:
    """Run the model's `serve` command; yields its settings with the endpoint to use.

    Without `serve` the settings come back as they are. {port} in the command becomes a free port; a command without
    it needs an endpoint that names the address. The endpoint's key is used. Raises UserError when the server cannot be
    started, when another one listens at its address, or when it dies before it answers.
    """
    if model.serve is None:
        yield model
        return
    own = next(iter(model.endpoints or []), EndpointSettings())
    key = fill_from_environment(own.api_key, f"{model.name}: api_key") or "EMPTY"
    know_keys_of(model)
    where = f"{model.line_of('serve')}{model.name}"
    port = _free_port()
    try:
        command = shlex.split(model.serve.replace("{port}", str(port)))
    except ValueError as error:
        raise UserError(f"{where}: serve is not a command ({error}). Close the quotes in {model.serve!r}.") from None
    base = f"http://127.0.0.1:{port}/v1"
    if "{port}" not in model.serve:
        base = next((e.api_base for e in model.endpoints or [] if e.api_base), "")
        if not base:
            raise UserError(f"{where}: serve has no {{port}}. Add it to the command, or add an api_base.")
    _check_free(model, base)
    with watching(base) as watch:
        guard = _start(model, command, log, watch)
        try:
            print(f"{model.name}: waiting for {command[0]} at {base} (log: {log})", flush=True)
            _say_what_is_served(model, _wait_until_ready(model, guard, watch, base, key, log))
            endpoint = msgspec.structs.replace(own, api_base=base, api_key=key)
            yield msgspec.structs.replace(model, endpoints=[endpoint])
            # the guard may still be ending what the server left
            if guard.poll() is not None or not _listens(base) or watch.stranger():
                cause = f" ({watch.ended()})" if watch.ended() else ""
                print(
                    f"{model.name}: the server ended during the run{cause}. Its last lines:\n{_tail(log)}", flush=True
                )
        finally:
            _stop(guard)
            _mask(log)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _start(model: ModelSettings, command: list[str], log: Path, watch: Watch) -> subprocess.Popen[bytes]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = open(log, "wb")  # noqa: SIM115 - closed below, when the guard has it
    except OSError as error:
        raise UserError(
            f"{log}: the log of serve cannot be written: {error.strerror}. Remove what is in its place."
        ) from None
    watch.ends, told = os.pipe()
    with stream, open(told, "wb"):
        guard = subprocess.Popen(
            [sys.executable, "-I", str(_GUARD), str(told), *command],
            pass_fds=[told],
            env={**os.environ, MARK: watch.mark},
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C in the terminal reaches the run, and the run stops the server
        )
    watch.guard = guard.pid
    return guard


def _check_free(model: ModelSettings, base: str) -> None:
    """Raises UserError where a server listens already: its answers would pass for the model's."""
    if _listens(base):
        raise UserError(
            f"{model.name}: another server is already listening at {base}; its answers would be taken for those of the "
            "server that serve starts. Stop it, remove serve to use it, or put {port} into the command for a free port."
        )


def _listens(base: str) -> bool:
    """Whether a server takes connections at an address."""
    try:
        parts = urlsplit(base)
        host, port = parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)
        with socket.create_connection((host, port), timeout=5):
            return True
    except (OSError, ValueError):
        return False


def _wait_until_ready(
    model: ModelSettings, guard: subprocess.Popen[bytes], watch: Watch, base: str, key: str, log: Path
) -> Models:
    """The models that the server lists once it answers. Raises UserError."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        status, models = _listed(f"{base}/models", key)
        if status and (other := watch.stranger()):
            raise UserError(
                f"{model.name}: another server ({other}) took {base} while the one that serve starts was loading; its "
                "answers would be taken for the model's. Stop it, or let {port} in the command choose a free port."
            )
        if guard.poll() is not None:
            cause = f" ({how})" if (how := watch.ended()) and how != UNTOLD else ""
            raise UserError(f"{model.name}: the server ended before it answered{cause}. Its last lines:\n{_tail(log)}")
        if status == HTTPStatus.OK:
            return models
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise UserError(
                f"{model.name}: {base}/models refuses the key (status {status}). Give the endpoint of {model.name} the "
                "api_key with which serve starts the server."
            )
        time.sleep(0.2)
    raise UserError(f"{model.name}: no answer from {base}/models in {START_SECONDS:g} s. Last lines:\n{_tail(log)}")


def _listed(url: str, key: str) -> tuple[int, Models]:
    """The status of a look at the server's models, 0 for no answer, and their names where they can be read."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    try:
        with opener.open(request, timeout=5) as response:
            text = response.read()
            status = response.status
    except urllib.error.HTTPError as error:
        return error.code, []
    except (OSError, ValueError, http.client.HTTPException):
        return 0, []
    try:
        return status, [each.id for each in msgspec.json.decode(text, type=_Listing).data]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return status, []


def _say_what_is_served(model: ModelSettings, models: Models) -> None:
    if models and model.model_name not in models:
        names = ", ".join(models[:5]) + (", …" if len(models) > 5 else "")
        print(f"  note: the server lists {names}, and model_name is {model.model_name}.", flush=True)


def _tail(log: Path) -> str:
    """The last lines of the server's log, keys made unreadable."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LOG_LINES:]
    return "\n".join(f"  {without_secrets(line)}" for line in lines) or "  (nothing)"


def _mask(log: Path) -> None:
    """Take keys out of the log, which the server has written past this program."""
    try:
        with open(log, "rb") as lines:
            if any(secrets.mask_bytes(line) is not line for line in lines):
                lines.seek(0)
                jsonl.replace(log, map(secrets.mask_bytes, lines))
    except (OSError, UserError) as error:
        print(f"note: {log} may show keys that the server was given ({error}).", file=sys.stderr)


def _stop(guard: subprocess.Popen[bytes]) -> None:
    """Close the pipe and wait; the guard does the rest."""
    if guard.stdin:
        guard.stdin.close()
    try:
        guard.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(guard.pid, signal.SIGKILL)
        guard.wait()
