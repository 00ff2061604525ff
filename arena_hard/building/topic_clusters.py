"""Vectors → topics: a layout in which near neighbours stay near (UMAP), and the dense places in it (HDBSCAN).

Of very many prompts a sample is laid out, and the others go to the nearest centre. Whoever is less like the centre of a
topic than `similarity_floor` has no topic (-1): a layout finds a place for everything, also for what is like nothing
else. All is seeded and computed in one thread, so that the same vectors give the same bits.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from arena_hard.building.arrays import Floats, Integers, library, one_thread, unit
from arena_hard.building.settings import TopicSettings

VERSION = 2  # raised with anything below that changes topics
# prompts up to which neighbours are found exactly, and dense places by scikit-learn; for more, NN-descent and
# fast_hdbscan are compiled, for a minute and in each process, which they are worth from here on
FEW = 20_000
SAMPLE = 100_000  # prompts that are laid out; of more, the others go to the nearest centre
STABILITY_SAMPLE = 20_000
UNSTABLE = 0.5
_COMPONENTS = 50
_CHUNK = 50_000
_CENTRES_OF_A_MEAN = 4  # with which the mean of topics is what all texts have in common, and none of them
_SILHOUETTE_SAMPLE = 5_000
NO_TOPIC = -1
_LIBRARIES = ("sklearn.neighbors", "sklearn.cluster", "sklearn.metrics", "umap")
# what UMAP compiles anew in each process, for a dozen seconds, if nobody asks to keep it
_COMPILED = ("smooth_knn_dist", "compute_membership_strengths", "_nb_optimize_layout_euclidean_single_epoch")


@dataclass(frozen=True)
class Topics:
    """topic [n]: from 0, the largest first, or -1; similarity [n]: cosine to the centre of it, or to the nearest one.

    centres [k, d]: of vectors less `mean` [d], the mean of topics: the vectors of some models have much in common.
    stability: the adjusted Rand index of two seeds; None where there is no topic. silhouette: of a sample; None where
    there are fewer than two topics.
    """

    topic: npt.NDArray[np.int32]
    similarity: Floats
    centres: Floats
    mean: Floats
    stability: float | None = None
    silhouette: float | None = None

    @property
    def sizes(self) -> Integers:
        """How many prompts each topic has."""
        return np.bincount(self.topic[self.topic >= 0], minlength=len(self.centres)).astype(np.int64)


def cluster(vectors: npt.NDArray[Any], settings: TopicSettings, seed: int) -> Topics:
    """The topics of vectors [n, d]. Raises UserError where a package is missing."""
    with one_thread(*_LIBRARIES):
        _keep_compiled()
        generator = np.random.default_rng(seed)
        chosen = _drawn(generator, len(vectors), SAMPLE)
        points = unit(np.asarray(vectors[chosen], np.float32))
        found = _dense_places(points, settings, seed)
        topics = _assigned(vectors, chosen, found, settings)
        stability = _stability(points, found, settings, seed) if len(topics.centres) else None
        return replace(topics, stability=stability, silhouette=_silhouette(vectors, topics, generator))


@functools.cache
def _keep_compiled() -> None:
    """Have numba keep what it compiles of UMAP on disk, where there is a place for it."""
    for module in (library("umap.umap_"), library("umap.layouts")):
        for name in _COMPILED:
            compiled: Any = getattr(module, name, None)
            if hasattr(compiled, "enable_caching"):
                with contextlib.suppress(RuntimeError):  # a folder that cannot be written
                    compiled.enable_caching()


def _drawn(generator: np.random.Generator, count: int, most: int) -> Integers:
    """So many of some rows at most, in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(generator.choice(count, most, replace=False))


def _dense_places(points: Floats, settings: TopicSettings, seed: int) -> Integers:
    """The dense place that each point is in, or -1."""
    if len(points) < 2 * settings.min_size:  # no two of them
        return np.full(len(points), NO_TOPIC, np.int64)
    flat = _layout(_main_directions(points), settings, seed)
    samples = min(settings.min_size, 10)
    if len(points) <= FEW:
        places = library("sklearn.cluster").HDBSCAN(settings.min_size, min_samples=samples, n_jobs=1, copy=True)
    else:
        places = library("fast_hdbscan").HDBSCAN(min_cluster_size=settings.min_size, min_samples=samples)
    return np.asarray(places.fit_predict(flat), np.int64)


def _main_directions(points: Floats) -> Floats:
    """Unit vectors of less dimensions. Not less the mean: seen from there, what is like nothing else is alike."""
    if points.shape[1] <= _COMPONENTS:
        return points
    _, directions = np.linalg.eigh(points.T @ points)
    return unit(points @ np.ascontiguousarray(directions[:, ::-1][:, :_COMPONENTS]))


def _layout(points: Floats, settings: TopicSettings, seed: int) -> Floats:
    """Places in a few dimensions, near for what is near."""
    neighbours = min(settings.neighbours, len(points) - 1)
    known: tuple[Any, ...] = (None, None, None)
    if len(points) <= FEW:
        nearest = library("sklearn.neighbors").NearestNeighbors(n_neighbors=neighbours, metric="cosine", n_jobs=1)
        distance, row = nearest.fit(points).kneighbors()
        own = np.arange(len(points))[:, None]  # UMAP counts a point among its neighbours
        row = np.hstack([own, row])[:, :neighbours].astype(np.int32)
        known = (row, np.hstack([np.zeros_like(own), distance])[:, :neighbours].astype(np.float32), None)
    layout = library("umap").UMAP(
        n_neighbors=neighbours,
        n_components=min(settings.components, len(points) - 2),
        min_dist=0.0,
        metric="cosine",
        random_state=seed,
        n_jobs=1,
        precomputed_knn=known,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no new points can be placed, and that a seed means one thread
        return np.asarray(layout.fit_transform(points), np.float32)


def _assigned(vectors: npt.NDArray[Any], chosen: Integers, found: Integers, settings: TopicSettings) -> Topics:
    """Topics from the dense places of some rows: what lies in none goes to the nearest centre, if that is near."""
    places = np.full(len(vectors), NO_TOPIC, np.int64)
    places[chosen] = found
    count = int(found.max(initial=NO_TOPIC)) + 1
    mean = np.zeros(vectors.shape[1], np.float32)
    if not count:
        nothing = np.zeros(len(vectors), np.float32)
        return Topics(places.astype(np.int32), nothing, np.zeros((0, len(mean)), np.float32), mean)
    if count >= _CENTRES_OF_A_MEAN:
        mean = _centres(vectors, mean, places, count).mean(axis=0)
    centres = _centres(vectors, mean, places, count)
    similarity = np.empty(len(vectors), np.float32)
    for at in range(0, len(vectors), _CHUNK):
        part = slice(at, at + _CHUNK)
        likeness = unit(np.asarray(vectors[part], np.float32) - mean) @ centres.T
        nearest = likeness.argmax(axis=1)
        places[part] = np.where(places[part] >= 0, places[part], nearest)
        similarity[part] = likeness[np.arange(len(likeness)), places[part]]
    places[similarity < settings.similarity_floor] = NO_TOPIC
    places = _largest_first(places, settings.min_size)
    kept = int(places.max(initial=NO_TOPIC)) + 1
    return Topics(places.astype(np.int32), similarity, _centres(vectors, mean, places, kept), mean)


def _centres(vectors: npt.NDArray[Any], mean: Floats, places: Integers, count: int) -> Floats:
    """The mean direction [count, d] of what lies in each place."""
    sums = np.zeros((count, len(mean)), np.float64)
    for at in range(0, len(vectors), _CHUNK):
        where = places[at : at + _CHUNK]
        points = unit(np.asarray(vectors[at : at + _CHUNK], np.float32) - mean)
        np.add.at(sums, where[where >= 0], points[where >= 0])
    return unit(sums.astype(np.float32))


def _largest_first(places: Integers, least: int) -> Integers:
    """Places counted by their sizes, of equal ones the earlier first; those that have become too small are none."""
    held = places[places >= 0]
    if not len(held):
        return places
    sizes = np.bincount(held)
    first = np.full(len(sizes), len(places))
    np.minimum.at(first, held, np.flatnonzero(places >= 0))
    order = np.lexsort((first, -sizes))
    numbers = np.full(len(sizes), NO_TOPIC, np.int64)
    kept = order[sizes[order] >= least]
    numbers[kept] = np.arange(len(kept))
    return np.where(places >= 0, numbers[places], NO_TOPIC)


def _stability(points: Floats, found: Integers, settings: TopicSettings, seed: int) -> float:
    """How much the topics owe to the seed: the adjusted Rand index of two, among what both give a place."""
    if len(points) > STABILITY_SAMPLE:
        points = points[_drawn(np.random.default_rng(seed), len(points), STABILITY_SAMPLE)]
        found = _dense_places(points, settings, seed)
    other = _dense_places(points, settings, seed + 1)
    both = (found >= 0) & (other >= 0)
    return float(library("sklearn.metrics").adjusted_rand_score(found[both], other[both])) if both.any() else 0.0


def _silhouette(vectors: npt.NDArray[Any], topics: Topics, generator: np.random.Generator) -> float | None:
    inside = np.flatnonzero(topics.topic >= 0)
    inside = inside[_drawn(generator, len(inside), _SILHOUETTE_SAMPLE)]
    labels = topics.topic[inside]
    if not 1 < len(np.unique(labels)) < len(labels):
        return None
    points = unit(np.asarray(vectors[inside], np.float32) - topics.mean)
    return float(library("sklearn.metrics").silhouette_score(points, labels, metric="cosine"))
