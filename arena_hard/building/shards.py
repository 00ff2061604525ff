"""Work on pieces of a log, in processes on this machine or on the workers of a Dask cluster; the same bits on both."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import pickle
import tempfile
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
from arena_hard.data import dask_cluster
from arena_hard.data.name_lists import counted, shortened
from arena_hard.data.records import UserError

K = TypeVar("K")
A = TypeVar("A")
B = TypeVar("B")
BACKENDS = ("loky", "dask")
_AHEAD = 2  # pieces for each worker that wait or are done


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
    client = dask_cluster.client_of(address, processes)
    try:
        if address is not None:  # else the scheduler is in this process, and would take the package from there as well
            _send_package(client)
        yield client
    finally:
        client.close()


def result_of(client: Any, future: Any) -> Any:
    """What a worker makes, as long as there is one. Raises what the worker raised, and UserError."""
    wait_for_any(client, [future])
    return future.result()


def wait_for_any(client: Any, futures: Sequence[Any]) -> None:
    """Until one of them has ended, as long as there is a worker. Raises UserError."""
    from distributed.client import wait

    while True:
        try:
            wait(futures, timeout=dask_cluster.LOOK_SECONDS, return_when="FIRST_COMPLETED")
            return
        except (TimeoutError, asyncio.TimeoutError):  # two of them in Python 3.10
            dask_cluster.wait_for_workers(client)


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
