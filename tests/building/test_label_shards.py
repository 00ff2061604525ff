"""Which prompts are in a shard, and what a worker is given: its part of the limits, the keys, and nothing for a log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arena_hard.building import label_cluster
from arena_hard.building.criteria import load_criteria
from arena_hard.building.label_cluster import part_of, stays_here, with_keys
from arena_hard.building.label_files import Shard, files_of, other_instruments
from arena_hard.building.label_prompt import Instrument
from arena_hard.building.label_shard import ShardTask
from arena_hard.data.paths import Bench
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.support.pipeline_bench import ROOT

KEY = "sk-secret-0123456789"


def test_each_prompt_is_in_one_shard_and_in_the_same_on_every_machine() -> None:
    ids = [f"{number:016x}" for number in range(2000)]
    shards = [{key for key in ids if Shard(number, 4).holds(key)} for number in range(1, 5)]
    assert sum(map(len, shards)) == len(set[str]().union(*shards)) == 2000
    assert all(400 < len(shard) < 600 for shard in shards)
    assert sorted(shards[0])[:3] == ["0000000000000000", "0000000000000002", "0000000000000004"]


@pytest.mark.parametrize("parallel", [2, 3, 7, 100])
@pytest.mark.parametrize("count", [1, 2])
def test_parts_of_limits_make_up_the_whole(parallel: int, count: int) -> None:
    model = ModelSettings(parallel=parallel, requests_per_minute=90.0, tokens_per_minute=1e6)
    parts = [part_of(model, number, count) for number in range(1, count + 1)]
    widths = [part.parallel for part in parts if isinstance(part.parallel, int)]
    assert sum(widths) == parallel and min(widths) >= 1
    assert sum(part.requests_per_minute or 0 for part in parts) == 90.0
    assert sum(part.tokens_per_minute or 0 for part in parts) == 1e6
    assert part_of(ModelSettings(parallel="auto"), 1, 2) == ModelSettings(parallel="auto")


def test_workers_get_the_keys_that_this_process_has_and_no_log_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    written = EndpointSettings(api_base="http://127.0.0.1:9/v1", api_key="${JUDGE_KEY}")
    models = [ModelSettings(name="judge", model_name="m", endpoints=each) for each in ([written], None)]
    for model in models:
        (endpoint,) = with_keys(model).endpoints or []
        assert endpoint.api_key == KEY
    asked = Instrument(with_keys(models[0]), load_criteria(ROOT / "config/criteria/arena-hard.yaml"))
    assert asked.fingerprint == Instrument(models[0], asked.criteria).fingerprint
    task = ShardTask(asked, Bench(tmp_path, "b"), tmp_path, "token", "home", 2)
    assert KEY in str(asked) and KEY not in f"{task} {task!r}"


class Client:
    """The part of Dask's client that hands on what workers say."""

    def subscribe_topic(self, name: str, hear: Callable[[tuple[float, Any]], None]) -> None:
        self.name, self.hear = name, hear

    def unsubscribe_topic(self, name: str) -> None:
        assert name == self.name


def test_how_far_all_shards_are_is_said_from_time_to_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_cluster, "LINE_SECONDS", 0.0)
    client = Client()
    with label_cluster.shown(client, "token", 20):
        for said in ((1, 3, 0), (2, 5, 1), (1, 8, 0)):
            client.hear((0.0, said))
    assert capsys.readouterr().err.splitlines()[-3:] == [
        "labels: 3 of 20, 0 failed",
        "labels: 8 of 20, 1 failed",
        "labels: 13 of 20, 1 failed",
    ]


def test_what_only_works_here_is_asked_from_here() -> None:
    assert not stays_here(ModelSettings(model_name="m"))
    assert stays_here(ModelSettings(model_name="m"), batch=True)
    for model in (
        ModelSettings(serve="vllm serve m --port {port}"),
        ModelSettings(record="replies.jsonl"),
        ModelSettings(api_type="recorded"),
        ModelSettings(api_type="mine.py:Adapter"),
    ):
        assert stays_here(model)


def test_files_of_shards_belong_to_their_instrument(tmp_path: Path) -> None:
    names = ["m.abc.jsonl", "m.abc.shard-1-of-2.jsonl", "m.abc.shard-3-of-9.jsonl", "m.def.shard-1-of-2.jsonl",
             "m.def.shard-2-of-2.jsonl", "m.abc.shard-x.jsonl", "m.abcd.jsonl"]  # fmt: skip
    for name in names:
        (tmp_path / name).touch()
    own = files_of(tmp_path, "m", "abc")
    assert [file.name for file in own] == names[:3]
    assert other_instruments(tmp_path, own) == {"m.def.jsonl", "m.abc.shard-x.jsonl", "m.abcd.jsonl"}
