"""The keys of this run, and the one place that takes them out of what leaves the program.

Whoever learns a key says so with `know`. The terminal (streams), lines of records (jsonl), tables, pages, logs and the
messages of failed calls go through `mask`, which costs next to nothing where no key is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable
from typing import Any, NamedTuple

import msgspec

from arena_hard.data.record_values import is_list, is_object
from arena_hard.data.secret_forms import cut_runs, is_placeholder, is_secret, whole_runs, without

MASK = "[key]"
_SHORTEST_WORD = 4  # of a key that is no secret in ordinary texts, and is hidden in messages all the same
_PIECE = 6
# Characters from rare to common, as JSON of answers and judgments has them: each five about twice as often.
_BY_RARITY = "ZQJX+KYGW/NFDH7L9E65U8q=jI4VM0R32P_1SCOzkxBTvA-wby.fmg*upchdlroiant se"
_NEW_ANCHOR = 1.5  # what a further pass over the text costs, in occurrences that are looked at


class _Group(NamedTuple):
    """Pieces with the same anchor, a character that is rare. ends: what stands in them from the anchor on.

    pieces: each with its anchor's place.
    """

    anchor: bytes
    ends: tuple[bytes, ...]
    pieces: tuple[tuple[bytes, int], ...]


class _Watch:
    """Tells whether a text may hold one of some keys, from one rare character to the next; runs: what to look for."""

    def __init__(self, runs: Iterable[str]) -> None:
        pieces: dict[str, set[tuple[bytes, int]]] = {}
        for run in sorted(set(filter(None, runs)), key=lambda run: (len(set(run)), run)):
            anchor = min(sorted(set(run)), key=lambda sign: _cost(sign, pieces))
            at = run.index(anchor)
            start = max(0, min(at, len(run) - _PIECE))
            piece = run[start : start + _PIECE].encode("utf-8", "surrogatepass")
            place = len(run[start:at].encode("utf-8", "surrogatepass"))
            pieces.setdefault(anchor, set()).add((piece, place))
        self._groups = [_group(anchor, sorted(found)) for anchor, found in pieces.items()]

    def sees(self, text: bytes) -> bool:
        """Whether one of them may be in a text."""
        find, startswith = text.find, text.startswith
        for anchor, ends, pieces in self._groups:
            at = find(anchor)
            while at >= 0:
                if startswith(ends, at) and _is_at(text, at, pieces):
                    return True
                at = find(anchor, at + 1)
        return False


def _group(anchor: str, pieces: list[tuple[bytes, int]]) -> _Group:
    ends = tuple({piece[place:] for piece, place in pieces})
    return _Group(anchor.encode("utf-8", "surrogatepass"), ends, tuple(pieces))


def _is_at(text: bytes, at: int, pieces: Iterable[tuple[bytes, int]]) -> bool:
    return any(at >= place and text.startswith(piece, at - place) for piece, place in pieces)


def _cost(sign: str, anchors: Container[str]) -> float:
    """What one more anchor costs: the pass over the text, and the places where it stands."""
    return 0.0 if sign in anchors else _NEW_ANCHOR + 2.0 ** (_BY_RARITY.find(sign) / 5)


class _Watches(NamedTuple):
    """What the keys are looked for by: in texts whole and shortened, in lines of files whole."""

    texts: _Watch
    lines: _Watch
    keys: tuple[str, ...]  # the longest first, for one may be a part of another


class Registry:
    """Known keys. A thread may make one known while another masks."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._words: set[str] = set()
        self._named: dict[str, str] = {}
        self._watches: _Watches | None = None
        self._lock = threading.Lock()

    def know(self, text: str | None, name: str = "") -> None:
        """A key of this run. Placeholders are none; what stands in ordinary texts too is hidden in messages alone.

        name: where it comes from, the same in each run.
        """
        text = (text or "").strip()
        known = self._keys if is_secret(text) else self._words
        if len(text) < _SHORTEST_WORD or (text.isalpha() and is_placeholder(text)):
            return
        with self._lock:
            if name and known is self._keys:
                self._named[name] = text
            if text not in known:
                known.add(text)
                self._watches = None

    @property
    def named(self) -> dict[str, str]:
        """The keys that have a name, by it."""
        with self._lock:
            return dict(self._named)

    def mask(self, text: str) -> str:
        """A text without keys, whole or shortened; any other text as it is."""
        watches = self._watches or self._build()
        if not watches.texts.sees(text.encode("utf-8", "surrogatepass")):
            return text
        for key in watches.keys:
            text = without(text, key, MASK)
        return text

    def mask_message(self, text: str) -> str:
        """What a server says without keys, those too that are ordinary words."""
        for word in sorted(self._words.copy(), key=len, reverse=True):
            text = text.replace(word, MASK)
        return self.mask(text)

    def mask_bytes(self, data: bytes) -> bytes:
        """UTF-8 (or nearly so) without keys."""
        text = data.decode("utf-8", "surrogateescape")
        masked = self.mask(text)
        return data if masked is text else masked.encode("utf-8", "surrogateescape")

    def mask_json(self, data: bytes) -> bytes:
        """A JSON text without whole keys, and still JSON; any other as it is."""
        watches = self._watches or self._build()
        return msgspec.json.encode(self.masked(msgspec.json.decode(data))) if watches.lines.sees(data) else data

    def masked(self, value: Any) -> Any:
        """A value of JSON with all texts in it masked."""
        return each_text(value, self.mask)

    def _build(self) -> _Watches:
        with self._lock:
            keys = tuple(sorted(self._keys, key=len, reverse=True))
            whole = [run for key in keys for run in whole_runs(key)]
            cut = [run for key in keys for run in cut_runs(key)]
            self._watches = _Watches(_Watch([*whole, *cut]), _Watch(whole), keys)
            return self._watches


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A value of JSON with each text in it changed, names of fields too."""
    if isinstance(value, str):
        return change(value)
    if is_object(value):
        return {change(key): each_text(each, change) for key, each in value.items()}
    return [each_text(each, change) for each in value] if is_list(value) else value


RUN = Registry()  # of this process


def know(text: str | None, name: str = "") -> None:
    """Make a key known to this run."""
    RUN.know(text, name)


def mask(text: str) -> str:
    """A text without the keys of this run; any other text as it is."""
    return RUN.mask(text)


def mask_message(text: str) -> str:
    """What a server says without the keys of this run, those too that are ordinary words."""
    return RUN.mask_message(text)


def mask_bytes(data: bytes) -> bytes:
    """UTF-8 (or nearly so) without the keys of this run."""
    return RUN.mask_bytes(data)


def mask_json(data: bytes) -> bytes:
    """A JSON text without the keys of this run, and still JSON."""
    return RUN.mask_json(data)


def masked(value: Any) -> Any:
    """A value of JSON with all texts in it without the keys of this run."""
    return RUN.masked(value)
