"""A Dask cluster without workers: it is said, waited for, and given up; nothing waits for ever."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from arena_hard.building import shards
from arena_hard.data import dask_cluster
from arena_hard.data.records import UserError
from arena_hard.rating import backends
from tests.support.processes import free_port

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """One in this process, with no worker."""
    monkeypatch.setattr(dask_cluster, "NOTE_SECONDS", 0.2)
    monkeypatch.setattr(dask_cluster, "WORKER_SECONDS", 1.0)
    monkeypatch.setattr(dask_cluster, "LOOK_SECONDS", 0.1)
    options: dict[str, Any] = {"n_workers": 0, "processes": False, "dashboard_address": None, "threads_per_worker": 1}
    with distributed.LocalCluster(**options) as made:
        yield made


@pytest.mark.slow
def test_a_worker_that_comes_late_is_waited_for_and_one_that_goes_is_missed(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "WORKER_SECONDS", 20.0)
    with distributed.Client(cluster) as client:
        threading.Timer(0.5, cluster.scale, [1]).start()
        dask_cluster.wait_for_workers(client)
        assert shards.result_of(client, client.submit(len, "abc")) == 3
        with pytest.raises(TypeError):
            shards.result_of(client, client.submit(len, 3))
        monkeypatch.setattr(dask_cluster, "WORKER_SECONDS", 1.0)
        endless = client.submit(time.sleep, 3, pure=False)
        cluster.scale(0)
        with pytest.raises(UserError, match="had no worker for 1 s"):
            shards.result_of(client, endless)


@contextlib.contextmanager
def rounds_on(address: str) -> Iterator[None]:
    close = backends.connect("dask", 1, address)
    yield
    close()


@contextlib.contextmanager
def pieces_on(address: str) -> Iterator[None]:
    with shards.cluster(address, 1):
        yield


WHO_JOINS = pytest.mark.parametrize("joined", [rounds_on, pieces_on])
Joined = Callable[[str], contextlib.AbstractContextManager[None]]


@pytest.mark.slow
@WHO_JOINS
def test_whoever_joins_a_cluster_without_workers_is_told(
    cluster: Any, joined: Joined, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="had no worker for 1 s. Start some: dask"), joined(cluster.scheduler_address):
        pass
    assert capsys.readouterr().err.count("the Dask cluster has no worker; waiting for one. Start some: dask wor") == 1
    assert not [each for each in cluster.scheduler.clients if each.startswith("Client")]


@pytest.mark.slow
@WHO_JOINS
def test_an_address_without_a_scheduler_is_told(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_SECONDS", 0.3)
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(UserError, match=f"--address {address}: no Dask scheduler answers"), joined(address):
        pass
