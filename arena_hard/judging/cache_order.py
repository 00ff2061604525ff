"""The order of requests that providers' prompt caches like."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TypeVar

Q = TypeVar("Q")
M = TypeVar("M")

LARGEST_BLOCK = 64  # so that a prefix comes again within the five minutes for which it is kept


def in_blocks(questions: Sequence[Q], models: Sequence[M], in_flight: int) -> Iterator[tuple[Q, M]]:
    """Each question with each model: blocks of questions, and in a block one model after the other.

    A prefix is in the cache once its first reply has begun. Side by side, the requests of one question
    would all miss; a block of as many questions as are in flight keeps them one round apart.
    """
    block = max(1, min(in_flight, LARGEST_BLOCK))
    for start in range(0, len(questions), block):
        for model in models:
            for question in questions[start : start + block]:
                yield question, model


def shared_length(prompt: str, other: str) -> int:
    """Characters at the start of a prompt that another one has too."""
    return len(os.path.commonprefix([prompt, other]))
