"""How an answer is marked up: its tokens, headers, lists and bold, as style control counts them."""

from __future__ import annotations

import re
from typing import Any

from arena_hard.data.record_values import is_object, token_count

FEATURES = ("tokens", "headers", "lists", "bold")


_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


_HEADER = re.compile(r"^#{1,6}\s", re.MULTILINE)


_LIST = re.compile(r"^\s*(?:[-*+]|\d+\.)\s", re.MULTILINE)


_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")


def style_counts(text: str, tokens: int) -> tuple[int, int, int, int]:
    """One answer's counts in FEATURES' order; headers, lists and bold without what stands in code blocks."""
    text = _CODE.sub("", text)
    return tokens, len(_HEADER.findall(text)), len(_LIST.findall(text)), len(_BOLD.findall(text))


def counts_of_metadata(metadata: dict[str, Any]) -> tuple[int, int, int, int] | None:
    """The same as counted when the answer was written, each kind apart or in sum; None where one is missing."""
    counts = [_total(metadata.get(key)) for key in ("token_len", "header_count", "list_count", "bold_count")]
    tokens, headers, lists, bold = (int(count) if count is not None else None for count in counts)
    if tokens is None or headers is None or lists is None or bold is None:
        return None
    return tokens, headers, lists, bold


def _total(count: Any) -> float | None:
    """A number, or the sum of an object's numbers; None for anything else."""
    if not is_object(count):
        return token_count(count)
    numbers = [token_count(number) for number in count.values()]
    return None if None in numbers else sum(number or 0 for number in numbers)
