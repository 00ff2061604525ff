"""The tags that models write around their thoughts, and where a text holds code, in which they are only spoken of."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator

import msgspec

BARE_FINAL = "assistantfinal"  # what is left of harmony's channels where a server takes special tokens out
# What certainly stands around thoughts: <think>, <seed:think>, <|begin_of_thought|>, [THINK], ◁think▷ and their kin;
# after them Gemma's, MedGemma's, openPangu's and Apertus'.
_TAG = re.compile(
    r"<\s{0,2}/?\s{0,2}(?:[a-z]{1,10}:|(?:longcat|inner|internal|redacted)_|ant)?(?:think(?:ing)?|thought)\s{0,2}>"
    r"|</?\|\s?/?(?:(?:begin|start|end)_(?:of_)?)?(?:think(?:ing)?|thought)(?:_(?:begin|start|end))?\s?\|>"
    r"|(?-i:\[/?THINK(?:ING)?\])|◁/?think▷"
    r"|<\|channel>thought\b|<channel\|>|<unused94>(?:thought\b)?|<unused95>"
    r"|\[unused1[67]\]|<\|inner_(?:prefix|suffix)\|>",
    re.IGNORECASE,
)
_EDGE = re.compile(r"(begin|start|end)_(?:of_)?|_(begin|start|end)(?=\|)")
_CLOSINGS = ("<channel|>", "<unused95>", "[unused17]", "<|inner_suffix|>")  # those that do not say so
_NAMES = {
    "<channel|>": "<|channel>thought",
    "<unused94>": "<unused94>thought",
    "<unused95>": "<unused94>thought",
    "[unused17]": "[unused16]",
    "<|inner_suffix|>": "<|inner_prefix|>",
}
# Words for a thought that are also what a prompt has the parts of an answer called
_WORD = re.compile(
    r"<\s?(reasoning|reflections?|scratchpad|analysis|thoughts|(?:inner|internal)_(?:thoughts|monologue|reasoning)"
    r"|monologue|chain_of_thought|thought_process|deliberation)\s?>",
    re.IGNORECASE,
)
_WORD_CLOSING = re.compile(r"</\s?(?:reasoning|reflections?|scratchpad|analysis|thoughts)\s?>", re.IGNORECASE)
_LIKE_AN_OPENING = re.compile(
    r"\s*(<\s?\|?[\w:-]{0,20}(?:think|thought|reason|reflect|scratchpad|analysis|monologue|deliberat)[\w:-]{0,20}\|?\s?>"
    r"|\[(?:THINK|THINKING|REASONING)\]|<\|?channel\|?>|<unused\d+>|<details type=.?reasoning\b[^>\n]{0,80}>"
    r"|\[unused\d+\]|(?:\\<|&lt;)\s?\|?(?:think(?:ing)?|thought|reasoning)\|?\s?(?:\\?>|&gt;)"
    r"|[<‹〈＜]\s?(?:思考|思维|思維|推理|深度思考)(?:过程|過程|开始)?\s?[>›〉＞]"
    r"|<details[^<>\n]{0,80}>\s*<summary>[^<>\n]{0,40}(?:think|thought|reasoning|思考)"
    r"|(?-i:analysis(?=[A-Z])))",
    re.IGNORECASE,
)
# The quick look, which finds what they would, and little else. It has no flag for the case of letters, which would make
# it several times slower, and each choice in it can be refused by its first letter.
_STEM = "[tT](?:hink|HINK|hought)"
_HINT = re.compile(
    rf"<(?:{_STEM}|/(?:[ |]?{_STEM}|[rR]e(?:ason|flect)|[sS](?:eed:|cratchp)|[aA]n(?:alys|t)|mm:|longcat_"
    r"|in(?:ner|ternal)_|redacted_)|\|(?:/|channel|inner_|[bBsSeEtT])|seed:|[aA]nt|mm:|longcat_|in(?:ner|ternal)_|redacted_|channel\||unused9)"
)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


class Tag(msgspec.Struct, frozen=True):
    """A tag in a text. name: the same for both ends of a pair."""

    start: int
    end: int
    opens: bool
    name: str


def tags_in(text: str, since: int = 0) -> Iterator[Tag]:
    """The tags that certainly stand around thoughts where they are not spoken of, in order."""
    return map(_tag, _TAG.finditer(text, since))


def opening_at(text: str, at: int) -> Tag | None:
    """Such an opening tag, where one stands here after blanks."""
    found = _TAG.match(text, after_blanks(text, at))
    tag = found and _tag(found)
    return tag if tag and tag.opens else None


def word_at(text: str, at: int) -> Tag | None:
    """The opening tag of a word that may be a thought's, where one stands here after blanks."""
    found = _WORD.match(text, after_blanks(text, at))
    return Tag(found.start(), found.end(), True, found[1]) if found else None


def word_tags(text: str, word: Tag) -> Iterator[Tag]:
    """The tags of such a word after its first one."""
    for found in re.compile(rf"<\s?(/?)\s?{word.name}\s?>", re.IGNORECASE).finditer(text, word.end):
        yield Tag(found.start(), found.end(), not found[1], word.name)


def closings_of_words(text: str) -> Iterator[Tag]:
    """The closing tags of all such words."""
    return (Tag(found.start(), found.end(), False, found[0]) for found in _WORD_CLOSING.finditer(text))


def _tag(found: re.Match[str]) -> Tag:
    written = "".join(found[0].lower().split())
    edge = _EDGE.search(written)
    closes = "/" in written or written in _CLOSINGS or edge is not None and "end" in edge.groups()
    name = _NAMES.get(written) or _EDGE.sub("", written.replace("/", ""))
    return Tag(found.start(), found.end(), not closes, name)


def may_hold_a_thought(text: str) -> bool:
    """Whether a closer look is worth its time, which takes longer by far; most replies hold none of this."""
    return (
        ("<" in text and _HINT.search(text) is not None)
        or ("[" in text and ("THINK" in text or "[unused1" in text))
        or "◁" in text
        or BARE_FINAL in text
        or _LIKE_AN_OPENING.match(text) is not None
    )


def like_an_opening(text: str) -> str | None:
    """What stands at a text's beginning and looks like the tag before a thought, in whatever spelling."""
    found = _LIKE_AN_OPENING.match(text)
    return found[1] if found else None


def after_blanks(text: str, at: int) -> int:
    """Where the next character stands that is no blank."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at


class Code:
    """Where a text holds code."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._fences = [fence.start() for fence in _FENCE.finditer(text)]

    def holds(self, start: int, end: int, since: int = 0) -> bool:
        """Whether a tag stands in a block of code, which has as many ends as beginnings, or in code within a line.

        since: where the part of the text begins that counts.
        """
        first, here = bisect.bisect_left(self._fences, since), bisect.bisect_left(self._fences, start)
        if (here - first) % 2 and (len(self._fences) - here) % 2:
            return True
        line, after = self.text.rfind("\n", since, start) + 1, self.text.find("\n", end)
        before = self.text.count("`", max(line, since), start)
        return before % 2 == 1 and self.text.find("`", end, len(self.text) if after < 0 else after) >= 0
