"""What shows through of chat templates, and what only looks like it."""

from __future__ import annotations

import re

import pytest
import yaml

from arena_hard.calling.providers.base import CallError, Reply
from arena_hard.calling.providers.template_remains import stop_for, template_remains
from arena_hard.calling.reading import read_reply
from arena_hard.calling.reply_notes import ReplyNotes
from arena_hard.data.settings import ModelSettings


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a<|im_end|>", ["<|im_end|>"]),
        ("a\n<|eot_id|>\n\n", ["<|eot_id|>"]),
        ("a</s>", ["</s>"]),
        ("a<end_of_turn>", ["<end_of_turn>"]),
        ("a<｜end▁of▁sentence｜>", ["<｜end▁of▁sentence｜>"]),
        ("a<|im_end|>\n<|im_start|>user\nAnd now?", ["<|im_start|>user", "<|im_end|>"]),
        ("a<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>", ["<|im_start|>user", "<|im_end|>"]),
        ("a<|eot_id|><|start_header_id|>user<|end_header_id|>", ["<|eot_id|><|start_header_id|>"]),
        ("a</s> [INST] b", ["</s> [INST]"]),
        ("a\n<start_of_turn>user\nb", ["<start_of_turn>user"]),
        ("a\n<|user|>\nb", ["<|user|>"]),
        ("a<|user|>b", ["<|user|>"]),
        ("a<|start_header_id|>user<|end_header_id|>b", ["<|start_header_id|>user"]),
        ("a\n<|im_start|>\nuser\nb", ["<|im_start|> user"]),
        ("a</s>\n<|user|>\nb", ["<|user|>", "</s>"]),
        ("a\n[INST] b [/INST] c", ["[INST]"]),
        ("a.[/INST] b", ["[/INST]"]),
        ("[/INST] a", ["[/INST]"]),
        ("a\n\n### Instruction:\nb\n\n### Response:\nc", ["### Instruction:"]),
        ("a\n### Human: b\n### Assistant: c", ["### Human:"]),
        ("a.\n\nHuman: b\n\nAssistant: c", ["Human:"]),
        ("a.\n\nUser: b\nAssistant: c", ["User:"]),
        ("a.\n\nHuman:", ["Human:"]),
        ("a\n\n### Instruction:\n", ["### Instruction:"]),
        ("a<|pad|><|pad|>", ["<|pad|>"]),
        ("a<pad>", ["<pad>"]),
        ("a [EOS]", ["[EOS]"]),
        ("a\n<|im_start|>", ["<|im_start|>"]),
        ("a\n<|assistant|>", ["<|assistant|>"]),
        ("assistant\n\na", ["leading assistant"]),
        ("<|im_start|>assistant\na<|im_end|>", ["leading <|im_start|>assistant", "<|im_end|>"]),
        ("<|start_header_id|>assistant<|end_header_id|>\n\na", ["leading <|start_header_id|>assistant"]),
        ("<start_of_turn>model\na", ["leading <start_of_turn>model"]),
        ("a<|header_start|>user<|header_end|>b", ["<|header_start|>user"]),
        ("a<|role_end|><role>HUMAN</role>b", ["<role>HUMAN</role>", "<|role_end|>"]),
        ("a<turn|>\n<|turn>user\nb", ["<|turn>user", "<turn|>"]),
        ("a<end_of_utterance>", ["<end_of_utterance>"]),
        ("a<eoa>", ["<eoa>"]),
        ("a<|hy_eos|>", ["<|hy_eos|>"]),
        ("a[|endofturn|]\n[|user|]b", ["[|user|]", "[|endofturn|]"]),
        ("a. USER: b ASSISTANT: c", ["USER:"]),
        ("a<unk>", ["<unk>"]),
        ("a<|im_end|>assistant", ["<|im_end|>assistant"]),
        ("a<|observation|>", ["<|observation|>"]),
        ("a[e~[\n]~b]user\nb", ["]~b]user", "[e~["]),
        ("<s> a", ["leading <s>"]),
        ("a<|end|><|start|>user<|message|>b<|end|>", ["<|end|><|start|>user"]),
        # what an answer may hold of its own
        ("<s>struck</s> through", []),
        ("The fields USER: and ASSISTANT: are set.", []),
        ("USER: a\nASSISTANT: b. USER: c ASSISTANT: d", []),
        ("assistant professors are many", []),
        ("assistants\nhelp", []),
        ("`[EOS]`", []),
        ("[BOS] a [EOS]", []),
        ("User: a\nAssistant: b\n\nUser: c\nAssistant: d", []),
        ("Here is the dialogue.\n\nUser: a\nAssistant: b", []),
        ("They said this:\n\nHuman: a\nAssistant: b", []),
        ("a.\n\nHuman: all too human", []),
        ("# Guide\n\n### Instruction: mix\nthen bake", []),
        ("```\n### Instruction:\n{a}\n\n### Response:\n```\nis Alpaca's.", []),
        ("Put it between [INST] and [/INST].", []),
        ("`[INST] a [/INST]` is a turn.", []),
        ("plain", []),
        ("<s>struck through</s>", []),
        ("It ends with `<|im_end|>`.", []),
        ("It ends with `<|im_end|>`", []),
        ("```\n<|im_start|>user\n{text}<|im_end|>\n```\nis its template.", []),
        ('The text "<|im_start|>user" begins a turn.', []),
    ],
)
def test_remains(text: str, found: list[str]) -> None:
    assert template_remains(text) == found


@pytest.mark.parametrize(
    ("remains", "stop"),
    [
        ("<|im_end|>", "<|im_end|>"),
        ("<|im_start|> user", "<|im_start|>"),
        ("<start_of_turn>user", "<start_of_turn>"),
        ("<|eot_id|><|start_header_id|>", "<|eot_id|>"),
        ("</s> [INST]", "</s>"),
        ("[INST]", "[INST]"),
        ("[e~[", "[e~["),
        ("]~b]user", "]~b]"),
        ("[|user|]", "[|user|]"),
        ("USER:", "USER:"),
        ("<|end|><|start|>user", "<|end|><|start|>user"),  # each alone would end the thought's message too
        ("<｜User｜>", "<｜User｜>"),
        ("Human:", "\nHuman:"),
        ("<|im_start|>", "<|im_start|>"),
        ("leading <|im_start|>assistant", None),
        ("### Instruction:", "\n### Instruction:"),
    ],
)
def test_what_stops_a_reply_before_them(remains: str, stop: str | None) -> None:
    assert stop_for(remains) == stop


def test_the_advice_names_all_that_was_found_in_a_line_of_yaml() -> None:
    notes = ReplyNotes()
    for number, text in enumerate(
        ["a<|im_end|>", "a<|im_end|>\n<|im_start|>user\nb", "a</s> [INST] b", "a</s>", "a.\n\nHuman:", "a<｜User｜>b"]
    ):
        notes.add(str(number), [("template", each) for each in template_remains(text)])
    (line,) = notes.remarks("answers")
    assert "6 answers" in line and "<|im_end|> (2)" in line and "and 3 other kinds" in line
    found = re.search(r"stop: \[.*\](?= in the endpoint entry)", line)
    assert found
    assert yaml.safe_load(found[0]) == {"stop": ["<|im_end|>", "</s>", "<|im_start|>", "<｜User｜>", "\nHuman:"]}


def test_no_stop_is_advised_that_would_end_a_reply_before_it_begins() -> None:
    notes = ReplyNotes()
    notes.add("1", [("template", each) for each in template_remains("assistant\na")])
    (line,) = notes.remarks("answers")
    assert "leading assistant (1)" in line and "stop:" not in line


@pytest.mark.parametrize("text", ["</s>", "<|im_end|>\n", " <|pad|><|pad|>", "<s></s>", "", "\n"])
def test_tokens_alone_are_no_answer(text: str) -> None:
    with pytest.raises(CallError, match="no text"):
        read_reply(Reply(text, "stop", None, None), ModelSettings("m", "m"))
    assert read_reply(Reply(f"4{text}", "stop", None, None), ModelSettings("m", "m")).content == f"4{text}"
