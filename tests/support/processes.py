"""Processes on this machine that a test starts: free ports, waiting for what they do, and their end."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

# A proxy in the environment must not come between a test and 127.0.0.1.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that another process is about to do."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process lives; one that has ended and waits for its parent does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(done.stdout.strip()) and not done.stdout.strip().startswith("Z")


def wait_for_server(name: str, url: str, process: subprocess.Popen[Any], seconds: float = 60.0) -> None:
    """Wait until a server answers, whatever it says. One that ends before fails the test with its output."""
    end = time.monotonic() + seconds
    while True:
        try:
            opener.open(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            said = process.stdout.read() if process.stdout and process.poll() is not None else ""
            assert process.poll() is None, f"{name} ended: {said}"
            assert time.monotonic() < end, f"{name} did not start"
            time.sleep(0.1)


def end_process(process: subprocess.Popen[Any], how: signal.Signals = signal.SIGTERM, seconds: float = 5.0) -> None:
    """End a process by a signal, or by force when it does not listen, and close its pipes."""
    process.send_signal(how)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
