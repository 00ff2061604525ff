"""What the loopback models say, and in whose terms."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import anthropic
import openai
import pytest

from .process import Server
from .sdks import ask, ask_anthropic, texts

JUDGE = "Compare them. End with one of [[A>>B]], [[A>B]], [[A=B]], [[B>A]], [[B>>A]]."


def test_a_reply_depends_on_model_messages_and_seed_alone(server: Server) -> None:
    first, again, other = texts(ask(server, "a", "a", "b"))
    assert first == again != other
    assert texts(ask(server, "a", model="n")) != [first]
    assert texts(ask(server, "a", temperature=1, user="someone")) == [first]
    server.configure(seed=6)
    assert texts(ask(server, "a")) != [first]


@pytest.mark.parametrize("size", [0, 5, 100, 4096])
def test_size_is_exact(server: Server, size: int) -> None:
    server.configure(reply=f"size={size}")
    first, second = ask(server, "a", "b")
    assert [len(text) for text in texts([first, second])] == [size, size]
    assert first.usage.completion_tokens == -(-size // 4)


def test_echo_gives_back_every_sign(server: Server) -> None:
    server.configure(reply="echo")
    strange = ["{braces} {0} {{}}", "%s ${HOME} \\n", "[[A>B]]", "line\n\n\ttab ", "日本 🙂 \u2028 \x00"]
    assert texts(ask(server, *strange)) == strange
    assert ask_anthropic(server, messages=[{"role": "user", "content": strange[0]}]).content[0].text == strange[0]


def test_a_judge_prompt_gets_a_verdict(server: Server) -> None:
    label = re.compile(r"\[\[([AB<>=]+)\]\]")
    judgments = texts(ask(server, *(f"{JUDGE} {number}" for number in range(60))))
    found = [label.findall(text) for text in judgments]
    assert {len(labels) for labels in found} == {1}
    assert {labels[0] for labels in found} == {"A>>B", "A>B", "A=B", "B>A", "B>>A"}
    server.configure(unreadable=0.5)
    found = [label.findall(text) for text in texts(ask(server, *(f"{JUDGE} {n}" for n in range(60))))]
    assert {len(labels) for labels in found} == {0, 1, 2}
    server.configure(unreadable=0.0, reply="size=500")
    (judgment,) = texts(ask(server, JUDGE))
    assert len(judgment) == 500 and label.search(judgment)


def test_usage_model_and_fingerprint(server: Server) -> None:
    server.configure(served_suffix="-2024-08-06", markdown=True)
    (reply,) = ask(server, "x" * 387)
    assert (reply.model, reply.system_fingerprint) == ("m-2024-08-06", "fp_loopback")
    # "user", the text and two line ends make 393 bytes: 99 tokens of four bytes.
    assert reply.usage.prompt_tokens == 99
    assert reply.usage.completion_tokens == -(-len(texts([reply])[0]) // 4)
    assert reply.usage.total_tokens == 99 + reply.usage.completion_tokens
    assert "- **" in texts([reply])[0] and "```python" in texts([reply])[0]


def test_max_tokens_cuts(server: Server) -> None:
    (reply,) = ask(server, "a", max_tokens=5)
    assert (reply.choices[0].finish_reason, len(texts([reply])[0])) == ("length", 20)
    assert ask_anthropic(server, max_tokens=5).stop_reason == "max_tokens"


def test_reasoning_has_its_own_place(server: Server) -> None:
    (plain,) = texts(ask(server, "a"))
    for field in ("reasoning_content", "reasoning"):
        server.configure(reasoning=field)
        (reply,) = ask(server, "a")
        assert texts([reply]) == [plain]
        thought = reply.choices[0].message.model_extra[field]
        assert reply.usage.completion_tokens_details.reasoning_tokens == -(-len(thought) // 4) > 0
    blocks = ask_anthropic(server).content
    assert [block.type for block in blocks] == ["thinking", "text"]
    server.configure(reasoning="think")
    (content,) = texts(ask(server, "a"))
    assert content == f"<think>\n{thought}\n</think>\n\n{plain}"


def test_anthropic_takes_its_own_terms_only(server: Server) -> None:
    assert ask_anthropic(server, system="Be brief.").usage.input_tokens > 0
    assert server.requests(1)[0]["body"]["system"] == "Be brief."
    with pytest.raises(anthropic.BadRequestError, match="Unexpected role"):
        ask_anthropic(server, messages=[{"role": "system", "content": "Be brief."}])
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Field required"):
        ask_anthropic(server, extra_body={"max_tokens": None})


def test_azure_wants_its_api_version(server: Server) -> None:
    async def call(**query: str) -> Any:
        base = f"{server.azure_base}/openai/deployments/dep"
        async with openai.AsyncOpenAI(base_url=base, api_key="az", default_query=query, max_retries=0) as client:
            return await client.chat.completions.create(model="x", messages=[{"role": "user", "content": "a"}])

    assert asyncio.run(call(**{"api-version": "2024-10-21"})).model == "dep"
    with pytest.raises(openai.NotFoundError, match="Resource not found"):
        asyncio.run(call())
