"""A bench whose prompts have topics already, so that only labels are missing; each prompt says what meets it.

A server that echoes is a good annotator of them: the reply ends with the list that the prompt holds.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from arena_hard.building.conversations import prompt_id
from tests.support.pipeline_bench import ROOT, run_script, start_script

SCRIPT = "tests/support/label_run.py"
CRITERIA = (
    "specificity",
    "domain_knowledge",
    "complexity",
    "problem_solving",
    "creativity",
    "technical_accuracy",
    "real_world",
)


@dataclass(frozen=True)
class Planted:
    """A prompt of a test: the numbers of the criteria that it meets, and its topic. own: its text as it is."""

    met: tuple[int, ...]
    topic: int
    text: str = ""
    tag: str = ""
    own: tuple[str, ...] = ()

    @property
    def turns(self) -> list[str]:
        return list(self.own) or [f"{self.text}\nCriteria met: {list(self.met)}"]

    @property
    def id(self) -> str:
        return prompt_id(self.turns)

    @property
    def label(self) -> list[bool]:
        return [number in self.met for number in range(1, 8)]


def planted(topics: Mapping[int, Sequence[int]], seed: int = 0) -> list[Planted]:
    """Prompts with the scores of each topic, which criteria they meet being drawn."""
    rng = random.Random(seed)
    made = [
        Planted(tuple(sorted(rng.sample(range(1, 8), score))), topic, f"Prompt {number} about topic {topic}")
        for topic, scores in topics.items()
        for number, score in enumerate(scores)
    ]
    rng.shuffle(made)
    return made


@dataclass
class LabelBench:
    """The folder of a run, its configs, and the tables of the steps before. base: where the annotator is."""

    folder: Path
    base: str
    prompts: list[Planted]
    labels: dict[str, Any] = field(default_factory=dict[str, Any])
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    models: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def __post_init__(self) -> None:
        self.add_model("judge", self.base)
        self.labels = {"criteria": str(ROOT / "config/criteria/arena-hard.yaml"), "passes": [{"model": "judge"}]}
        self.settings = {"bench_name": "mine", "input": ["conversations.jsonl"]}
        self.put_prompts(self.prompts)

    @property
    def building(self) -> Path:
        return self.folder / "data" / "mine" / "building"

    def add_model(self, name: str, base: str, **more: Any) -> None:
        """An entry of the endpoint file, with a price: $1 for a million tokens."""
        entry = {"model_name": name, "endpoints": [{"api_base": base, "api_key": "sk-secret-0123456789"}]}
        usual = {"parallel": 4, "timeout": 20, "backoff": 0.01, "price": {"input": 1.0, "output": 1.0}}
        self.models[name] = entry | usual | more

    def put_prompts(self, prompts: Sequence[Planted]) -> None:
        """The tables of the steps before; texts and topics are not in the same order."""
        self.prompts = list(prompts)
        turned = self.prompts[::-1]
        self.building.mkdir(parents=True, exist_ok=True)
        texts = {"id": [each.id for each in turned], "turns": [each.turns for each in turned]}
        self._put("language", texts | {"category_tag": [each.tag for each in turned]})
        topics = pa.array([each.topic for each in self.prompts], pa.int32())
        self._put("topics", {"id": [each.id for each in self.prompts], "topic": topics})

    def _put(self, step: str, columns: dict[str, Any]) -> None:
        pyarrow.parquet.write_table(pa.table(columns), self.building / f"{step}.parquet")
        size = (self.building / f"{step}.parquet").stat().st_size
        ids = sorted(columns["id"])
        said = {"step": step, "output": {"ids": ids, "bytes": size}, "counts": {"in": 0, "out": len(ids)}}
        (self.building / f"{step}.manifest.json").write_text(json.dumps(said))

    def write(self) -> None:
        """The configs as they are now."""
        (self.folder / "config").mkdir(exist_ok=True)
        build = self.settings | {"labels": self.labels}
        (self.folder / "config/build_bench_config.yaml").write_text(json.dumps(build))  # JSON is YAML
        (self.folder / "config/api_config.yaml").write_text(json.dumps(self.models))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        self.write()
        return run_script(self.folder, SCRIPT, *arguments)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a run."""
        self.write()
        return start_script(self.folder, SCRIPT, *arguments)

    def table(self, step: str) -> dict[str, dict[str, Any]]:
        """The rows that a step has left, by id."""
        return {row["id"]: row for row in pyarrow.parquet.read_table(self.building / f"{step}.parquet").to_pylist()}

    def manifest(self, step: str) -> dict[str, Any]:
        return json.loads((self.building / f"{step}.manifest.json").read_text())

    @property
    def label_files(self) -> list[Path]:
        return sorted((self.building / "labels").glob("*.jsonl"))

    @property
    def records(self) -> list[dict[str, Any]]:
        """The label records of all instruments."""
        return [json.loads(line) for file in self.label_files for line in file.read_text().splitlines()]


def tables(bench: LabelBench) -> list[bytes]:
    """What the steps of labels have left."""
    names = ("label1.parquet", "filter1.parquet", "filter1.topics.json")
    return [(bench.building / name).read_bytes() for name in names]
