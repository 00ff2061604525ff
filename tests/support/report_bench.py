"""What the steps of building and a judge leave of a small benchmark: everything that its report has to show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.browse_bench import judgment_row
from tests.support.pipeline_bench import write_rows

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'
LONG = "wordwithoutanend" * 20
NAMES = ("specificity", "domain_knowledge", "complexity", "problem_solving", "creativity", "accuracy", "real_world")
TOPICS = 40
QUESTIONS = 6
# model → the verdict of each question in its first game; the second game says the same; q3 says nothing of anybody
VERDICTS = {
    "strong": ["B>>A", "B>A", "B>A", "A=B", "B>A", "A>B"],
    "middle": ["B>A", "A=B", "B>A", "A=B", "A>B", "A=B"],
    "weak": ["A>B", "A>B", "A=B", "A=B", "A>>B", "B>A"],
}
SWAPPED = {"B>>A": "A>>B", "B>A": "A>B", "A=B": "A=B", "A>B": "B>A", "A>>B": "B>>A"}
CONFIG = """\
bench_name: made
labels:
  criteria: {criteria}
  passes: [{{model: nobody}}]
sample: {{topics: 50, prompts: 2}}
"""


def write_report_bench(folder: Path, criteria: Path, judged: bool = True) -> Path:
    """The bench `made` in `folder`/data and its config. Returns the config."""
    bench = folder / "data" / "made"
    building = bench / "building"
    building.mkdir(parents=True)
    for step, manifest in _manifests().items():
        whole = {"step": step, "made_from": {}, "output": {}, "seconds": 1.5, "facts": {}, "lines": [], **manifest}
        (building / f"{step}.manifest.json").write_text(json.dumps({"examples": {}, **whole}), encoding="utf-8")
    _write_topics(building)
    write_rows(bench / "question.jsonl", [_question(number) for number in range(QUESTIONS)])
    for model, verdicts in VERDICTS.items() if judged else ():
        rows = [
            judgment_row(model, f"q{number}", (verdict, SWAPPED[verdict]), baseline="base")
            for number, verdict in enumerate(verdicts)
        ]
        write_rows(bench / "model_judgment" / "judy" / f"{model}.jsonl", rows)
    config = folder / "build.yaml"
    config.write_text(CONFIG.format(criteria=criteria), encoding="utf-8")
    return config


def _counts(came: int, left: int, **dropped: int) -> dict[str, Any]:
    return {
        "in": came,
        "out": left,
        "dropped": {reason.replace("_", " "): number for reason, number in dropped.items()},
    }


def _manifests() -> dict[str, dict[str, Any]]:
    examples = {
        "too short": [{"id": "e1", "text": HOSTILE}, {"id": "e2", "text": LONG}],
        "personal data (email)": [{"id": "e3", "text": "write to [email]"}],
    }
    clean = _counts(1500, 1200, too_short=280)
    clean["dropped"]["personal data (email)"] = 20
    filtered = {"filter1.parquet": {"bytes": 4, "sha256": "f1"}}
    histogram = [100, 150, 200, 150, 100, 100, 150, 40]
    facts = {
        "labelled": 990,
        "without_label": 10,
        "histogram": histogram,
        "shares": dict.fromkeys(NAMES, 0.5),
        "criteria": dict.fromkeys(NAMES, "text"),
    }
    return {
        "read": {"counts": _counts(1500, 1500), "lines": [f"{LONG}.jsonl: JSONL, 1500 rows"]},
        "clean": {"counts": clean, "examples": examples},
        "duplicates": {"counts": _counts(1200, 1100, near_copies=100)},
        "language": {"counts": _counts(1100, 1000, in_German=100)},
        "label1": {"counts": _counts(1000, 1000), "facts": facts},
        "filter1": {
            "counts": _counts(1000, 120, prompt_score_below_6=880),
            "facts": {"thresholds": {"prompt": 6.0, "topic": 5.0}},
            "output": filtered,
        },
        "sample": {
            "counts": _counts(120, 6),
            "made_from": {"before": {"filter1": filtered}},
            "lines": ["3 topics × 2 prompts = 6 questions"],
        },
        "questions": {
            "counts": _counts(6, 6),
            "made_from": {"before": {"sample": {}, "filter1": filtered, "topics": None, "language": {}}},
        },
    }


def _write_topics(building: Path) -> None:
    random = np.random.default_rng(5)
    listed = [
        {"topic": number, "size": 25, "name": ", ".join(_keywords(number)), "keywords": _keywords(number)}
        | {"x": float(random.normal()), "y": float(random.normal())}
        for number in range(TOPICS)
    ]
    (building / "topics.json").write_text(json.dumps({"topics": listed}), encoding="utf-8")
    scores = [_score(number) for number in range(TOPICS)]
    (building / "filter1.topics.json").write_text(json.dumps(scores), encoding="utf-8")


def _keywords(number: int) -> list[str]:
    return [HOSTILE, LONG] if number == 7 else [f"word{number}", f"other{number}", "third"]


def _score(number: int) -> dict[str, Any]:
    passes = number < 10
    known = None if number == TOPICS - 1 else 6.5 - number / 10
    return {"topic": number, "labelled": 25, "mean": known, "error": known and 0.2, "left": 8 if passes else 0}


def _question(number: int) -> dict[str, Any]:
    texts = [f"Question {number}: what is asked? {HOSTILE}", LONG]
    return {
        "question_id": f"q{number}",
        "category": "made",
        "cluster": ", ".join(_keywords(number // 2)),
        "cluster_id": number // 2,
        "turns": [{"content": text} for text in (texts if number == 0 else texts[:1])],
        "prompt_score": 6,
        "criteria": [name != "creativity" for name in NAMES],
        "language": "English",
        "source": "log.jsonl",
        "n_seen": 3,
    }
