"""A Dask cluster without workers: it is said, waited for, and given up; nothing waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from arena_hard.building import shards
from arena_hard.data.records import UserError
from arena_hard.rating import backends
from tests.support.processes import free_port

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """One in this process, with no worker."""
    monkeypatch.setattr(shards, "NOTE_SECONDS", 0.2)
    monkeypatch.setattr(shards, "WORKER_SECONDS", 1.0)
    monkeypatch.setattr(shards, "_LOOK_SECONDS", 0.1)
    options: dict[str, Any] = {"n_workers": 0, "processes": False, "dashboard_address": None, "threads_per_worker": 1}
    with distributed.LocalCluster(**options) as made:
        yield made


@pytest.mark.slow
def test_a_cluster_without_workers_is_told_and_given_up(cluster: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        distributed.Client(cluster) as client,
        pytest.raises(UserError, match="had no worker for 1 s. Start some: dask"),
    ):
        shards.wait_for_workers(client)
    assert capsys.readouterr().err.count("the Dask cluster has no worker; waiting for one. Start some: dask wor") == 1


@pytest.mark.slow
def test_a_worker_that_comes_late_is_waited_for_and_one_that_goes_is_missed(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "WORKER_SECONDS", 20.0)
    with distributed.Client(cluster) as client:
        threading.Timer(0.5, cluster.scale, [1]).start()
        shards.wait_for_workers(client)
        assert shards.result_of(client, client.submit(len, "abc")) == 3
        with pytest.raises(TypeError):
            shards.result_of(client, client.submit(len, 3))
        monkeypatch.setattr(shards, "WORKER_SECONDS", 1.0)
        endless = client.submit(time.sleep, 3, pure=False)
        cluster.scale(0)
        with pytest.raises(UserError, match="had no worker for 1 s"):
            shards.result_of(client, endless)


@pytest.mark.slow
def test_rounds_on_a_cluster_without_workers_end_in_a_message(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "WORKER_SECONDS", 0.3)
    with pytest.raises(UserError, match="no Dask scheduler with a worker answers .*0/1 workers"):
        backends.connect("dask", 1, cluster.scheduler_address)


@pytest.mark.slow
def test_an_address_without_a_scheduler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "CONNECT_SECONDS", 0.3)
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(UserError, match=f"--address {address}: no Dask scheduler answers"), shards.cluster(address, 1):
        pass
