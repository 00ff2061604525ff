"""Reading labels: what is certain is one, all else is none and says why."""

from __future__ import annotations

import pytest

from arena_hard.building.label_reading import read_label, read_text
from arena_hard.calling.providers.base import Reply
from tests.support.label_bench import CRITERIA

REASONS = "1. specificity: It wants one thing. Met.\n2. domain_knowledge: Anybody knows that. Not met.\n\n"


def numbers(text: str) -> list[int] | None:
    """The numbers of the criteria that a text says are met; None for no label."""
    label = read_text(text, CRITERIA).label
    return None if label is None else [place for place, met in enumerate(label, 1) if met]


@pytest.mark.parametrize(
    "text",
    [
        "Criteria met: [1, 2, 6]",
        "Criteria met: [1,2,6]",
        "[1,2,6]",
        "[1, 2, 6]",
        "[ 6,1 , 2 ]",
        "[1 2 6]",
        "[1; 2; 6]",
        "[1，2，6]",
        "**Criteria met:** [1, 2, 6]",
        "**Criteria met: [1, 2, 6]**",
        "`[1, 2, 6]`",
        "```\n[1, 2, 6]\n```",
        "```json\n[1, 2, 6]\n```",
        "Criteria met: 1, 2, 6",
        "Criteria met: 1, 2 and 6.",
        "Criteria satisfied: [1, 2, 6].",
        "Criteria met:\n[1, 2, 6]",
        "## Criteria met\n\n[1, 2, 6]",
        "Final answer: [1, 2, 6]",
        "The prompt satisfies [1, 2, 6].",
        "[1, 2, 6]\n\nThe prompt names one clear result, so the first holds.",
        "[specificity, domain_knowledge, technical_accuracy]",
        '["specificity", "domain_knowledge", "technical_accuracy"]',
        "Criteria met: Specificity, Domain Knowledge and Technical Accuracy",
        "Criteria met: [1. Specificity, 2. Domain knowledge, 6. Technical accuracy]",
        "Criteria met: [1 (specificity), 2 (domain_knowledge), 6 (technical_accuracy)]",
        '{"criteria": [1, 2, 6]}',
        '{\n  "criteria_met": ["specificity", "domain_knowledge", "technical_accuracy"]\n}',
        "Criteria met: [1, 2, 6]\nCriteria met: [6, 2, 1]",
        "Criteria met:\n1. specificity\n2. domain_knowledge\n6. technical_accuracy",
        "Criteria met:\n1\n2\n6",
        "Criteria met:\n- 1\n\n- 2\n- 6\nNot met:\n- 3",
        "Criteria met:\nspecificity\nDomain knowledge\ntechnical_accuracy\n\nAll others are not met.",
        "Criteria met: 1. specificity\n2. domain_knowledge\n6. technical_accuracy",
        "Criteria met: [1], [2], [6]",
        "Criteria met: [1] and [2, 6]",
        "Criteria met: [1, 2, 6]\nCriteria not met: [3, 4, 5, 7]",
        "Not met: [3, 4, 5, 7]\n[1, 2, 6]",
        "Criteria not met:\n[3, 4, 5, 7]\nCriteria met:\n[1, 2, 6]",
        "The form is Criteria met: [n, n, ...]\n\nCriteria met: [1, 2, 6]",
        "The criteria met are those of a quiz.\nCriteria met: [1, 2, 6]",
        "It sorts [3, 1, 2] by hand, see [5](http://x) and a[4].\nCriteria met: [1, 2, 6]",
        "It asks about the list [10, 20, 30].\n[10, 20, 30]\n[1, 2, 6]",
        'A config {"complexity": "high"} is asked for.\nCriteria met: [1, 2, 6]',
    ],
)
def test_a_list_is_read_however_it_is_written(text: str) -> None:
    assert numbers(text) == [1, 2, 6]
    assert numbers(REASONS + text) == [1, 2, 6]


@pytest.mark.parametrize(
    "text",
    ["[]", "Criteria met: []", "Criteria met: none", "Criteria met: None.", "none", "[none]", '{"criteria": []}'],
)
def test_no_criterion_is_met_where_the_reply_says_so(text: str) -> None:
    assert numbers(text) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no list"),
        ("I cannot help with that.", "holds no list"),
        ("$ERROR$", "holds no list"),
        ("Criteria met:", "holds no list"),
        ("It is about `x = []` in Python.", "holds no list"),
        ("Criteria met: [1] or [1, 2]", "none of the 7 criteria"),
        ("Criteria met: [1]\n[2]", "differ"),
        ("Criteria met:\n1. specificity\n2. It wants to know a lot.", "none of the 7 criteria"),
        ("Criteria met:\nspecificity\nkindness", "none of the 7 criteria"),
        ("Criteria met: none\nCriteria met: [1]", "differ"),
        ("Criteria not met: [4, 5]", "holds no list"),
        ("Criteria that are not met: [4, 5]", "holds no list"),
        ("Criteria not met:\n[4, 5]", "holds no list"),
        ("## Not met\n\n[4, 5]", "holds no list"),
        ("Unmet: [4, 5]", "holds no list"),
        ("No criteria met: [1, 2, 3, 4, 5, 6, 7] all fail", "holds no list"),
        ("None of the criteria met: [1, 2, 3]", "holds no list"),
        ("Total score: [6]", "holds no list"),
        ("As said in [1].", "holds no list"),
        ("I cannot assess this. [1]", "holds no list"),
        ("nums = [1, 2, 3]", "holds no list"),
        ('The code has x = {"a": [1, 2]} in it.', "holds no list"),
        ('{"criteria_not_met": [4]}', "holds no list"),
        ('{"unmet_criteria": [4]}', "holds no list"),
        ("A list like [] is asked for, and the prompt is simple.", "holds no list"),
        ("The first is met, see a[1].", "holds no list"),
        ("[1, 2] or [1, 2, 3]", "holds no list"),
        ("Criteria met: [1, 2]\nCriteria met: [1, 2, 3]", "differ"),
        ("[1, 2]\n\nOn second thought:\n\n[1, 2, 3]", "differ"),
        ("Criteria met: [1, 2, 9]", "none of the 7 criteria: '1, 2, 9'"),
        ("Criteria met: [0]", "none of the 7 criteria"),
        ("Criteria met: [1. Creativity]", "none of the 7 criteria"),
        ("Criteria met: [1-7]", "none of the 7 criteria"),
        ("Criteria met: most of them", "none of the 7 criteria"),
        ("[kindness, 2]", "none of the 7 criteria"),
        ('{"specificity": "yes"}', "leaves criteria out"),
        ("Criteria met: [1, 2", "holds no list"),
        ("[" * 9999, "holds no list"),
        ('{"a":' * 9999, "holds no list"),
        ("1" * 9999, "holds no list"),
        (f"[{'9' * 9999}]", "none of the 7 criteria"),
    ],
)
def test_what_is_not_certain_is_no_label(text: str, why: str) -> None:
    found = read_text(text, CRITERIA)
    assert found.label is None
    assert why in found.why


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("yes", "no"),
        (True, False),
        ("Yes.", "No."),
        (1, 0),
        ({"reason": "x", "met": True}, {"reason": "y", "met": False}),
    ],
)
def test_an_object_is_read_where_it_decides_all_criteria(yes: object, no: object) -> None:
    import json

    whole = {name: yes if place in (0, 6) else no for place, name in enumerate(CRITERIA)}
    assert numbers(json.dumps(whole)) == [1, 7]
    assert numbers(f"Here you are:\n```json\n{json.dumps(whole, indent=2)}\n```") == [1, 7]
    titled = {name.replace("_", " ").title(): value for name, value in whole.items()}
    assert numbers(json.dumps(titled)) == [1, 7]
    del whole["creativity"]
    assert numbers(json.dumps(whole)) is None
    whole["creativity"] = "perhaps"
    assert numbers(json.dumps(whole)) is None


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_reply_that_was_cut_is_no_label(reason: str) -> None:
    found = read_label(Reply("First thoughts: [1, 2]", finish_reason=reason), CRITERIA)
    assert found.label is None
    assert "was cut" in found.why
    assert read_label(Reply("[1, 2]"), CRITERIA).label == (True, True, False, False, False, False, False)


def test_any_number_of_criteria_in_any_spelling() -> None:
    names = tuple(f"quality_{number}" for number in range(1, 13))
    found = read_text("Criteria met: [12, 1]", names).label
    assert found == (True, *(False,) * 10, True)
    assert read_text("[Quality 12, quality-1]", names).label == found
