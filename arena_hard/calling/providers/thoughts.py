"""Thoughts that a server leaves inside the answer, told apart by the tags that models write around them.

Answers speak of these tags too, and have parts that are called like them. What stands in code, between quotes or in the
middle of a sentence stays the answer's; so does whatever is in doubt, and `suspected_thought` says it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from msgspec.structs import replace

from arena_hard.calling.providers.harmony import split_channels
from arena_hard.calling.providers.thought_tags import (
    BARE_FINAL,
    Code,
    Tag,
    closings_of_words,
    like_an_opening,
    may_hold_a_thought,
    opening_at,
    tags_in,
    word_at,
    word_tags,
)

_AROUND = ("<|begin_of_solution|>", "<|end_of_solution|>"), ("<|START_RESPONSE|>", "<|END_RESPONSE|>")  # an answer
_MOST_LOOKED_AT = 50  # tags behind an opening one; a model that repeats itself writes thousands
_DEEPEST = 4  # thoughts within thoughts; more of them are a model that repeats itself
_ENDS_A_LINE = re.compile(r"[ \t]*\r?\n")
_SENTENCE_END = tuple(".!?…。！？:;)]}\"'”’»*`$|")
_SENTENCE_ENDS_BEFORE = tuple(".!?…。！？")  # a thought within an answer
_OPENING_QUOTE = tuple("`\"'“„«‘([{")
_MARKUP = tuple("#*$\\|[{-")
_GOES_ON = re.compile(r"[ \t]+[a-z(]|[ \t]*[,;:).?!'\"”’]")  # a sentence, after a tag that it names
_NAMES_A_PAIR = re.compile(r"[ \t]+(?:and|or|und|oder|et|ou)[ \t]+", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\s*(?:\[[^\]]*\]|\{[^}]*\}|\([^)]*\)|<[^>]*>|\.{3}.*|….*|your\b.*)\s*", re.DOTALL | re.I)
_INTRODUCES = re.compile(
    r"[:：]\Z|\b(?:examples?|formats?|templates?|prompts?|outputs?|structure|syntax|tags?)\b", re.I
)
_INVISIBLE = re.compile(r"\A\s*[\ufeff\u200b-\u200d\u2060\u00ad][\s\ufeff\u200b-\u200d\u2060\u00ad]*(?=[<\[◁])")
_BLANK_LINE = re.compile(r"[ \t]*\r?\n[ \t]*\r?\n")
_ELEMENT = re.compile(r"\s*<([a-z][\w-]*)\s?>", re.IGNORECASE)
_FINAL_ELEMENTS = ("answer", "final_answer", "final", "response", "final_response", "solution", "output", "result")
_INDENTED = ("    ", "\t")  # as code is


def split_thought(
    text: str, has_own_field: bool = False, end_token: str | None = None, pattern: re.Pattern[str] | None = None
) -> tuple[str, str | None]:
    """(answer, thought) of a text; nothing but the tags is lost.

    has_own_field: the server sent the thought apart, so only what is surely one is cut.
    end_token, pattern: the config's own; what stands before the token, and what the pattern finds (its first group
    where it has one), is the thought.
    A thought that was cut off before its end leaves an empty answer.
    """
    found = list(pattern.finditer(text)) if pattern else []
    if found:
        thoughts = [each[1] if each.re.groups and each[1] is not None else each[0] for each in found]
        return _without(text, [each.span() for each in found]), _joined(thoughts)
    text = _INVISIBLE.sub("", text)
    told: tuple[str, str | None] = (text, None)
    if may_hold_a_thought(text):
        told = split_channels(text, Code(text), has_own_field) or _tagged(text, has_own_field)
    if end_token and end_token in text and (told[1] is None or not _is_usual(end_token)):
        thought, _, answer = text.partition(end_token)
        return answer.lstrip("\r\n"), _without_opening(thought)
    return told


def is_never_closed(text: str) -> bool:
    """Whether a text begins with a thought and nothing ends one."""
    return opening_at(text, 0) is not None and all(tag.opens for tag in tags_in(text))


def suspected_thought(answer: str, has_thought: bool) -> str | None:
    """What looks like a thought that is still in an answer: its tag. None where nothing does.

    has_thought: a thought was found, so that a closing tag alone is most likely spoken of.
    """
    if not may_hold_a_thought(answer):
        return None
    opening = like_an_opening(answer)
    if opening:
        return opening
    code = Code(answer)
    for tag in itertools.islice(tags_in(answer), _MOST_LOOKED_AT):
        if _is_quoted(code, tag):
            continue
        if _begins_a_line(answer, tag) if tag.opens else not has_thought or not _GOES_ON.match(answer, tag.end):
            return answer[tag.start : tag.end]
    for tag in () if has_thought else itertools.islice(closings_of_words(answer), _MOST_LOOKED_AT):
        if not _is_quoted(code, tag):
            return answer[tag.start : tag.end]
    return BARE_FINAL if BARE_FINAL in answer and not has_thought else None


def _is_usual(end_token: str) -> bool:
    """Whether a config names a tag that is known anyhow, so that it is read with all care."""
    tags = list(tags_in(end_token.strip()))
    return len(tags) == 1 and not tags[0].opens


# ------------------------------------------------------------------------------------ at the beginning


def _tagged(text: str, has_own_field: bool) -> tuple[str, str | None]:
    code = Code(text)
    at, thoughts = _at_the_start(code)
    unclosed = opening_at(text, at)
    if unclosed and not has_own_field and _closing_of(code, unclosed) is None:
        return "", _joined([*thoughts, text[unclosed.end :]])
    if not thoughts and not has_own_field:
        at, thoughts = _words_at_the_start(code) or _unopened(code) or (0, [])
    end = _last_closing(text[at:])
    if end:
        at, thoughts = at + end.end, [*thoughts, text[at : at + end.start]]
    rest, later = _without_asides(text[at:])
    if not thoughts and not later:
        return text, None
    return _unwrapped(rest.lstrip("\r\n") if thoughts else rest), _joined([*thoughts, *later])


def _at_the_start(code: Code) -> tuple[int, list[str]]:
    """Where the answer of a text begins, and the thoughts before it, of which each has its end."""
    text, at = code.text, 0
    thoughts: list[str] = []
    while opening := opening_at(text, at):
        closing = _closing_of(code, opening)
        thought = text[opening.end : closing.start] if closing else ""
        if closing is None or _NAMES_A_PAIR.fullmatch(thought) and _GOES_ON.match(text, closing.end):
            break
        thoughts.append(thought)
        at = closing.end
    return at, thoughts


def _closing_of(code: Code, opening: Tag, tags: Iterator[Tag] | None = None) -> Tag | None:
    """The tag that ends a thought: the first that it does not merely quote, past thoughts within it; None: none does.

    Where none of its own spelling does, one of another ends it, and else one in code.
    """
    text, depth, first = code.text, 1, None
    spare: list[tuple[bool, bool, int, Tag]] = []
    tags = tags or tags_in(text, opening.end)
    for tag in itertools.islice(tags, _MOST_LOOKED_AT):
        is_quoted, is_other = code.holds(tag.start, tag.end, opening.end), tag.name != opening.name
        if is_quoted or is_other:
            spare += [] if tag.opens else [(is_quoted, is_other, tag.start, tag)]
        elif tag.opens:
            depth += _begins_a_line(text, tag) or not _GOES_ON.match(text, tag.end)
            if first and depth > _DEEPEST:
                break
        else:
            first, depth = first or tag, depth - 1
            if depth == 0:
                return tag if tag is first or _ends_both(text, first, tag) else first
    return first or (min(spare)[-1] if spare else next((tag for tag in tags if not tag.opens), None))


def _ends_both(text: str, inner: Tag, outer: Tag) -> bool:
    """Whether a thought within another ends at the one tag, and the other thought at the other, before an answer."""
    if _GOES_ON.match(text, outer.end):
        return False
    return bool(text[outer.end :].strip()) or not text[inner.end : outer.start].strip()


def _words_at_the_start(code: Code) -> tuple[int, list[str]] | None:
    """The same of a text that begins with what may be a part of the answer: an answer has to follow."""
    text, at = code.text, 0
    thoughts: list[str] = []
    while word := word_at(text, at):
        closing = _closing_of(code, word, word_tags(text, word))
        if closing is None or code.holds(closing.start, closing.end, word.end):
            return None
        thoughts.append(text[word.end : closing.start])
        at = closing.end
    element = _ELEMENT.match(text, at)
    is_answer = element is None or element[1].lower() in _FINAL_ELEMENTS
    return (at, thoughts) if thoughts and text[at:].strip() and is_answer else None


def _unopened(code: Code) -> tuple[int, list[str]] | None:
    """The same where only the closing tag is seen: some chat templates put the opening one into the prompt."""
    text = code.text
    tags = [tag for tag in itertools.islice(tags_in(text), _MOST_LOOKED_AT) if not code.holds(tag.start, tag.end)]
    while len(tags) > 1 and not tags[1].opens and not text[tags[0].end : tags[1].start].strip():
        tags[0:2] = [replace(tags[1], start=tags[0].start)]  # one that is written twice
    depths = list(itertools.accumulate(1 if tag.opens else -1 for tag in tags[1:]))
    if not tags or tags[0].opens or min(depths, default=0) < 0 or (depths and depths[-1]):
        return None
    before, after = text[: tags[0].start], text[tags[0].end :]
    if not _ends_a_thought(before, after):
        return None
    return len(text) - len(after.lstrip(" \t")), [before]


def _last_closing(text: str) -> Tag | None:
    """The closing tag before an answer, beside a thought that was told apart already or after others like it.

    Each of them has to end a thought beyond doubt, or to follow another at once.
    """
    code, last = Code(text), None
    for tag in itertools.islice(tags_in(text), _MOST_LOOKED_AT):
        if _is_quoted(code, tag):
            continue
        before = text[last.end if last else 0 : tag.start]
        if tag.opens or before.strip() and not _surely_ends(before, text[tag.end :]):
            return None
        last = tag
    return last if last and text[last.end :].strip() and not _GOES_ON.match(text, last.end) else None


def _surely_ends(before: str, after: str) -> bool:
    """Whether a tag stands between a sentence and an answer, as a chat template writes it; nobody speaks of it so."""
    if not before.rstrip().endswith(_SENTENCE_ENDS_BEFORE):
        return False
    if after[:1].isspace():
        return bool(_BLANK_LINE.match(after)) and bool(after.strip()) and _begins_an_answer(after.lstrip(), glued=False)
    return not before[-1].isspace() and after[:1] != "" and _begins_an_answer(after, glued=False)


def without_repetition(text: str, thought: str | None) -> str:
    """A text without the thought that came apart from it too, up to the tag that ends it."""
    start, own = text.lstrip(), (thought or "").strip()
    if not own or not start.startswith(own):
        return text
    rest = start[len(own) :].lstrip()
    end = next(tags_in(rest), None)
    return rest[end.end :].lstrip("\r\n") if end and end.start == 0 and not end.opens else text


def _unwrapped(answer: str) -> str:
    """The answer without the tags that some models put around it after a thought."""
    start = answer.lstrip()
    for first, last in _AROUND:
        if start.startswith(first):
            return start.removeprefix(first).strip().removesuffix(last).rstrip()
    return answer


def _without_opening(thought: str) -> str:
    start = thought.strip()
    opening = opening_at(start, 0)
    return start[opening.end :].strip() if opening else start


# ---------------------------------------------------------------------------------- within an answer


def _without_asides(answer: str) -> tuple[str, list[str]]:
    """An answer and the thoughts in it, at its end too."""
    code, end = Code(answer), 0
    spans: list[tuple[int, int]] = []
    thoughts: list[str] = []
    for opening in tags_in(answer):
        if not opening.opens or opening.start < end or _is_quoted(code, opening):
            continue
        closing = _closing_of(code, opening)
        if closing is None or code.holds(closing.start, closing.end, opening.end):
            break
        if _is_an_aside(answer, opening, closing):
            end = closing.end
            spans.append((opening.start, end))
            thoughts.append(answer[opening.end : closing.start])
    if spans and not answer[end:].strip():
        return _without(answer, spans).rstrip(), thoughts
    return _without(answer, spans) if spans else answer, thoughts


def _is_an_aside(answer: str, opening: Tag, closing: Tag) -> bool:
    """Whether a thought stands here, or an example of one, or a sentence that has the tags in it."""
    line = answer.rfind("\n", 0, opening.start) + 1
    if _begins_a_line(answer, opening):
        begins = not _INTRODUCES.search(answer[:line].rstrip().rpartition("\n")[2])
    else:
        before, after = answer[line : opening.start], answer[closing.end :]
        is_glued = before[-1:].isalnum() and not after[:1].isalnum()  # two words would become one
        begins = before.rstrip().endswith(_SENTENCE_ENDS_BEFORE) or is_glued
    thought = answer[opening.end : closing.start]
    if not begins or _PLACEHOLDER.fullmatch(thought) or _NAMES_A_PAIR.fullmatch(thought):
        return False
    return not _GOES_ON.match(answer, closing.end) and not _ELEMENT.match(answer, closing.end)


def _begins_a_line(text: str, tag: Tag) -> bool:
    """Whether only blanks stand before a tag in its line, and not so many that it is code."""
    before = text[text.rfind("\n", 0, tag.start) + 1 : tag.start]
    return not before.strip() and not before.startswith(_INDENTED)


def _is_quoted(code: Code, tag: Tag) -> bool:
    return code.holds(tag.start, tag.end) or code.text.endswith(_OPENING_QUOTE, 0, tag.start)


def _ends_a_thought(before: str, after: str) -> bool:
    """Whether a closing tag ends a thought here, or a sentence speaks of it."""
    line = before.rpartition("\n")[2]
    begins_line = not line.strip()
    if _ENDS_A_LINE.match(after) or not after.strip():
        return bool(_ENDS_A_LINE.match(after)) or begins_line
    ends_sentence = line.rstrip().endswith(_SENTENCE_END)
    attached = line == line.rstrip()
    if after[0].isspace():
        return (begins_line or attached and ends_sentence) and _begins_an_answer(after.lstrip(), glued=False)
    return (begins_line or attached or ends_sentence) and _begins_an_answer(after, glued=True)


def _begins_an_answer(after: str, glued: bool) -> bool:
    """Whether this begins a text of its own; what follows a space and goes on in small letters is a sentence's rest."""
    if after.startswith(_MARKUP) or after.startswith("<") and not after.startswith("</"):
        return True
    return after[0].isalnum() and (glued or not after[0].islower())


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """The text without these parts, which are in order."""
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(text)]
    return "".join(text[end:start] for end, start in zip(ends, starts)).lstrip("\r\n")


def _joined(thoughts: list[str]) -> str:
    return "\n\n".join(filter(None, (each.strip() for each in thoughts)))
