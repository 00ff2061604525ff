"""What shows through of chat templates, and what only looks like it."""

from __future__ import annotations

import pytest

from arena_hard.calling.providers.template_remains import template_remains


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a<|im_end|>", ["<|im_end|>"]),
        ("a\n<|eot_id|>\n\n", ["<|eot_id|>"]),
        ("a</s>", ["</s>"]),
        ("a<end_of_turn>", ["<end_of_turn>"]),
        ("a<｜end▁of▁sentence｜>", ["<｜end▁of▁sentence｜>"]),
        ("a<|im_end|>\n<|im_start|>user\nAnd now?", ["<|im_start|>user"]),
        ("a<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>", ["<|im_start|>user", "<|im_end|>"]),
        ("a<|eot_id|><|start_header_id|>user<|end_header_id|>", ["<|eot_id|><|start_header_id|>"]),
        ("a</s> [INST] b", ["</s> [INST]"]),
        ("a\n<start_of_turn>user\nb", ["<start_of_turn>user"]),
        ("a\n<|user|>\nb", ["<|user|>"]),
        ("a<|user|>b", ["<|user|>"]),
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
