"""Bootstrap rounds on several processes of this machine, or on a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from arena_hard.data.records import UserError

T = TypeVar("T")

BACKENDS = ("loky", "dask", "ray")
_ROUNDS_OF_TASK = 10
WORKER_SECONDS = 60.0  # in which a Dask cluster has to have a worker


def in_tasks(
    some_rounds: Callable[[Iterable[int]], list[T]], rounds: int, jobs: int, backend: str, address: str | None
) -> list[T]:
    """The rounds, in tasks of a few each: what they start from is sent once for a task. Raises UserError."""
    if backend not in BACKENDS:
        raise UserError(f"--backend {backend}: not known. Known are {', '.join(BACKENDS)}.")
    if backend == "loky" and jobs == 1:
        return some_rounds(range(rounds))
    from joblib import Parallel, delayed, parallel_config

    tasks = [range(start, min(start + _ROUNDS_OF_TASK, rounds)) for start in range(0, rounds, _ROUNDS_OF_TASK)]
    close = connect(backend, jobs, address)
    try:
        with parallel_config(backend=backend, n_jobs=jobs):
            done: Any = Parallel()(delayed(some_rounds)(task) for task in tasks)
            return [one for some in done for one in some]
    finally:
        close()


def connect(backend: str, jobs: int, address: str | None) -> Callable[[], None]:
    """Join or start a cluster; returns what to call when done. Raises UserError."""
    try:
        if backend == "dask":
            from distributed import Client

            local: dict[str, Any] = {"n_workers": max(jobs, 1), "threads_per_worker": 1, "dashboard_address": None}
            return (_joined(address) if address else Client(**local)).close
        if backend == "ray":
            import ray
            from ray.util.joblib import register_ray

            ray.init(address=address, ignore_reinit_error=True)
            register_ray()
            return ray.shutdown
    except ImportError:
        package = "dask distributed" if backend == "dask" else "ray"
        raise UserError(f"--backend {backend} needs more packages: pip install {package}") from None
    return lambda: None


def _joined(address: str) -> Any:
    """A client of a cluster that is there, and has a worker. Raises UserError."""
    from distributed import Client

    try:
        client: Any = Client(address, timeout=20)
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except (OSError, ValueError, asyncio.TimeoutError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"--address {address}: no Dask scheduler with a worker answers ({reason}). Start both."
        ) from None
    return client
