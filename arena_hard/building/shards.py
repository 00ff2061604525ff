"""Work on pieces of a log, in processes on this machine or on the workers of a Dask cluster; the same bits on both."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import pickle
import signal
import sys
import tempfile
import time
import uuid
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import arena_hard
from arena_hard.building.parallel import in_order
from arena_hard.building.steps import Context
from arena_hard.data.name_lists import counted, shortened
from arena_hard.data.records import UserError

K = TypeVar("K")
A = TypeVar("A")
B = TypeVar("B")
BACKENDS = ("loky", "dask")
_AHEAD = 2  # pieces for each worker that wait or are done
CONNECT_SECONDS = 20.0
NOTE_SECONDS, WORKER_SECONDS = 3.0, 60.0  # without a worker, until that is said, and until the run ends
_LOOK_SECONDS = 0.5


class Shards(Generic[K]):
    """Open while the context lasts. known: what all pieces need; it is sent to each process or worker once."""

    def __init__(self, context: Context, known: K) -> None:
        self._backend = getattr(context.args, "backend", "loky")
        self._address = getattr(context.args, "address", None)
        self._known, self._processes = known, context.processes
        self._client: Any = None
        self._folder = ""
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Shards[K]:
        if self._backend == "dask":
            self._client = self._open.enter_context(cluster(self._address, self._processes))
        else:
            self._folder = self._open.enter_context(tempfile.TemporaryDirectory())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def map(self, function: Callable[[K, A], B], pieces: Iterable[A]) -> Iterator[B]:
        """function(known, piece) for each piece, in order."""
        if self._client is not None:
            return self._on_cluster(function, pieces)
        if self._processes <= 1:
            return map(functools.partial(function, self._known), pieces)
        file = Path(self._folder) / "known"
        file.write_bytes(pickle.dumps(self._known))
        return in_order(functools.partial(_with_known, function, str(file)), pieces, self._processes)

    def _on_cluster(self, function: Callable[[K, A], B], pieces: Iterable[A]) -> Iterator[B]:
        known = self._client.scatter(self._known, broadcast=True)
        waiting: deque[Any] = deque()
        most = _AHEAD * max(1, sum(self._client.nthreads().values()))
        for piece in pieces:
            waiting.append(self._client.submit(function, known, piece, pure=False))
            if len(waiting) > most:
                yield result_of(self._client, waiting.popleft())
        while waiting:
            yield result_of(self._client, waiting.popleft())


def _with_known(function: Callable[[Any, A], B], file: str, piece: A) -> B:
    return function(_known(file), piece)


@functools.lru_cache(maxsize=1)
def _known(file: str) -> Any:
    return pickle.loads(Path(file).read_bytes())


@contextlib.contextmanager
def cluster(address: str | None, processes: int) -> Iterator[Any]:
    """A client of a cluster whose workers have this package, for the time of the body. Raises UserError."""
    client = _client(address, processes)
    try:
        if address is not None:  # else the scheduler is in this process, and would take the package from there as well
            wait_for_workers(client)
            _send_package(client)
        yield client
    finally:
        client.close()


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
        time.sleep(_LOOK_SECONDS)


def result_of(client: Any, future: Any) -> Any:
    """What a worker makes, as long as there is one. Raises what the worker raised, and UserError."""
    wait_for_any(client, [future])
    return future.result()


def wait_for_any(client: Any, futures: Sequence[Any]) -> None:
    """Until one of them has ended, as long as there is a worker. Raises UserError."""
    from distributed.client import wait

    while True:
        try:
            wait(futures, timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED")
            return
        except (TimeoutError, asyncio.TimeoutError):  # two of them in Python 3.10
            wait_for_workers(client)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """What is started in the body hears no Ctrl-C: the terminal sends it to all, and this process tells the others."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _send_package(client: Any) -> None:
    """Give this package to scheduler and workers. Raises UserError where they have loaded another version before.

    A worker that starts later gets what came last. No file is ever written over another, which may be in use.
    """
    from distributed.diagnostics.plugin import SchedulerUploadFile, UploadFile

    with tempfile.TemporaryDirectory() as folder:
        file, version = _package(Path(folder))
        for upload in (SchedulerUploadFile, UploadFile):
            client.register_plugin(upload(str(file)), name="arena_hard")
    loaded: dict[str, Any] = client.run(_loaded_from, on_error="return")
    others = [worker for worker, place in loaded.items() if version not in str(place)]
    if others:
        raise UserError(
            f"--backend dask: {counted(len(others), 'worker has', 'workers have')} loaded another version of this "
            f"program before ({shortened(sorted(others))}). Restart them: parts of both would run side by side."
        )


def _loaded_from() -> str:
    return __file__


def _package(folder: Path) -> tuple[Path, str]:
    """This package as a file for workers with a name of its own, and the part of it that tells what is in it."""
    root = Path(arena_hard.__file__).parent
    digest = hashlib.sha256()
    packing = folder / "arena_hard.zip"
    with zipfile.ZipFile(packing, "w", zipfile.ZIP_DEFLATED) as packed:
        for each in sorted(root.rglob("*.py")):
            name = str(each.relative_to(root.parent))
            digest.update(f"{name}\0".encode() + each.read_bytes() + b"\0")
            packed.write(each, name)
    version = f"arena_hard-{digest.hexdigest()[:16]}"
    return packing.rename(folder / f"{version}-{uuid.uuid4().hex}.zip"), version


def _client(address: str | None, processes: int) -> Any:
    """A cluster that is there, or one on this machine. Raises UserError."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError("--backend dask needs more packages: pip install dask distributed") from None
    if address is None:
        with _deaf():
            return Client(n_workers=processes, threads_per_worker=1, dashboard_address=None)
    try:
        return Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"--address {address}: no Dask scheduler answers ({reason}). Start one with: dask scheduler"
        ) from None
