"""Scripts in processes forked from one that has already imported what they need from other projects.

Most of what a test of a script costs is the import of the SDKs and of numpy, the same each time. The project's own
modules are not imported beforehand: each run imports them, as an interpreter of its own does. What depends on how an
interpreter starts (encodings, hash seeds, how late something is imported) is tested in a process of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

IMPORTED = (
    "argparse",
    "multiprocessing.synchronize",
    "yaml",
    "msgspec",
    "anyio._backends._asyncio",
    "filelock",
    "tqdm",
    "shortuuid",
    "tiktoken",
    "numpy.random",
    "numpy.ma",
    "scipy.special",
    "aiohttp",
    "openai.types.chat",
    "anthropic",
    "jinja2",
    "nh3",
    "markdown_it",
    "mdit_py_plugins.dollarmath",
    "mdit_py_plugins.texmath",
)
# variables that are read but once, by prefix
READ_AT_START = ("PYTHON", "LC_", "LANG", "OPENBLAS", "OMP_", "TIKTOKEN_")


class WarmProcess:
    """A process that forks one for each script, for everybody who knows its address. It ends with who started it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.address = os.path.join(tempfile.mkdtemp(prefix="warm"), "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.address)
            listener.listen()
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(listener.fileno())], env=environment, pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip


class WarmScripts:
    """Runs scripts in forks of the warm process at an address, one at a time."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._one_at_a_time = threading.Lock()
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(self._address)

    def run(
        self, cwd: Path, script: Path, arguments: Sequence[str], environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a script to its end, at most `timeout` seconds. Raises TimeoutError."""
        argv = [str(script), *arguments]
        told = json.dumps({"cwd": str(cwd), "argv": argv, "environment": dict(environment)}).encode() + b"\n"
        with self._one_at_a_time, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            self._socket.settimeout(timeout)
            socket.send_fds(self._socket, [told], [out.fileno(), err.fileno()])
            try:
                status = self._socket.recv(16)
            except TimeoutError:  # a late status must not be taken for that of the next run
                self._socket.close()
                self._connect()
                raise
            code = os.waitstatus_to_exitcode(int(status))
            return subprocess.CompletedProcess(argv, code, _written(out), _written(err))


def _written(stream: IO[bytes]) -> str:
    stream.seek(0)
    return io.TextIOWrapper(stream, newline=None).read()


# ------------------------------------------------------------------------------- in that process


def _listen(listener: socket.socket) -> None:
    """Fork for everybody who comes, until the process that started this one is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            _serve(connection)
            os._exit(0)
        connection.close()
    shutil.rmtree(os.path.dirname(listener.getsockname()))


def _serve(connection: socket.socket) -> None:
    """Fork for each order that comes, until the other side is gone."""
    while order := _order(connection):
        told, streams = order
        ended, child_lives = os.pipe()
        child = os.fork()
        if child == 0:
            connection.close()
            _become(told, streams)
        for descriptor in (*streams, child_lives):
            os.close(descriptor)
        if connection in select.select([connection, ended], [], [])[0]:
            os.kill(child, signal.SIGKILL)
        os.close(ended)
        with contextlib.suppress(BrokenPipeError):  # nobody waits any more: the next order is the end
            connection.send(b"%d" % os.waitpid(child, 0)[1])


def _order(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """What to run, and where its stdout and stderr go."""
    text, streams, _, _ = socket.recv_fds(connection, 1 << 16, 2)
    while not text.endswith(b"\n"):
        more = connection.recv(1 << 16)
        if not more:  # the other side is gone
            return None
        text += more
    return json.loads(text), streams


def _become(told: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """Be the script, as if the interpreter had just been started with it."""
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), sys.stdout.encoding)
    sys.stderr = sys.__stderr__ = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), sys.stderr.encoding, "backslashreplace", line_buffering=True
    )
    os.environ.clear()
    os.environ.update(told["environment"])
    os.chdir(told["cwd"])
    sys.argv = told["argv"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    code = _exit_code_of(sys.argv[0])
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _exit_code_of(script: str) -> int:
    """Run it. An interpreter ends itself by the signal after Ctrl-C; so does this."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # numpy has threads; OpenBLAS puts them away before a fork
    for name in IMPORTED:
        importlib.import_module(name)
    importlib.import_module("tiktoken").get_encoding("cl100k_base")  # it takes longer than all that a short test does
    gc.freeze()
    _listen(socket.socket(fileno=int(sys.argv[1])))
