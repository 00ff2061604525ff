"""A log of conversations of any size, made from a seed, and how long build_bench.py takes for it.

    python -m benchmarks.build_bench make FILE [--count 10000] [--seed 1] [--processes 2]
    python -m benchmarks.build_bench time FOLDER [--counts 10000 100000 1000000] [--until language]

Rows have the shape of LMSYS-Chat-1M and some 2 kB; lengths are spread like those of real logs. Each says in `planted`
what it is: its topic, how hard it is (0 to 7), its language, what it is a copy of. The same seed gives the same rows,
for any number of processes; `time` prints seconds and memory for each step.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from arena_hard.building.parallel import in_order

CHUNK = 5000  # rows that are made at once; copies are of rows of the same chunk, or of what everybody asks
TOPICS = 4000
POPULAR = 400
OTHERS = {
    "German": "Wie kann ich am besten mit {0} und {1} arbeiten, wenn ich noch nie etwas darüber gelernt habe? "
    "Bitte erkläre mir Schritt für Schritt, warum {2} dabei so wichtig ist.",
    "French": "Pouvez-vous m'expliquer comment {0} et {1} sont liés, et pourquoi il faut toujours commencer par {2} ? "
    "Je voudrais une réponse détaillée avec des exemples.",
    "Spanish": "¿Cómo puedo utilizar {0} para mejorar {1} sin perder demasiado tiempo? Necesito una explicación clara "
    "de por qué {2} es importante.",
    "Russian": "Объясните, пожалуйста, как связаны {0} и {1}, и почему при этом нужно учитывать {2}. Приведите пример.",
    "Chinese": "请详细解释一下{0}和{1}之间的关系,并说明为什么{2}在实际应用中非常重要。",
    "Japanese": "{0}と{1}の関係について詳しく説明してください。なぜ{2}が重要なのかも教えてください。",
    "Portuguese": "Você pode me explicar como {0} e {1} funcionam juntos e por que {2} é tão importante?",
}
SMALL_TALK = ("hi", "hello there", "thanks!", "how are you?", "tell me a joke", "ok", "continue", "who are you", "test")
OPENINGS = (
    "Explain how {0} depends on {1} when {2} is large.",
    "Write a function that takes {0} and returns {1}, without using {2}.",
    "What is the difference between {0} and {1}?",
    "I have a problem with {0}: every time {1} changes, {2} breaks.",
    "Design an experiment that shows whether {0} causes {1}.",
    "Prove that {0} cannot exist without {1}.",
    "Compare {0} with {1} for somebody who only knows {2}.",
    "Give me a plan for moving from {0} to {1} in three weeks.",
    "Why does {0} fail when {1} is missing?",
    "Summarise what is known about {0} and its effect on {1}.",
)
SENTENCES = (
    "The {0} has to stay below {1} at all times.",
    "Assume that {0} and {1} are independent.",
    "Keep in mind that {0} was never meant for {1}.",
    "Show each step, and say where {0} is used.",
    "My current approach starts with {0} and then applies {1}, but the result is wrong.",
    "There should be no {0} in the answer, only {1}.",
    "Take into account that {0} costs more than {1}.",
    "If {0} is not possible, use {1} and explain what changes.",
    "The input is a list of {0} with their {1}.",
    "I would also like to know how {0} is measured in practice.",
)
ANSWER = (
    "That depends on {0}, which is usually described through {1}. ",
    "First of all, consider {0} and what it means for {1}. ",
    "In most cases {0} is enough, although {1} may be needed as well. ",
    "The next step is to combine {0} with {1} and check the result. ",
)
_START = "thermo hydro micro poly bio electro geo photo crypto neuro chrono meta inter macro astro quanti agro aero"
_MIDDLE = "graph spec form struct dynam plast morph gen lys phor cycl tect metr stat chrom pher nom clast tens mod"
_END = "y ic ation ing er ment ity al ism ology ance or ure able ized ship ness ate ogram ium"


def vocabulary(rng: random.Random, count: int) -> list[str]:
    """Words that look English and that nobody has used."""
    starts, middles, ends = (parts.split() for parts in (_START, _MIDDLE, _END))
    return [rng.choice(starts) + rng.choice(middles) + rng.choice(("", "", rng.choice(middles))) + rng.choice(ends)
            for _ in range(count)]  # fmt: skip


@functools.cache
def words_of(seed: int, topic: int) -> list[str]:
    """What is spoken of in a topic."""
    return vocabulary(random.Random(f"{seed}/topic/{topic}"), 24)


@functools.cache
def answers_of(seed: int, topic: int) -> str:
    """What models say in a topic; their answers are pieces of it."""
    rng, words = random.Random(f"{seed}/answer/{topic}"), words_of(seed, topic)
    return "".join(rng.choice(ANSWER).format(*rng.choices(words, k=2)) for _ in range(60))


def topic_at_random(rng: random.Random, topics: int) -> int:
    """Topics are of unequal size."""
    return int(topics * rng.random() ** 1.7)


def prompt(rng: random.Random, seed: int, topic: int) -> tuple[str, int]:
    """(a prompt, how hard it is)."""
    words = words_of(seed, topic)
    sentences = [rng.choice(OPENINGS).format(*rng.sample(words, 3))]
    more = min(60, int(rng.lognormvariate(0.6, 1.1)))
    sentences += [rng.choice(SENTENCES).format(*rng.sample(words, 2)) for _ in range(more)]
    return " ".join(sentences), min(7, 2 + more // 2 + rng.randrange(3))


def near_copy(rng: random.Random, text: str) -> str:
    """The same text as somebody else would write it."""
    kind = rng.randrange(4)
    if kind == 0:
        return text.lower().rstrip(".?")
    if kind == 1:
        return "  " + text.replace(". ", ".\n\n", 1) + "\n"
    if kind == 2 or len(text) < 250:
        return text + " Thank you" * (len(text) > 120) + "!"
    words = text.split(" ")
    words[rng.randrange(len(words))] = "something"
    return " ".join(words)


def chunk(number: int, seed: int, topics: int, popular: int) -> list[dict[str, Any]]:
    """The rows of a chunk."""
    rng = random.Random(f"{seed}/chunk/{number}")
    rows: list[dict[str, Any]] = []
    for index in range(CHUNK):
        topic = topic_at_random(rng, topics)
        text, score, planted = *prompt(rng, seed, topic), {}
        kind, language = rng.random(), "English"
        if kind < 0.05:
            text, score, topic = rng.choice(SMALL_TALK), 0, -1
        elif kind < 0.25:
            language = rng.choice(sorted(OTHERS))
            text = OTHERS[language].format(*rng.sample(words_of(seed, topic), 3))
        elif kind < 0.30:
            which = int(popular * rng.random() ** 2)
            text, score = prompt(random.Random(f"{seed}/popular/{which}"), seed, which % topics)
            topic, planted = which % topics, {"popular": which}
        elif kind < 0.36 and rows:
            other = rng.choice(rows)["planted"] | {}
            if other["language"] == "English" and other["topic"] >= 0 and "personal" not in other:
                text, topic, score = near_copy(rng, other["text"]), other["topic"], other["score"]
                planted = {"copy_of": other["row"]}
        elif kind < 0.37:
            text, planted = (
                f"{text} Write to {rng.choice(words_of(seed, topic))}.{rng.randrange(99)}@gmx.net.",
                {"personal": "email"},
            )
        elif kind < 0.38:
            text, planted = f"NAME_{rng.randrange(9)} says: {text}", {"redacted": True}
        planted |= {"row": number * CHUNK + index, "topic": topic, "score": score, "language": language, "text": text}
        rows.append({"planted": planted, "turns": 1 if rng.random() < 0.7 else rng.randint(2, 6)})
    return rows


def lines(number: int, seed: int, topics: int, popular: int) -> bytes:
    """A chunk as JSONL."""
    rng = random.Random(f"{seed}/models/{number}")
    return b"".join(_line(rng, seed, row) for row in chunk(number, seed, topics, popular))


def _line(rng: random.Random, seed: int, row: dict[str, Any]) -> bytes:
    planted = row["planted"]
    spoken = answers_of(seed, max(0, planted["topic"]))
    conversation: list[dict[str, str]] = []
    for turn in range(row["turns"]):
        start, length = rng.randrange(1000), int(rng.lognormvariate(6.5, 0.7))
        said = planted["text"] if turn == 0 else "Go on with " + rng.choice(words_of(seed, max(0, planted["topic"])))
        conversation += [
            {"content": said, "role": "user"},
            {"content": spoken[start : start + length], "role": "assistant"},
        ]
    flagged = rng.random() < 0.02
    return msgspec.json.encode(
        {
            "conversation_id": f"{planted['row']:08x}",
            "model": f"model-{rng.randrange(25)}",
            "conversation": conversation,
            "turn": row["turns"],
            "language": planted["language"] if rng.random() < 0.5 else "unknown",
            "openai_moderation": [{"flagged": flagged and turn == 0} for turn in range(2 * row["turns"])],
            "redacted": "redacted" in planted,
            "planted": {key: value for key, value in planted.items() if key != "text"},
        }
    ) + b"\n"  # fmt: skip


def make(file: Path, count: int, seed: int = 1, processes: int = 1) -> int:
    """Write a log; returns its bytes."""
    topics = max(8, min(TOPICS, count // 100))
    work = functools.partial(lines, seed=seed, topics=topics, popular=POPULAR)
    left = count
    with open(file, "wb") as stream:
        for made in in_order(work, range((count + CHUNK - 1) // CHUNK), processes):
            ended = made if left >= CHUNK else b"".join(made.splitlines(keepends=True)[:left])
            stream.write(ended)
            left -= CHUNK
    return file.stat().st_size


def timed(folder: Path, counts: list[int], until: str, processes: int) -> Iterator[str]:
    """Build from each number of conversations in turn; lines with seconds and memory."""
    folder.mkdir(parents=True, exist_ok=True)
    for count in counts:
        file = folder / f"conversations-{count}.jsonl"
        if not file.exists():
            make(file, count, processes=processes)
        bench = f"scale-{count}"
        command = [sys.executable, "build_bench.py", str(file), "--bench", bench, "--data-dir", str(folder / "data")]
        started = time.monotonic()
        subprocess.run([*command, "--until", until, "--from", "read", "--processes", str(processes)], check=True)
        seconds = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        size = file.stat().st_size / 1e6
        yield f"{count:>9,} conversations, {size:,.0f} MB: {seconds:.0f} s, at most {peak:.1f} GB in a process"
        for manifest in sorted((folder / "data" / bench / "building").glob("*.manifest.json")):
            said: dict[str, Any] = json.loads(manifest.read_bytes())
            if "seconds" in said:
                left: dict[str, int] = said["counts"]
                yield f"    {said['step']:<12} {said['seconds']:>7.1f} s  {left['in']:>9,} -> {left['out']:>9,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="write a log")
    making.add_argument("file", type=Path)
    making.add_argument("--count", type=int, default=10_000)
    making.add_argument("--seed", type=int, default=1)
    making.add_argument("--processes", type=int, default=2)
    timing = commands.add_parser("time", help="build a benchmark from logs of several sizes")
    timing.add_argument("folder", type=Path)
    timing.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    timing.add_argument("--until", default="language")
    timing.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    if args.command == "make":
        print(f"{make(args.file, args.count, args.seed, args.processes):,} bytes in {args.file}")
    else:
        for line in timed(args.folder, args.counts, args.until, args.processes):
            print(line)


if __name__ == "__main__":
    main()
