"""Any label in any good form is read as it was written, and a word more or less never makes another one of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from arena_hard.building.label_reading import Label, read_text
from tests.support.label_bench import CRITERIA

REASONS = "1. specificity: It wants one thing. Met.\n2. domain_knowledge: Anybody knows that. Not met.\n\n"
Render = Callable[[list[int]], str]


def name(number: int) -> str:
    return CRITERIA[number - 1]


def joined(separator: str, spell: Callable[[int], str] = str) -> Render:
    return lambda met: separator.join(map(spell, met))


def ranges(met: list[int]) -> str:
    """Numbers with each run of them as one."""
    runs: list[list[int]] = []
    for number in met:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


INSIDE: list[Render] = [
    joined(", "),
    lambda met: found if "," in (found := ranges(met)) else joined(", ")(met),
    joined(","),
    joined("; "),
    joined("、"),
    joined(", ", name),
    joined(", ", lambda number: json.dumps(name(number))),
    joined(", ", lambda number: name(number).replace("_", " ").title()),
    joined(", ", lambda number: f"{number}. {name(number)}"),
    joined(", ", lambda number: f"{number}: {name(number)}"),
    joined(", ", lambda number: f"{number} ({name(number)})"),
]
OPEN: list[Render] = [  # for lists that are not empty, and do not look like a count
    *(lambda met, inside=inside: f" {inside(met)}" for inside in INSIDE[5:]),
    joined("", lambda number: f"\n- {name(number)}"),
    joined("", lambda number: f"\n{number}. {name(number)}"),
    joined("\n", lambda number: f"\n- {number}. {name(number)}"),
    lambda met: " " + joined(", ", lambda number: f"[{number}]")(met),
    lambda met: " " + joined(" and ", lambda number: f"[{number}] {name(number)}")(met),
]
ALONE = [
    "[{}]",
    "Answer: [{}]",
    "Final answer: [{}].",
    "\\boxed{{[{}]}}",
    "<answer>[{}]</answer>",
    "<answer>\n[{}]\n</answer>",
]
TABLES: list[tuple[str, str]] = [("✅", "❌"), ("✓", "✗"), ("☑", "☐"), ("[x]", "[ ]")]


def table(met: list[int], signs: tuple[str, str], first: bool) -> str:
    rows = ((signs[number not in met], f"{number}. {name(number)}") for number in range(1, 8))
    return "".join(f"\n- {sign} {item}" if first else f"\n- {item} {sign}" for sign, item in rows)


@st.composite
def replies(draw: st.DrawFn) -> tuple[list[int], str]:
    """The numbers that are met, and a reply that says so."""
    met = draw(st.lists(st.integers(1, 7), unique=True).map(sorted))
    above = draw(st.sampled_from(["", REASONS, "Final answer: ", "Conclusion:\n", "It is a good one. "]))
    mark = draw(st.sampled_from(["Criteria met:", "**Criteria met:**", "Criteria met：", "The criteria met are:"]))
    below = draw(
        st.sampled_from(["", "", "\n", ".\n\nLet me know if you need anything else.", "\n\nAll others are not met."])
    )
    kind = draw(st.sampled_from(["brackets", "open", "table", "object", "list object", "alone"]))
    if kind == "alone":
        forms = ALONE + ["{}", "Answer: {}", "\\boxed{{{}}}"] * (len(met) > 1)
        return met, draw(st.sampled_from(forms)).format(", ".join(map(str, met)))
    if kind == "object":
        said = json.dumps({each: "yes" if at in met else "no" for at, each in enumerate(CRITERIA, 1)})
        return met, f"{REASONS}{said}\n"
    if kind == "list object":
        said = json.dumps({draw(st.sampled_from(["criteria_met", "met"])): met})
        return met, f"{REASONS}```json\n{said}\n```"
    if kind == "table":
        return met, above + mark + table(met, draw(st.sampled_from(TABLES)), draw(st.booleans()))
    if kind == "open" and met:
        return met, above + mark + draw(st.sampled_from(OPEN))(met) + below
    left, right = draw(st.sampled_from(["[]", "[]", "()"] if len(met) > 1 else ["[]"]))
    between = draw(st.sampled_from([" ", "\n", "\n\n"]))
    return met, f"{above}{mark}{between}{left}{draw(st.sampled_from(INSIDE))(met)}{right}{below}"


# none that heads a list of what is not met
MORE = "not no partially but except nicht only without or ? maybe unclear ✅ ❌ ☐ ✗ (no) (yes) ~~ ! - ≠ ... / all none"
WORDS = [*MORE.split(), "[ ]", "5 of 7"]


def label_of(met: list[int]) -> Label:
    return tuple(number in met for number in range(1, 8))


@settings(max_examples=100, deadline=None)
@given(replies())
def test_a_label_is_read_as_it_was_written(reply: tuple[list[int], str]) -> None:
    met, text = reply
    assert read_text(text, CRITERIA).label == label_of(met)


@settings(max_examples=200, deadline=None)
@given(replies(), st.data())
def test_a_word_more_makes_no_other_label(reply: tuple[list[int], str], data: st.DataObject) -> None:
    met, text = reply
    places = [found.start() for found in re.finditer(r"\s|\b|\Z", text)]
    at = data.draw(st.sampled_from(places))
    word = data.draw(st.sampled_from(WORDS))
    space = data.draw(st.sampled_from(["", " ", "\n"]))
    changed = f"{text[:at]}{space}{word}{space}{text[at:]}"
    assert read_text(changed, CRITERIA).label in (label_of(met), None)


@settings(max_examples=100, deadline=None)
@given(replies(), st.data())
def test_an_item_more_behind_the_list_makes_no_other_label(reply: tuple[list[int], str], data: st.DataObject) -> None:
    met, text = reply
    number = data.draw(st.integers(1, 7))
    item = data.draw(
        st.sampled_from(
            ["/ [{0}]", "[{0}]?", "({0})", "also {1}", "and {0} partially", "[{0}] not met", "criterion {0}"]
        )
    )
    changed = (
        f"{text.rstrip()}{data.draw(st.sampled_from([' ', chr(10), chr(10) * 2]))}{item.format(number, name(number))}"
    )
    label = read_text(changed, CRITERIA).label
    assert label in (label_of(met), None)


@settings(max_examples=100, deadline=None)
@given(replies(), st.data())
def test_a_word_less_makes_no_other_label(reply: tuple[list[int], str], data: st.DataObject) -> None:
    """Any word but those that say what is met."""
    met, text = reply
    words = re.compile(r"\b(?:criteria|met|are|and|the)\b|[^\w\s]|yes|no\b", re.IGNORECASE)
    left_out = data.draw(st.sampled_from(list(words.finditer(text))))
    changed = text[: left_out.start()] + text[left_out.end() :]
    assert read_text(changed, CRITERIA).label in (label_of(met), None)
