"""A progress bar for work that turns out to take long, and nothing for work that does not."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 1.0


def rounds_with_bar(rounds: Iterable[T], total: int) -> Iterator[T]:
    """The rounds, with a bar on stderr from the moment they have taken a second (on a terminal only)."""
    started, shown = time.monotonic(), None
    for done, each in enumerate(rounds):
        if shown is None and time.monotonic() - started > PATIENCE_SECONDS and sys.stderr.isatty():
            from tqdm import tqdm

            shown = tqdm(total=total, initial=done, unit="round", dynamic_ncols=True, leave=False)
        if shown is not None:
            shown.update(1)
        yield each
    if shown is not None:
        shown.close()
