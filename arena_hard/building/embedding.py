"""The fifth step: a vector for each prompt, by words, a small model, a server, or from a file of one's own.

embeddings.npy holds them as float32 in the order of language.parquet, NaN where there is none; the manifest says which
embedder made them and for which prompts, so that vectors are never taken for those of another model or of other rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from arena_hard.building import asked_vectors, given_vectors, small_model, word_vectors
from arena_hard.building.arrays import Floats
from arena_hard.building.reading import batches, texts_of
from arena_hard.building.settings import BuildSettings
from arena_hard.building.shards import Shards
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.tables import Table, version_of
from arena_hard.data.name_lists import counted

VECTORS = "embeddings.npy"
_DECIDING = {"lsa": ("numpy", "scipy", "scikit-learn"), "minilm": ("onnxruntime", "tokenizers")}


class EmbedStep(Step):
    """A vector for each prompt."""

    name = "embed"
    needs = ("language",)
    files = (VECTORS,)
    has_table = False

    def models(self, settings: BuildSettings) -> Sequence[str]:
        asked = settings.embedding.kind == "endpoint"
        return [asked_vectors.model_name(settings.embedding)] if asked else []

    def check(self, context: Context) -> None:
        settings = context.settings.embedding
        if settings.kind == "minilm":
            small_model.check()
        elif settings.kind == "file":
            given_vectors.file_of(settings)
        elif settings.kind == "endpoint":
            asked_vectors.check(context)

    def made_from(self, context: Context) -> dict[str, Any]:
        return embedder(context)

    def plan(self, context: Context, rows: int | None) -> Iterable[str]:
        settings = context.settings.embedding
        if settings.kind == "endpoint":
            yield from asked_vectors.plan_lines(context, rows)
        else:
            yield _WORDS[settings.kind]

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        assert rows is not None
        count = out.rows_in = rows.count
        if context.settings.embedding.kind == "endpoint" and not asked_vectors.ask(context, rows, out):
            out.code, out.stopped = 1, True
            return
        pieces = _vectors(context, rows)
        with out.file(VECTORS) as file:
            written: Any = None
            at = 0
            for piece in pieces:
                if written is None:
                    shape = (count, piece.shape[1])
                    written = np.lib.format.open_memmap(file, "w+", np.float32, shape)
                written[at : at + len(piece)] = piece
                at += len(piece)
                out.advance(len(piece))
            if written is not None:
                assert at == count
                written.flush()
        out.rows_out = count - out.dropped.total()
        dimensions = 0 if written is None else int(written.shape[1])
        out.facts |= {"rows": count, "dimensions": dimensions, "ids": ids_digest(rows), "embedder": embedder(context)}
        out.say(
            f"{counted(count, 'vector')} of {counted(dimensions, 'dimension')} by {context.settings.embedding.kind}"
        )


_WORDS = {
    "lsa": "by words and letters, on this machine; nothing is sent",
    "minilm": "by MiniLM and words, on this machine; nothing is sent",
    "file": "from the file that the config names; nothing is sent",
}


def embedder(context: Context) -> dict[str, Any]:
    """All that decides a prompt's vector but the prompts."""
    settings = context.settings.embedding
    made: dict[str, Any] = {"kind": settings.kind, "max_characters": settings.max_characters}
    made["versions"] = {name: version_of(name) for name in _DECIDING.get(settings.kind, ())}
    if settings.kind == "file":
        return {"kind": "file", "file": given_vectors.fingerprint_of(settings)}
    if settings.kind == "endpoint":
        return asked_vectors.embedder(context)
    if settings.kind == "minilm":
        made |= {"model": small_model.MODEL_SHA256, "tokenizer": small_model.TOKENIZER_SHA256}
    return made | {
        "words": word_vectors.VERSION,
        "dimensions": settings.dimensions,
        "seed": context.settings.seed,
    }


def ids_digest(rows: Table) -> str:
    """The names of all rows in their order, as one hash."""
    digest = hashlib.sha256()
    for part in rows.parts(["id"]):
        digest.update("\n".join(part.column("id").to_pylist()).encode() + b"\n")
    return digest.hexdigest()


def embed(
    texts: Sequence[str], dimensions: int, languages: Iterable[str] = (), seed: int = 0, small: bool = False
) -> Floats:
    """Unit vectors [n, d] of some texts, by words; small: by MiniLM as well."""
    learnt = word_vectors.learn(texts, dimensions, languages, seed)
    return _both(learnt, texts) if small else learnt.of(texts)


def _vectors(context: Context, rows: Table) -> Iterator[Floats]:
    """The vectors of all rows, piece by piece."""
    settings = context.settings.embedding
    if settings.kind == "file":
        yield from given_vectors.vectors(settings, rows)
    elif settings.kind == "endpoint":
        yield from asked_vectors.vectors(context, rows)
    else:
        learnt = word_vectors.learn(*_sample(context, rows), context.settings.seed)
        pieces = (
            [text[: settings.max_characters] for text in texts_of(part)]
            for part in batches(rows, ["turns"], 500 if settings.kind == "minilm" else 2000)
        )
        with Shards(context, learnt) as shards:
            yield from shards.map(_both if settings.kind == "minilm" else word_vectors.vectors, pieces)


def _sample(context: Context, rows: Table) -> tuple[list[str], int, list[str]]:
    """What word vectors are learnt from: some texts, how many dimensions, and the languages of all."""
    settings, count = context.settings.embedding, rows.count
    generator = np.random.default_rng(context.settings.seed)
    most = word_vectors.SAMPLE
    chosen = np.arange(count) if count <= most else np.sort(generator.choice(count, most, replace=False))
    texts: list[str] = []
    languages: set[str] = set()
    at = 0
    for part in rows.parts(["turns", "language"]):
        inside = chosen[(chosen >= at) & (chosen < at + part.num_rows)] - at
        texts += [text[: settings.max_characters] for text in texts_of(part.take(inside))]
        languages.update(set(part.column("language").to_pylist()))
        at += part.num_rows
    return texts, settings.dimensions, sorted(languages)


def _both(learnt: word_vectors.WordVectors, texts: Sequence[str]) -> Floats:
    """MiniLM's vector beside that of words: together they find more of what belongs together than either alone."""
    parts = [small_model.vectors(texts), learnt.of(texts)]
    return np.ascontiguousarray(np.hstack(parts) / np.float32(np.sqrt(2)), np.float32)
