"""The arrays of embeddings and topics, and the libraries that make them."""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from arena_hard.building.tables import missing_package
from arena_hard.data.records import UserError

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


_PACKAGES = {"umap": "umap-learn", "fast_hdbscan": "fast-hdbscan", "sklearn": "scikit-learn"}


def library(name: str) -> Any:
    """A library whose import takes seconds, or whose types nobody has written. Raises UserError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what else could be installed
            return importlib.import_module(name)
    except ImportError as error:
        package = (error.name or name).partition(".")[0]
        raise UserError(missing_package(_PACKAGES.get(package, package))) from None


@contextlib.contextmanager
def one_thread(*names: str) -> Iterator[None]:
    """All is computed in one thread while the body runs: more of them add up, and choose among equals, in other orders.

    names: the libraries that compute in it; those that are loaded later are not held back.
    """
    from threadpoolctl import threadpool_limits

    for name in names:
        library(name)
    numba = sys.modules.get("numba")  # where one of these has brought it
    before = numba.get_num_threads() if numba else 0
    try:
        if numba:
            numba.set_num_threads(1)
        with threadpool_limits(1):
            yield
    finally:
        if numba:
            numba.set_num_threads(before)


def unit(vectors: npt.NDArray[Any]) -> Floats:
    """Each row at length one; what is zero stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors, np.float32), where=length > 0)
