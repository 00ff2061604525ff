"""Vectors from words and runs of four letters: latent semantic analysis, which needs no model and knows any language.

Words and letters are hashed, so that pieces of a log can be counted in any number of processes; weights (TF-IDF) and
the directions of the vectors (SVD) are learnt once, from a sample. The same texts give the same bits whatever the
number of processes, since each row is computed by itself and the sample is chosen by its texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arena_hard.building.arrays import Floats, Integers, library, one_thread, unit
from arena_hard.building.stop_words import stop_words

VERSION = 1  # raised with anything below that changes vectors
SAMPLE = 30_000  # texts that weights and directions are learnt from
_FEATURES = 2**17  # of words, and as many of letters
_LETTERS = 4
_LETTER_WEIGHT = 0.5  # beside 1 for words: the best of 0.3 to 0.7 on pairs of questions of one topic
_MOST_COLUMNS = 2**16  # that the SVD sees: the ones in most texts
_ITERATIONS = 4
# scripts that write no blanks between words: Han, kana, Thai, Lao, Burmese, Khmer
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(f"[{UNSPACED}]+")
_PAIRS = re.compile(f"(?=([{UNSPACED}]{{2}}))")


@dataclass(frozen=True)
class WordVectors:
    """What was learnt: which columns of the counts are used, their weights, and the directions [columns, d]."""

    columns: Integers
    weights: Floats
    directions: Floats
    languages: tuple[str, ...]

    def of(self, texts: Sequence[str]) -> Floats:
        """A unit vector [n, d] for each text; zeros for one that shares no word with the sample."""
        found = _weighed(_counts(texts, self.languages)[:, self.columns], self.weights)
        return unit(np.asarray(found @ self.directions, np.float32))


def learn(texts: Sequence[str], dimensions: int, languages: Iterable[str] = (), seed: int = 0) -> WordVectors:
    """Weights and directions from texts, of which there should be no more than SAMPLE.

    languages: whose stop words say nothing; codes like "en".
    """
    tongues = tuple(sorted(set(languages)))
    counts = _counts(texts, tongues)
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    columns = _informative(frequency, len(texts))
    weights = np.log((1 + len(texts)) / (1 + frequency[columns])).astype(np.float32) + np.float32(1)
    weights *= np.where(columns < _FEATURES, 1.0, _LETTER_WEIGHT).astype(np.float32)
    found = _weighed(counts[:, columns], weights)
    rank = max(1, min(dimensions, min(found.shape) - 1))
    with one_thread("sklearn.utils.extmath"):
        _, _, directions = library("sklearn.utils.extmath").randomized_svd(
            found, rank, n_iter=_ITERATIONS, random_state=seed
        )
    return WordVectors(columns, weights, np.ascontiguousarray(directions.T, np.float32), tongues)


def _informative(frequency: Integers, n_texts: int) -> Integers:
    """Columns that two texts share at least (one, where there are few texts), the most frequent ones if too many."""
    found = np.flatnonzero(frequency >= 2)
    if len(found) < 2:
        found = np.flatnonzero(frequency >= 1)
    if not len(found):  # no text holds a word: what stays of them is zero
        return np.arange(2)
    if len(found) > _MOST_COLUMNS:
        order = np.argsort(-frequency[found], kind="stable")[:_MOST_COLUMNS]
        found = np.sort(found[order])
    return found


def _counts(texts: Sequence[str], languages: tuple[str, ...]) -> Any:
    """A sparse matrix [n, 2 · _FEATURES] of how often each text has each word, and each run of letters."""
    hashing = library("sklearn.feature_extraction.text").HashingVectorizer
    how: dict[str, Any] = {"n_features": _FEATURES, "alternate_sign": False, "norm": None, "dtype": np.float32}
    ignored = sorted(stop_words(languages))
    words = hashing(stop_words=ignored, token_pattern=r"(?u)\b\w\w+\b", **how)
    letters = hashing(analyzer="char_wb", ngram_range=(_LETTERS, _LETTERS), **how)
    return library("scipy.sparse").hstack([words.transform(map(spaced, texts)), letters.transform(texts)]).tocsr()


def spaced(text: str) -> str:
    """A text whose words can be found by blanks: of scripts without them, each pair of neighbours is a word."""
    if text.isascii():
        return text
    return _RUN.sub(lambda run: f" {' '.join(_PAIRS.findall(run[0])) or run[0]} ", text)


def _weighed(counts: Any, weights: Floats) -> Any:
    """TF-IDF of unit length: 1 + log of the counts, by the weights of the columns."""
    found = counts.astype(np.float32)
    found.data = (np.float32(1) + np.log(found.data)) * weights[found.indices]
    return library("sklearn.preprocessing").normalize(found, copy=False)


def vectors(learnt: WordVectors, texts: Sequence[str]) -> Floats:
    """As a function, for other processes."""
    return learnt.of(texts)
