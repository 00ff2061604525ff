"""Facts of many records in few bytes each: the ids of a file, and columns of what they have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence, Set
from typing import Any, Generic, TypeVar

V = TypeVar("V")
W = TypeVar("W")
K = TypeVar("K", bound=Hashable)


class Places:
    """The ids of a file's records, in its order, and the place of the last record of each."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids

    @functools.cached_property
    def of(self) -> dict[str, int]:
        """The place by id."""
        return {key: place for place, key in enumerate(self.ids)}


class Column(Mapping[str, V], Generic[V]):
    """A value for each id, of which there are few different ones, in a byte or four for each record."""

    def __init__(self, places: Places, kinds: Sequence[V], codes: Sequence[int]) -> None:
        self.places, self.kinds, self._codes = places, kinds, codes

    def __getitem__(self, key: str) -> V:
        return self.kinds[self._codes[self.places.of[key]]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.places.of)

    def __len__(self) -> int:
        return len(self.places.of)

    def __contains__(self, key: object) -> bool:
        return key in self.places.of

    def keys(self) -> Any:
        """The ids, as quick as those of a dict."""
        return self.places.of.keys()

    def mapped(self, function: Callable[[V], W]) -> Column[W]:
        """The same with other values; each different value is asked for once."""
        return Column(self.places, list(map(function, self.kinds)), self._codes)

    def where(self, is_meant: Callable[[V], bool]) -> set[str]:
        """The ids whose value is meant; each different value is asked about once."""
        meant = {code for code, kind in enumerate(self.kinds) if is_meant(kind)}
        return {key for key, place in self.places.of.items() if self._codes[place] in meant} if meant else set()


def different(values: Mapping[str, K]) -> Set[K]:
    """The different values of a mapping, and of a column perhaps some more, of records that a later one replaces."""
    return set(values.kinds) if isinstance(values, Column) else set(values.values())


def where(values: Mapping[str, V], is_meant: Callable[[V], bool]) -> set[str]:
    """The ids whose value is meant; of a column each different value is asked about once."""
    if isinstance(values, Column):
        return values.where(is_meant)
    return {key for key, value in values.items() if is_meant(value)}


def mapped(values: Mapping[str, V], function: Callable[[V], W]) -> Mapping[str, W]:
    """The same ids with other values; of a column each different value is asked for once."""
    if isinstance(values, Column):
        return values.mapped(function)
    return {key: function(value) for key, value in values.items()}
