"""How our count of tokens compares with the server's, script by script."""

from __future__ import annotations

import pytest

from arena_hard.calling.prompt_sizes import LATIN, PromptSizes, script_of
from arena_hard.calling.prompt_tokens import PromptCounter

TAMIL = "தமிழ் மொழி உலகின் மிகப் பழமையான மொழிகளில் ஒன்றாகும். "
GREEK = "Η ελληνική γλώσσα είναι μία από τις αρχαιότερες του κόσμου. "
ENGLISH = "One of the oldest languages of the world that are still spoken. "


def prompt(text: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Judge."}, {"role": "user", "content": text}]


@pytest.mark.parametrize(
    ("text", "script"),
    [
        (ENGLISH * 50, LATIN),
        ("Füße, cœur, żółw " * 50, LATIN),
        (ENGLISH * 50 + GREEK, LATIN),
        (ENGLISH + GREEK * 50, "7"),
        (TAMIL * 50, "23"),
        ("語言模型" * 50, "cjk"),
        ("", LATIN),
    ],
)
def test_a_prompt_has_a_script(text: str, script: str) -> None:
    assert script_of(prompt(text)) == script


def test_what_the_server_has_counted_bears_on_prompts_of_the_same_script() -> None:
    sizes, counter = PromptSizes(), PromptCounter("m")
    tamil = prompt(TAMIL * 20)
    ours = counter.count(tamil)
    sizes.note(tamil, ours // 4)
    assert sizes.ratio(prompt(TAMIL * 3), counter, None) == pytest.approx(0.25, rel=0.01)
    assert sizes.ratio(prompt(ENGLISH * 20), counter, None) is None
    sizes.note(prompt(TAMIL * 30), counter.count(prompt(TAMIL * 30)) // 3)
    assert sizes.ratio(tamil, counter, None) == pytest.approx(1 / 3, rel=0.01)  # the most of them


def test_a_count_that_cannot_be_one_or_of_what_was_cut_teaches_nothing() -> None:
    sizes, counter = PromptSizes(), PromptCounter("m")
    long = prompt(TAMIL * 20)
    ours = counter.count(long)
    for tokens in (0, 1, 100 * ours):
        sizes.note([*long, {"role": "user", "content": str(tokens)}], tokens)
    assert sizes.ratio(long, counter, None) is None
    sizes.note(long, ours // 4)
    assert sizes.ratio(long, counter, cuts_at=ours // 4) is None  # the server may have cut it to its length
    assert sizes.ratio(long, counter, cuts_at=ours) == pytest.approx(0.25, rel=0.01)
