"""The sixth step: a topic for each prompt, and what each topic is about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from arena_hard.building import topic_clusters, topic_words, word_vectors
from arena_hard.building.arrays import Floats, Integers, library, one_thread
from arena_hard.building.embedding import VECTORS, ids_digest
from arena_hard.building.reading import texts_of
from arena_hard.building.runner import fingerprint
from arena_hard.building.settings import TopicSettings
from arena_hard.building.steps import EXAMPLE_CHARACTERS, EXAMPLES, Context, Output, Step
from arena_hard.building.tables import Table, arrow, version_of
from arena_hard.building.topic_clusters import NO_TOPIC, Topics, cluster
from arena_hard.building.topic_words import keywords, names_of
from arena_hard.data.name_lists import counted
from arena_hard.data.records import UserError

PICTURE = "topics.json"
NEAREST = 50  # prompts of a topic that its words are taken from
_SHOWN = 10  # of them that the picture names
_WORDS = 8
_DECIDING = ("numpy", "scipy", "scikit-learn", "umap-learn", "fast-hdbscan", "numba", "stopwordsiso")


class TopicsStep(Step):
    """A topic for each prompt, or none (-1)."""

    name = "topics"
    needs = ("language", "embed")
    files = (PICTURE,)

    def made_from(self, context: Context) -> dict[str, Any]:
        return {
            "topics": {**msgspec.to_builtins(context.settings.topics), "names_by": None},
            "seed": context.settings.seed,
            "code": [topic_clusters.VERSION, topic_words.VERSION, word_vectors.VERSION],
            "versions": {name: version_of(name) for name in _DECIDING},
        }

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        assert rows is not None
        settings = context.settings.topics
        ids = rows.column("id")
        topics = topics_of(_checked_vectors(context, rows), settings, context.settings.seed)
        schema = arrow().schema(
            [("id", arrow().string()), ("topic", arrow().int32()), ("similarity", arrow().float32())]
        )
        out.write(arrow().table([ids, topics.topic, topics.similarity], schema=schema))
        picture = _picture(rows, ids, topics)
        with out.file(PICTURE) as file:
            file.write_bytes(json.dumps(picture, ensure_ascii=False, indent=1).encode() + b"\n")
        out.advance(len(ids))
        without = int((topics.topic < 0).sum())
        out.facts |= {
            "topics": len(topics.centres),
            "without_topic": without,
            "stability": topics.stability,
            "silhouette": topics.silhouette,
            "examples_without_topic": _examples(rows, ids, topics.topic),
        }
        for line in _lines(topics, without, context):
            out.say(line)


def topics_of(vectors: npt.NDArray[Any], settings: TopicSettings, seed: int) -> Topics:
    """The topics of vectors [n, d]; a row of NaN, which is no vector, has none."""
    known = np.flatnonzero(~np.isnan(vectors[:, 0]))
    if len(known) == len(vectors):
        return cluster(vectors, settings, seed)
    found = cluster(vectors[known], settings, seed)
    topic, similarity = np.full(len(vectors), NO_TOPIC, np.int32), np.full(len(vectors), np.nan, np.float32)
    topic[known], similarity[known] = found.topic, found.similarity
    return replace(found, topic=topic, similarity=similarity)


def _lines(topics: Topics, without: int, context: Context) -> Iterable[str]:
    count, least = len(topics.centres), context.settings.topics.min_size
    where = context.args.setting_file
    if not count:
        yield (
            f"note: no topic has {least} prompts that are alike; lower topics: min_size in {where}, or bring more "
            "conversations."
        )
        return
    stability = "" if topics.stability is None else f"; stability of two seeds {topics.stability:.2f}"
    yield f"{counted(count, 'topic')}; {counted(without, 'prompt')} of {len(topics.topic)} without one{stability}"
    if topics.stability is not None and topics.stability < topic_clusters.UNSTABLE:
        yield (
            f"note: another seed gives other topics (adjusted Rand {topics.stability:.2f}, below "
            f"{topic_clusters.UNSTABLE:g}): which prompts stand together owes more to chance than to the prompts. "
            f"Change topics: min_size in {where}, or use a better embedding."
        )


def _checked_vectors(context: Context, rows: Table) -> npt.NDArray[Any]:
    """embeddings.npy, if it is what the step before has left for these rows. Raises UserError."""
    file, manifest = context.file(VECTORS), context.manifest("embed") or {}
    remedy = (
        "Run build_bench.py --from embed; vectors of your own are named in the config (embedding: kind: file, file: …)."
    )
    if manifest.get("output", {}).get(VECTORS) != fingerprint(file):
        raise UserError(f"{file} is not what the step embed has left: it is of another model or another run. {remedy}")
    if manifest["facts"]["ids"] != ids_digest(rows):
        raise UserError(f"{file} is of other prompts than {rows.file}. {remedy}")
    try:
        found: npt.NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError) as error:
        raise UserError(f"{file} cannot be read ({error}). {remedy}") from None
    return found


# ------------------------------------------------------------------------------------------ picture


def _picture(rows: Table, ids: Sequence[str], topics: Topics) -> dict[str, Any]:
    """What the topics are about, for the steps after and for people."""
    nearest = nearest_rows(topics, NEAREST)
    wanted = np.concatenate([*nearest, np.zeros(0, np.int64)])
    texts, languages = _texts_at(rows, wanted)
    words = keywords([texts[row] for row in wanted.tolist()], topics.topic[wanted], languages, _WORDS)
    names = names_of([chosen[: topic_words.WORDS] for chosen in words])
    places = flat_map(topics.centres)
    found = [
        {
            "topic": number,
            "name": names[number],
            "size": int(size),
            "keywords": words[number],
            "centre_ids": [ids[row] for row in nearest[number][:_SHOWN]],
            "similarity": round(float(topics.similarity[topics.topic == number].mean()), 4),
            "x": round(float(places[number][0]), 3),
            "y": round(float(places[number][1]), 3),
        }
        for number, size in enumerate(topics.sizes)
    ]
    return {"topics": found, "stability": topics.stability, "silhouette": topics.silhouette}


def nearest_rows(topics: Topics, most: int) -> list[Integers]:
    """The rows of each topic that are most like its centre, the nearest first."""
    order = np.lexsort((np.arange(len(topics.topic)), -topics.similarity, topics.topic))
    starts = np.searchsorted(topics.topic[order], np.arange(len(topics.centres) + 1))
    return [order[start : min(end, start + most)] for start, end in zip(starts, starts[1:])]


def _texts_at(rows: Table, wanted: Integers) -> tuple[dict[int, str], list[str]]:
    """The texts of some rows, and the languages of all."""
    inside = np.sort(wanted)
    texts: dict[int, str] = {}
    languages: set[str] = set()
    at = 0
    for part in rows.parts(["turns", "language"]):
        here = inside[(inside >= at) & (inside < at + part.num_rows)]
        texts.update(zip(here.tolist(), texts_of(part.take(here - at))))
        languages.update(set(part.column("language").to_pylist()))
        at += part.num_rows
    return texts, sorted(languages)


def flat_map(centres: Floats) -> Floats:
    """A place on a map [k, 2] for each topic, near for topics that are alike."""
    if len(centres) < 4:
        return np.array([[number, 0.0] for number in range(len(centres))], np.float32).reshape(-1, 2)
    perplexity = min(15.0, (len(centres) - 1) / 3)
    tsne = library("sklearn.manifold").TSNE
    with one_thread("sklearn.manifold"):
        layout = tsne(2, perplexity=perplexity, metric="cosine", init="pca", random_state=0, n_jobs=1)
        return np.asarray(layout.fit_transform(centres), np.float32)


def _examples(rows: Table, ids: Sequence[str], topic: npt.NDArray[np.int32]) -> list[dict[str, str]]:
    """A few prompts that have no topic."""
    chosen = np.flatnonzero(topic < 0)[:EXAMPLES]
    texts, _ = _texts_at(rows, chosen)
    numbers: list[int] = chosen.tolist()
    return [{"id": ids[row], "text": texts[row][:EXAMPLE_CHARACTERS]} for row in numbers]
