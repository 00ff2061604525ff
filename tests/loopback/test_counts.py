"""How often faults come, what is counted, and what the simulated prompt cache knows."""

from __future__ import annotations

import time
from typing import Any

import pytest

from .process import Server
from .sdks import ask, ask_anthropic

pytestmark = pytest.mark.slow  # a server, asked through the SDKs


def test_rates_are_kept_and_do_not_depend_on_the_order(wire: Server) -> None:
    wire.configure(faults={"429": 0.2, "500": {"rate": 0.1, "message": "Oh."}})
    questions = [f"question {number}" for number in range(300)]

    def run(order: list[str]) -> dict[str, str]:
        return {text: type(reply).__name__ for text, reply in zip(order, ask(wire, *order))}

    first = run(questions)
    counts = wire.stats()["faults"]
    assert 35 <= counts["429"] <= 85 and 12 <= counts["500"] <= 48
    wire.reset()
    wire.configure(faults={"429": 0.2, "500": {"rate": 0.1, "message": "Oh."}})
    assert run(questions[::-1]) == first
    assert run(questions) != first, "the second time that a body comes is another draw"


def test_counts(wire: Server) -> None:
    ask(wire, "a", "b", "b")
    wire.script(["429", None])
    ask(wire, "a", key="sk-2")
    ask(wire, "a", key="sk-2")
    stats = wire.stats()
    assert (stats["requests"], stats["successes"], stats["429s"]) == (5, 4, 1)
    assert (stats["distinct_bodies"], stats["repeats"]) == (2, {"2": 1, "3": 1})
    assert (stats["answered_bodies"], stats["answered_again"]) == (2, 2)
    assert (stats["by_key"], stats["by_path"]) == ({"sk-1": 3, "sk-2": 2}, {"/v1/chat/completions": 5})


def test_who_comes_before_the_retry_after_has_passed(wire: Server) -> None:
    wire.configure(early_grace=0.0)
    wire.script([{"fault": "429", "retry_after": 30}])
    ask(wire, "a")
    ask(wire, "b")
    ask(wire, "c", key="sk-2")
    ask(wire, "a", key="sk-3")
    stats = wire.stats()
    assert (stats["early"], stats["early_by_key"], stats["early_repeats"]) == (1, {"sk-1": 1}, 1)
    wire.reset()
    wire.configure(early_grace=0.0)
    wire.script([{"fault": "429", "retry_after": 0.02}])
    ask(wire, "a")
    time.sleep(0.05)
    ask(wire, "a")
    assert (wire.stats()["early"], wire.stats()["early_repeats"]) == (0, 0)


def test_requests_are_kept_whole_and_bounded(wire: Server) -> None:
    wire.configure(keep_requests=3)
    ask(wire, *"abcde", key="sk-secret")
    kept = wire.requests(10)
    assert len(kept) == 3 and wire.requests(0) == []
    assert kept[0]["key"] == "sk-secret" and kept[0]["headers"]["Authorization"] == "Bearer sk-secret"
    assert kept[0]["body"]["messages"][0]["role"] == "user"


def test_the_longest_known_prefix_is_cached(wire: Server) -> None:
    wire.configure(prefix_cache={"minimum": 128})
    shared = "s" * 1200
    asked = [shared + "a" * 900, shared + "b" * 900, shared + "b" * 900, "z" * 900]
    cached = [ask(wire, text)[0].usage.prompt_tokens_details.cached_tokens for text in asked]
    # 1,205 bytes in common make two steps of 512 bytes; the repeat knows all four.
    assert cached == [0, 256, 512, 0]
    assert wire.stats()["tokens"]["cached"] == 768


def test_the_prefix_cache_forgets(wire: Server) -> None:
    def cached(text: str) -> int:
        return ask(wire, text)[0].usage.prompt_tokens_details.cached_tokens

    wire.configure(prefix_cache={"minimum": 128, "size": 2})
    assert [cached("a" * 1200), cached("b" * 1200), cached("a" * 1200)] == [0, 0, 0]
    wire.configure(prefix_cache={"minimum": 128, "ttl": 0.0})
    assert [cached("a" * 1200), cached("a" * 1200)] == [0, 0]


def test_anthropic_caches_what_is_marked(wire: Server) -> None:
    wire.configure(prefix_cache={"minimum": 128})
    mark = {"cache_control": {"type": "ephemeral"}}

    def usage(end: str, marks: dict[str, Any]) -> Any:
        parts = [{"type": "text", "text": "s" * 1200} | marks, {"type": "text", "text": end}]
        return ask_anthropic(wire, messages=[{"role": "user", "content": parts}]).usage

    assert [usage("a", {}).cache_read_input_tokens, usage("b", {}).cache_read_input_tokens] == [0, 0]
    first, second = usage("a", mark), usage("b", mark)
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (301, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, 301)
    assert first.input_tokens == second.input_tokens > 0
