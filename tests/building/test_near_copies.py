"""Copies among prompts: all that are planted are found, and nothing that is none is dropped."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest

from arena_hard.building import near_copies
from arena_hard.building.near_copies import buckets_of, comparable, find_copies, pieces, similarity, sketches

WORDS = [
    "".join(random.Random(number).choices("aeiourstlnmdbcgp", k=random.Random(-number).randint(3, 9)))
    for number in range(3000)
]


def sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words))


def copies(texts: list[str], bound: float = 0.8, fixed: int = 0) -> dict[int, int]:
    """The copies among texts, of which the earlier ones stay."""
    compared = [comparable(text) for text in texts]
    sketched = sketches(compared, bound)
    order = np.arange(len(texts))
    return dict(find_copies(sketched, buckets_of(sketched.bands), order, dict(enumerate(compared)), bound, fixed))


def edited(rng: random.Random, text: str) -> str:
    """A text as somebody else would write it."""
    words = text.split(" ")
    at = rng.randrange(len(words))
    kind = rng.randrange(5)
    if kind == 0:
        return text.upper()
    if kind == 1:
        return "\n\n ".join([" ".join(words[:at]), " ".join(words[at:])])
    if kind == 2:
        return f"{text}!!"
    if kind == 3:
        return " ".join([*words[:at], rng.choice(WORDS), *words[at + 1 :]])
    return " ".join([*words[:at], *words[at + 1 :]])


@pytest.mark.parametrize("bound", [0.6, 0.8, 0.95])
def test_of_all_planted_copies_99_percent_are_found_and_no_distinct_prompt_is_lost(bound: float) -> None:
    rng = random.Random(7)
    texts = [sentence(rng, rng.randint(8, 60)) for _ in range(500)]
    planted = [(len(texts) + number, rng.randrange(500)) for number in range(500)]
    texts += [edited(rng, texts[of]) for _, of in planted]
    sets = [pieces(comparable(text)) for text in texts]
    true = {copy: of for copy, of in planted if similarity(sets[copy], sets[of]) >= bound}
    found = copies(texts, bound)
    assert len(true) > 150
    assert len(true.keys() & found.keys()) >= 0.99 * len(true)
    for copy, of in found.items():
        assert of not in found  # what it is a copy of stays
        assert similarity(sets[copy], sets[of]) >= bound
        assert copy in true or any(similarity(sets[copy], sets[of]) >= bound for of in range(copy))


@pytest.mark.parametrize("bound", [0.5, 0.65, 0.9])
def test_copies_that_are_just_alike_enough_are_found_at_any_bound(bound: float) -> None:
    """Bands that were made for 0.8 find half of the copies at 0.5."""
    rng = random.Random(13)
    texts: list[str] = []
    for _ in range(200):
        text = comparable(sentence(rng, 40))
        more = int(len(pieces(text)) * (1 / bound - 1))
        texts += [text, text + sentence(rng, more)[:more]]
    alike = {at: similarity(pieces(texts[at - 1]), pieces(texts[at])) for at in range(1, 400, 2)}
    true = {at for at, share in alike.items() if bound <= share < bound + 0.01}
    found = copies(texts, bound).keys()
    assert len(true) > 180
    assert len(true & found) >= 0.99 * len(true)
    assert found <= {at for at, share in alike.items() if share >= bound}


def test_a_copy_of_a_copy_that_is_itself_no_copy_stays() -> None:
    rng = random.Random(3)
    first = sentence(rng, 40)
    words = first.split(" ")
    second = " ".join([*words[3:], sentence(rng, 2)])
    third = " ".join([*words[6:], *second.split(" ")[-2:], sentence(rng, 2)])
    sets = [pieces(comparable(text)) for text in (first, second, third)]
    assert similarity(sets[0], sets[1]) > 0.8 < similarity(sets[1], sets[2])
    assert similarity(sets[0], sets[2]) < 0.8
    assert copies([first, second, third]) == {1: 0}


def test_copies_are_found_among_many_prompts_of_one_form_without_comparing_all_with_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = random.Random(11)
    form = sentence(rng, 70)
    texts = [f"{form} {sentence(rng, 15)}" for _ in range(400)]
    texts += [f"{text}, please" for text in texts[:200]]
    compared = [comparable(text) for text in texts]
    assert 0.6 < similarity(pieces(compared[0]), pieces(compared[1])) < 0.8
    compared_with: list[float] = []

    def counted(*sets: frozenset[str]) -> float:
        compared_with.append(similarity(*sets))
        return compared_with[-1]

    monkeypatch.setattr(near_copies, "similarity", counted)
    found = copies(texts)
    assert len(compared_with) < 20_000  # of 180,000 pairs
    assert len([copy for copy, of in found.items() if of == copy - 400]) >= 198
    assert set(found) <= set(range(400, 600))


def test_the_first_in_the_given_order_stays() -> None:
    texts = ["Explain how a compiler works, in detail", "explain how a compiler works, in detail.", "something else"]
    compared = [comparable(text) for text in texts]
    sketched = sketches(compared, 0.8)
    order = np.array([1, 2, 0])
    found = find_copies(sketched, buckets_of(sketched.bands), order, dict(enumerate(compared)), 0.8)
    assert dict(found) == {0: 1}


def test_fixed_texts_are_not_compared_with_each_other() -> None:
    texts = ["the same question again"] * 3
    assert copies(texts, fixed=2) == {2: 0}
    assert copies(texts, fixed=3) == {}


@pytest.mark.parametrize("texts", [[], ["a"], ["", ""], ["ab", "ab", "ac"], ["\U0001f600" * 12, "\U0001f600" * 13]])
def test_short_and_odd_texts(texts: list[str]) -> None:
    sets = [pieces(comparable(text)) for text in texts]
    found = copies(texts)
    alike = {
        two for one, two in itertools.combinations(range(len(texts)), 2) if similarity(sets[one], sets[two]) >= 0.8
    }
    assert set(found) == alike


def test_sketches_of_a_text_do_not_depend_on_its_neighbours() -> None:
    rng = random.Random(5)
    texts = [comparable(sentence(rng, rng.randint(1, 30))) for _ in range(50)]
    together = sketches(texts, 0.8)
    for number in range(0, 50, 7):
        alone = sketches(texts[number : number + 1], 0.8)
        assert (alone.bands[0] == together.bands[number]).all()
        assert (alone.signatures[0] == together.signatures[number]).all()


def test_no_two_of_the_official_questions_are_copies(shared_data: Path) -> None:
    lines = (shared_data / "arena-hard-v0.1" / "question.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["turns"][0]["content"] for line in lines]
    assert copies(texts) == {}
    assert copies([*texts, *texts], fixed=500) == {500 + number: number for number in range(500)}
