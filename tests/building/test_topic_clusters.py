"""Topics that were planted are found, what belongs to none gets none, and equal input gives equal bits."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from arena_hard.building import topic_clusters
from arena_hard.building.arrays import library
from arena_hard.building.embedding import embed
from arena_hard.building.settings import TopicSettings
from arena_hard.building.topic_clusters import Topics, cluster
from arena_hard.building.topics import nearest_rows, topics_of
from tests.support.pipeline_bench import ROOT, clean_environment
from tests.support.planted_topics import planted_texts, planted_vectors

FEW = TopicSettings(min_size=5)
adjusted_rand_score = library("sklearn.metrics").adjusted_rand_score
OTHER_PROCESS = """
from tests.building.test_topic_clusters import digest_of
print(digest_of())
"""


def digest_of() -> str:
    """Of all that clustering leaves of planted texts."""
    texts, _ = planted_texts(240, 8)
    topics = cluster(embed(texts, 64, ["en"], seed=3), FEW, seed=1)
    parts = (topics.topic, topics.similarity, topics.centres, topics.mean)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts) + str(topics.stability).encode()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.25])
def test_planted_topics_are_found_with_and_without_noise(noise: float) -> None:
    vectors, planted = planted_vectors(1200, 30, noise)
    found = cluster(vectors, TopicSettings(), seed=7)
    real = planted >= 0
    assert adjusted_rand_score(planted[real], found.topic[real]) >= 0.95
    assert found.stability is not None and found.stability >= 0.95
    assert (found.topic[real] >= 0).mean() >= 0.95
    if noise:
        assert (found.topic[~real] >= 0).mean() <= 0.3  # without the floor, a layout finds a place for nearly all
        without_floor = cluster(vectors, TopicSettings(similarity_floor=0.0), seed=7)
        assert (without_floor.topic[~real] >= 0).mean() >= 0.9


@pytest.mark.slow
def test_a_prompt_without_a_vector_has_no_topic_and_changes_none() -> None:
    vectors, _ = planted_vectors(200, 8, 0.0)
    whole, without = cluster(vectors, FEW, seed=7), [3, 120]
    found = topics_of(np.insert(vectors, without, np.float32(np.nan), axis=0), FEW, seed=7)
    places = [without[0], without[1] + 1]
    assert found.topic[places].tolist() == [-1, -1] and np.isnan(found.similarity[places]).all()
    assert np.array_equal(np.delete(found.topic, places), whole.topic)
    assert [len(rows) for rows in nearest_rows(found, 3)] == [3] * len(whole.centres)


@pytest.mark.slow
def test_planted_texts_are_found_and_give_the_same_bits_in_another_process() -> None:
    texts, planted = planted_texts(240, 8)
    found = cluster(embed(texts, 64, ["en"], seed=3), TopicSettings(min_size=5, similarity_floor=0.0), seed=1)
    real = planted >= 0
    assert adjusted_rand_score(planted[real], found.topic[real]) >= 0.95
    environment = clean_environment() | {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"}
    command = [sys.executable, "-c", OTHER_PROCESS]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == digest_of(), done.stderr


@pytest.mark.slow
def test_of_very_many_a_sample_is_laid_out_and_the_others_go_to_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_clusters, "SAMPLE", 600)
    monkeypatch.setattr(topic_clusters, "_CHUNK", 250)
    vectors, planted = planted_vectors(1500, 15, 0.2)
    found = cluster(vectors, TopicSettings(), seed=7)
    real = planted >= 0
    assert adjusted_rand_score(planted[real], found.topic[real]) >= 0.95
    assert (found.topic[~real] >= 0).mean() <= 0.3


def test_the_largest_topic_is_the_first_and_small_ones_are_none() -> None:
    places = np.array([4, 4, -1, 2, 2, 2, 0, 4, 4, 1, 1, 1])
    assert topic_clusters._largest_first(places, 3).tolist() == [0, 0, -1, 1, 1, 1, -1, 0, 0, 2, 2, 2]
    assert topic_clusters._largest_first(np.full(3, -1), 3).tolist() == [-1, -1, -1]


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_prompts_have_no_topic(count: int) -> None:
    vectors = np.eye(max(count, 1), 4, dtype=np.float32)[:count]
    found = cluster(vectors, FEW, seed=0)
    assert found.topic.tolist() == [-1] * count
    assert found.topic.dtype == np.int32 and len(found.centres) == 0 and found.stability is None


def test_the_prompts_nearest_to_a_centre_are_of_its_topic_and_the_nearest_come_first() -> None:
    topic = np.array([1, 0, -1, 0, 1, 0], np.int32)
    similarity = np.array([0.5, 0.9, 1.0, 0.95, 0.7, 0.9], np.float32)
    topics = Topics(topic, similarity, np.zeros((2, 3), np.float32), np.zeros(3, np.float32))
    assert [rows.tolist() for rows in nearest_rows(topics, 2)] == [[3, 1], [4, 0]]
