"""A Dask scheduler and two worker processes on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.pipeline_bench import clean_environment
from tests.support.processes import end_process, free_port


@contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """The scheduler's address. folder: where the processes work, and what they take for the home of caches."""
    address = f"127.0.0.1:{free_port()}"
    host, port = address.split(":")
    module = [sys.executable, "-m"]
    scheduler = [*module, "distributed.cli.dask_scheduler", "--host", host, "--port", port, "--no-dashboard"]
    workers = [*module, "distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
    environment = clean_environment() | {"XDG_CACHE_HOME": str(folder / "cache")}
    with open(folder / "cluster.log", "wb") as log:
        quiet: dict[str, Any] = {"stdout": log, "stderr": log, "cwd": folder, "env": environment}
        processes = [subprocess.Popen(each, **quiet) for each in (scheduler, workers)]
        try:
            yield address
        finally:
            for process in processes[::-1]:
                end_process(process)
