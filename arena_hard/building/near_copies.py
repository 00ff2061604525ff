"""Exact and near copies among prompts: found by MinHash, and verified by the texts before two are called copies.

Two prompts are near copies when the sets of their pieces of nine characters (in small letters) have so much in common
that the smaller part is `similarity` of all. Of copies the one that was seen most often stays, of equals the one with
the first id; what is dropped is a copy of one that stays, never merely the copy of a copy. Questions of excluded
benches come before all.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from arena_hard.building.conversations import normalised
from arena_hard.building.tables import missing_package
from arena_hard.data.records import UserError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Signatures = npt.NDArray[np.uint16]
    Bands = npt.NDArray[np.uint64]
    Ints = npt.NDArray[np.int64]

PIECE = 9  # characters
MISSED = 0.0025  # the share of pairs, as alike as the bound asks for and no more, that may have no band in common
_HASHES = (100, 136)  # of a signature: fewer estimate badly, more take long
# Prompts that begin with the same form, and differ in what was filled in, share the bands of the form. A band that so
# many have tells nothing any more: copies among them are found by their other bands, of 0.9 similarity nearly all.
MOST = 20
_SEED = 42
_SLACK = 3.0  # standard errors of the estimate that a pair is verified below its bound
_PAD = "\0"  # stands in no text that is normalised


class Sketches(NamedTuple):
    """What is known of texts without reading them again: signatures to estimate with, bands to find pairs by."""

    signatures: Signatures
    bands: Bands


class Banding(NamedTuple):
    """How a signature is divided: so many bands, of so many hashes each."""

    bands: int
    size: int


@functools.cache
def banding(bound: float) -> Banding:
    """The largest bands, which fewest pairs share by chance, of which copies still have one in common."""
    least, most = _HASHES
    for size in range(most // 2, 0, -1):
        shared = bound**size
        bands = math.ceil(math.log(MISSED) / math.log1p(-shared)) if shared < 1 else 1
        if bands * size <= most:
            return Banding(max(bands, least // size), size)
    raise ValueError(bound)


def comparable(text: str) -> str:
    """What copies are compared by: white space and capitals make no difference."""
    return normalised(text).casefold()


def pieces(text: str) -> frozenset[str]:
    """The pieces of a comparable text; a short one is its own piece."""
    return frozenset(text[at : at + PIECE] for at in range(max(1, len(text) - PIECE + 1)))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """The share that two sets have in common (Jaccard's)."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def sketches(texts: Sequence[str], bound: float) -> Sketches:
    """Sketches of comparable texts, by which copies of such similarity are found. Raises UserError without rensa."""
    import numpy as np

    try:
        from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue] - it is compiled
    except ImportError:
        raise UserError(missing_package("rensa")) from None
    bands, size = banding(bound)
    if not texts:
        return Sketches(np.zeros((0, bands * size), np.uint16), np.zeros((0, bands), np.uint64))
    hashes, starts = _hashed_pieces([text.ljust(PIECE, _PAD) for text in texts])
    matrix: Any = RMinHash.digest_matrix_from_flat_token_hashes(hashes, starts, bands * size, _SEED)
    rows = np.array(matrix.to_rows(), np.uint32)
    return Sketches((rows & np.uint32(0xFFFF)).astype(np.uint16), _bands(rows, size))


def _hashed_pieces(texts: list[str]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """A hash for each piece of all texts, and where those of each text begin."""
    import numpy as np

    lengths = np.array([len(text) for text in texts], np.int64)
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    hashes = codes[: len(codes) - PIECE + 1].copy()
    for at in range(1, PIECE):
        hashes *= np.uint64(1_099_511_628_211)
        hashes += codes[at : len(codes) - PIECE + 1 + at]
    hashes = _mixed(hashes)
    whole = np.ones(len(codes), bool)
    for at in range(1, PIECE):
        whole[np.cumsum(lengths) - at] = False  # begins in one text and ends in the next
    starts = np.concatenate([[0], np.cumsum(lengths - PIECE + 1)]).astype(np.uint64)
    return hashes[whole[: len(hashes)]], starts


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    import numpy as np

    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _bands(rows: npt.NDArray[np.uint32], size: int) -> Bands:
    """One number for each band of a signature; no band has those of another."""
    import numpy as np

    parts = rows.reshape(len(rows), -1, size).astype(np.uint64)
    bands = parts.shape[1]
    found = np.broadcast_to(np.arange(1, bands + 1, dtype=np.uint64), (len(rows), bands)).copy()
    for at in range(size):
        found = _mixed(found * np.uint64(0x9E3779B97F4A7C15) + parts[:, :, at])
    return found


class Buckets(NamedTuple):
    """Which texts share a band with another: of each such text, its buckets. texts: ascending."""

    texts: Ints
    starts: Ints
    buckets: Ints


def buckets_of(bands: Bands) -> Buckets:
    """The texts that may have a copy."""
    import numpy as np

    flat = bands.ravel()
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    new = np.ones(len(flat), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    bucket = np.cumsum(new) - 1
    shared = np.bincount(bucket)[bucket] > 1 if len(flat) else new
    text, number = order[shared] // bands.shape[1], bucket[shared]
    by_text = np.lexsort((number, text))
    texts, starts = np.unique(text[by_text], return_index=True)
    return Buckets(texts, np.append(starts, len(by_text)), number[by_text])


def find_copies(
    sketched: Sketches, buckets: Buckets, order: Ints, texts: dict[int, str], bound: float, fixed: int = 0
) -> Iterator[tuple[int, int]]:
    """(a text, the one that it is a copy of) for each text that is dropped.

    order: of all texts, which of two copies stays; the first `fixed` texts are not compared with each other and stay.
    texts: the comparable ones of all that are in buckets.
    """
    import numpy as np

    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    least = bound - _SLACK * (bound * (1 - bound) / sketched.signatures.shape[1]) ** 0.5
    stay: dict[int, list[int]] = {}
    places = np.argsort(rank[buckets.texts], kind="stable")
    cached = functools.lru_cache(20_000)(lambda text: pieces(texts[text]))
    for place in places.tolist():
        text = int(buckets.texts[place])
        own: list[int] = buckets.buckets[buckets.starts[place] : buckets.starts[place + 1]].tolist()
        near = (found for bucket in own if len(found := stay.get(bucket, ())) <= MOST)
        others = set[int]().union(*near) if text >= fixed else ()
        kept = _best(sketched.signatures, text, sorted(others, key=rank.__getitem__), least, bound, cached)
        if kept is not None:
            yield text, kept
            continue
        for bucket in own:
            stay.setdefault(bucket, []).append(text)


def _best(signatures: Signatures, text: int, others: list[int], least: float, bound: float, cached: Any) -> int | None:
    """Which of some texts this one is most alike, if it is a copy; of equals the first."""
    if not others:
        return None
    likely = (signatures[others] == signatures[text]).mean(axis=1) >= least
    best, found = bound, None
    own: frozenset[str] = cached(text) if likely.any() else frozenset()
    for other, is_likely in zip(others, likely.tolist()):
        if is_likely:
            alike = similarity(own, cached(other))
            if alike >= best and (found is None or alike > best):
                best, found = alike, other
    return found
