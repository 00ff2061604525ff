"""How often faults come, what is counted, and what the simulated prompt cache knows."""

from __future__ import annotations

import time
from typing import Any

from .process import Server
from .sdks import ask, ask_anthropic


def test_rates_are_kept_and_do_not_depend_on_the_order(server: Server) -> None:
    server.configure(faults={"429": 0.2, "500": {"rate": 0.1, "message": "Oh."}})
    questions = [f"question {number}" for number in range(300)]

    def run(order: list[str]) -> dict[str, str]:
        return {text: type(reply).__name__ for text, reply in zip(order, ask(server, *order))}

    first = run(questions)
    counts = server.stats()["faults"]
    assert 35 <= counts["429"] <= 85 and 12 <= counts["500"] <= 48
    server.reset()
    server.configure(faults={"429": 0.2, "500": {"rate": 0.1, "message": "Oh."}})
    assert run(questions[::-1]) == first
    assert run(questions) != first, "the second time that a body comes is another draw"


def test_counts(server: Server) -> None:
    ask(server, "a", "b", "b")
    server.script(["429", None])
    ask(server, "a", key="sk-2")
    ask(server, "a", key="sk-2")
    stats = server.stats()
    assert (stats["requests"], stats["successes"], stats["429s"]) == (5, 4, 1)
    assert (stats["distinct_bodies"], stats["repeats"]) == (2, {"2": 1, "3": 1})
    assert (stats["answered_bodies"], stats["answered_again"]) == (2, 2)
    assert (stats["by_key"], stats["by_path"]) == ({"sk-1": 3, "sk-2": 2}, {"/v1/chat/completions": 5})


def test_who_comes_before_the_retry_after_has_passed(server: Server) -> None:
    server.configure(early_grace=0.0)
    server.script([{"fault": "429", "retry_after": 30}])
    ask(server, "a")
    ask(server, "b")
    ask(server, "c", key="sk-2")
    ask(server, "a", key="sk-3")
    stats = server.stats()
    assert (stats["early"], stats["early_by_key"], stats["early_repeats"]) == (1, {"sk-1": 1}, 1)
    server.reset()
    server.configure(early_grace=0.0)
    server.script([{"fault": "429", "retry_after": 0.02}])
    ask(server, "a")
    time.sleep(0.05)
    ask(server, "a")
    assert (server.stats()["early"], server.stats()["early_repeats"]) == (0, 0)


def test_requests_are_kept_whole_and_bounded(server: Server) -> None:
    server.configure(keep_requests=3)
    ask(server, *"abcde", key="sk-secret")
    kept = server.requests(10)
    assert len(kept) == 3 and server.requests(0) == []
    assert kept[0]["key"] == "sk-secret" and kept[0]["headers"]["Authorization"] == "Bearer sk-secret"
    assert kept[0]["body"]["messages"][0]["role"] == "user"


def test_the_longest_known_prefix_is_cached(server: Server) -> None:
    server.configure(prefix_cache={"minimum": 128})
    shared = "s" * 1200
    asked = [shared + "a" * 900, shared + "b" * 900, shared + "b" * 900, "z" * 900]
    cached = [ask(server, text)[0].usage.prompt_tokens_details.cached_tokens for text in asked]
    # 1,205 bytes in common make two steps of 512 bytes; the repeat knows all four.
    assert cached == [0, 256, 512, 0]
    assert server.stats()["tokens"]["cached"] == 768


def test_the_prefix_cache_forgets(server: Server) -> None:
    def cached(text: str) -> int:
        return ask(server, text)[0].usage.prompt_tokens_details.cached_tokens

    server.configure(prefix_cache={"minimum": 128, "size": 2})
    assert [cached("a" * 1200), cached("b" * 1200), cached("a" * 1200)] == [0, 0, 0]
    server.configure(prefix_cache={"minimum": 128, "ttl": 0.0})
    assert [cached("a" * 1200), cached("a" * 1200)] == [0, 0]


def test_anthropic_caches_what_is_marked(server: Server) -> None:
    server.configure(prefix_cache={"minimum": 128})
    mark = {"cache_control": {"type": "ephemeral"}}

    def usage(end: str, marks: dict[str, Any]) -> Any:
        parts = [{"type": "text", "text": "s" * 1200} | marks, {"type": "text", "text": end}]
        return ask_anthropic(server, messages=[{"role": "user", "content": parts}]).usage

    assert [usage("a", {}).cache_read_input_tokens, usage("b", {}).cache_read_input_tokens] == [0, 0]
    first, second = usage("a", mark), usage("b", mark)
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (301, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, 301)
    assert first.input_tokens == second.input_tokens > 0
