"""A Dask cluster that has workers: joined, or started on this machine."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Generator
from typing import Any

from arena_hard.data.records import UserError

CONNECT_SECONDS = 20.0
NOTE_SECONDS, WORKER_SECONDS = 3.0, 60.0  # without a worker, until that is said, and until the run ends
LOOK_SECONDS = 0.5


def client_of(address: str | None, processes: int) -> Any:
    """A client of a cluster that is there and has a worker, or of one with so many processes here. Raises UserError."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError("--backend dask needs more packages: pip install dask distributed") from None
    if address is None:
        with _deaf():
            return Client(n_workers=processes, threads_per_worker=1, dashboard_address=None)
    try:
        client: Any = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"--address {address}: no Dask scheduler answers ({reason}). Start one with: dask scheduler"
        ) from None
    try:
        wait_for_workers(client)
    except BaseException:
        client.close()
        raise
    return client


def wait_for_workers(client: Any) -> None:
    """Until a cluster has a worker, which is said to be missing. Raises UserError where none comes."""
    began, is_said = time.monotonic(), False
    while not client.nthreads():
        waited = time.monotonic() - began
        start = f"Start some: dask worker {client.scheduler.address}"
        if waited >= WORKER_SECONDS:
            raise UserError(f"--backend dask: the cluster had no worker for {WORKER_SECONDS:.0f} s. {start}")
        if waited >= NOTE_SECONDS and not is_said:
            print(f"note: the Dask cluster has no worker; waiting for one. {start}", file=sys.stderr, flush=True)
            is_said = True
        time.sleep(LOOK_SECONDS)


@contextlib.contextmanager
def _deaf() -> Generator[None]:
    """What is started in the body hears no Ctrl-C: the terminal sends it to all, and this process tells the others."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
