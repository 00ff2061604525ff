"""The kinds of arrays that the statistics take and give; their shapes stand in each docstring."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]  # ratings, shares, weights
IntArray = npt.NDArray[np.integer[Any]]  # codes and counts, as wide as they need to be
BoolArray = npt.NDArray[np.bool_]  # masks


def occurring(codes: IntArray) -> list[int]:
    """The codes that there are in codes [n], each once, in rising order."""
    return np.flatnonzero(np.bincount(codes)).tolist()


def distinct(codes: IntArray) -> IntArray:
    """The different codes in codes [n], in rising order; np.unique hashes, which takes ten times as long as sorting."""
    codes = np.sort(codes)
    first = np.ones(len(codes), dtype=bool)
    np.not_equal(codes[1:], codes[:-1], out=first[1:])
    return codes[first]


def weight_sums(codes: IntArray, weights: npt.ArrayLike, size: int) -> FloatArray:
    """The sum of the weights [n] of each code [n], for the codes below `size`: [size]."""
    return np.bincount(codes, weights, size).astype(np.float64, copy=False)  # numpy's stub promises counts only
