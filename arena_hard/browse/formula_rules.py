r"""Formulas between \( and \), \[ and \], \begin{…} and \end{…}, found in a time that grows with the text.

Where what would close a formula lies is looked up once for a text: to search it anew for each sign that may open one
would take time that grows with the square, for a sign that is written thousands of times and never closed.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_CLOSING = re.compile(r"\\[)\]]|\\end\{[a-z]+\*?\}")
_OPENING = re.compile(r"\\(?:([(\[])|begin(\{[a-z]+\*?\}))")
# Names and measures of LaTeX, which are not shown as letters and digits.
_NAMES = re.compile(
    r"\\(?:begin|end)\{[A-Za-z]+\*?\}(?:\[[a-z]\])?(?:\{[clr|@{}! ]*\})?|\\\\\s*\[[^\]]*\]"
    r"|\\(?:[hvm]space\*?|(?:text|page)?color)\s*\{[^{}]*\}|\\[A-Za-z]+\*?"
)


def readable(latex: str) -> str:
    """The formula without what the converter would take for a comment, or number the lines of."""
    return re.sub(r"\\(begin|end)\{align\}", r"\\\1{align*}", re.sub(r"(?<!\\)%", r"\%", latex))


def is_whole(latex: str, shown: Sequence[str]) -> bool:
    """Whether all letters and digits of a formula are shown, and no command as if it were one of them."""
    if any(re.search(r"\\[A-Za-z]", text) for text in shown):
        return False
    return not _letters(_NAMES.sub(" ", latex)) - _letters("".join(shown))


def _letters(text: str) -> Counter[str]:
    return Counter(sign for sign in unicodedata.normalize("NFKC", text) if sign.isalnum())


def add_formulas(parser: MarkdownIt) -> None:
    """Teach a parser the formulas of LaTeX; tokens are math_inline, math_inline_double and math_block."""
    parser.inline.ruler.before("escape", "latex_formula", _in_a_line)
    parser.block.ruler.before("fence", "latex_block", _as_a_block)


def _next_closing(state: Any, closing: str, start: int) -> int | None:
    """The place of the first such sign from `start` on."""
    known: dict[str, dict[str, list[int]]] = state.env.setdefault("closing", {})
    if state.src not in known:
        known[state.src] = found = {}
        for match in _CLOSING.finditer(state.src):
            found.setdefault(match[0], []).append(match.start())
    places = known[state.src].get(closing, [])
    place = bisect_left(places, start)
    return places[place] if place < len(places) else None


def _in_a_line(state: Any, silent: bool) -> bool:
    opening = _OPENING.match(state.src, state.pos, state.posMax)
    if opening is None:
        return False
    closing = {"(": "\\)", "[": "\\]"}.get(opening[1]) or f"\\end{opening[2]}"
    end = _next_closing(state, closing, opening.end() + 1)
    if end is None or end + len(closing) > state.posMax:
        return False
    if not silent:
        token = state.push("math_inline" if opening[1] == "(" else "math_inline_double", "math", 0)
        whole = opening[1] is None  # an environment is part of its formula
        token.content = state.src[state.pos : end + len(closing)] if whole else state.src[opening.end() : end]
    state.pos = end + len(closing)
    return True


def _as_a_block(state: Any, begin: int, last: int, silent: bool) -> bool:
    r"""\[ … \] from the beginning of a line to the end of one, with whatever lines between."""
    start = state.bMarks[begin] + state.tShift[begin]
    end = _next_closing(state, "\\]", start + 3) if state.src.startswith("\\[", start) else None
    if end is None:
        return False
    line = bisect_left(state.eMarks, end, begin, last)
    if line >= last or end < state.bMarks[line] or state.src[end + 2 : state.eMarks[line]].strip():
        return False
    if not silent:
        token = state.push("math_block", "math", 0)
        token.block, token.map = True, [begin, line + 1]
        token.content = state.getLines(begin, line + 1, state.blkIndent, False).strip()[2:-2]
    state.line = line + 1
    return True
