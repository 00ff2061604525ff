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


BELOW_REASONS = [
    "Criteria met: [1, 2, 6]",
    "Criteria met: [1,2,6]",
    "Criteria met: [ 6,1 , 2 ]",
    "Criteria met: [1 2 6]",
    "Criteria met: [1; 2; 6]",
    "Criteria met：[1，2，6]",
    "Criteria met: [1、2、6]",
    "Criteria met: (1, 2, 6)",
    "Criteria met: {1, 2, 6}",
    "Criteria met: \\[1, 2, 6\\]",
    "**Criteria met:** [1, 2, 6]",
    "**Criteria met: [1, 2, 6]**",
    "`Criteria met: [1, 2, 6]`",
    "- Criteria met: [1, 2, 6]",
    "8. Criteria met: [1, 2, 6]",
    "Final answer: Criteria met: [1, 2, 6]",
    "Therefore, the criteria met are: [1, 2, 6]",
    "The criteria met are 1, 2, and 6.",
    "All in all it is a good one. Criteria met: [1, 2, 6]",
    "Conclusion:\nCriteria met: [1, 2, 6]",
    "Criteria met: 1, 2, 6",
    "Criteria met: 1 2 6",
    "Criteria met: 1, 2 and 6.",
    "Criteria met: #1, #2, #6",
    "Criteria met: Criterion 1, Criterion 2, and Criterion 6",
    "Criteria satisfied: [1, 2, 6].",
    "Criteria met:\n[1, 2, 6]",
    "Criteria met:\n```json\n[\n  1,\n  2,\n  6\n]\n```",
    "## Criteria met\n\n[1, 2, 6]",
    "Criteria met: Specificity, Domain Knowledge and Technical Accuracy",
    "Criteria met: [specificity, domain\\_knowledge, technical\\_accuracy]",
    "Criteria met: [1. Specificity, 2. Domain knowledge, 6. Technical accuracy]",
    "Criteria met: [1 (specificity), 2 (domain_knowledge), 6 (technical_accuracy)]",
    "Criteria met: [1] specificity, [2] domain_knowledge, [6] technical_accuracy",
    "Criteria met: [1-2, 6]",
    "Criteria met: [1–2, 6]",
    "Criteria met: 1-2, 6",
    "Criteria met: \\boxed{[1, 2, 6]}",
    "<answer>Criteria met: [1, 2, 6]</answer>",
    '{"criteria": [1, 2, 6]}',
    '{\n  "criteria_met": ["specificity", "domain_knowledge", "technical_accuracy"]\n}',
    '{"met": [1, 2, 6], "not_met": [3, 4, 5, 7]}',
    "Criteria met: [1, 2, 6]\nCriteria met: [6, 2, 1]",
    "Criteria met:\n1. specificity\n2. domain_knowledge\n6. technical_accuracy",
    "Criteria met:\n1. specificity\n\n2. domain_knowledge\n\n6. technical_accuracy",
    "Criteria met:\n1\n2\n6",
    "Criteria met:\n- 1\n\n- 2\n- 6\nNot met:\n- 3",
    "Criteria met:\nspecificity\nDomain knowledge\ntechnical_accuracy\n\nAll others are not met.",
    "Criteria met: 1. specificity\n2. domain_knowledge\n6. technical_accuracy",
    "Criteria met: 1,\n2,\n6",
    "Criteria met: [1], [2], [6]",
    "Criteria met: [1], [2], and [6]",
    "Criteria met: [1] [2] [6]",
    "Criteria met: [1]、[2]、[6]",
    "Criteria met: [1, 2, 6]\nCriteria not met: [3, 4, 5, 7]",
    "Criteria met: [1, 2, 6]\n\nLet me know if you need anything else.",
    "Criteria not met:\n[3, 4, 5, 7]\nCriteria met:\n[1, 2, 6]",
    "The form is Criteria met: [n, n, ...]\n\nCriteria met: [1, 2, 6]",
    "The criteria met are those of a quiz.\nCriteria met: [1, 2, 6]",
    "It sorts [3, 1, 2] by hand, see [5](http://x) and a[4].\nCriteria met: [1, 2, 6]",
    'A config {"complexity": "high"} is asked for.\nCriteria met: [1, 2, 6]',
    "Criteria met:\n"
    "1. specificity ✅\n2. domain_knowledge ✅\n3. complexity ❌\n4. problem_solving ❌\n5. creativity ❌\n"
    "6. technical_accuracy ✅\n7. real_world ❌",
    "Criteria met:\n- [x] 1\n- [x] 2\n- [ ] 3\n- [ ] 4\n- [ ] 5\n- [x] 6\n- [ ] 7",
    "Criteria met: 1 (yes), 2 (yes), 3 (no), 4 (no), 5 (no), 6 (yes), 7 (no)",
]
WHOLE_REPLIES = [
    "1, 2, 6",
    "1,2,6.",
    "1 2 6",
    "**1, 2, 6**",
    "1-2, 6",
    "[1-2, 6]",
    "Answer: [1, 2, 6]",
    "Final answer: [1, 2, 6]",
    "**Final Answer:** 1, 2, 6",
    "The answer is [1, 2, 6].",
    "\\boxed{[1, 2, 6]}",
    "$\\boxed{[1,2,6]}$",
    "\\boxed{1, 2, 6}",
    "Answer: \\boxed{[1, 2, 6]}",
    "<answer>[1, 2, 6]</answer>",
    "<answer>\n1, 2, 6\n</answer>",
    "[1,2,6]",
    "[1, 2, 6]",
    "[1 2 6].",
    "`[1, 2, 6]`",
    "```\n[1, 2, 6]\n```",
    "```json\n[1, 2, 6]\n```",
    "[\n1,\n2,\n6\n]",
    "[specificity, domain_knowledge, technical_accuracy]",
    '["specificity", "domain_knowledge", "technical_accuracy"]',
]


@pytest.mark.parametrize("text", BELOW_REASONS)
def test_a_list_below_the_mark_is_read_in_any_of_its_forms(text: str) -> None:
    assert numbers(text) == [1, 2, 6]
    assert numbers(REASONS + text) == [1, 2, 6]


@pytest.mark.parametrize("text", WHOLE_REPLIES)
def test_a_list_without_the_mark_is_read_where_nothing_else_is_said(text: str) -> None:
    """Below a text it may as well be what is not met, or an example."""
    assert numbers(text) == [1, 2, 6]
    assert numbers(REASONS + text) is None
    assert numbers(f"{text}\n\nThe prompt names one clear result.") is None


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "Criteria met: []",
        "Criteria met: [ ]",
        "Criteria met: none",
        "Criteria met: None.",
        "Criteria met: (none)",
        "Criteria met:\n\n(none)",
        "Criteria met: none of them",
        "none",
        "Answer: none",
        "<answer>[]</answer>",
        "\\boxed{[]}",
        "[none]",
        '{"criteria": []}',
    ],
)
def test_no_criterion_is_met_where_the_reply_says_so(text: str) -> None:
    assert numbers(text) == []


UNCERTAIN = "not certain"
NO_LIST = "holds no list"
NAMED = "Criteria met:\n1. specificity\n2. domain_knowledge"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", NO_LIST),
        ("I cannot help with that.", NO_LIST),
        ("$ERROR$", NO_LIST),
        ("Criteria met:", NO_LIST),
        ("It is about `x = []` in Python.", NO_LIST),
        ("Criteria met: [1] or [1, 2]", UNCERTAIN),
        ("Criteria met: [1]\n[2]", UNCERTAIN),
        ("Criteria met:\n1. specificity\n2. It wants to know a lot.", UNCERTAIN),
        ("Criteria met:\nspecificity\nkindness", UNCERTAIN),
        ("Criteria met: none\nCriteria met: [1]", "differ"),
        ("Criteria not met: [4, 5]", NO_LIST),
        ("Criteria that are not met: [4, 5]", NO_LIST),
        ("Criteria not met:\n[4, 5]", NO_LIST),
        ("## Not met\n\n[4, 5]", NO_LIST),
        ("Unmet: [4, 5]", NO_LIST),
        ("No criteria met: [1, 2, 3, 4, 5, 6, 7] all fail", UNCERTAIN),
        ("None of the criteria met: [1, 2, 3]", UNCERTAIN),
        ("Total score: [6]", NO_LIST),
        ("As said in [1].", NO_LIST),
        ("I cannot assess this. [1]", NO_LIST),
        ("nums = [1, 2, 3]", NO_LIST),
        ('The code has x = {"a": [1, 2]} in it.', NO_LIST),
        ('{"criteria_not_met": [4]}', NO_LIST),
        ('{"unmet_criteria": [4]}', NO_LIST),
        ("A list like [] is asked for, and the prompt is simple.", NO_LIST),
        ("The first is met, see a[1].", NO_LIST),
        ("[1, 2] or [1, 2, 3]", NO_LIST),
        ("Criteria met: [1, 2]\nCriteria met: [1, 2, 3]", "differ"),
        ("[1, 2]\n\nOn second thought:\n\n[1, 2, 3]", NO_LIST),
        ("Criteria met: [1, 2, 9]", "not certain, because of '[1, 2, 9]'"),
        ("Criteria met: [0]", UNCERTAIN),
        ("Criteria met: [1. Creativity]", UNCERTAIN),
        ("Criteria met: [1-7]", UNCERTAIN),
        ("Criteria met: most of them", UNCERTAIN),
        ("[kindness, 2]", NO_LIST),
        ('{"specificity": "yes"}', "leaves criteria out"),
        ("Criteria met: [1, 2", UNCERTAIN),
        ("[" * 9999, NO_LIST),
        ('{"a":' * 9999, NO_LIST),
        ("1" * 9999, NO_LIST),
        (f"[{'9' * 9999}]", NO_LIST),
    ],
)
def test_what_is_not_certain_is_no_label(text: str, why: str) -> None:
    found = read_text(text, CRITERIA)
    assert found.label is None
    assert why in found.why


@pytest.mark.parametrize(
    "text",
    [
        # headings that may deny, in any language
        "The prompt satisfies [1, 2, 6].",
        "Criteria the prompt doesn’t meet:\n[3, 4]",
        "Nicht erfüllt:\n[3, 4]",
        "不满足的标准：\n[3, 4]",
        "Excluded:\n[3, 4]",
        "These do not apply.\n[3, 4]",
        "Partially met: [3]",
        "Criteria partially met: [3]",
        "Criteria met partially: [3]",
        "Not met:\n```json\n[3, 4]\n```",
        'Not met:\n{"criteria": [3, 4]}',
        "If none is met, end with:\nCriteria met: []",
        "The prompt says: Criteria met: [1, 2, 3, 4, 5, 6, 7]. I will ignore it.",
        "> Criteria met: [1, 2, 3, 4, 5, 6, 7]",
        # something that is left over beside the list, or behind it
        "Criteria met: [1] and [2, 6]",
        "Criteria met: [1] (clear), [2] (python)",
        "Criteria met: [1]/[2]",
        "Criteria met: [1] und [2]",
        "Criteria met: [1](a), [2](b)",
        "Criteria met: [1, 2, 6], [3, 4, 5, 7] not met",
        "Criteria met: [1, 2, 6] and [3] partially",
        "Criteria met: [1, 2?]",
        "Criteria met: [~~1~~, 2]",
        "Criteria met: [!1, 2]",
        "Criteria met: [1, -2]",
        "Criteria met: [] but arguably [1]",
        "Criteria met: [] 1, 2, 3",
        "Criteria met: none except 7",
        "Criteria met: [1, 2]\n\nCriterion 3 is met as well.",
        "Criteria met: [1, 2]\n\nAußerdem Komplexität.",
        "Criteria met: [1, 2]\nNot met: [2, 3]",
        "Criteria met: [1, 2]\nNot met: none",
        "Criteria met: 1, 2\n\n3. complexity",
        f"{NAMED}\n\n3. complexity, partially",
        "Answer: [1, 2, 6] perhaps",
        "Answer: [1, 2]\nAnswer: [1, 2, 6]",
        "Which are not met? Answer: [3, 4]",
        "<answer>[1, 2]</answer> <answer>[1]</answer>",
        "<answer>[1, 2]</answer> is wrong.",
        "\\boxed{[1]} or \\boxed{[2]}",
        # no range that is certain
        "Criteria met: [1-7]",
        "Criteria met: [3-1]",
        "Criteria met: [2-2]",
        "Criteria met: [1 - 3]",
        "Criteria met: [0-3]",
        "Criteria met: [1-3-5]",
        "Criteria met: [1-3, 2]",
        # counts
        "Criteria met: 5-7",
        "Criteria met: (5-6)",
        "Criteria met: 5-6\n- 1\n- 2",
        "5",
        "Answer: 5",
        "5-6",
        "\\boxed{5}",
        "Total criteria met: 5",
        "Criteria met: 5",
        "Criteria met: (5)",
        "Criteria met: **5**",
        "Criteria met: 5/7",
        "Criteria met: 5\n[1, 2, 3, 4, 6]",
        "Criteria met: 3\n1\n2\n6",
        "Criteria met: 3\n- specificity\n- domain_knowledge\n- technical_accuracy",
        "Criteria met: 3\n1. specificity\n2. domain_knowledge\n6. technical_accuracy",
        # yes and no for each, without a word which is which; and signs beside some
        "[1, 1, 1, 1, 1, 1, 1]",
        '{"labels": [1, 1, 1, 1, 1, 1, 1]}',
        '{"criteria_met": [true, false]}',
        "Criteria met: 1 ✅, 2 ❌",
        "Criteria met:\n- ❌ complexity",
        "Criteria met:\n☐ x",
        "Criteria met:\n1. specificity (+)\n2. domain_knowledge (-)",
        "Criteria met:\n+ specificity\n- domain_knowledge",
        "Criteria met:\n1. specificity: 1\n2. domain_knowledge: 0",
        "Criteria met:\n1. specificity\n2. domain_knowledge (no)",
        # nothing that could be read is not "none"
        "Criteria met: ...",
        "Criteria met: [...]",
        "Criteria met: .",
        "Criteria met: ,",
        "Criteria met: [,]",
        "Criteria met: and",
        "Criteria met: ()",
        'Criteria met: [""]',
        "Criteria met: N/A",
        '{"criteria_met": [null]}',
        '{"criteria_met": [""]}',
        # objects that do not say what they list, or say more
        *(
            f'{{"{key}": [1, 2]}}'
            for key in (
                "criteria_violated",
                "rejected_criteria",
                "criteria_excluded",
                "criteria_absent",
                "dissatisfied",
                "criteria_considered",
            )
        ),
        '{"criteria_met": [1, 2], "except": [2]}',
        '{"met": [1, 2], "not_met": [2, 3, 4, 5, 6, 7]}',
        '{"criteria_met": [1, 1]}',
        '{"criteria": [1, 2, 3, 4, 5, 6, 7]}',
        '{"criteria_met": "1, 2"}',
    ],
)
def test_what_may_mean_another_list_is_no_label(text: str) -> None:
    assert numbers(text) is None
    assert numbers(REASONS + text) is None


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
    assert numbers(f"```json\n{json.dumps(whole)}\n```\n\nExplanation: it is no task at all.") == [1, 7]
    assert numbers(f"{json.dumps(whole)}\n\nWait, the third is met, too.") is None
    assert numbers(f"{json.dumps(whole)}\nCriteria met: [1]") is None
    assert numbers(f"If it were clearer:\n{json.dumps(whole)}") is None
    assert numbers(json.dumps(whole | {"unsure": "yes"})) is None
    assert numbers(json.dumps(whole)[:-1] + ', "specificity": "no"}') is None
    del whole["creativity"]
    assert numbers(json.dumps(whole)) is None
    whole["creativity"] = "perhaps"
    assert numbers(json.dumps(whole)) is None


WHOLE = (
    '{"specificity": true, "domain_knowledge": true, "complexity": true, "problem_solving": false, '
    '"creativity": false, "technical_accuracy": true, "real_world": false}'
)


@pytest.mark.parametrize(
    "text",
    [
        WHOLE + "\n\nOn closer inspection, complexity is not met.",
        WHOLE + "\n\n1. Specificity: Yes\n2. Domain Knowledge: Yes\n3. Complexity: No",
        WHOLE + "\n\n- **Complexity (false)**: only one step.",
        WHOLE + "\n\nStrike complexity.",
        WHOLE + "\n\nPlease disregard the above.",
        WHOLE + "\n\nThe above is only a template.",
        "Output format:\n" + WHOLE,
        "Given prompt:\n" + WHOLE,
        "**The Prompt:**\n\n```json\n" + WHOLE + "\n```",
        "The output should look like this:\n" + WHOLE,
        "It looks like this.\n" + WHOLE,
        "A verdict such as:\n" + WHOLE,
        "Template:\n" + WHOLE,
        "A previous annotator said:\n" + WHOLE,
        "The user provided:\n" + WHOLE,
        'The format is as follows.\n{"criteria_met": [1, 2]}',
        "Here is an example. Criteria met: [1, 2]",
    ],
)
def test_a_list_that_is_shown_or_taken_back_is_no_label(text: str) -> None:
    assert numbers(text) is None


def test_a_range_in_square_brackets_is_a_list() -> None:
    assert numbers("Criteria met: [1-3]") == numbers("[1–3]") == numbers("Criteria met:\n- 1\n- 2\n- 3") == [1, 2, 3]
    assert numbers("Criteria met: [1, 2, 3]\nCriteria not met: [4-7]") == [1, 2, 3]


def test_what_ends_a_turn_and_reasons_in_an_object_are_no_matter() -> None:
    assert numbers("Criteria Met: [1, 2, 6]</s>") == numbers("Criteria Met: [1, 2, 6]<|im_end|>") == [1, 2, 6]
    assert numbers('{"reasoning": "short", "criteria_met": [1, 2]}') == numbers("Final Criteria Met: [1, 2]") == [1, 2]
    assert numbers("Evaluation of the given prompt:\n" + WHOLE) == numbers("Answer:\n" + WHOLE) == [1, 2, 3, 6]
    assert numbers(WHOLE + "\n\nComplexity: it asks for several steps.") == [1, 2, 3, 6]


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
