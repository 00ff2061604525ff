"""Embeddings and topics by build_bench.py as a user runs it: nothing is paid twice, topics are whole numbers."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import yaml
from aiohttp import web

from tests.support.embedding_server import DIMENSIONS, EmbeddingServer, embedding_server, vector
from tests.support.pipeline_bench import ROOT, clean_environment, run_script, start_script, write_rows
from tests.support.planted_topics import planted_texts
from tests.support.processes import end_process, free_port, wait_until
from tests.support.threaded_server import serving

pytestmark = pytest.mark.slow
KEY = "sk-secret-0123456789"


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with embedding_server() as running:
        yield running


def log_rows(texts: list[str]) -> list[dict[str, Any]]:
    """A log of prompts, whose words are of no language."""
    return [{"prompt": text, "language": "English"} for text in texts]


class Build:
    """A folder with a log, and runs of build_bench.py in it."""

    def __init__(self, folder: Path, base: str = "") -> None:
        self.folder, self.base = folder, base
        folder.mkdir(exist_ok=True)
        self.texts, _ = planted_texts(300, 8, seed=5)
        write_rows(folder / "log.jsonl", log_rows(self.texts))
        self.model: dict[str, Any] = {"price": {"input": 1.0, "output": 0.0}}
        self.naming: dict[str, Any] = {}
        self.embedding: dict[str, Any] = {"kind": "endpoint", "model": "vectors"} if base else {}

    @property
    def building(self) -> Path:
        return self.folder / "data" / "mine" / "building"

    def write(self) -> list[str]:
        settings = {"bench_name": "mine", "embedding": self.embedding, "topics": {"min_size": 5} | self.naming}
        settings |= {"labels": {"passes": []}, "sample": {"topics": 4, "prompts": 2}}
        endpoint = {"api_base": self.base or "http://127.0.0.1:9/v1", "api_key": KEY}
        usual = {"model_name": "small", "endpoints": [endpoint], "parallel": 2, "attempts": 2, "backoff": 0.01}
        (self.folder / "build.yaml").write_text(yaml.safe_dump(settings))
        (self.folder / "api.yaml").write_text(yaml.safe_dump({"vectors": usual | self.model, "other": usual}))
        return ["log.jsonl", "--setting-file", "build.yaml", "--endpoint-file", "api.yaml"]

    def run(self, *arguments: str, until: str = "embed") -> subprocess.CompletedProcess[str]:
        done = run_script(self.folder, "build_bench.py", *self.write(), "--until", until, *arguments)
        assert KEY not in done.stdout + done.stderr
        return done

    def vectors(self) -> dict[str, list[float]]:
        """The vector of each prompt, by its text."""
        rows = pyarrow.parquet.read_table(self.building / "language.parquet").column("turns").to_pylist()
        return {turns[0]: row.tolist() for turns, row in zip(rows, np.load(self.building / "embeddings.npy"))}


def test_vectors_of_a_server_are_asked_for_once_and_stand_by_their_prompts(
    tmp_path: Path, server: EmbeddingServer
) -> None:
    build = Build(tmp_path, server.base)
    assert build.run(until="language").returncode == 0
    planned = build.run("--plan")
    assert "vectors: 0 vectors exist, 300 to make" in planned.stdout, planned.stdout + planned.stderr
    assert re.search(r"5 requests, (?:about )?[\d,]+ input tokens: \$\d\.\d+, at most \$", planned.stdout), (
        planned.stdout
    )
    assert server.requests == 0
    done = build.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"300 vectors of {DIMENSIONS} dimensions by endpoint" in done.stdout
    assert "cost by the reported usage" in done.stdout
    assert server.texts == dict.fromkeys(build.texts, 1)
    for text, found in build.vectors().items():
        assert np.allclose(found, vector(text))
    requests = server.requests
    write_rows(tmp_path / "log.jsonl", log_rows([*build.texts[:200], "One more prompt that is new"]))
    assert build.run().returncode == 0
    assert server.requests == requests + 1 and len(build.vectors()) == 201
    assert build.run("--from", "embed").returncode == 0
    assert server.requests == requests + 1


def test_what_came_before_a_failure_a_limit_or_a_kill_is_kept(tmp_path: Path, server: EmbeddingServer) -> None:
    build = Build(tmp_path, server.base)
    build.model["price"] = {"input": 1000.0, "output": 0.0}
    limited = build.run("--max-cost", "12")
    assert limited.returncode == 1, limited.stdout + limited.stderr
    assert "stopped before exceeding it" in limited.stdout
    first = server.texts.total()
    assert 0 < first < 300 and not (build.building / "embeddings.npy").exists()

    build.model["price"] = {"input": 1.0, "output": 0.0}
    server.seconds = 0.4
    killed = start_script(tmp_path, "build_bench.py", *build.write(), "--until", "embed")
    wait_until(lambda: server.texts.total() > first)
    wait_until(lambda: len(list(build.building.glob("vectors/*/*.npz"))) > 1)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    server.seconds, server.after = 0.0, 0
    failed = build.run()
    assert failed.returncode == 1 and "out of order" in failed.stdout, failed.stdout
    assert "Rerun the same command" in failed.stdout
    server.after = 10**9
    done = build.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(build.vectors()) == set(build.texts)
    again = [text for text, times in server.texts.items() if times > 1]
    assert len(again) <= 2 * 64  # those of the two requests that were under way when the run was killed


def test_of_texts_that_are_refused_together_only_the_ones_at_fault_fail(
    tmp_path: Path, server: EmbeddingServer
) -> None:
    build = Build(tmp_path, server.base)
    server.refuses = lambda text: text == build.texts[7]
    done = build.run()
    assert done.returncode == 1, done.stderr
    assert "299 vectors received, 1 not" in done.stdout and "maximum context length" in done.stdout
    assert set(server.texts) == set(build.texts) - {build.texts[7]}
    requests, server.refuses = server.requests, lambda text: False
    server.breaks = lambda text: text == build.texts[7]  # a vector that is none, in the place of a refusal
    done = build.run()
    assert done.returncode == 0 and "300 → 299 (1 without a vector)" in done.stdout, done.stdout + done.stderr
    assert "1 prompt refused in 2 runs: without a vector, and so without a topic" in done.stdout
    assert server.requests == requests + 2  # attempts
    assert np.isnan(build.vectors()[build.texts[7]]).all()
    server.breaks = server.refuses
    assert "300 vectors of" in build.run("--from", "embed").stdout and np.isfinite(list(build.vectors().values())).all()


def test_a_server_that_takes_nothing_is_not_asked_about_each_text(tmp_path: Path, server: EmbeddingServer) -> None:
    """And what it has refused is asked for again; a text whose vector is none takes none from the others."""
    build = Build(tmp_path, server.base)
    server.refuses = lambda text: True
    done = build.run()
    assert done.returncode == 1 and "0 vectors received, 300 not" in done.stdout, done.stdout + done.stderr
    assert server.requests < 2 * 64 + 5
    server.refuses, server.breaks = lambda text: False, lambda text: text == build.texts[7]
    assert build.run().returncode == 1 and len(server.texts) == 299
    assert max(server.texts.values()) == 1
    server.breaks = server.refuses
    assert build.run().returncode == 0 and len(server.texts) == 300


def test_topics_are_whole_numbers_and_no_topic_is_no_topic(tmp_path: Path) -> None:
    """The original writes some as numbers and some as texts, so that one topic becomes two with a mean each."""
    build = Build(tmp_path)
    done = build.run(until="topics")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    table = pyarrow.parquet.read_table(build.building / "topics.parquet")
    assert str(table.schema.field("topic").type) == "int32"
    topic = table.column("topic").to_pylist()
    picture = json.loads((build.building / "topics.json").read_text())
    assert [row["topic"] for row in picture["topics"]] == list(range(len(set(topic) - {-1})))
    assert [row["size"] for row in picture["topics"]] == [topic.count(row["topic"]) for row in picture["topics"]]
    members = dict(zip(table.column("id").to_pylist(), topic))
    for row in picture["topics"]:  # named after all prompts have found their place, and by its own alone
        assert {members[key] for key in row["centre_ids"]} == {row["topic"]}
        assert row["keywords"] and row["name"]
    assert len({row["name"] for row in picture["topics"]}) == len(picture["topics"])
    assert "stability of two seeds" in done.stdout

    file = build.building / "embeddings.npy"
    found = np.load(file)
    np.save(file, found[::-1])  # as many numbers, of another order or model
    replaced = build.run("--from", "topics", until="topics")
    assert replaced.returncode == 0, replaced.stderr
    assert np.array_equal(np.load(file), found)  # they are made anew


def test_on_a_cluster_of_two_processes_vectors_are_the_same_bits(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    here, there = Build(tmp_path / "here"), Build(tmp_path / "there")
    assert here.run().returncode == 0
    address = f"127.0.0.1:{free_port()}"
    module = [sys.executable, "-m"]
    command = [
        *module,
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        address[10:],
        "--no-dashboard",
    ]
    worker = [*module, "distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    processes = [subprocess.Popen(command, env=clean_environment(), **quiet)]
    try:
        flags = ("--until", "embed", "--backend", "dask", "--address", address)
        with start_script(there.folder, "build_bench.py", *there.write(), *flags) as waiting:
            assert waiting.stderr is not None
            assert any("has no worker; waiting for one" in line for line in waiting.stderr)
            waiting.send_signal(signal.SIGINT)
            assert waiting.wait(20) == 130
        processes.append(subprocess.Popen(worker, env=clean_environment(), **quiet))
        done = there.run("--backend", "dask", "--address", address)
        assert done.returncode == 0, done.stderr
    finally:
        for process in processes[::-1]:
            end_process(process)
    vectors = [(each.building / "embeddings.npy").read_bytes() for each in (here, there)]
    assert vectors[0] == vectors[1]


ON_A_CLUSTER_HERE = """
import operator, types
from arena_hard.building.shards import Shards
context = types.SimpleNamespace(args=types.SimpleNamespace(backend="dask", address=None), processes=1)
with Shards(context, 2) as shards:
    print(list(shards.map(operator.mul, [1, 2, 3])))
import arena_hard.building.filters
print(arena_hard.building.filters.__file__)
"""


def test_a_cluster_on_this_machine_leaves_this_process_its_own_modules(tmp_path: Path) -> None:
    """What is imported after the vectors are made comes from where the rest came from."""
    pytest.importorskip("distributed")
    done = subprocess.run(
        [sys.executable, "-c", ON_A_CLUSTER_HERE], cwd=ROOT, env=clean_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[2, 4, 6]", str(ROOT / "arena_hard/building/filters.py")]


def test_a_model_names_the_topics_that_were_drawn_and_those_alone(tmp_path: Path) -> None:
    build, asked, is_down = Build(tmp_path), list[str](), list[bool]()
    build.naming = {"names_by": "vectors"}

    async def answer(request: web.BaseRequest) -> web.Response:
        prompt = (await request.json())["messages"][0]["content"]
        if is_down:
            return web.json_response({"error": {"message": "out of order"}}, status=500)
        asked.append(prompt)
        if len(asked) == 2:
            return web.json_response({"error": {"message": "refused by a filter"}}, status=400)
        words = re.findall(r"frequent in this topic: (\w+)", prompt)
        message = {"role": "assistant", "content": f'Topic: "About {words[0]}"\n'}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 90, "completion_tokens": 5, "total_tokens": 95}
        return web.json_response({"model": "m", "choices": [choice], "usage": usage})

    with serving(answer) as root:
        build.base = f"{root}/v1"
        refused = build.run(until="questions")
        assert refused.returncode == 0 and "refused by a filter" in refused.stdout, refused.stdout + refused.stderr
        assert "1 topic refused or failed, named by words; --from names asks again" in refused.stdout
        assert "up to date: 4 → 3 (1 named by words)" in build.run("--plan", until="questions").stdout
        done = build.run("--from", "names", until="questions")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "4 of 4 topics named by vectors" in done.stdout and len(asked) == 5
        build.naming, is_down[:] = {"names_by": "other"}, [True]  # names by another entry are others
        failed = build.run(until="questions")
        assert failed.returncode == 1 and "Rerun the same command" in failed.stdout, failed.stdout + failed.stderr
        given_up = build.run(until="questions")
        assert given_up.returncode == 0 and "0 of 4 topics named by other" in given_up.stdout, given_up.stdout
        is_down.clear()
        assert "4 of 4 topics named by other" in build.run("--from", "names", until="questions").stdout
    assert len(asked) == 9
    assert all("Explain how to" in prompt and len(prompt) < 8000 for prompt in asked)
    words = {
        row["topic"]: row["keywords"][0] for row in json.loads((build.building / "topics.json").read_text())["topics"]
    }
    questions = [json.loads(line) for line in (tmp_path / "data/mine/question.jsonl").read_text().splitlines()]
    assert len(questions) == 8
    assert all(row["cluster"] == f"About {words[row['cluster_id']].split()[0]}" for row in questions)
