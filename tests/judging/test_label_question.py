"""The question for the label alone: when it is asked, what it asks, and how its answer is read."""

from __future__ import annotations

import math
from typing import Any

import pytest

from arena_hard.calling.providers.base import CallError, Reply, Token
from arena_hard.calling.reading import read_reply
from arena_hard.data.records import Game, Judgment, UserError
from arena_hard.data.settings import JudgeSettings, ModelSettings
from arena_hard.data.usage import Usage
from arena_hard.data.verdicts import LABELS
from arena_hard.judging.label_question import (
    QUOTED,
    ROOM,
    LabelQuestion,
    Said,
    in_text,
    is_to_be_asked,
    label_question,
    tokens_beside_prompt,
)
from arena_hard.judging.prompts import judgment_shaping_settings
from arena_hard.judging.verdict_reading import read_verdict
from arena_hard.judging.verdict_ways import VerdictWays
from utils import load_judge_settings

TEXT = "bench_name: b\njudge_model: j\nprompt_template: ['{answer_1} {answer_2}']\nmodel_list: [m]\nsystem_prompt: s\n"


def settings(**more: Any) -> JudgeSettings:
    return JudgeSettings(bench_name="b", judge_model="j", prompt_template=["{answer_1}{answer_2}"], **more)


def said(config: JudgeSettings, *replies: Reply) -> Said:
    reading = read_verdict("\n".join(reply.content for reply in replies), config.patterns)
    return in_text(config, replies, reading)


@pytest.mark.parametrize(
    ("text", "verdict", "always", "asked"),
    [
        ("[[A>B]]", "text", False, False),
        ("nothing", "text", False, False),
        ("[[A>B]]", "constrained", False, False),
        ("nothing", "constrained", False, True),
        ("[[A>B]] or [[B>A]]", "logprobs", False, True),
        ("[[A>B]]", "constrained", True, True),
    ],
)
def test_it_is_asked_where_the_text_holds_no_verdict_or_always(
    text: str, verdict: str, always: bool, asked: bool
) -> None:
    config = settings(verdict=verdict, verdict_always=always)
    assert is_to_be_asked(config, said(config, Reply(text))) is asked


def test_with_text_nothing_is_different() -> None:
    config = settings()
    assert said(config, Reply("It is [[A>B]].")) == Said("A>B", "It is [[A>B]].")
    plain = judgment_shaping_settings(ModelSettings(), config, "")
    assert plain.keys().isdisjoint({"verdict", "verdict_always"})  # the hash of records made before stays
    other = judgment_shaping_settings(ModelSettings(), settings(verdict="logprobs", verdict_always=True), "")
    assert {key: other[key] for key in other.keys() - plain.keys()} == {"verdict": "logprobs", "verdict_always": True}


def test_the_question_follows_the_judges_own_words() -> None:
    before = [{"role": "user", "content": "Q"}]
    asked = label_question(settings(verdict="constrained"), before, [Reply("first"), Reply("second")])
    assert asked.messages[:2] == [*before, {"role": "assistant", "content": "second"}]
    assert list(asked.choices) == [f"[[{label}]]" for label in LABELS]
    assert all(choice in asked.messages[-1]["content"] for choice in asked.choices)
    numbers = label_question(settings(verdict="logprobs"), before, [Reply("x")])
    assert list(numbers.choices.items()) == list(zip("12345", LABELS))


def test_of_a_long_text_the_end_is_quoted_so_that_the_question_has_room() -> None:
    config = settings(verdict="constrained")
    before = [{"role": "user", "content": "Q" * 9000}, {"role": "assistant", "content": "a" * 9000}]
    first, own, last, _ = label_question(config, before, [Reply("b" * 9000 + "So A is better.")]).messages
    assert first == before[0]
    assert own["content"] == f"[…] {'a' * QUOTED}"
    assert last["content"].endswith("So A is better.") and len(last["content"]) == len(own["content"])
    assert tokens_beside_prompt(config, 4096) == 4096
    assert tokens_beside_prompt(settings(), 100) == 100
    assert tokens_beside_prompt(config, 100) == 2 * 100 + 150 + ROOM


def test_a_judge_that_thinks_has_room_for_it() -> None:
    config = settings(verdict="constrained")
    thinking = [Reply("x", thought="t"), Reply("x", usage=Usage(1, 1, reasoning_tokens=5))]
    assert [label_question(config, [], [each]).room for each in (Reply("x"), *thinking)] == [ROOM, 4096, 4096]


def test_what_is_said_of_an_answer_that_was_a_thought_alone() -> None:
    config = settings(verdict="constrained")
    plain, thinking = (label_question(config, [], [each]) for each in (Reply("x"), Reply("x", thought="t")))

    def said_of(question: LabelQuestion, reply: Reply) -> str:
        with pytest.raises(CallError) as failed:
            read_reply(reply, ModelSettings())
        return question.unanswered(failed.value)

    cut = Reply("", "length", thought="Hm")
    assert said_of(thinking, cut).endswith("only a thought came; raise max_tokens")
    off = (
        "turn the judge's thinking off (extra_body in its entry), since the question has 256 tokens whatever max_tokens"
    )
    assert f"only a thought came; {off} is" in said_of(plain, cut)
    parser = "turn off the server's reasoning parser if it takes answers for thoughts"
    assert said_of(plain, Reply("", "stop", thought="[[A>B]]")).endswith(f"(finish_reason stop); {parser}")
    assert plain.unanswered(CallError("final", "400: raise max_tokens")) == "400: raise max_tokens"


def test_there_is_room_for_a_label_where_texts_are_short() -> None:
    config = settings(verdict="constrained", max_tokens=4)
    assert [label_question(config, [], [each]).room for each in (Reply("x"), Reply("x", thought="t"))] == [ROOM, ROOM]


@pytest.mark.parametrize(
    ("content", "form", "verdict", "by"),
    [
        ('{"verdict": "[[B>A]]"}', "json_schema", "B>A", "constrained"),
        ("[[B>A]]", "grammar", "B>A", "constrained"),
        ("B>A", None, "B>A", "words"),
        ("It is [[B>A]].", None, "B>A", "words"),
        ("Well, [[B>A]] or [[A>B]].", None, None, None),
        ("No.", None, None, None),
        ("A<B", None, "B>A", "words"),
        ("A&gt;B", None, "A>B", "words"),
        ('{"label": "A>B"}', None, "A>B", "words"),
        ('{"label": "A\\u003eB"}', None, "A>B", "words"),
        ("My verdict is: A > B.", None, "A>B", "words"),
        ("A>B, not B>A", None, None, None),
        ("A>>>B", None, None, None),
        ("A>B>A", None, None, None),
        ("2", None, None, None),
        ("[[A>B]] though some would say B>A", None, None, None),
        ("I previously leaned to [[A>B]], but my final verdict is B>A.", None, None, None),
        ("My earlier verdict was [[A>B]].\nOn reflection: A=B", None, None, None),
        ("Between [[A>B]] and A=B, I choose A=B.", None, None, None),
        ('{"initial": "[[A>B]]", "final": "B>A"}', None, None, None),
        ('Assistant A wrote "[[A>B]]" in its answer. B>A', None, None, None),
        ("From [[A>B]] I change to Assistant B is slightly better", None, None, None),
        ("[[A>B]] is wrong", None, None, None),
        ("I retract my verdict. [[A>B]] was a mistake.", None, None, None),
        ("[[A>B]] would be too strong, A=B", None, None, None),
        ("Verdict: Assistant B wins\n[[A>B]]", None, None, None),
        ("B is better.\n\nA>B", None, None, None),
        ("Assistant A made a mistake in step 2. [[B>A]]", None, "B>A", "words"),
        ("B is better.\n\n[[B>A]]", None, "B>A", "words"),
        ("A>B</s>", None, "A>B", "words"),
        ("Verdict: A>B\nExplanation: A is clearer.", None, "A>B", "words"),
        ("Verdict: A>B\nExplanation: B is better.", None, None, None),
        ("<answer>A>B</answer>", None, "A>B", "words"),
        ("A\\>B", None, "A>B", "words"),
        ("\uff21\uff1e\uff22", None, "A>B", "words"),
        ("B>A. Assistant B is slightly better.", None, "B>A", "words"),
        ("The first is longer and errs.\n\nSo my final verdict is: **B>>A**", None, "B>>A", "words"),
        ("Assistant A is slightly better", None, "A>B", "words"),
        ("Final verdict: both are relatively the same.", None, "A=B", "words"),
        ("The correct answer is A > B.", None, "A>B", "words"),
        # text in which a label stands is no answer
        ("If the first were A>B then the second would have to be read again.", None, None, None),
        ("It is not A>B", None, None, None),
        ("My verdict is A>B or A=B", None, None, None),
        ("My verdict is A>B. Some would say B>A.", None, None, None),
        ("Assistant A > Assistant B", None, None, None),
        ("The first is longer, so my final verdict is **B>>A** because it errs.", None, None, None),
        ("verdict: A > B > C", None, None, None),
        ("verdict: A>B? No, B>A", None, None, None),
        ("It is not [[A>B]].", None, None, None),
        ("The verdict is not:\nA>B", None, None, None),
        ("Assistant B is slightly better.\nA>B", None, None, None),
        ("A is slightly better than B. Some would say B>A.\nVerdict: A>B", None, None, None),
    ],
)
def test_its_answer_is_read(content: str, form: str | None, verdict: str | None, by: str | None) -> None:
    config = settings(verdict="constrained")
    question = label_question(config, [], [Reply("text")])
    found = question.answered(config, said(config, Reply("text")), Reply(content, form=form))
    assert (found.verdict, found.by) == (verdict, by)
    assert found.text.startswith("text\n")


def test_a_pattern_of_ones_own_does_not_lose_the_label() -> None:
    config = settings(verdict="constrained", regex_pattern=r"\(\(([AB<>=]+)\)\)")
    question = label_question(config, [], [Reply("text")])
    assert question.answered(config, Said(None, "text"), Reply("[[A=B]]", form="grammar")).verdict == "A=B"
    assert question.answered(config, Said(None, "text"), Reply("[[A=B]] done")).verdict == "A=B"
    assert question.answered(config, Said(None, "text"), Reply("((A>B)), not [[A=B]]")).verdict == "A>B"


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        ("A>B", "A>B"),
        ("Answer: 2", "A>B"),
        ("**Answer:** 2.", "A>B"),
        ("Option 2", "A>B"),
        ("2) Assistant A is slightly better", "A>B"),
        ("My final answer is 2", "A>B"),
        ("The correct verdict is 2.", "A>B"),
        ("The answer is option 2.", "A>B"),
        ("I would choose 2.", "A>B"),
        ('```json\n{"answer": 2}\n```', "A>B"),
        ("2. Assistant A is slightly better: A>B", "A>B"),
        ("It is 2, so B>A", None),
        ("2 or 3", None),
        ("2.5", None),
        ("12", None),
        ("7", None),
        ("Answer: 2.0", "A>B"),
        ("<answer>2</answer>", "A>B"),
        ("\uff12", "A>B"),
        ("**Final verdict:** \\boxed{2}", "A>B"),
        ("I choose option 3 (both are relatively the same).", "A=B"),
        ("Both texts are long and detailed. My final verdict is:\n\n4", "B>A"),
        ("[[A>B]] (2)", "A>B"),
        ("[[A>B]], for 3 reasons", "A>B"),
        # text in which a number stands is no answer
        ("The correct answer is 4, so Assistant A is right.", None),
        ("The correct answer is 4.", None),
        ("Since the answer is 5, Assistant A is right.", None),
        ("Assistant A's answer is 2.", None),
        ("Assistant B's conclusion is 3.", None),
        ("I would not choose 2.", None),
        ("I would not choose\n2", None),
        ("I do not pick any option at all.\n2", None),
        ("I pick number 2 over number 3.", None),
        ("I choose answer 2.", None),
        ("Answer 2", None),
        ("My choice is Response 2", None),
        ("Not number 3", None),
        ("The number of errors is 2.", None),
        ("Verdict: 4 points for A", None),
        ("verdict: A 2, B 4", None),
        ("verdict: >2", None),
        ("Number of errors in the first:\n2", None),
        ("The correct answer is:\n4", None),
        ("Verdict: 3\nVerdict: 4", None),
        ("1\n2\n3\n4\n5", None),
        ("I'd pick 2, since response 2 lacks detail.", None),
        ("**Answer:** 2. Both 2!", None),
        ("Both assistants have made 2 errors, I think.", None),
        ("Assistant A scored 5", None),
        ("Score 5", None),
        ("Step 3", None),
        ("I like this answer. 2 errors were found.", None),
        ("In answer 2, the code does not run.", None),
        ("My answer is not 2.", None),
        ("5. Assistant A is slightly better", None),
        ("1. Accuracy: both are right.", None),
        ("8/10", None),
        ("1-5", None),
        ("-2", None),
        # a number and a label that differ, and two numbers
        ("[[A>B]] (3)", None),
        ("2 [[B>A]]", None),
        ("My answer is 3: [[B>A]]", None),
        ("My answer is 3. Or my answer is 4.", None),
    ],
)
def test_an_answer_by_number_may_stand_in_words(content: str, verdict: str | None) -> None:
    config = settings(verdict="logprobs")
    found = label_question(config, [], [Reply("x")]).answered(config, Said(None, "x"), Reply(content))
    assert (found.verdict, found.by) == (verdict, verdict and "words")


def test_an_answer_in_words_has_probabilities_too() -> None:
    config = settings(verdict="logprobs")
    question = label_question(config, [], [Reply("x")])
    number = (Token(" ", 0.0), Token(" 2", math.log(0.6), ((" 4", math.log(0.4)),)))
    label = (Token("A>B", math.log(0.6), (("B>A", math.log(0.4)),)),)
    for content, tokens in (("Answer: 2", number), ("It is A>B", label)):
        found = question.answered(config, Said(None, "x"), Reply(content, tokens=tokens))
        assert found.probabilities == pytest.approx({"A>>B": 0, "A>B": 0.6, "A=B": 0, "B>A": 0.4, "B>>A": 0})


@pytest.mark.parametrize(
    ("content", "verdict", "form"),
    [
        ("2", None, None),
        ("My verdict is: 2", None, None),
        ("A>B", None, None),
        ("My final verdict is A>B", None, None),
        ("[[A>B]] since the first is", "A>B", None),
        ("I would say that the first is better: **[[A>B]]**", "A>B", None),
        ("The labels are [[A>B]] and others; I", None, None),
        ("[[A>B]] or rather [[B>A]] if", None, None),
        ("2", "A>B", "grammar"),
    ],
)
def test_in_an_answer_that_was_cut_only_a_label_at_its_start_or_end_counts(
    content: str, verdict: str | None, form: str | None
) -> None:
    config = settings(verdict="logprobs")
    token = (Token("2", math.log(0.6), (("4", math.log(0.4)),)),)
    reply = Reply(content, "length", tokens=token, form=form)
    found = label_question(config, [], [Reply("x")]).answered(config, Said(None, "x"), reply)
    assert (found.verdict, found.probabilities is not None) == (verdict, form is not None)


def test_probabilities_are_those_of_the_place_that_was_read() -> None:
    config = settings(verdict="logprobs")

    def number(share: float) -> Token:
        return Token(" 2", math.log(share), ((" 4", math.log(1 - share)),))

    tokens = (Token(" ", 0.0), number(0.9), Token(" ", 0.0), number(0.6), Token(".", 0.0))
    reply = Reply("Both made 2 errors.\nMy verdict: 2.", tokens=tokens)
    found = label_question(config, [], [Reply("x")]).answered(config, Said(None, "x"), reply)
    assert found.probabilities == pytest.approx({"A>>B": 0, "A>B": 0.6, "A=B": 0, "B>A": 0.4, "B>>A": 0})
    rambling = Reply("Both made 2 errors.", tokens=tokens[:2])
    found = label_question(config, [], [Reply("x")]).answered(config, Said(None, "x"), rambling)
    assert (found.verdict, found.probabilities) == (None, None)


def test_what_is_always_asked_and_not_answered_leaves_the_texts_verdict() -> None:
    config = settings(verdict="constrained", verdict_always=True)
    before = said(config, Reply("[[A>B]]"))
    found = label_question(config, [], [Reply("[[A>B]]")]).answered(config, before, Reply("No."))
    assert (found.verdict, found.by) == ("A>B", "text")


def test_probabilities_of_the_text_and_of_the_question() -> None:
    config = settings(verdict="logprobs")
    tokens = (Token("[[", 0.0), Token("A>B", math.log(0.8), (("B>A", math.log(0.2)),)), Token("]]", 0.0))
    found = said(config, Reply("It is [[A>B]]", tokens=tokens))
    assert found.probabilities == pytest.approx({"A>>B": 0, "A>B": 0.8, "A=B": 0, "B>A": 0.2, "B>>A": 0})
    assert said(config, Reply("It is [[A>B]]")).probabilities is None
    number = (Token("4", math.log(0.5), (("1", math.log(0.25)), ("2", math.log(0.25)))),)
    question = label_question(config, [], [Reply("x")])
    found = question.answered(config, Said(None, "x"), Reply("4", tokens=number, form="grammar"))
    assert (found.verdict, found.by) == ("B>A", "constrained")
    assert found.probabilities == pytest.approx({"A>>B": 0.25, "A>B": 0.25, "A=B": 0, "B>A": 0.5, "B>>A": 0})


def test_the_likeliest_number_is_the_verdict_not_what_a_sampler_made_of_it() -> None:
    """A penalty on repeated tokens bears on the numbers, which the question has just named."""
    number = (Token("1", math.log(0.2), (("4", math.log(0.5)), ("5", math.log(0.3)))),)
    config = settings(verdict="logprobs")
    question = label_question(config, [], [Reply("x")])
    found = question.answered(config, Said(None, "x"), Reply("1", tokens=number, form="grammar"))
    assert (found.verdict, found.text) == ("B>A", "x\n[[B>A]]")
    even = (Token("4", math.log(0.5), (("1", math.log(0.5)),)),)
    assert question.answered(config, Said(None, "x"), Reply("4", tokens=even, form="grammar")).verdict == "B>A"


def test_the_run_says_how_verdicts_were_had() -> None:
    ways = VerdictWays(settings(verdict="logprobs"))
    games = (Game("A>B", verdict_by="text"), Game("A>B", verdict_by="constrained", label_probabilities={"A>B": 1.0}))
    ways.add(Judgment("q", "m", "j", games), [Reply("4", form="json_schema")])
    assert ways.lines() == [
        "verdicts of 2 games: 1 in the judge's text, 1 asked for with a constraint (json_schema).",
        "label_probabilities: in 1 of 2 games; the labels of the others stand as they are.",
    ]
    failed = VerdictWays(settings(verdict="constrained"))
    failed.add(Judgment("q", "m", "j", (Game(None), Game(None))), [], ["400: no", "400: no"])
    assert failed.lines()[1:] == [
        "verdicts of 2 games: 0 in the judge's text, 0 asked for with a constraint, 0 asked for in words, 2 not had; "
        "--retry-unreadable asks again.",
        "2 questions for the label brought no answer; what the text says of these games stays, a verdict or none:",
        "  2 × 400: no",
    ]
    long = "400: the prompt and max_tokens 64 do not fit into the maximum context length of 600 tokens"
    failed.add(Judgment("q", "m", "j", (Game(None), Game(None))), [], [long], [long])
    room = "More room: number_of_judgment_attempts: 1 in the judge's config, or a lower max_tokens."
    asked, *_, last = failed.lines()[2:]
    assert asked == f"1 further attempt brought no text, and the label was asked for at once: {long}. {room}"
    assert last == f"  {room}"
    plain = VerdictWays(settings())
    plain.add(Judgment("q", "m", "j", (Game("A>B"), Game(None))), [])
    assert "1 of them hold a game without a readable verdict (score null)." in plain.lines()[0]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("verdict: constraint", "line 6.*verdict is 'constraint' and must be text or constrained or logprobs"),
        ("verdict_always: true", "line 6.*with verdict: text none is asked for"),
        ("baseline: false\nverdict: logprobs", "line 7.*baseline: false"),
        ("verdict_alway: true", "Did you mean 'verdict_always'"),
    ],
)
def test_mistakes_are_named_with_their_line(lines: str, told: str, tmp_path: Any) -> None:
    file = tmp_path / "judge.yaml"
    file.write_text(TEXT + lines)
    with pytest.raises(UserError, match=told.replace("line ", r"(?:line |:)")):
        load_judge_settings(file)
