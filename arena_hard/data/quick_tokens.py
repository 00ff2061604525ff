"""tiktoken's counts, six times as quick: by the package quicktok, for all texts of which both say the same.

They differ where a text holds letters that Unicode has known since its version 17, which one of them takes for unknown.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import quicktok

_COMPARED = ("cl100k_base", "o200k_base")  # with tiktoken's, by the tests
# letters since Unicode 16, in blocks that hold nothing else of what is written every day; and lone surrogates
_NEWEST = re.compile(
    "[\u088f\u0c5c\u0cdc\u1acf-\u1aff\ua7cb-\ua7f1\ud800-\udfff\U00010900-\U00010fff\U00011b00-\U00011fff"
    "\U00016a00-\U00018fff\U0001e600-\U0001e7ff\U0002b700-\U0002b73f\U0002cea2-\U0002ceaf\U00031000-\U0010ffff]"
)


class QuickEncoding:
    """A vocabulary of quicktok."""

    def __init__(self, encoding: quicktok.Tokenizer) -> None:
        self._count = encoding.count

    def count(self, text: str) -> int | None:
        """Number of tokens; None for a text of which tiktoken may say something else."""
        if not text.isascii() and _NEWEST.search(text):
            return None
        return self._count(text)


def quick_encoding(name: str) -> QuickEncoding | None:
    """A vocabulary by tiktoken's name; None where the package or the vocabulary is missing."""
    if name not in _COMPARED or find_spec("quicktok") is None:
        return None
    try:
        import quicktok

        return QuickEncoding(quicktok.get_encoding(name))
    except (ImportError, RuntimeError):  # not for this machine, or a file of it is missing or damaged
        return None
