"""Thoughts that a server leaves in the answer: what is cut, and that nothing is lost."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.providers.thoughts import split_thought, suspected_thought, without_repetition
from tests.support.odd_bodies import anthropic, by, openai, said
from tests.support.small_server import ask, completion


@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        ("plain", "plain", None),
        ("<think>a</think>b", "b", "a"),
        ("\n<think>\na\n</think>\n\nb", "b", "a"),
        ("<think>a</think>b </think> c", "b </think> c", "a"),
        ("a\n</think>\n\nb", "b", "a"),  # the chat template holds <think>
        ("a</think>\n\nb", "b", "a"),
        ("a</think>\r\nb", "b", "a"),
        ("a\n</think>", "", "a"),
        ("The model writes `</think>` and then answers.", None, None),
        ("The model writes </think> and then answers.", None, None),
        ("a\n</think>\nb\n</think>\nc", None, None),
        ("It opens with <think>\nand closes with </think>\nalways.", None, None),
        ("a</think>", None, None),
        ("<think>never closed", "", "never closed"),
        # other spellings
        ("<Think>a</Think>b", "b", "a"),
        ("<thinking>\na\n</thinking>\n\nb", "b", "a"),
        ("<thought>a</thought>b", "b", "a"),
        ("<seed:think>a</seed:think>b", "b", "a"),
        ("[THINK]a[/THINK]b", "b", "a"),
        ("◁think▷a◁/think▷b", "b", "a"),
        ("<|begin_of_thought|>\na\n<|end_of_thought|>\n\n<|begin_of_solution|>\nb\n<|end_of_solution|>", "b", "a"),
        ("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>cut", "cut", "a"),
        ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>", "b", "a"),
        ("[THINK]never closed", "", "never closed"),
        ("<antThinking>a</antThinking>b", "b", "a"),
        ("<mm:think>a</mm:think>b", "b", "a"),
        ("<my:think>a</my:think>b", "b", "a"),
        ("<longcat_think>a</longcat_think>b", "b", "a"),
        ("<|think|>a<|/think|>b", "b", "a"),
        ("<|think_start|>a<|think_end|>b", "b", "a"),
        ("< think >a</ think >b", "b", "a"),
        ("[THINKING]a[/THINKING]b", "b", "a"),
        ("<|channel>thought\na<channel|>b", "b", "a"),
        ("<unused94>thought\na<unused95>b", "b", "a"),
        ("[unused16]a[unused17]b", "b", "a"),
        ("a[unused17]b", "b", "a"),
        ("<|inner_prefix|>a<|inner_suffix|>b", "b", "a"),
        ("<|inner_prefix|>never closed", "", "never closed"),
        # one within another, and pairs of two spellings
        ("<think>a <think>b</think> c</think>d", "d", "a <think>b</think> c"),
        ("<think>of the <think> tag</think>A says </think> too", "A says </think> too", "of the <think> tag"),
        ("<think>a <think>b</think>c</think>", "c</think>", "a <think>b"),
        ("<thinking>a</think>b", "b", "a"),
        ("<think>a</thinking>b", "b", "a"),
        ("<mm:think>a</think>b", "b", "a"),
        ("[THINK]a</think>b", "b", "a"),
        ("<think>not </thought> yet</think>b", "b", "not </thought> yet"),
        # words that are also parts of an answer: at the beginning, before an answer
        ("<reasoning>a</reasoning>b", "b", "a"),
        ("\n<reflection>\na\n</reflection>\n\nb", "b", "a"),
        ("<scratchpad>a</scratchpad>b", "b", "a"),
        ("<Analysis>a</analysis>b", "b", "a"),
        ("<analysis>a</analysis><reflection>b</reflection>c", "c", "a\n\nb"),
        ("<reasoning>a <reasoning>b</reasoning> c</reasoning>d", "d", "a <reasoning>b</reasoning> c"),
        ("<reasoning>a</reasoning><answer>b</answer>", "<answer>b</answer>", "a"),
        ("<analysis>a</analysis>", None, None),
        ("<analysis>a</analysis>\n<summary>b</summary>", None, None),
        ("<reasoning>never closed", None, None),
        ("<reasoning> and `</reasoning>` stand around it.", None, None),
        ("b\n<reasoning>a</reasoning>", None, None),
        ("<think>a</think><analysis>b</analysis>c", "<analysis>b</analysis>c", "a"),
        # within an answer and at its end
        ("b\n<think>a</think>\nc", "b\n\nc", "a"),
        ("b\n\n<thinking>\na\n</thinking>\n", "b", "a"),
        ("b<think>a</think>", "b", "a"),
        ("It begins. <think>a</think> It goes on.", "It begins.  It goes on.", "a"),
        ("a.</think>B\n<think>c</think>\nD", "B\n\nD", "a.\n\nc"),
        ("b\n<think>never closed", None, None),
        ("4<think>a</think>2", None, None),
        ("Use this:\n<thinking>\nstep by step\n</thinking>", None, None),
        ("A prompt\n<thinking>\nstep by step\n</thinking>\n<answer>4</answer>", None, None),
        ("## Example\n\n<think>2 + 2</think>\n4", None, None),
        ("Then\n<thinking>\n[your thoughts]\n</thinking>\nfollows.", None, None),
        ("Write\n<think> and </think>\naround it.", None, None),
        ("Wrap it in <think>a</think> tags.", None, None),
        ("<think> and </think> are tokens.", None, None),
        ("Text\n\n    <think>a</think>\n\nin code.", None, None),
        ("> <think>a</think>\nis quoted.", None, None),
        ('The tags "<think>a</think>" are quoted.', None, None),
        # several blocks
        ("<think>a</think><think>b</think>c", "c", "a\n\nb"),
        ("<think>a</think>\nb\n<think>c</think>\nd", "b\n\nd", "a\n\nc"),
        ("<think>a</think>\nsay <think>c</think> twice", "say <think>c</think> twice", "a"),
        ("<think>a</think>\n```\n<think>c</think>\n```", "```\n<think>c</think>\n```", "a"),
        ("<think>it ends with `</think>`, so</think>b", "b", "it ends with `</think>`, so"),
        # glued to the answer, without an opening
        ("so it is 4.</think>The answer is 4.", "The answer is 4.", "so it is 4."),
        ("so it is 4.</think> The answer is 4.", "The answer is 4.", "so it is 4."),
        ("so it is 4\n</think>4", "4", "so it is 4"),
        ("also gut</think>die Antwort", "die Antwort", "also gut"),
        ("想好了。</think>答案是四。", "答案是四。", "想好了。"),
        ("a tie</think>[[A=B]]", "[[A=B]]", "a tie"),
        ("done</think>**Answer**", "**Answer**", "done"),
        ("done</think><answer>4</answer>", "<answer>4</answer>", "done"),
        ("done[/THINK]Answer", "Answer", "done"),
        ("done◁/think▷Answer", "Answer", "done"),
        ("draft: ``` code\n</think>\n\nb", "b", "draft: ``` code"),
        # several closings
        ("a</think>\n</think>\n\nb", "b", "a"),
        ("<think>a</think></think>\n\nb", "b", "a"),
        ("A.</think>\n\nC.\n</think>\n\nB.", "B.", "A.</think>\n\nC."),
        ("<think>a</think>\n\nC.\n</think>\n\nB.", "B.", "a\n\nC."),
        ("<think>a</think>C.</think>B.", "B.", "a\n\nC."),
        ("<think>a</think>It writes\n</think>\n\nand answers.", "It writes\n</think>\n\nand answers.", "a"),
        # what cannot be seen before the tag
        ("\ufeff<think>a</think>b", "b", "a"),
        ("\n\u200b\n<think>a</think>b", "b", "a"),
        ("\u2060[THINK]a[/THINK]b", "b", "a"),
        ("\ufeffplain", None, None),
        # spoken of
        ('Close it with "</think>" and go on.', None, None),
        ("Use </think>, then answer.", None, None),
        ("It ends there (</think>). Then it answers.", None, None),
        ("Templates end with\n```\n</think>\n```\nand go on.", None, None),
        ("Write `</think>`\nand go on.", None, None),
        ("<b>bold</b> and <i>more</i>\n", None, None),
        ("Analysis of the assistant's final move", None, None),
        # the channels of harmony
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>", "b", "a"),
        (
            "<|start|>assistant<|channel|>analysis<|message|>a<|end|>\n<|start|>assistant<|channel|>final<|message|>b",
            "b",
            "a",
        ),
        ("a<|end|><|start|>assistant<|channel|>final<|message|>b", "b", "a"),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>One.<|end|>"
            "<|start|>assistant<|channel|>analysis<|message|>b<|end|><|start|>assistant<|channel|>final<|message|>Two.",
            "One.\n\nTwo.",
            "a\n\nb",
        ),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>One.<|end|>"
            "<|start|>user<|message|>b",
            "One.<|end|><|start|>user<|message|>b",
            "a",
        ),
        ("<|channel|>final<|message|>b", "b", ""),
        ("<|channel|>final <|constrain|>json<|message|>{}", "{}", ""),
        ("<|channel|>analysis<|message|>never ended", "", "never ended"),
        ("analysisWe think.assistantfinalb", "b", "We think."),
        ("It sends `<|channel|>final<|message|>` first.", None, None),
    ],
)
def test_what_is_a_thought(text: str, answer: str | None, thought: str | None) -> None:
    assert split_thought(text) == (text if answer is None else answer, thought)


@pytest.mark.parametrize("text", ["a\n</think>\nb", "see `</think>` here", "<think> is a tag"])
def test_beside_a_field_of_its_own_only_a_whole_thought_is_cut(text: str) -> None:
    assert split_thought(text, has_own_field=True) == (text, None)
    assert split_thought(f"<think>x</think>{text}", has_own_field=True) == (text, "x")


@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        ("</think>\n\nb", "b", ""),
        ("</think>B", "B", ""),
        ("A.</think>B", "B", "A."),
        ("A.\n</think>\n\nB", "B", "A."),
        ("想好了。</think>答案是四。", "答案是四。", "想好了。"),
        ("</think> ends a thought", "</think> ends a thought", None),
        ("A.\n</think>\nB", "A.\n</think>\nB", None),  # may be spoken of
        ("It writes\n</think>\n\nand answers", "It writes\n</think>\n\nand answers", None),
    ],
)
def test_beside_a_field_of_its_own_a_closing_tag_has_to_be_beyond_doubt(
    text: str, answer: str, thought: str | None
) -> None:
    assert split_thought(text, has_own_field=True) == (answer, thought)


def test_a_thought_that_came_twice_is_kept_once() -> None:
    assert without_repetition("hm so\n</think>\nb", "hm so\n") == "b"
    assert without_repetition("\nhm so</think>b </think>", " hm so") == "b </think>"
    for text, own in (("hm so b", "hm so"), ("hm<think>", "hm"), ("hm</think>b", None), ("ham</think>b", "hm")):
        assert without_repetition(text, own) == text


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    ("opening", "closing"), [("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("◁think▷", "◁/think▷")]
)
def test_no_character_is_lost_but_tags_and_blanks(own: bool, opening: str, closing: str) -> None:
    rng = random.Random(7)
    pieces = [opening, closing, "\n", "\r\n", " ", "\t", "a", "`", "é.", opening[:3], closing[-2:], "```\n", "B"]

    def solid(text: str) -> list[str]:
        return sorted("".join(text.replace(opening, "").replace(closing, "").split()))

    for _ in range(20_000):
        text = "".join(rng.choices(pieces, k=rng.randint(0, 9)))
        answer, thought = split_thought(text, own)
        assert solid(f"{thought or ''} {answer}") == solid(text), text


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_an_answer_about_the_tag_arrives_whole(field: str) -> None:
    text = "To end the thought the model writes\n</think>\nand then answers."
    asked = ask(lambda *_: completion(text, **{field: "own thought"}))
    assert (asked.first.content, asked.first.thought) == (text, "own thought")


def test_a_field_and_tags_are_both_kept() -> None:
    asked = ask(lambda *_: completion("<think>tagged</think>answer", reasoning_content="own"))
    assert (asked.first.content, asked.first.thought) == ("answer", "own\n\ntagged")


# ------------------------------------------------------------------------------ through the adapters

THOUGHT_PARTS: list[tuple[str, Any]] = [
    ("openai", said([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "answer"}])),
    (
        "openai",
        said([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "answer"}]),
    ),
    ("openai", said([{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "answer"}])),
    ("openai", said([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, "answer"])),
    ("openai", said([{"type": "text", "text": "hm", "thought": True}, {"type": "text", "text": "answer"}])),
    ("openai", said("answer", reasoning={"content": "hm"})),
    ("openai", said("answer", reasoning_content=[{"text": "hm"}])),
    ("openai", said("answer", thinking="hm")),
    ("openai", said("answer", reasoning_details=[{"type": "reasoning.text", "text": "hm", "index": 0}])),
    ("openai", said("answer", reasoning="hm", reasoning_details=[{"type": "reasoning.text", "text": "hm"}])),
    ("openai", said("answer", reasoning=None, reasoning_details=[{"type": "reasoning.summary", "summary": "hm"}])),
    ("openai", said("answer", thinking_blocks=[{"type": "thinking", "thinking": "hm", "signature": "x"}])),
    ("openai", said("answer", provider_specific_fields={"reasoning_content": "hm"})),
    ("openai", said("<reasoning>hm</reasoning>\nanswer")),
    ("openai", said(["hm</think>", "answer"])),
    ("openai", said("<thinking>hm</thinking>answer")),
    (
        "anthropic",
        anthropic([{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "answer"}]),
    ),
    ("anthropic", anthropic([{"type": "reasoning", "text": "hm"}, {"text": "answer"}])),
    (
        "anthropic",
        anthropic([{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "<think>hm</think>answer"}]),
    ),
    ("anthropic", anthropic("hm\n</think>\n\nanswer")),
]


@pytest.mark.parametrize("way", ["live", "batch"])
@pytest.mark.parametrize(("api_type", "body"), THOUGHT_PARTS)
def test_a_thought_is_kept_apart(tmp_path: Path, way: str, api_type: str, body: Any) -> None:
    reply, requests = by(way, tmp_path, body, api_type)
    assert (reply.content, reply.thought, reply.notes, requests) == ("answer", "hm", (), 1)


@pytest.mark.parametrize("way", ["live", "batch"])
def test_the_configs_own_tags(tmp_path: Path, way: str) -> None:
    token: dict[str, Any] = {"end_think_token": "[DONE THINKING]"}
    reply, _ = by(way, tmp_path / "1", said("<think>hm[DONE THINKING]\nanswer, not [DONE THINKING] yet"), **token)
    assert (reply.content, reply.thought) == ("answer, not [DONE THINKING] yet", "hm")
    pattern: dict[str, Any] = {"think_pattern": r"<reasoning>(.*?)</reasoning>|<plan>.*?</plan>"}
    reply, _ = by(way, tmp_path / "2", said("<reasoning>\nhm\n</reasoning>\nanswer"), **pattern)
    assert (reply.content, reply.thought, reply.notes) == ("answer", "hm", ())
    reply, _ = by(way, tmp_path / "3", said("<think>hm</think>answer"), **pattern)
    assert (reply.content, reply.thought) == ("answer", "hm")


def test_a_usual_tag_in_the_config_is_read_with_the_same_care() -> None:
    token = "</think>"
    assert split_thought("<think>a <think>b</think> c</think>d", end_token=token) == ("d", "a <think>b</think> c")
    assert split_thought("<think>`</think>`</think>b", end_token=token) == ("b", "`</think>`")
    assert split_thought("so</think> it is", end_token=token) == (" it is", "so")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["live", "batch"])
@pytest.mark.parametrize(
    ("body", "words", "requests"),
    [
        (
            said("<think>hm"),
            "only a thought came, and no answer (finish_reason stop); raise max_tokens, or set end_t",
            1,
        ),
        (
            said("<think>hm</think>\n"),
            "only a thought came, and no answer (finish_reason stop); raise max_tokens, or",
            2,
        ),
        (said("", reasoning="hm"), "only a thought came, in a field of its own, and no answer (finish_reason stop)", 2),
        (openai({"content": "<think>hm"}, finish_reason="length"), "only a thought came; raise max_tokens, or set", 1),
        (
            openai({"content": "", "reasoning": "hm"}, finish_reason="length"),
            "only a thought came; raise max_tokens",
            1,
        ),
        (said(""), "the reply contains no text (finish_reason stop)", 2),
    ],
)
def test_a_thought_alone_is_no_answer(tmp_path: Path, way: str, body: Any, words: str, requests: int) -> None:
    error, asked = by(way, tmp_path, body)
    assert words in error.message
    assert asked == requests


@pytest.mark.slow
@pytest.mark.parametrize("field", ["reasoning_details", "thinking_blocks"])
def test_a_thought_that_is_sealed_is_nothing_odd(field: str) -> None:
    sealed = {"type": "reasoning.encrypted", "data": "x"}
    reply, _ = by("live", Path(), said("answer", **{field: [sealed]}))
    assert (reply.content, reply.thought, reply.notes) == ("answer", None, ())


def test_without_the_configs_token_it_is_said() -> None:
    reply, _ = by("live", Path(), said("answer"), end_think_token="</t>")
    assert (reply.content, reply.notes) == ("answer", (("thought", "no </t>"),))


def test_a_pattern_finds_several() -> None:
    pattern = re.compile("<r>(.*?)</r>", re.DOTALL)
    assert split_thought("<r>a</r>b<r>c</r>d", pattern=pattern) == ("bd", "a\n\nc")
    assert split_thought("<r>a</r>b", pattern=re.compile("<r>.*?</r>")) == ("b", "<r>a</r>")
    assert split_thought("<p>a</p>b", pattern=re.compile("<r>(.*?)</r>|<p>.*?</p>")) == ("b", "<p>a</p>")


@pytest.mark.slow
def test_a_model_that_repeats_itself_is_read_in_time() -> None:
    for text in (
        "<think>x</think>\n" * 8000,
        "x\n</think>\n" * 12_000,
        "<|" + "think-" * 30_000,
        "\n".join(["```"] * 20_000),
        "<think>" * 8000 + "</think>" * 8000,
        "b\n" + "<think>\n" * 12_000,
        "b\n" + "<think>\n<think>x</think>\n" * 6000,
        "<reasoning>" * 10_000,
    ):
        start = time.process_time()
        suspected_thought(split_thought(text)[0], has_thought=False)
        assert time.process_time() - start < 5  # what grows with the square of the length takes minutes


@pytest.mark.parametrize(
    ("answer", "tag"),
    [
        ("<reasoning>a</reasoning>b", "<reasoning>"),
        ("<analysis>\na", "<analysis>"),
        ("<scratchpad>a", "<scratchpad>"),
        ("<unused94>thought a", "<unused94>"),
        ("<|channel>thought a", "<|channel>"),
        ("analysisWe think", "analysis"),
        ("a </think> b </think> c", "</think>"),
        ("We think.assistantfinalb", "assistantfinal"),
        ("b\n<think>never closed", "<think>"),
        ("b\n\n<reasoning>a</reasoning>", "</reasoning>"),
        ("4<think>a</think>2", "</think>"),
        ("b\n</scratchpad>\nc", "</scratchpad>"),
        ('<details type="reasoning" done="true">a</details>b', '<details type="reasoning" done="true">'),
        ("\\<think\\>a\\</think\\>b", "\\<think\\>"),
        ("&lt;think&gt;a&lt;/think&gt;b", "&lt;think&gt;"),
        ("‹思考>a", "‹思考>"),
        ("<details><summary>Thinking</summary>a</details>b", "<details><summary>Think"),
        ("[unused3]a", "[unused3]"),
        ("<details><summary>Solution</summary>a</details>b", None),
        ("In HTML, &lt;think&gt; is text", None),
        ("【思考】a", None),
        ("The <reflection> tag in HTML", None),
        ("plain", None),
        ("Analysis of the question", None),
        ("analyses show", None),
        ("The tag is `</think>`.", None),
        ('The tag is "</think>".', None),
        ("<p>I think</p>", None),
        ("<rethink/> and [thinking]", None),
    ],
)
def test_what_is_suspected(answer: str, tag: str | None) -> None:
    assert suspected_thought(answer, has_thought=False) == tag


def test_beside_a_thought_a_closing_tag_is_spoken_of() -> None:
    assert suspected_thought("It closes with </think> there.", has_thought=True) is None
    assert suspected_thought("b\n</think>\nc", has_thought=True) == "</think>"
    assert suspected_thought("b</think>", has_thought=True) == "</think>"
    answer, _ = split_thought("<think> of <think> b </think> c </think> D")  # either may be spoken of
    assert suspected_thought(answer, has_thought=True) == "</think>"
