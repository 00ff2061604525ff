"""Make data/demo/question.jsonl and recordings.jsonl from the texts in data/demo/samples/.

Run it after a change to those texts, to the demo's configs or to the judge prompt:

  TIKTOKEN_CACHE_DIR=FOLDER python tools/make_demo.py

The prompts are built by the scripts' own functions, so that what is recorded is what they ask.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import utils  # noqa: E402
from arena_hard.calling.providers.base import Message, Reply  # noqa: E402
from arena_hard.calling.providers.recorded import recording_row  # noqa: E402
from arena_hard.data import jsonl  # noqa: E402
from arena_hard.data.records import Question, UserError, question_from_row  # noqa: E402
from arena_hard.data.tokens import TokenCounter  # noqa: E402
from arena_hard.data.usage import Usage  # noqa: E402
from arena_hard.judging import prompts  # noqa: E402

DEMO = ROOT / "data" / "demo"


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    settings = utils.load_judge_settings(ROOT / "config" / "demo" / "judge_config.yaml")
    samples = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in sorted((DEMO / "samples").glob("*.yaml"))]
    counter = TokenCounter()
    questions, recordings = [], []
    for sample in samples:
        row = {key: sample[key] for key in ("question_id", "category", "cluster")}
        row["turns"] = [{"content": turn} for turn in sample["turns"]]
        questions.append(row)
        question = question_from_row(row)
        for model, turns in sample["answers"].items():
            recordings += answer_rows(model, question, turns, counter)
        for model, games in sample["judgments"].items():
            pair = [sample["answers"][settings.baseline_model], sample["answers"][model]]
            recordings += game_rows(settings, question, pair, games[0], counter)
            recordings += game_rows(settings, question, pair[::-1], games[1], counter)
    if counter.problem:
        raise UserError(counter.problem)
    jsonl.replace(DEMO / "question.jsonl", [jsonl.encode(row) for row in questions])
    jsonl.replace(DEMO / "recordings.jsonl", [jsonl.encode(row) for row in recordings])
    print(f"{len(questions)} questions, {len(recordings)} recorded completions")
    return 0


def answer_rows(model: str, question: Question, turns: list[str], counter: TokenCounter) -> list[dict[str, Any]]:
    """One recording for each turn of an answer."""
    messages: list[Message] = []
    rows = []
    for asked, said in zip(question.turns, turns):
        messages = [*messages, {"role": "user", "content": asked}]
        rows.append(recording_row(model, messages, reply(model, messages, said, counter)))
        messages = [*messages, {"role": "assistant", "content": said}]
    return rows


def game_rows(
    settings: Any, question: Question, answers: list[list[str]], attempts: list[str], counter: TokenCounter
) -> list[dict[str, Any]]:
    """One recording for each attempt of a game."""
    messages = prompts.opening_messages(settings, question, answers, [])
    rows = []
    for said in attempts:
        rows.append(recording_row("demo-judge", messages, reply("demo-judge", messages, said, counter)))
        messages = prompts.asked_again(messages, said)
    return rows


def reply(model: str, messages: list[Message], said: str, counter: TokenCounter) -> Reply:
    """The completion as a server would have sent it, with its token counts."""
    prompt = sum(counter.count(message["content"]) or 0 for message in messages)
    usage = Usage(prompt_tokens=prompt, completion_tokens=counter.count(said) or 0)
    return Reply(said, "stop", usage, model)


if __name__ == "__main__":
    utils.run_main(main)
