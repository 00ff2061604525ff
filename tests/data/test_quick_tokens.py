"""quicktok counts what tiktoken counts, and is not asked where it would not."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tiktoken
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

import gen_answer
from arena_hard.data import quick_tokens, tokens
from arena_hard.data.quick_tokens import QuickEncoding, quick_encoding
from arena_hard.data.tokens import TokenCounter
from arena_hard.data.vocabularies import within_reach
from tests.support.pipeline_bench import Scratch, rows
from tests.support.threaded_server import serving

pytest.importorskip("quicktok")
NAMES = ("cl100k_base", "o200k_base")
PLAIN = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
PARTS = (" ", "  ", "\n", "\r\n", "\t", "\u00a0", "Hello", "'s", "'LL", "don’t", "1234567", "İ", "日本語", "தமிழ்", "🙂",
         "👩‍👩‍👧", "\ufe0f", "<|endoftext|>", "<|im_start|>", "...", "\x00", "\u2028", "\ufeff", "Ⅷ", "a\u0301",
         "\U0001f1e9", "\u0cdc", "\ud800")  # fmt: skip
TEXTS = st.text() | st.lists(st.sampled_from(PARTS)).map("".join)


def quick(name: str) -> QuickEncoding:
    found = quick_encoding(name)
    assert found
    return found


def official(name: str) -> tiktoken.Encoding:
    with within_reach(name):
        return tiktoken.get_encoding(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_character_is_counted_as_by_tiktoken_or_left_to_it(name: str) -> None:
    encoding, counter, counted = official(name), quick(name), 0
    for at in range(0, len(PLAIN), 32):
        text = "".join(PLAIN[at : at + 32])
        if counter.count(text) is None:
            continue
        counted += len(text)
        varied = text + "".join(f"a{each}{each}b {each}'s1{each}" for each in text)
        assert counter.count(varied) == len(encoding.encode_ordinary(varied)), ascii(text)
    assert counted > 150_000  # most of the others are no characters


@pytest.mark.parametrize("name", NAMES)
@given(text=TEXTS)
def test_a_counter_counts_as_tiktoken_does(name: str, text: str) -> None:
    assert TokenCounter(name).count(text) == len(official(name).encode(text, disallowed_special=()))


def test_answers_in_latin_and_other_scripts_are_counted_by_it(shared_data: Path) -> None:
    files = [*sorted((shared_data / "arena-hard-v0.1/model_answer").glob("*.jsonl"))[:3]]
    files += sorted((shared_data / "arena-ta").rglob("model_answer/*.jsonl"))[:1]
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()[::20]]
    texts = [turn["content"] for row in rows for turn in row["choices"][0]["turns"]]
    assert len(texts) > 80 and all(quick(NAMES[0]).count(text) is not None for text in texts)


@pytest.mark.parametrize("lacking", ["the package", "its vocabulary", "this machine"])
def test_without_it_tiktoken_counts(monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    import quicktok

    def raises(name: str) -> None:
        raise ImportError(name) if lacking == "this machine" else RuntimeError(name)

    if lacking == "the package":
        monkeypatch.setattr(quick_tokens, "find_spec", lambda _: None)
    else:
        monkeypatch.setattr(quicktok, "get_encoding", raises)
    assert quick_encoding(NAMES[0]) is None
    assert TokenCounter().count("Grüß dich, world! 你好") == 10


def test_tiktokens_vocabulary_is_not_loaded_for_what_it_can_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_load_encoding", lambda *_: pytest.fail("loaded"))
    assert TokenCounter().count("Grüß dich, world! 你好") == 10


def test_a_vocabulary_that_threads_ask_for_at_once_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def slowly(name: str) -> QuickEncoding | None:
        loaded.append(name)
        time.sleep(0.1)
        return quick_encoding(name)

    monkeypatch.setattr(tokens, "quick_encoding", slowly)
    counter = TokenCounter()
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(counter.load), *(pool.submit(counter.count, "a b") for _ in range(3))]
        assert [each.result() for each in done] == [None, 2, 2, 2]
    assert loaded == ["cl100k_base"]


def test_it_is_loaded_while_the_first_reply_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any reply is there that could be counted."""
    loaded = threading.Event()
    load = TokenCounter.load
    monkeypatch.setattr(TokenCounter, "load", lambda counter: (load(counter), loaded.set())[0])

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.method == "GET" or not await asyncio.to_thread(loaded.wait, 20):
            return web.json_response({"error": {"message": "nothing is loaded"}}, status=404)
        return web.json_response({"choices": [{"message": {"content": "a b"}, "finish_reason": "stop"}]})

    with serving(answer) as root:
        made = Scratch(tmp_path, f"{root}/v1")
        made.write()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["gen_answer.py"])
        assert gen_answer.main() == 0
    assert [row["choices"][0]["turns"][0]["token_len"] for row in rows(made.answer_file())] == [2] * 3
