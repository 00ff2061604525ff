"""Topics in two dimensions: what is close on the map is close in meaning; topics are drawn, however many prompts."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from arena_hard.rating.arrays import FloatArray, IntArray

MOST = 4000  # topics that are drawn, the largest
_ROWS = 100_000  # of embeddings at once
_MARGIN = 0.06  # of the map, so that circles at its edge are whole


def centres(embeddings: Path, topic: IntArray, wanted: IntArray) -> FloatArray:
    """The mean direction [t, d] of the prompts of each wanted topic. topic: [n] of each row of the embeddings."""
    vectors: Any = np.load(embeddings, mmap_mode="r")
    place = np.full(int(max(topic.max(initial=-1), wanted.max(initial=-1))) + 2, -1)
    place[wanted] = np.arange(len(wanted))
    total = np.zeros((len(wanted), vectors.shape[1]))
    for at in range(0, len(topic), _ROWS):
        own = place[topic[at : at + _ROWS]]  # -1 of no topic is the last place, which is nobody's
        rows = np.flatnonzero(own >= 0)
        if not len(rows):
            continue
        rows = rows[np.argsort(own[rows], kind="stable")]
        starts = np.flatnonzero(np.diff(own[rows], prepend=-1))
        part = np.asarray(vectors[at : at + _ROWS])[rows]
        total[own[rows[starts]]] += np.add.reduceat(part, starts, axis=0, dtype=np.float64)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.divide(total, length, out=total, where=length > 0)


def places(vectors: FloatArray, seed: int) -> FloatArray:
    """A place [t, 2] within 0 and 1 for each vector [t, d], near ones near each other."""
    if len(vectors) < 2:
        return np.full((len(vectors), 2), 0.5)
    flat = vectors - vectors.mean(axis=0)
    if len(vectors) > 4:
        flat = _neighbours(vectors, seed)
    else:
        _, _, axes = np.linalg.svd(flat, full_matrices=False)
        flat = flat @ axes[:2].T
        flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    low, high = flat.min(axis=0), flat.max(axis=0)
    inside = np.divide(flat - low, high - low, out=np.full_like(flat, 0.5), where=high > low)
    return _MARGIN + (1 - 2 * _MARGIN) * inside


def _neighbours(vectors: FloatArray, seed: int) -> FloatArray:
    """t-SNE, which keeps neighbours together; from the two widest directions on, so that it starts from no chance."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = TSNE(n_components=2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors)
    return np.asarray(drawn, dtype=np.float64)
