"""What a finished benchmark consists of: a question's line in the keys of both formats, and the datasheet."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from arena_hard import __version__
from arena_hard.building.languages import name_of
from arena_hard.building.steps import Context
from arena_hard.data.name_lists import counted, shortened
from arena_hard.data.record_values import is_list, is_object

_KEYWORDS = 4  # that name a topic where no model has


@dataclass(frozen=True)
class Chosen:
    """A prompt that was drawn: for which part (main, twin), its topic and the topic's name, and its row."""

    part: str
    topic: int
    cluster: str
    row: dict[str, Any]


def question_row(chosen: Chosen, bench: str) -> dict[str, Any]:
    """A line of question.jsonl: question_id and turns as v0.1 has them, uid and prompt as v2.0, and what is known.

    A question of several turns has no prompt, which could hold only one of them.
    """
    row = chosen.row
    turns: list[str] = row["turns"]
    said = {
        "question_id": row["id"],
        "uid": row["id"],
        "category": bench,
        "cluster": chosen.cluster,
        "turns": [{"content": text} for text in turns],
        "prompt": turns[0] if len(turns) == 1 else None,
        "cluster_id": chosen.topic,
        "cluster_mean": _rounded(row.get("topic_mean")),
        "prompt_score": row.get("prompt_score"),
        "criteria": row.get("criteria"),
        "instrument": row.get("instrument"),
        "language": row["language"],
        "n_seen": row["n_seen"],
        "source": row["source"],
        "source_id": row["source_id"],
        "flags": row["flags"] or None,
    }
    return {key: value for key, value in said.items() if value is not None}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def names_of_topics(context: Context, topics: Iterable[int]) -> dict[int, str]:
    """A name for each topic, of which no two are the same: by a model where it gave one, else its keywords."""
    known = {row["topic"]: row for row in _rows_of(context, "topics.json")}
    named = {row["topic"]: row["name"] for row in _rows_of(context, "names.json") if row.get("name")}
    names: dict[int, str] = {}
    for topic in sorted(topics):
        keywords = known.get(topic, {}).get("keywords", [])[:_KEYWORDS]
        name = named.get(topic) or known.get(topic, {}).get("name") or ", ".join(keywords) or f"topic {topic}"
        names[topic] = f"{name} ({topic})" if name in names.values() else name
    return names


def _rows_of(context: Context, name: str) -> list[dict[str, Any]]:
    """The list of topics in a file of a step; none where the step does not exist."""
    file = context.file(name)
    found: object = msgspec.json.decode(file.read_bytes()) if file.is_file() else []
    rows: object = found.get("topics", []) if is_object(found) else found
    return [row for row in rows if is_object(row)] if is_list(rows) else []


def datasheet(context: Context, steps: Sequence[str], chosen: Sequence[Chosen], name: str, twin: bool) -> str:
    """What a benchmark was made from and how, in Markdown; without times, so that equal runs leave equal files."""
    manifests = {step: manifest for step in steps if (manifest := context.manifest(step))}
    return "\n".join(
        [
            f"# {name}",
            "",
            *_what(context, chosen, twin),
            "",
            "## Where the prompts come from",
            "",
            *_sources(manifests["read"]),
            "",
            "## How they were chosen",
            "",
            *_funnel(manifests),
            "",
            *_draw(manifests, len(chosen)),
            "",
            "## Settings",
            "",
            "```json",
            msgspec.json.format(msgspec.json.encode(_settings(context)), indent=2).decode(),
            "```",
            "",
        ]
    )


def twin_words(name: str) -> str:
    """What the datasheet of a twin says of itself. name: of the bench whose twin it is."""
    return f"The second sample of the topics of {name}; the two share no question."


def _what(context: Context, chosen: Sequence[Chosen], twin: bool) -> Iterator[str]:
    lengths = [sum(map(len, each.row["turns"])) for each in chosen]
    languages = Counter(each.row["language"] for each in chosen)
    topics = len({each.topic for each in chosen})
    yield f"{counted(len(chosen), 'question')} from {counted(topics, 'topic')}, made by build_bench.py {__version__}."
    if twin:
        yield twin_words(context.bench.name)
    yield ""
    ranked = sorted(languages.items(), key=lambda item: (-item[1], item[0]))
    spoken = [f"{name_of(code)} {number}" for code, number in ranked]
    yield f"- Languages: {', '.join(spoken)}"
    if lengths:
        middle = statistics.median(lengths)
        yield f"- Characters: {min(lengths):,} to {max(lengths):,}, median {middle:,.0f}"
    scores = Counter(each.row["prompt_score"] for each in chosen if each.row.get("prompt_score") is not None)
    if scores:
        yield "- Criteria met: " + ", ".join(f"{score}: {number}" for score, number in sorted(scores.items()))
    flags = Counter(flag for each in chosen for flag in each.row["flags"])
    if flags:
        yield "- Flagged: " + ", ".join(f"{flag} {number}" for flag, number in sorted(flags.items()))
    yield (
        "- Personal data are looked for by patterns (e-mail, telephone, keys), which find no names or addresses. Read "
        "the questions before you publish them."
    )


def _sources(manifest: dict[str, Any]) -> Iterator[str]:
    for each in manifest["made_from"]["inputs"]:
        yield f"- {each['file']}: {each['bytes']:,} bytes, SHA-256 {each['sha256']}"
    yield "- Licence of the conversations: that of their source. Questions are their users' words; name it here."


def _funnel(manifests: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "| Step | In | Out | Dropped |"
    yield "|---|--:|--:|---|"
    for step, manifest in manifests.items():
        counts = manifest["counts"]
        dropped = sorted(counts["dropped"].items(), key=lambda item: (-item[1], item[0]))
        reasons = shortened([f"{number:,} {reason}" for reason, number in dropped], 12)
        yield f"| {step} | {counts['in']:,} | {counts['out']:,} | {reasons} |"


def _draw(manifests: dict[str, dict[str, Any]], count: int) -> Iterator[str]:
    facts = manifests["sample"]["facts"]
    yield (
        f"{counted(facts['eligible_topics'], 'topic')} could be drawn; {facts['not_drawn']:,} prompts that are good "
        "enough were not drawn and are left for later versions."
    )
    for step, manifest in manifests.items():
        if thresholds := manifest["facts"].get("thresholds"):
            yield (
                f"{step}: prompts that meet at least {thresholds['prompt']:g} criteria, in topics with a mean of at "
                f"least {thresholds['topic']:g}"
                + (f"; the mean is over {over}." if (over := manifest["facts"].get("mean_over")) else ".")
            )


def _settings(context: Context) -> dict[str, Any]:
    """What decides: without names of files, which the sources have."""
    said = msgspec.to_builtins(context.settings)
    return {key: value for key, value in said.items() if key not in ("input", "name")}
