"""Make the files of data/demo-conversations from the texts in its folders samples/ and answers/.

Run it after a change to those texts, to the configs of config/demo-build or to the words in which labels are asked for:

  TIKTOKEN_CACHE_DIR=FOLDER python tools/make_build_demo.py

It writes the conversations in three shapes, as if they came from three logs, and recordings.jsonl: the labels of every
prompt, and the answers and judgments of all prompts that have the score for the benchmark, whichever of them are drawn.
The prompts are built by the scripts' own functions, so that what is recorded is what they ask.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import utils  # noqa: E402
from arena_hard.building.criteria import load_criteria  # noqa: E402
from arena_hard.building.label_prompt import Instrument  # noqa: E402
from arena_hard.building.settings import load_build_settings  # noqa: E402
from arena_hard.building.thresholds import thresholds_of  # noqa: E402
from arena_hard.calling.providers.base import Message, Reply  # noqa: E402
from arena_hard.calling.providers.recorded import recording_row  # noqa: E402
from arena_hard.data import jsonl  # noqa: E402
from arena_hard.data.records import Question, UserError  # noqa: E402
from arena_hard.data.settings import JudgeSettings  # noqa: E402
from arena_hard.data.tokens import TokenCounter  # noqa: E402
from arena_hard.data.usage import Usage  # noqa: E402
from arena_hard.judging import prompts  # noqa: E402

FOLDER = ROOT / "data" / "demo-conversations"
CONFIGS = ROOT / "config" / "demo-build"
LEFT_OUT = "(The reply is left out of this sample.)"
MET = {True: "Met.", False: "Not met."}
# the labeller's reasons; {wants} and {field} are the sample's
REASONS = {
    "specificity": ("It asks for {wants}, and says what that has to hold.", "It leaves open what a good answer holds."),
    "domain_knowledge": ("Without practice in {field} nobody gets this right.", "Everyday knowledge is enough."),
    "complexity": ("Several conditions depend on each other.", "One step settles it."),
    "problem_solving": ("The way has to be found for this case.", "It is a matter of recall or taste."),
    "creativity": ("A standard answer does not fit; it needs a design of its own.", "Known methods are enough."),
    "technical_accuracy": ("One wrong detail would make the answer useless.", "Small inaccuracies would do no harm."),
    "real_world": ("Somebody could act on the answer.", "Nobody would do anything with the answer."),
}
VERDICTS = {"m>>b": 2, "m>b": 1, "=": 0, "b>m": -1, "b>>m": -2}
LABELS = {2: "A>>B", 1: "A>B", 0: "A=B", -1: "B>A", -2: "B>>A"}


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    samples = list(read_samples())
    rows = conversations(samples)
    write_conversations(rows)
    counter = TokenCounter()
    different = list({tuple(row["turns"]): row for row in rows}.values())  # any of them may be the one that is kept
    recordings = [*label_rows(different, counter), *bench_rows(different, counter)]
    if counter.problem:
        raise UserError(counter.problem)
    jsonl.replace(FOLDER / "recordings.jsonl", [jsonl.encode(row) for row in recordings])
    print(f"{len(rows)} conversations, {len(recordings)} recorded completions")
    return 0


# ----------------------------------------------------------------------------------- conversations


def read_samples() -> Iterator[dict[str, Any]]:
    """Each sample once, with its user turns as `turns` and what its file says of all of them."""
    for file in sorted((FOLDER / "samples").glob("*.yaml")):
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
        for sample in loaded["conversations"]:
            turns = sample.get("turns") or [sample["ask"] * sample.get("times", 1)]
            yield {"field": loaded.get("field", ""), **sample, "turns": turns}


def conversations(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All conversations in the order of a log: samples, their copies and near copies, shuffled by their hashes."""
    found = []
    for sample in samples:
        found.append(sample)
        # a copy differs in white space, as copies by hand do
        found += [
            {**sample, "turns": [f"{turn}\n" for turn in sample["turns"]]} for _ in range(sample.get("copies", 0))
        ]
        if near := with_words(sample):
            found.append(near)
    numbered = [{**sample, "id": hash_of(f"{number} {sample['turns']}")} for number, sample in enumerate(found)]
    return sorted(numbered, key=lambda sample: sample["id"])


def with_words(sample: dict[str, Any]) -> dict[str, Any] | None:
    """The near copy of a sample: its text with a word or two replaced."""
    turns = sample["turns"]
    for old, new in sample.get("near", []):
        if old not in turns[0]:
            raise UserError(f"near: {old!r} is not in {turns[0]!r}")
        turns = [turns[0].replace(old, new)]
    return {**sample, "turns": turns} if "near" in sample else None


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def write_conversations(rows: list[dict[str, Any]]) -> None:
    """Three files in three shapes; system messages go where the shape has them."""
    by_file: dict[str, list[dict[str, Any]]] = {"lmsys": [], "sharegpt": [], "openai": []}
    for row in rows:
        place = int(row["id"], 16) % 10
        kind = "openai" if row.get("system") or place == 0 else "sharegpt" if place == 1 else "lmsys"
        if row.get("flagged") or row.get("redacted"):
            kind = "lmsys"
        by_file[kind].append(row)
    lines = [jsonl.encode(lmsys_row(row)) for row in by_file["lmsys"]]
    jsonl.replace(FOLDER / "chat-log.jsonl", lines)
    array = json.dumps([sharegpt_row(row) for row in by_file["sharegpt"]], ensure_ascii=False, indent=1)
    (FOLDER / "sharegpt.json").write_text(array + "\n", encoding="utf-8")
    body = b"".join(jsonl.encode(openai_row(row)) for row in by_file["openai"])
    (FOLDER / "requests.jsonl.gz").write_bytes(gzip.compress(body, mtime=0))


def said(row: dict[str, Any], user: str, model: str, role: str, content: str) -> list[dict[str, str]]:
    """The turns of both sides in a shape's words."""
    turns = []
    for turn in row["turns"]:
        turns += [{role: user, content: turn}, {role: model, content: LEFT_OUT}]
    return turns


def lmsys_row(row: dict[str, Any]) -> dict[str, Any]:
    turns = said(row, "user", "assistant", "role", "content")
    flagged = row.get("flagged")
    verdicts = [{"flagged": bool(flagged), "categories": {flagged: True} if flagged else {}} for _ in turns]
    return {
        "conversation_id": row["id"],
        "model": "some-model",
        "conversation": turns,
        "turn": len(row["turns"]),
        "language": row.get("language", "English"),
        "openai_moderation": verdicts,
        "redacted": bool(row.get("redacted")),
    }


def sharegpt_row(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "conversations": said(row, "human", "gpt", "from", "value")}


def openai_row(row: dict[str, Any]) -> dict[str, Any]:
    system = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    return {"id": row["id"], "messages": [*system, *said(row, "user", "assistant", "role", "content")]}


# ---------------------------------------------------------------------------------------- labels


def label_rows(rows: list[dict[str, Any]], counter: TokenCounter) -> Iterator[dict[str, Any]]:
    """What the labeller says of each prompt for which the samples have a label."""
    settings = load_build_settings(CONFIGS / "build_bench_config.yaml")
    told = settings.labels.passes[0]
    model = utils.load_models(CONFIGS / "api_config.yaml", [told.model])[0]
    instrument = Instrument(model, load_criteria(ROOT / settings.labels.criteria), told.temperature, told.max_tokens)
    for row in rows:
        if "met" in row:
            messages = instrument.messages(row["turns"])
            yield from labels_of(row, instrument, messages, label_text(row, instrument.criteria.names), counter)


def label_text(sample: dict[str, Any], names: tuple[str, ...]) -> str:
    """The labeller's reply: its reasons for each criterion, and the list."""
    lines = []
    for number, name in enumerate(names, 1):
        met = str(number) in sample["met"]
        reason = REASONS[name][0 if met else 1].format(wants=sample["wants"], field=sample["field"])
        lines.append(f"{number}. {name}: {reason} {MET[met]}")
    return "\n".join([*lines, "", f"Criteria met: [{', '.join(sample['met'])}]"])


def labels_of(
    row: dict[str, Any], instrument: Instrument, messages: list[Message], right: str, counter: TokenCounter
) -> Iterator[dict[str, Any]]:
    """A reply as it should be or, where the sample is `odd`, one in which no label can be read.

    After a cut one the labeller gives the decisions when it is asked once more, after the others it does not.
    """
    model, kind = instrument.model.model_name, row.get("odd")
    if kind is None:
        yield recording_row(model, messages, reply(model, messages, right, counter))
        return
    texts = {
        "cut": right[: len(right) // 2],
        "answer": "Of course! Here is how I would go about it: first of all I would need to know a little more.",
        "two lists": f"{right}\n\nOn second thoughts, the last one is doubtful.\n\nCriteria met: [1, 2, 3, 4, 5, 6]",
    }
    first = reply(model, messages, texts[kind], counter, "length" if kind == "cut" else "stop")
    again = instrument.once_more(messages, first)
    met = right.rpartition("[")[2]
    decisions = {name: "yes" if str(at) in met else "no" for at, name in enumerate(instrument.criteria.names, 1)}
    second = json.dumps(decisions) if kind == "cut" else "I would rather not decide this."
    yield recording_row(model, messages, first)
    yield recording_row(model, again, reply(model, again, second, counter))


# -------------------------------------------------------------------------- answers and judgments


def bench_rows(rows: list[dict[str, Any]], counter: TokenCounter) -> Iterator[dict[str, Any]]:
    """Answers and judgments of each prompt that could be drawn. Raises UserError for one that has none."""
    settings = utils.load_judge_settings(CONFIGS / "judge_config.yaml")
    answers: dict[str, Any] = {}
    for file in sorted((FOLDER / "answers").glob("*.yaml")):
        answers |= yaml.safe_load(file.read_text(encoding="utf-8"))
    threshold = thresholds_of(load_build_settings(CONFIGS / "build_bench_config.yaml"), 1).prompt
    for row in rows:
        if row.get("key") in answers:
            yield from question_rows(settings, row["turns"], answers[row["key"]], counter)
        elif len(row.get("met", "")) >= threshold:
            raise UserError(f"A prompt that could be drawn has no answers in {FOLDER / 'answers'}: {row['turns'][0]}")


def question_rows(
    settings: JudgeSettings, turns: list[str], texts: dict[str, Any], counter: TokenCounter
) -> Iterator[dict[str, Any]]:
    """The answers of all models to one question, and both games of each judgment."""
    for model, text in texts.items():
        if model != "verdicts":
            messages: list[Message] = [{"role": "user", "content": turns[0]}]
            yield recording_row(model, messages, reply(model, messages, text, counter))
    question = Question("", tuple(turns))
    baseline = settings.baseline_model or ""
    for model, (first, second, reason) in texts["verdicts"].items():
        pair = [[texts[baseline]], [texts[model]]]
        for order, verdict, places in ((pair, -VERDICTS[first], "BA"), (pair[::-1], VERDICTS[second], "AB")):
            messages = prompts.opening_messages(settings, question, order, [])
            text = reason.format(m=f"Assistant {places[0]}", b=f"Assistant {places[1]}")
            said = f"{text}\n\nMy final verdict is [[{LABELS[verdict]}]]."
            yield recording_row("demo-judge", messages, reply("demo-judge", messages, said, counter))


def reply(model: str, messages: list[Message], text: str, counter: TokenCounter, why: str = "stop") -> Reply:
    """The completion as a server would have sent it, with its token counts."""
    prompt = sum(counter.count(message["content"]) or 0 for message in messages)
    usage = Usage(prompt_tokens=prompt, completion_tokens=counter.count(text) or 0)
    return Reply(text, why, usage, model)


if __name__ == "__main__":
    utils.run_main(main)
