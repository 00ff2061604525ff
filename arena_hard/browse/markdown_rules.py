"""Markdown in which nothing that was written is lost: where a sign may be meant as itself, it is shown.

CommonMark takes `2*3*4`, `COUNT(*)`, `__init__`, `\\*` and `[1]: notes` for markup, and then leaves signs out. A reader
who decides between answers has to see what the judge saw. So emphasis must stand around words, escapes and entities
stay as written, links lead to an address, lists keep their numbers, and what looks like a price is no formula.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Rule = Callable[..., bool]

_IDENTIFIER = re.compile(r"_+\w*", re.ASCII)
_FENCE = re.compile(r"^[ \t]*(`{3,})[ \t]*([^`\n]*)$")
_PROSE = re.compile(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}|^\d.*\s[A-Za-z]{2,}|^[A-Z]?[a-z]{2,}$|^[A-Z_]{4,}[/:]?$", re.DOTALL)
_SHELL = re.compile(r"[\"`\n]|^\{|^\([a-z]+ ")
_ENDING = re.compile(r"(th|st|nd|rd|s)\b")
_NOWHERE = re.compile(r"\(\s*(<>)?\s*\)")
_PLAIN_WORDS = re.compile(r"\w(?:[\w ,.;:!?&'’/-]*\w)?")
_SEEN_WITHOUT_TEXT = ("hr", "fence", "code_block")
_LONG_NUMBER = 4  # digits, from which a list's number would stand outside its box


def be_faithful(parser: MarkdownIt) -> None:
    """Change the rules of a parser with dollar formulas so that signs which may be meant as themselves are kept."""
    from markdown_it.rules_block.blockquote import blockquote
    from markdown_it.rules_inline.autolink import autolink
    from markdown_it.rules_inline.emphasis import tokenize
    from markdown_it.rules_inline.image import image
    from markdown_it.rules_inline.link import link

    # before the first change by name, with which the parser forgets its own list
    for rule in parser.inline.ruler.__rules__:
        rule.fn = _formula(rule.fn) if rule.name.startswith("math_") else rule.fn
    parser.disable(["entity", "reference", "lheading"])
    parser.inline.ruler.at("escape", _escape)
    parser.inline.ruler.at("autolink", _autolink(autolink))
    parser.inline.ruler.at("emphasis", _emphasis(tokenize))
    parser.inline.ruler.at("link", _with_an_address(link, "["))
    parser.inline.ruler.at("image", _with_an_address(image, "!["))
    parser.block.ruler.at("blockquote", _quote(blockquote), {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.validateLink = _is_address
    parser.normalizeLink = _as_written
    rules: dict[str, Any] = parser.renderer.rules  # pyright: ignore[reportAttributeAccessIssue] - the default's own
    rules["list_item_open"] = _list_item
    rules["ordered_list_open"] = lambda tokens, i, *_: f"<ol{_paren(tokens[i])}>"
    rules["bullet_list_open"] = lambda tokens, i, *_: '<ul class="plus">' if tokens[i].markup == "+" else "<ul>"


def _is_address(url: str) -> bool:
    return re.match(r"(https?://|mailto:)\S", url, re.IGNORECASE) is not None


def _as_written(url: str) -> str:
    return url


# -------------------------------------------------------------------------------------------- inline


def _escape(state: Any, silent: bool) -> bool:
    r"""A backslash stays, and keeps the next sign from being markup: \* is shown as \*."""
    following = state.src[state.pos + 1 : state.pos + 2]
    if state.src[state.pos] != "\\" or not re.match(r"[!-/:-@\[-`{-~]", following):
        return False
    if not silent:
        state.pending += "\\" + following
    state.pos += 2
    return True


def _emphasis(original: Rule) -> Rule:
    """Stars and underscores around words only: not within them, not between signs of a formula or of code."""

    def rule(state: Any, silent: bool) -> bool:
        start, found = state.pos, len(state.delimiters)
        if state.src[start] == "_" and not silent and not _is_word(state.src[start - 1 : start] if start else ""):
            name = _IDENTIFIER.match(state.src, start)
            if name and name[0].endswith("_") and name[0].strip("_"):
                state.pending += name[0]
                state.pos = name.end()
                return True
        if not original(state, silent):
            return False
        before, after = state.src[start - 1 : start] if start else "", state.src[state.pos : state.pos + 1]
        single = state.pos - start == 1
        inside = state.pos - start == 2 and state.src[start] == "*"
        opens = may_open(before, after, single) or (inside and _opens_in_a_word(state.src, start))
        closes = may_close(before, after, single) or (inside and _closes_in_a_word(state.src, start))
        for delimiter in state.delimiters[found:]:
            delimiter.open, delimiter.close = delimiter.open and opens, delimiter.close and closes
            if single and delimiter.close:
                delimiter.close = _one_is_open(islice(state.delimiters, found), delimiter.marker)
        return True

    return rule


def _one_is_open(earlier: Iterable[Any], marker: int) -> bool:
    """Whether a single star can end something: two stars, as of `**kwargs`, are not half of a pair."""
    return any(each.open and each.marker == marker and each.length != 2 for each in earlier)


def may_open(before: str, after: str, single: bool) -> bool:
    """Whether emphasis may begin between these two signs ("" at the ends of a text); single: with one star."""
    if _is_word(before) or before in (")", "]", "}", "\\", "%") or _same_quotes(before, after):
        return False
    if single and before in ("/", "'", '"', "=", "<", ":"):
        return False
    return after not in (*",;:!?)]}%/=^", *("." * single))


def may_close(before: str, after: str, single: bool) -> bool:
    """Whether emphasis may end between these two signs."""
    if _is_word(after) or before in ("(", "[", "{", "/", "=", ",") or _same_quotes(before, after):
        return False
    return not (single and after in ("/", "(", "[", "{"))


def _opens_in_a_word(text: str, start: int) -> bool:
    """Whether the two stars at `start` open emphasis that the next stars close, as in text**bold**."""
    end = text.find("*", start + 2)
    return end > 0 and _spans_words(text, start, end)


def _closes_in_a_word(text: str, end: int) -> bool:
    """The same of the two stars at `end` and those before them, as in **bold**text."""
    start = text.rfind("*", 0, end) - 1
    return start >= 0 and _spans_words(text, start, end)


def _spans_words(text: str, start: int, end: int) -> bool:
    """Whether two pairs of stars stand around words, of which one goes on outside; no powers, and no code."""
    if text[start : start + 2] != "**" or text[end : end + 2] != "**":
        return False
    before, after = text[start - 1 : start] if start else "", text[end + 2 : end + 3]
    if "*" in (before, after) or not _PLAIN_WORDS.fullmatch(text, start + 2, end):
        return False
    joined = [(outer, inner) for outer, inner in ((before, text[start + 2 : start + 4]), (after, text[end - 2 : end]))]
    joined = [(outer, inner) for outer, inner in joined if _is_word(outer)]
    if len(joined) == 2 and not text[start + 2 : end].isalpha():
        return False
    return all(outer.isalpha() and len(inner) == 2 and inner.isalpha() for outer, inner in joined)


def _is_word(sign: str) -> bool:
    """Whether a sign is a letter or digit of a script with blanks between words: Latin, Greek, Cyrillic, Armenian."""
    return sign.isalnum() and ord(sign) < 0x0590


def _same_quotes(before: str, after: str) -> bool:
    return (before + after) in ("''", '""', "()", "[]", "{}", "<>")


def _autolink(original: Rule) -> Rule:
    """<https://example.org> leads there, and keeps its brackets."""

    def rule(state: Any, silent: bool) -> bool:
        start = state.pos
        found = original(state, silent)
        if found and not silent:
            state.tokens[-2].content = state.src[start : state.pos]
        return found

    return rule


def _with_an_address(original: Rule, start: str) -> Rule:
    """A link or an image that leads somewhere; `f[0]()` does not."""

    def rule(state: Any, silent: bool) -> bool:
        if not state.src.startswith(start, state.pos):
            return False
        end = state.md.helpers.parseLinkLabel(state, state.pos + len(start) - 1, start == "[")
        if end < 0 or _NOWHERE.match(state.src, end + 1):
            return False
        return original(state, silent)

    return rule


def _formula(original: Rule) -> Rule:
    """Dollars around a formula, not around the words between two prices or variables."""

    def rule(state: Any, silent: bool) -> bool:
        start, count, pending = state.pos, len(state.tokens), state.pending
        if not original(state, silent):
            return False
        if silent or state.src[start] != "$":
            return True
        before, after = state.src[max(start - 1, 0) : start], state.src[state.pos : state.pos + 3]
        if is_formula(state.tokens[-1].content, before, after):
            return True
        del state.tokens[count:]
        state.pos, state.pending = start, pending
        return False

    return rule


def is_formula(content: str, before: str, after: str) -> bool:
    """Whether what stands between two dollar signs is a formula; before, after: what is next to the dollars."""
    if _is_word(before) or (_is_word(after[:1]) and not _ENDING.match(after)) or _SHELL.search(content):
        return False
    return bool(re.search(r"[\\^_{=]", content)) or not _PROSE.search(content.strip())


# -------------------------------------------------------------------------------------------- blocks


def _quote(original: Rule) -> Rule:
    """`>>>` begins a line of Python's prompt, no quotation of a quotation."""

    def rule(state: Any, line: int, end: int, silent: bool) -> bool:
        if state.src.startswith(">>>", state.bMarks[line] + state.tShift[line]):
            return False
        return original(state, line, end, silent)

    return rule


def _list_item(tokens: Sequence[Token], i: int, *_: Any) -> str:
    """An item with the number that was written, which need not be the next one."""
    number = tokens[i].info
    if not number:
        return "<li>"
    wide = ' class="wide-number"' if len(number) >= _LONG_NUMBER else ""
    return f'<li value="{int(number)}"{wide}>'


def _paren(token: Token) -> str:
    return ' class="paren"' if token.markup == ")" else ""


def with_nested_fences(text: str) -> str:
    """The text with longer marks around a code block that holds whole code blocks with marks of the same length.

    Where the marks do not pair up, nobody knows what was meant: from there on they are left as they are.
    """
    lines = text.split("\n")
    marks = [(number, found) for number, line in enumerate(lines) if (found := _FENCE.match(line))]
    place = 0
    while place < len(marks):
        end = _closing(marks, place)
        if end is None:
            break
        inner = [len(found[1]) for _, found in marks[place + 1 : end]]
        if any(found[2].strip() for _, found in marks[place + 1 : end]):
            longest = max(*inner, len(marks[place][1][1]))
            for number in (marks[place][0], marks[end][0]):
                lines[number] = re.sub("`+", "`" * (longest + 1), lines[number], count=1)
        place = end + 1
    return "\n".join(lines)


def _closing(marks: Sequence[tuple[int, re.Match[str]]], start: int) -> int | None:
    """The place of the mark that closes the code block which one opens; None where there is none."""
    depth = 1
    for place in range(start + 1, len(marks)):
        mark = marks[place][1]
        if len(mark[1]) >= len(marks[start][1][1]):
            depth += 1 if mark[2].strip() else -1
        if depth == 0:
            return place
    return None


# ------------------------------------------------------------------------------------- nothing is lost


def passages(tokens: list[Token]) -> Iterator[list[Token]]:
    """The tokens of each block of a text: a paragraph, a list, a table."""
    block: list[Token] = []
    for token in tokens:
        block.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield block
            block = []


def loses(source: str, tokens: Iterable[Token]) -> bool:
    """Whether a letter or digit of the source is in none of the tokens made of it, or a block shows nothing."""
    made = list(tokens)
    return any(map(_is_mute, passages(made))) or bool(_letters(source) - _letters("".join(_texts(made))))


def _is_mute(block: Sequence[Token]) -> bool:
    """Whether nothing is left to be seen of a block, or of a heading in it: a lone `#`, `>` or `+` was no markup."""
    headings = (after for token, after in pairwise(block) if token.type == "heading_open")
    seen = any(token.content or token.type in _SEEN_WITHOUT_TEXT for token in block)
    return not seen or not all(inside.content for inside in headings)


def _letters(text: str) -> Counter[str]:
    return Counter(sign for sign in unquote(text) if sign.isalnum())


def _texts(tokens: Iterable[Token]) -> Iterator[str]:
    """All that tokens show or carry: texts, addresses, titles, numbers of lists, languages of code."""
    for token in tokens:
        yield token.content if not token.children else ""
        yield str(int(token.info)) if token.type == "list_item_open" and token.info else token.info
        yield from (str(value) for key, value in token.attrs.items() if key in ("href", "src", "title"))
        yield from _texts(token.children or [])
