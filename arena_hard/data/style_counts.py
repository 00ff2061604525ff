"""How an answer is marked up: its tokens, headers, lists and bold, as style control counts them."""

from __future__ import annotations

import re
from typing import Any

FEATURES = ("tokens", "headers", "lists", "bold")


_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


_HEADER = re.compile(r"^#{1,6}\s", re.MULTILINE)


_LIST = re.compile(r"^\s*(?:[-*+]|\d+\.)\s", re.MULTILINE)


_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")


def style_counts(text: str, tokens: int) -> tuple[int, int, int, int]:
    """One answer's counts in FEATURES' order; headers, lists and bold without what stands in code blocks."""
    text = _CODE.sub("", text)
    return tokens, len(_HEADER.findall(text)), len(_LIST.findall(text)), len(_BOLD.findall(text))


def counts_of_metadata(metadata: dict[str, Any]) -> tuple[int, int, int, int]:
    """The same from v2.0's metadata, in which each kind has a count of its own. Raises KeyError."""
    headers, lists, bold = (sum(metadata[key].values()) for key in ("header_count", "list_count", "bold_count"))
    return int(metadata["token_len"]), headers, lists, bold
