"""The probabilities of tokens that a server gives with a reply, as far as they may be of use for a label.

A reply has thousands of tokens with twenty alternatives each. Only those that a label may be made of are kept, with
the brackets that open it; what stands between them is one blank.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from arena_hard.calling.providers.base import Token

MOST, FEW = 20, 5  # alternatives of each token: what OpenAI and vLLM give at most, and what everybody gives
_MAY_BE = re.compile(r"(?=[^AB<>=1-5[]*[AB<>=1-5[])[\s\[\](){}<>=AB1-5\"'`*:,.;!?\\|$_#-]+")
_BETWEEN = Token(" ", 0.0)
_LEAST = -100.0  # what is said of a token that has no probability


def tokens_in(logprobs: Any) -> tuple[Token, ...] | None:
    """The tokens of a choice's `logprobs`; None where it holds none that can be read."""
    if not isinstance(logprobs, Mapping):
        return None
    try:
        found = [_kept(*each) for each in _rows(logprobs)]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    kept = [each for number, each in enumerate(found) if each is not _BETWEEN or found[number - 1] is not _BETWEEN]
    return tuple(kept) or None


def _rows(logprobs: Mapping[str, Any]) -> Iterator[tuple[str, float, list[tuple[str, float]]]]:
    """Each token with its logarithm and its alternatives, in either shape of the protocol."""
    for each in logprobs.get("content") or ():
        tops = [(str(top["token"]), _log(top["logprob"])) for top in each.get("top_logprobs") or ()]
        yield str(each["token"]), _log(each["logprob"]), tops
    if logprobs.get("tokens"):  # of the older completions
        alternatives = logprobs.get("top_logprobs") or [None] * len(logprobs["tokens"])
        for token, value, top in zip(logprobs["tokens"], logprobs["token_logprobs"], alternatives):
            yield str(token), _log(value), [(str(text), _log(odds)) for text, odds in (top or {}).items()]


def _log(value: Any) -> float:
    number = float(value) if value is not None else _LEAST
    if math.isnan(number) or number > 1e-3:
        raise ValueError(f"{value!r} is no logarithm of a probability")
    return max(min(number, 0.0), _LEAST)


def _kept(text: str, logprob: float, tops: list[tuple[str, float]]) -> Token:
    if not _MAY_BE.fullmatch(text):
        return _BETWEEN
    others = dict(tops)
    others.pop(text, None)
    rest = max(0.0, 1.0 - math.exp(logprob) - sum(map(math.exp, others.values())))
    least = min(rest, math.exp(min(others.values()))) if others else rest
    may_be = tuple((other, odds) for other, odds in others.items() if _MAY_BE.fullmatch(other))
    return Token(text, logprob, may_be, least)


def tokens_row(tokens: tuple[Token, ...] | None) -> list[Any] | None:
    """Tokens as they stand in a file."""
    return None if tokens is None else [list(token) for token in tokens]


def tokens_from_row(row: Any) -> tuple[Token, ...] | None:
    """The tokens of a file."""
    if row is None:
        return None
    return tuple(
        Token(text, logprob, tuple((other, odds) for other, odds in others), least)
        for text, logprob, others, least in row
    )
