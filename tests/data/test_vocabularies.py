"""Tokens are counted without a network, as published answers were counted."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from tiktoken import load, registry

from arena_hard.data import tokens, vocabularies
from arena_hard.data.tokens import PromptLength, TokenCounter

OFFICIAL = {  # SHA-256 of the published files, which tiktoken itself checks
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}


@pytest.fixture(autouse=True)
def fresh_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No vocabulary was ever fetched, and none can be."""
    for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(registry, "ENCODINGS", {})
    monkeypatch.setattr(tokens, "quick_encoding", lambda _: None)
    return tmp_path / "data-gym-cache"


@pytest.mark.parametrize(("name", "count"), [("cl100k_base", 10), ("o200k_base", 9)])
def test_what_is_provided_is_the_official_file(fresh_machine: Path, name: str, count: int) -> None:
    counter = TokenCounter(name)
    assert (counter.count("Grüß dich, world! 你好"), counter.problem) == (count, None)
    (file,) = fresh_machine.iterdir()
    assert load.check_hash(file.read_bytes(), OFFICIAL[name])
    assert file.stat().st_mode & 0o777 == 0o644
    before = file.stat()
    vocabularies.provide(name)  # nothing is written twice
    assert file.stat() == before


def test_a_models_own_tokenizer_needs_no_network_either() -> None:
    assert PromptLength("gpt-4o").room("one two three", 1000) == 1000 - 3 - 100


def test_a_cache_that_somebody_has_named_wins_where_it_has_the_file(
    fresh_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabularies.provide("cl100k_base")
    fresh_machine.rename(tmp_path / "own")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setattr(vocabularies, "find_spec", lambda _: None)
    assert TokenCounter().count("a") == 1 and not fresh_machine.exists()


@pytest.mark.parametrize("kind", ["missing", "junk", "a file", "no name", "the common one is junk", "it is a file"])
def test_what_a_cache_lacks_is_taken_from_the_packages_and_nobodys_folder_is_changed(
    fresh_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    own = tmp_path / "own"
    if kind in ("junk", "the common one is junk"):
        vocabularies.provide("cl100k_base")
        (file,) = fresh_machine.iterdir()
        file.write_bytes(b"junk")
        if kind == "junk":
            fresh_machine.rename(own)
    elif kind in ("a file", "it is a file"):
        (own if kind == "a file" else fresh_machine).write_bytes(b"x")
    if not kind.startswith(("the", "it")):
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "" if kind == "no name" else str(own))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    counter = TokenCounter()
    assert (counter.count("a"), counter.problem) == (1, None)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before or kind == "the common one is junk"  # that one is mended
    assert os.environ.get("TIKTOKEN_CACHE_DIR") in (None, "", str(own))


def test_a_file_that_is_damaged_is_not_used(fresh_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vocabularies.provide("cl100k_base")
    (file,) = fresh_machine.iterdir()
    file.write_bytes(file.read_bytes()[:-10])
    with monkeypatch.context() as without:
        without.setattr(vocabularies, "find_spec", lambda _: None)
        assert TokenCounter().count("a") is None  # tiktoken removes it and cannot fetch it here
    assert TokenCounter().count("a") == 1


def test_a_missing_package_leaves_it_to_tiktoken(fresh_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabularies, "find_spec", lambda _: None)
    assert TokenCounter().count("a") is None and not fresh_machine.exists()


def test_counts_are_those_of_the_published_answers(shared_data: Path) -> None:
    counter = TokenCounter()
    rows = [json.loads(line) for file in sorted((shared_data / "arena-hard-v0.1/model_answer").glob("*.jsonl"))
            for line in file.read_text(encoding="utf-8").splitlines()[::10]]  # fmt: skip
    turns = [turn for row in rows for choice in row["choices"] for turn in choice["turns"]]
    assert len(turns) == 150 and all(counter.count(turn["content"]) == turn["token_len"] for turn in turns)
