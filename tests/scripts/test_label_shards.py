"""The labelling of build_bench.py in shards, by hand and on a cluster: the same tables, and nothing is paid twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from arena_hard.building.label_files import Shard
from tests.loopback import Server
from tests.support.batch_server import batch_server
from tests.support.label_bench import LabelBench, Planted, planted, tables
from tests.support.pipeline_bench import write_rows
from tests.support.processes import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def prompts() -> list[Planted]:
    return planted({1: [7, 6, 6, 5, 5, 7, 6], 2: [6, 2, 1, 1, 5], -1: [7]})


@pytest.fixture
def server(wire: Server) -> Server:
    """An annotator that says what the prompts say."""
    wire.configure(reply="echo", auto_verdict=False)
    return wire


def alone(folder: Path, server: Server, prompts: list[Planted]) -> list[bytes]:
    """What a run in one process leaves."""
    bench = LabelBench(folder, server.openai_base, prompts)
    assert bench.run().returncode == 0
    return tables(bench)


def test_shards_made_on_two_machines_give_the_tables_of_one(
    tmp_path: Path, server: Server, prompts: list[Planted]
) -> None:
    expected = alone(tmp_path / "alone", server, prompts)
    asked = server.stats()["requests"]
    here, there = (LabelBench(tmp_path / name, server.openai_base, prompts) for name in ("here", "there"))
    sizes = [sum(Shard(number, 2).holds(each.id) for each in prompts if each.topic > 0) for number in (1, 2)]
    assert f"shard 1 of 2: 0 labels exist, {sizes[0]} to make" in here.run("--plan", "--shard", "1/2").stdout
    for number, bench in enumerate((here, there), 1):
        done = bench.run("--shard", f"{number}/2")
        assert done.returncode == 0, done.stdout + done.stderr
        said = f"shard {number} of 2: {sizes[number - 1]} of {sizes[number - 1]} labels; run the same command without"
        assert said in done.stdout and "label1       not finished" in done.stdout
        (file,) = bench.label_files
        assert file.name.endswith(f".shard-{number}-of-2.jsonl")
        assert not (bench.building / "label1.manifest.json").exists()
    for file in (there.building / "labels").iterdir():
        shutil.copy(file, here.building / "labels")
    planned = here.run("--plan").stdout
    assert f"{sum(sizes)} labels exist, 0 to make" in planned and "other instrument" not in planned
    assert here.run().returncode == 0
    assert tables(here) == expected
    assert server.stats()["requests"] == 2 * asked
    assert there.run().returncode == 0  # what is missing there is made there
    assert tables(there) == expected and server.stats()["requests"] == 2 * asked + sizes[0]


def test_a_label_counts_before_a_null_and_a_later_attempt_before_an_earlier(
    tmp_path: Path, server: Server, prompts: list[Planted]
) -> None:
    bench = LabelBench(tmp_path, server.openai_base, prompts)
    assert bench.run("--shard", "1/1").returncode == 0
    (file,) = bench.label_files
    own = file.with_name(file.name.replace(".shard-1-of-1", ""))
    no_label = {"criteria": None, "attempts": 2, "unreadable": "no list"}
    first, *others = bench.records
    bench_rows = [first | no_label, *(record | {"criteria": [False] * 7, "attempts": 2} for record in others[:1])]
    own.write_text("".join(f"{json.dumps(row)}\n" for row in bench_rows))
    asked = server.stats()["requests"]
    assert bench.run().returncode == 0 and server.stats()["requests"] == asked
    labels = bench.table("label1")
    assert labels[first["question_id"]]["criteria"] == first["criteria"]
    assert labels[others[0]["question_id"]]["criteria"] == [False] * 7


def test_two_shards_run_side_by_side_in_one_folder_and_all_of_it_waits_for_them(
    tmp_path: Path, server: Server, prompts: list[Planted]
) -> None:
    bench = LabelBench(tmp_path, server.openai_base, prompts)
    server.configure(reply="echo", auto_verdict=False, latency=4.0)  # in which another program has started
    with bench.start("--shard", "1/2") as one, bench.start("--shard", "2/2") as two:
        wait_until(lambda: len(bench.label_files) == 2)
        refused = bench.run()
        assert (one.wait(60), two.wait(60)) == (0, 0)
    assert refused.returncode == 2 and "is being written by another run, over some of these prompts" in refused.stderr
    asked = server.stats()["requests"]
    assert asked == 12 and bench.run().returncode == 0 and server.stats()["requests"] == asked


def test_a_shard_whose_calls_fail_says_so_and_goes_on(tmp_path: Path, server: Server, prompts: list[Planted]) -> None:
    bench = LabelBench(tmp_path, server.openai_base, prompts)
    bench.add_model("judge", server.openai_base, attempts=1)
    server.script(["400"])
    failed = bench.run("--shard", "1/1")
    assert failed.returncode == 1 and "shard 1 of 1: 11 of 12 labels; run the same command again" in failed.stdout
    assert bench.run("--shard", "1/1", "--max-cost", "0.0001").returncode == 1  # no room for one
    assert bench.run("--shard", "1/1").returncode == 0
    assert server.stats()["requests"] == 13


def test_by_batch_each_shard_has_a_mailbox_of_its_own_and_a_second_opinion_its_shards(tmp_path: Path) -> None:
    prompts = planted({1: [7, 6, 6, 5, 5, 6, 7]})
    by_text = {each.text: each for each in prompts}

    def say(body: dict[str, Any]) -> Any:
        met = by_text[body["messages"][1]["content"].split("\n")[1]].met
        choice = {"index": 0, "message": {"role": "assistant", "content": f"Criteria met: {list(met)}"}}
        return {"model": "judge", "choices": [choice | {"finish_reason": "stop"}], "usage": None}

    with batch_server(say) as server:
        bench = LabelBench(tmp_path, f"{server.address}/v1", prompts)
        bench.add_model("other", f"{server.address}/v1")
        bench.labels |= {"second_opinion": "other", "second_opinion_share": 1.0}
        for shard in ("1/2", "2/2"):
            done = bench.run("--batch", "--shard", shard)
            assert done.returncode == 0, done.stderr
        assert bench.run("--until", "label1").returncode == 0
        boxes = [each.name for each in (bench.building.parent / "batch/done").iterdir()]
        assert sorted(name.rpartition("-")[0][:32] for name in boxes) == [
            "labels by judge, shard 1 of 2-20",
            "labels by judge, shard 2 of 2-20",
        ]
        opinion = bench.run("--shard", "1/1")
        assert opinion.returncode == 0 and "shard 1 of 1: 7 of 7 labels" in opinion.stdout
        assert bench.run().returncode == 0
    assert (len(server.batched), len(server.live)) == (7, 7)
    assert (bench.building / "opinion.agreement.json").is_file()


def test_an_open_batch_of_another_division_is_taken_in_first(tmp_path: Path, server: Server) -> None:
    bench = LabelBench(tmp_path, server.openai_base, planted({1: [7, 6, 6, 5, 5, 6, 7]}))
    box = bench.building.parent / "batch" / "labels by judge, shard 1 of 2"
    write_rows(box / "batch.jsonl", [{"step": "prepared", "marker": "one", "keys": ["k"]}])
    for flags in (["--shard", "1/3"], []):
        done = bench.run("--batch", *flags)
        assert done.returncode == 2 and "Run the same command with --shard 1/2 first" in done.stderr, done.stderr
    assert server.stats()["requests"] == 0
    done = bench.run("--shard", "1/2")
    assert done.returncode == 0 and "shard 1 of 2 has open batches, which --batch takes in;" in done.stderr


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/0", "a/b", "1/2/3"])
def test_a_shard_that_is_none_gets_its_line(tmp_path: Path, text: str) -> None:
    done = LabelBench(tmp_path, "", planted({1: [7]})).run("--shard", text)
    assert done.returncode == 2 and f"error: --shard {text}: must be K/N" in done.stderr
