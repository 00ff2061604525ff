"""The labelling of build_bench.py on a cluster of two worker processes: the same tables, and nothing is paid twice."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import arena_hard
from arena_hard.building import shards
from arena_hard.data.records import UserError
from tests.loopback import Server
from tests.support.dask_cluster import dask_cluster
from tests.support.label_bench import LabelBench, Planted, planted, tables
from tests.support.processes import wait_until

pytestmark = pytest.mark.slow
KEY = "sk-secret-0123456789"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The scheduler's address, and the folder of its workers."""
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("cluster")
    with dask_cluster(folder) as address:
        wait_until(lambda: len(workers_of(address)) == 2)
        yield address, folder


def workers_of(address: str) -> dict[str, int]:
    """The process of each worker."""
    from distributed import Client

    client: Any = Client(address, timeout=20)
    try:
        return client.run(os.getpid)
    finally:
        client.close()


@pytest.fixture
def prompts() -> list[Planted]:
    return planted({1: [7, 6, 6, 5, 5, 7, 6] * 4, 2: [6, 2, 1, 1, 5] * 3, -1: [7]})


@pytest.fixture
def server(wire: Server) -> Server:
    """An annotator that says what the prompts say."""
    wire.configure(reply="echo", auto_verdict=False)
    return wire


def asked(server: Server) -> Counter[str]:
    """How often each prompt was asked about."""
    bodies = (request["body"] for request in server.requests(5000))
    return Counter(body["messages"][1]["content"].split("\n")[1] for body in bodies)


def test_on_two_workers_labels_are_the_same_bits_and_come_from_both(
    tmp_path: Path, server: Server, prompts: list[Planted], cluster: tuple[str, Path]
) -> None:
    address, folder = cluster
    here, there = (LabelBench(tmp_path / name, server.openai_base, prompts) for name in ("here", "there"))
    spent = here.run().stdout.partition("cost by")[2]
    server.reset()
    server.configure(reply="echo", auto_verdict=False)
    done = there.run("--backend", "dask", "--address", address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tables(there) == tables(here)
    assert asked(server) == Counter([each.text for each in prompts if each.topic > 0])
    assert [file.name.partition(".shard")[2] for file in there.label_files] == ["-1-of-2.jsonl", "-2-of-2.jsonl"]
    assert all(file.stat().st_size for file in there.label_files)
    assert spent and done.stdout.partition("cost by")[2] == spent  # all of it comes back into one bill
    log = (folder / "cluster.log").read_text()
    assert "Starting Worker" in log or "Register worker" in log
    assert KEY not in log + done.stdout + done.stderr


def test_a_worker_that_is_killed_costs_what_was_in_flight_and_no_more(
    tmp_path: Path, server: Server, prompts: list[Planted], cluster: tuple[str, Path]
) -> None:
    address, _ = cluster
    server.configure(reply="echo", auto_verdict=False, latency=0.2)
    bench = LabelBench(tmp_path, server.openai_base, prompts)
    before = workers_of(address)
    with bench.start("--backend", "dask", "--address", address) as process:
        wait_until(lambda: len(bench.label_files) == 2 and len(bench.records) > 8)
        os.kill(min(before.values()), signal.SIGKILL)
        assert process.wait(60) == 0
    wait_until(lambda: len(workers_of(address)) == 2)  # its guard starts another one
    wanted = Counter([each.text for each in prompts if each.topic > 0])
    assert asked(server).keys() == wanted.keys() and (asked(server) - wanted).total() <= 2  # of four in flight
    labels = bench.table("label1")
    assert all(labels[each.id]["criteria"] == each.label for each in prompts if each.topic > 0)
    assert server.stats()["max_in_flight"] <= 4 + 2


def test_an_interrupted_run_stops_its_workers_and_goes_on_with_what_they_had(
    tmp_path: Path, server: Server, prompts: list[Planted], cluster: tuple[str, Path]
) -> None:
    address, _ = cluster
    server.configure(reply="echo", auto_verdict=False, latency=0.3)
    bench = LabelBench(tmp_path, server.openai_base, prompts)
    for end, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):  # its client is gone; it says what it had
        had = len(bench.records)
        with bench.start("--backend", "dask", "--address", address) as process:
            wait_until(lambda had=had: len(bench.records) > had + 4)
            process.send_signal(end)
            said, _ = process.communicate(timeout=20)
            assert process.returncode == code
        wait_until(lambda: server.stats()["in_flight"] == 0)
        assert ("cost by the reported usage" in said) is (code == 130)
    stopped_at = len(server.requests(5000))
    had = {each["question_id"] for each in bench.records}
    assert 8 < len(had) < len(prompts) - 2
    server.configure(reply="echo", auto_verdict=False)
    done = bench.run("--backend", "dask", "--address", address)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = sum(each.topic > 0 for each in prompts)
    assert len(server.requests(5000)) - stopped_at == wanted - len(had)  # nobody went on meanwhile
    assert stopped_at - len(had) <= 2 * 4


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that each process sees for itself")
def test_workers_that_do_not_see_the_folder_hand_their_labels_back_and_keep_them(
    tmp_path: Path, server: Server, prompts: list[Planted], cluster: tuple[str, Path]
) -> None:
    address, folder = cluster
    bench = LabelBench(tmp_path, server.openai_base, prompts)
    bench.add_model("judge", server.openai_base, attempts=1)
    server.script(["400"])
    there = ("--backend", "dask", "--address", address, "--data-dir", "/proc/self/cwd/data")
    failed = bench.run(*there)
    assert failed.returncode == 1 and "42 labels written, 1 failed." in failed.stdout, failed.stdout + failed.stderr
    assert len(bench.records) == 42 and not (folder / "data").exists()
    for file in bench.label_files:  # as if the client had died before they came
        file.unlink()
    done = bench.run(*there)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "42 labels of earlier runs taken over from the workers' machines." in done.stdout
    assert len(server.requests(5000)) == 44 and len(bench.records) == 43
    labels = bench.table("label1")
    assert all(labels[each.id]["criteria"] == each.label for each in prompts if each.topic > 0)


def test_the_workers_together_keep_the_limits(
    tmp_path: Path, server: Server, prompts: list[Planted], cluster: tuple[str, Path]
) -> None:
    server.configure(reply="echo", auto_verdict=False, latency=0.02)
    bench = LabelBench(tmp_path, server.openai_base, prompts)
    bench.add_model("judge", server.openai_base, parallel=3)
    bench.labels["passes"] = [{"model": "judge", "max_tokens": 60}]
    stopped = bench.run("--backend", "dask", "--address", cluster[0], "--max-cost", "0.02")
    assert stopped.returncode == 1 and "stopped before exceeding it" in stopped.stdout, stopped.stderr
    assert 0 < len(bench.records) < 43 and float(stopped.stdout.rpartition("$")[2].split()[0]) <= 0.02
    assert server.stats()["max_in_flight"] <= 3


def test_a_cluster_that_is_started_here_leaves_this_process_as_it_was(tmp_path: Path, server: Server) -> None:
    pytest.importorskip("distributed")
    bench = LabelBench(tmp_path, server.openai_base, planted({1: [7, 6, 6]}))
    done = bench.run("--backend", "dask", "--processes", "1")
    assert done.returncode == 0, done.stdout + done.stderr  # the steps after it find their modules
    assert bench.manifest("filter1")["counts"]["out"] == 3
    assert bench.run("--backend", "dask", "--shard", "1/2").returncode == 2


def test_workers_that_have_loaded_another_version_are_not_mixed_with_it(
    tmp_path: Path, cluster: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules stay in a worker's process for as long as it lives."""
    with shards.cluster(cluster[0], 1):
        pass
    shutil.copytree(Path(arena_hard.__file__).parent, tmp_path / "arena_hard")
    with open(tmp_path / "arena_hard" / "building" / "labelling.py", "a") as other:
        other.write("# another version\n")
    monkeypatch.setattr(arena_hard, "__file__", str(tmp_path / "arena_hard" / "__init__.py"))
    with pytest.raises(UserError, match="2 workers have loaded another version"), shards.cluster(cluster[0], 1):
        pass
