"""What holds for every reply: an answer without tags comes back as it is, and a thought comes apart from its answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena_hard.calling.providers.base import Reply
from arena_hard.calling.providers.thought_tags import may_hold_a_thought, tags_in
from arena_hard.calling.reading import read_reply
from arena_hard.data.settings import ModelSettings

MODEL = ModelSettings(name="m", model_name="m")
SURE = [
    ("<think>", "</think>"),
    ("<Think>", "</Think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<antThinking>", "</antThinking>"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("< think >", "</ think >"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|think|>", "<|/think|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought\n", "<channel|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("<think>", "</thinking>"),
    ("<mm:think>", "</think>"),
]
WORDS = [(f"<{word}>", f"</{word}>") for word in ("reasoning", "reflection", "scratchpad", "analysis")]
# what answers are made of, with everything that looks a little like a tag
PIECES = [
    "a", "B", "4", " ", "\n", "\n\n", "\t", ".", ": ", "`", "```", "\n```cpp\n", "\n```\n", "é", "答案。", "I think",
    "thinking", "reasoning", "analysis", "<", ">", "</", "<b>", "</b>", "<div class='a'>", "std::vector<int>",
    "if (a<b && c>d)", "</script>", "[", "]", "[1]", "[x](y)", "|", "| a | b |", "<|", "|>", "User: hi", "# Head\n",
    "->", "<T>", "<thin", "</thi", "k>",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=40)
plain = texts.filter(lambda text: not may_hold_a_thought(text) and not list(tags_in(text)))
answers = plain.filter(lambda text: bool(text.strip()))


def read(content: str, thought: str | None = None) -> Reply:
    return read_reply(Reply(content, "stop", None, "m", thought=thought), MODEL)


@settings(max_examples=80)
@given(answers, st.none() | st.just("own"))
def test_an_answer_without_tags_comes_back_as_it_is(answer: str, own: str | None) -> None:
    got = read(answer, own)
    assert (got.content, got.thought) == (answer, own)
    assert not [note for note in got.notes if note[0] == "thought"]


@settings(max_examples=80)
@given(plain, answers, st.sampled_from(SURE), st.sampled_from(["", "\n", "\n\n"]), st.none() | st.just("own"))
def test_a_thought_and_its_answer_come_back_exact(
    thought: str, answer: str, tags: tuple[str, str], between: str, own: str | None
) -> None:
    got = read(f"{tags[0]}{thought}{tags[1]}{between}{answer}", own)
    assert got.content == answer.lstrip("\r\n")
    assert got.thought == ("\n\n".join(filter(None, [own, thought.strip()])) or None)


@settings(max_examples=80)
@given(answers, st.sampled_from(["A", "The answer is 4.", "答案", "[[A>B]]", "**B**"]), answers, st.sampled_from(WORDS))
def test_a_thought_in_other_words_is_told_apart_or_said(
    thought: str, first: str, rest: str, tags: tuple[str, str]
) -> None:
    text = f"{tags[0]}\n{thought}\n{tags[1]}\n\n{first}{rest}"
    got = read(text)
    if "`" in text:  # the closing tag may stand in code
        assert (got.content, got.thought) in [(text, None), (first + rest, thought.strip())]
        assert (got.thought is None) == (("thought", tags[0]) in got.notes)
    else:
        assert (got.content, got.thought) == (first + rest, thought.strip())


@settings(max_examples=80)
@given(answers, st.sampled_from(SURE[:-2]))
def test_a_closing_tag_alone_ends_a_thought(answer: str, tags: tuple[str, str]) -> None:
    got = read(f"So it is.\n{tags[1]}\n\nA{answer}")
    assert (got.content, got.thought) == (f"A{answer}", "So it is.")


@settings(max_examples=80)
@given(
    answers.filter(lambda text: "`" not in text),
    st.sampled_from(SURE + WORDS),
    st.sampled_from(["`{}`", "```\n{}\n```"]),
)
def test_what_stands_in_code_is_the_answers(inner: str, tags: tuple[str, str], code: str) -> None:
    block = f"{tags[0]}{inner}{tags[1]}"
    block = block.replace("\n", " ") if code == "`{}`" else block
    answer = f"So it is written.\n\n{code.format(block)}\n\nNo more."
    assert (read(answer).content, read(answer).thought) == (answer, None)


@pytest.mark.parametrize("tags", SURE)
def test_the_quick_look_misses_none_within_an_answer(tags: tuple[str, str]) -> None:
    got = read(f"It begins.\n{tags[0]}hm{tags[1]}\nIt goes on.")
    assert (got.content, got.thought) == ("It begins.\n\nIt goes on.", "hm")
    assert ("thought", tags[1]) in read(f"It begins.\n{tags[1]}\nthen\n{tags[1]}\nIt goes on.").notes
