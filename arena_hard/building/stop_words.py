"""Words that say nothing of a text's topic, in many languages."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from arena_hard.building.arrays import library


def stop_words(languages: Iterable[str]) -> frozenset[str]:
    """The stop words of these languages, by codes like "en"; of one that is not known, none."""
    return frozenset[str]().union(*(_of(language) for language in languages))


@functools.cache
def _of(language: str) -> frozenset[str]:
    """English's own list is scikit-learn's: the other one takes `problem`, `computer` and `world` for nothing."""
    if language == "en":
        return frozenset(library("sklearn.feature_extraction.text").ENGLISH_STOP_WORDS)
    lists = library("stopwordsiso")
    return frozenset(lists.stopwords(language)) if lists.has_lang(language) else frozenset()
