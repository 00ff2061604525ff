"""Bootstrap rounds on several processes of this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from arena_hard.data.dask_cluster import client_of
from arena_hard.data.records import UserError

T = TypeVar("T")

BACKENDS = ("loky", "dask", "ray")
_ROUNDS_OF_TASK = 10


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
    if backend == "dask":
        return client_of(address, max(jobs, 1)).close
    if backend != "ray":
        return lambda: None
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise UserError("--backend ray needs more packages: pip install ray") from None
    ray.init(address=address, ignore_reinit_error=True)
    register_ray()
    return ray.shutdown
