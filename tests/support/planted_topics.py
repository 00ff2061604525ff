"""Vectors and texts with known topics, of unequal sizes and with noise among them."""

from __future__ import annotations

import numpy as np

from arena_hard.building.arrays import Floats, Integers, unit


def planted_vectors(count: int, topics: int, noise: float, seed: int = 0) -> tuple[Floats, Integers]:
    """Unit vectors, and the topic of each, -1 for noise; in no order."""
    rng = np.random.default_rng(seed)
    share = rng.pareto(1.5, topics) + 0.5
    sizes = 10 + np.floor(share / share.sum() * (count * (1 - noise) - 10 * topics)).astype(int)
    topic = np.concatenate([np.repeat(np.arange(topics), sizes), np.full(count - sizes.sum(), -1)])
    rng.shuffle(topic)
    centres = rng.normal(size=(topics, 128))
    vectors = np.where(topic[:, None] >= 0, centres[topic] + 0.6 * rng.normal(size=(count, 128)), 0.0)
    vectors[topic < 0] = rng.normal(size=(int((topic < 0).sum()), 128))
    return unit(vectors.astype(np.float32)), topic.astype(np.int64)


def planted_texts(count: int, topics: int, noise: float = 0.2, seed: int = 0) -> tuple[list[str], Integers]:
    """Prompts of which half the words are their topic's, and the topic of each, -1 for those of none."""
    rng = np.random.default_rng(seed)
    syllables = [one + two for one in "bcdfghjklmnprstvz" for two in "aeiou"]
    drawn = rng.integers(0, len(syllables), (800 + 25 * topics, 4))
    words = ["".join(syllables[at] for at in row[: 2 + number % 3]) for number, row in enumerate(drawn)]
    often = 1 / np.arange(1, 801)
    own_often = 1 / np.sqrt(np.arange(1, 26))
    topic = np.concatenate([np.arange(topics).repeat(6), rng.integers(0, topics, count - 6 * topics)])
    topic[rng.random(count) < noise] = -1
    texts: list[str] = []
    rng.shuffle(topic)
    for number in topic:
        length = int(rng.integers(8, 40))
        common = rng.choice(800, length, p=often / often.sum())
        own = 800 + 25 * max(int(number), 0) + rng.choice(25, length, p=own_often / own_often.sum())
        mine = (rng.random(length) < 0.5) & (number >= 0)
        texts.append("Explain how to " + " ".join(words[at] for at in np.where(mine, own, common)) + f" {len(texts)}")
    return texts, topic
