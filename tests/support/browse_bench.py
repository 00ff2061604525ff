"""A small bench with everything that the pages must say something about, and the browser under test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.pipeline_bench import ROOT, write_rows
from tests.support.processes import end_process, free_port, wait_for_server

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

QUESTIONS = [
    ("q-sum", "math", "sums", ["What is 2 + 2?"]),
    ("q-code", "code", "python", ["Write a function that doubles a number.", "Now make it triple."]),
    ("q-poem", "writing", "poems", ["Write a line about rain."]),
    ("q-plan", "writing", "plans", ["Plan a day in Rome."]),
    ("q-time", "math", "clocks", ["What time is it in Oslo when it is noon in London?"]),
]
# model -> question -> (verdict of game 1, verdict of game 2); None: the judge wrote, no label can be read
VERDICTS: dict[str, dict[str, tuple[str | None, str | None]]] = {
    "alpha": {"q-sum": ("B>A", "A>B"), "q-code": ("A>B", "A>B"), "q-poem": ("A=B", "A=B"), "q-plan": ("B>>A", None)},
    "beta": {"q-sum": ("A>>B", "B>>A"), "q-code": ("A>B", "B>A"), "q-poem": ("A>B", "B>A"), "q-plan": ("A>B", "A>>B")},
}


def answer_row(model: str, question: str, turns: list[str], **more: Any) -> dict[str, Any]:
    """An answer in v0.1's shape."""
    return {
        "question_id": question,
        "answer_id": f"{model}-{question}",
        "model_id": model,
        "choices": [{"index": 0, "turns": [{"content": turn, "token_len": 10} for turn in turns]}],
        "tstamp": 1.0,
        **more,
    }


def judgment_row(
    model: str, question: str, verdicts: tuple[str | None, str | None], judge: str = "judy", **more: Any
) -> dict[str, Any]:
    """A judgment in v0.1's shape; the judge's texts say which game they are about."""
    games = [
        {
            "user_prompt": f"prompt of game {number}",
            "judgment": f"Words about {model} on {question} in game {number}. My verdict is "
            + (f"[[{verdict}]]" if verdict else "not clear."),
            "score": verdict,
        }
        for number, verdict in enumerate(verdicts, 1)
    ]
    return {"question_id": question, "model": model, "judge": judge, "games": games, **more}


def write_bench(folder: Path) -> Path:
    """The bench in `folder`; alpha's answer to the poem is cut off, q-time was never judged."""
    write_rows(
        folder / "question.jsonl",
        [
            {"question_id": name, "category": category, "cluster": cluster, "turns": [{"content": t} for t in turns]}
            for name, category, cluster, turns in QUESTIONS
        ],
    )
    for model in ("base", "alpha", "beta"):
        rows = [
            answer_row(
                model,
                name,
                [f"{model} says turn {number} of {name}" for number, _ in enumerate(turns, 1)],
                finish_reason="length" if (model, name) == ("alpha", "q-poem") else "stop",
            )
            for name, _, _, turns in QUESTIONS
            if (model, name) != ("beta", "q-time")
        ]
        write_rows(folder / "model_answer" / f"{model}.jsonl", rows)
    for model, verdicts in VERDICTS.items():
        rows = [judgment_row(model, name, pair, baseline="base") for name, pair in verdicts.items()]
        write_rows(folder / "model_judgment" / "judy" / f"{model}.jsonl", rows)
    return folder


# ---------------------------------------------------------------------------------- the browser


@contextlib.contextmanager
def served(data_dir: Path, *arguments: str) -> Iterator[str]:
    """qa_browser.py as a process of its own; yields its address and ends it afterwards."""
    port = free_port()
    command = [sys.executable, str(ROOT / "qa_browser.py"), "--port", str(port), "--data-dir", str(data_dir)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [*command, *arguments], cwd=data_dir, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        address = f"http://127.0.0.1:{port}/"
        wait_for_server("qa_browser.py", address, process)
        yield address
    finally:
        end_process(process, signal.SIGINT, 10)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A Chromium under Playwright, or a skipped test that says what is missing."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed (on Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
