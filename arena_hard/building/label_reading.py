"""The criteria in an annotator's reply: an object of decisions, or the list below the heading that was asked for.

A reply is read by a strict grammar, in which nothing is left over in the place of the verdict and nothing takes it back
behind; all else is no label, for which the decisions alone are asked. That no criterion is met counts only where the
reply says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from arena_hard.building.label_lists import Label, in_brackets, list_of, of_numbers
from arena_hard.building.label_objects import objects_in
from arena_hard.calling.providers.base import Reply
from arena_hard.calling.providers.template_remains import END_TOKEN, without_end

_CUT = {"length": "the reply was cut at max_tokens", "content_filter": "the reply was cut by the content filter"}
_FENCE = re.compile(r"```\s*\w*\s*")
_MARKUP = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
_ESCAPED = re.compile(r"\\([\[\]()_*`#])")  # as Markdown has it
_BOXED = re.compile(
    r"\$?\\boxed\{\s*(?:\[([^\[\]{}$]*)\]|(\d{1,3}(?:\s*,\s*\d{1,3})+))\s*\}\$?"
)  # a list as LaTeX has it
_TAGGED = re.compile(r"((?:(?!</?answer>).)*)<answer>((?:(?!</?answer>).)*)</answer>\s*", re.DOTALL | re.IGNORECASE)
_END = re.compile(rf"-{{2,}}|{END_TOKEN}")  # a rule, and tokens that end a turn

_ANSWER = re.compile(  # before a list that is the whole reply
    r"(?:(?:my|the)\s+)?(?:final\s+)?(?:answer|decision|verdict)(?:\s*:|\s+is\b\s*:?)\s*", re.IGNORECASE
)
_MARK = re.compile(r"\bcriteria\s+(?:(?:that|which)\s+are\s+)?(?:met|satisfied)\b", re.IGNORECASE)
_LEAD = re.compile(  # what may stand before the mark in its line: an ordinal, a heading, the end of a sentence
    r"(?:[-+•–—]\s+|\d{1,2}[.)]\s+)?"
    r"(?:.*(?<!e\.g)(?<!i\.e)[.!]\s+)?"
    r"(?:(?:my\s+|the\s+)?(?:final|overall)?\s*(?:answer|decision|verdict|conclusion|summary|result|final)s?\s*[:\-–—]\s*"
    r"|(?:so|thus|therefore|hence|overall|finally|in\s+summary|in\s+conclusion),?\s+)?(?:the\s+)?(?:final\s+)?",
    re.IGNORECASE,
)
_BEHIND = re.compile(r"(?:\s+by\s+(?:the|this)\s+prompt)?(?:\s+are)?\s*([:=–—-]?)\s*", re.IGNORECASE)
_FORM = re.compile(r"\[?n(?:, ?n)*(?:, ?(?:\.\.\.|…))?\]?\W*")  # "[n, n, ...]": the form that was asked for, repeated
_LISTS = re.compile(r"[\[({:=\d]")  # a line may hold a list
_HEADING = re.compile(  # a line that may lead to the mark below it
    r"\W*(?:(?:my|the)\s+)?(?:criteria\s+met|final|overall|answer|decision|verdict|conclusion|summary|results?|so|thus|therefore|hence|"
    r"in\s+(?:summary|conclusion)|based\s+on)\b[^\"'“”‘’]*",
    re.IGNORECASE,
)
_DOUBT = re.compile(r"\b(?:if|unless|not|no|none|would|could|example|format|form|without)\b|n['’]t\b", re.IGNORECASE)

_DENIED = re.compile(
    r"(?:[-+•–—]\s+)?(?:(?:the\s+)?criteria\s+(?:(?:that|which)\s+are\s+)?(?:not\s+|un)(?:met|satisfied)"
    r"|(?:not\s+|un)(?:met|satisfied)(?:\s+criteria)?)\b(?:\s+are)?\s*:?\s*",
    re.IGNORECASE,
)
_THE_OTHERS = re.compile(
    r"(?:(?:all|the)\s+)*(?:others?|rest|remaining)(?:\s+(?:ones|criteria))?\s+(?:are|is)\s+(?:not\s+|un)(?:met|satisfied)\.?",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"(?:i\s+hope\s+(?:this|that|it)\s+helps|thank\s+you|thanks|let\s+me\s+know\s+if\s+(?:you|there)[a-z'’ ]*"
    r"|feel\s+free\s+to\s[a-z'’ ]*|is\s+there\s+anything\s+else[a-z'’ ]*)[.!?]*",
    re.IGNORECASE,
)
_SHOWING = r"examples?|templates?|formats?|form|samples?|schema|following|looks? like"
_SHOWS = re.compile(rf"\b(?:{_SHOWING}|as follows)\b", re.IGNORECASE)
_SUPPOSED = re.compile(  # in a heading above such an object
    rf"\b(?:{_SHOWING}|such as|e\.g|instance|provided|user|expected|annotator|previous|original|if|would|should|could|"
    r"might|not)\b|n['’]t\b|^\W*(?:the\s+)?(?:given\s+|input\s+)?(?:prompt|input|question|request|task)\W*$",
    re.IGNORECASE,
)
_RECONSIDERED = re.compile(  # beside a criterion's name, behind an object that decides it
    r"\b(?:not|no|never|false|true|yes|met|unmet|fails?|lacks?|strike|remove|update|[01])\b|n['’]t\b|[✗✘❌☐✓✔✅☑→]",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(  # behind an object of all decisions
    r"\b(?:wait|actually|correct(?:ion|ed)|reconsider\w*|reflection|revis(?:e|ed|ion)|mistake|oops|hmm|apolog\w+|sorry|"
    r"should|instead|rather|ignore|disregard|template|placeholder|scale|scores?|example|cannot|can['’]t|unsure|partial\w*|partly|arguably|second\s+thoughts?)\b"
    r"|^\W*(?:but|no|however)\b",
    re.IGNORECASE | re.MULTILINE,
)
_SHOWN = 60  # characters of what could not be read


class Reading(NamedTuple):
    """What was read in a reply: a label or, where there is none, why."""

    label: Label | None
    why: str = ""


class _Verdict(NamedTuple):
    """A place of a reply that says what is met. left_over: what must not stand there; label: None for no list."""

    label: Label | None
    left_over: str = ""


def read_label(reply: Reply, names: Sequence[str]) -> Reading:
    """The one label in a reply. names: those of the criteria in their order."""
    if reply.finish_reason in _CUT:
        return Reading(None, _CUT[reply.finish_reason])
    return read_text(reply.content, names)


def read_text(text: str, names: Sequence[str]) -> Reading:
    """The one label in a text that is whole."""
    text = _unwrapped(without_end(unicodedata.normalize("NFKC", text).replace("\ufe0f", "")))
    lines = _plain_lines(text)
    if whole := _whole(lines, names):
        return Reading(whole)
    objects = list(_decided(text, names))
    verdicts = [*objects, *_below_marks(lines, names)]
    labels = {verdict.label for verdict in verdicts if verdict.label is not None}
    if len(labels) > 1:
        return Reading(None, "the reply holds two lists of criteria that differ")
    if _Verdict(None) in objects:
        return Reading(None, "the object leaves criteria out, or holds something else")
    if left_over := next((each.left_over for each in verdicts if each.left_over), None):
        return Reading(None, f"not certain, because of {left_over[:_SHOWN]!r}")
    return Reading(labels.pop()) if labels else Reading(None, "the reply holds no list of criteria")


def _unwrapped(text: str) -> str:
    """A text without the tags and boxes that some models put an answer into."""
    text = _BOXED.sub(lambda found: f"[{found[1] if found[1] is not None else found[2]}]", text)
    tagged = _TAGGED.fullmatch(text)
    return f"{tagged[1]}\n{tagged[2].strip()}" if tagged else text


def _plain_lines(text: str) -> list[str]:
    """The lines without the marks of Markdown."""
    lines = (line for line in text.splitlines() if not _FENCE.fullmatch(line.strip()))
    return [_MARKUP.sub("", _ESCAPED.sub(r"\1", line)).strip().lstrip("#").strip() for line in lines]


def _whole(lines: Sequence[str], names: Sequence[str]) -> Label | None:
    """The label of a reply that is a list in brackets, or of numbers, or "none", and nothing else."""
    said = "\n".join(lines).strip()
    said = said[lead.end() :] if (lead := _ANSWER.match(said)) else said
    if said.removesuffix(".").strip("\"'").lower() in ("none", "none of them"):
        return (False,) * len(names)
    found = in_brackets(said.split("\n"), names) or of_numbers(said, names)
    return found.label if found and not found.below else None


def _decided(text: str, names: Sequence[str]) -> Iterator[_Verdict]:
    """What the objects say; behind one that decides all criteria its reasons may follow."""
    for stated in objects_in(text, names):
        above, below = (_plain_lines(part) for part in (stated.above, stated.below))
        taken_back = _TAKEN_BACK.search(stated.below) or _decided_again(below, names)
        if stated.label is None:
            yield _Verdict(None)
        elif stated.is_whole:
            heading = _heading_above(above)
            supposed = heading if _SUPPOSED.search(heading) else ""
            yield _Verdict(stated.label, supposed or (taken_back[0] if taken_back else ""))
        else:
            yield _Verdict(stated.label, _doubtful_heading(above) or _left_over(below, stated.label, names))


def _decided_again(lines: Sequence[str], names: Sequence[str]) -> re.Match[str] | None:
    """Where a line speaks of a criterion and decides something."""
    spoken = re.compile("|".join(re.escape(name).replace("_", "[_ ]") for name in names), re.IGNORECASE)
    return next((found for line in lines if spoken.search(line) and (found := _RECONSIDERED.search(line))), None)


# ------------------------------------------------------------------------------------ "Criteria met:"


def _below_marks(lines: Sequence[str], names: Sequence[str]) -> Iterator[_Verdict]:
    """What stands beside or below each "Criteria met:", up to the next."""
    marked = [number for number, line in enumerate(lines) if _MARK.search(line)]
    for number, end in zip(marked, [*marked[1:], len(lines)]):
        if verdict := _verdict(lines[:end], number, names):
            yield verdict


def _verdict(lines: Sequence[str], number: int, names: Sequence[str]) -> _Verdict | None:
    """What stands at the last mark of a line, or below it; None where the line only mentions it, and holds no list."""
    line = lines[number]
    first, *others = _MARK.finditer(line)
    last = others[-1] if others else first
    behind = _BEHIND.match(line, last.end())
    rest = line[behind.end() if behind else last.end() :]
    begins = _LEAD.fullmatch(line[: last.start()]) is not None and not _LISTS.search(line[first.end() : last.start()])
    is_heading = begins and (not rest or bool(behind and behind[1]))
    if _FORM.fullmatch(rest.lower()) or not (is_heading or _LISTS.search(line[first.end() :])):
        return None
    if not begins or _SHOWS.search(line[: last.start()]):
        return _Verdict(None, line[: last.end()])
    below = [rest, *lines[number + 1 :]] if rest else _from_text(lines[number + 1 :])
    if not below:
        return None
    any_form = not rest or bool(behind and behind[0].strip())
    found = list_of(below, names, beside=bool(rest)) if any_form else in_brackets(below, names)
    if found is None:
        return _Verdict(None, below[0])
    return _Verdict(found.label, _doubtful_heading(lines[:number]) or _left_over(found.below, found.label, names))


def _doubtful_heading(above: Sequence[str]) -> str:
    """The heading above a list that may say something else of it: "If none is met:"."""
    line = _heading_above(above)
    is_known = _HEADING.fullmatch(line) is not None and _DOUBT.search(line) is None
    return "" if is_known else line


def _heading_above(lines: Sequence[str]) -> str:
    line = next((line for line in reversed(lines) if line), "")
    return line if line.endswith(":") or (_SHOWS.search(line) and not _MARK.search(line)) else ""


def _left_over(lines: Sequence[str], label: Label, names: Sequence[str]) -> str:
    """The first line behind a list that may take something of it back; the others may be listed as not met."""
    lines = _from_text(lines)
    denied = _DENIED.match(lines[0]) if lines else None
    if denied:
        rest = lines[0][denied.end() :]
        below = [rest, *lines[1:]] if rest else _from_text(lines[1:])
        found = list_of(below, names, beside=bool(rest)) if below else None
        if found is None or _contradicts(found.label, label):
            return lines[0]
        lines = found.below
    return next((line for line in lines if line and not _is_harmless(line)), "")


def _contradicts(not_met: Label, met: Label) -> bool:
    return any(one and other for one, other in zip(not_met, met)) or not (any(not_met) or all(met))


def _is_harmless(line: str) -> bool:
    return any(form.fullmatch(line) for form in (_END, _THE_OTHERS, _FAREWELL))


def _from_text(lines: Sequence[str]) -> list[str]:
    """The lines from the first that is not blank."""
    first = next((number for number, line in enumerate(lines) if line), len(lines))
    return list(lines[first:])
