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

pytestmark = pytest.mark.slow  # a server, asked through the SDKs

JUDGE = "Compare them. End with one of [[A>>B]], [[A>B]], [[A=B]], [[B>A]], [[B>>A]]."


def test_a_reply_depends_on_model_messages_and_seed_alone(wire: Server) -> None:
    first, again, other = texts(ask(wire, "a", "a", "b"))
    assert first == again != other
    assert texts(ask(wire, "a", model="n")) != [first]
    assert texts(ask(wire, "a", temperature=1, user="someone")) == [first]
    wire.configure(seed=6)
    assert texts(ask(wire, "a")) != [first]


@pytest.mark.parametrize("size", [0, 5, 100, 4096])
def test_size_is_exact(wire: Server, size: int) -> None:
    wire.configure(reply=f"size={size}")
    first, second = ask(wire, "a", "b")
    assert [len(text) for text in texts([first, second])] == [size, size]
    assert first.usage.completion_tokens == -(-size // 4)


def test_echo_gives_back_every_sign(wire: Server) -> None:
    wire.configure(reply="echo")
    strange = ["{braces} {0} {{}}", "%s ${HOME} \\n", "[[A>B]]", "line\n\n\ttab ", "日本 🙂 \u2028 \x00"]
    assert texts(ask(wire, *strange)) == strange
    assert ask_anthropic(wire, messages=[{"role": "user", "content": strange[0]}]).content[0].text == strange[0]


def test_a_judge_prompt_gets_a_verdict(wire: Server) -> None:
    label = re.compile(r"\[\[([AB<>=]+)\]\]")
    judgments = texts(ask(wire, *(f"{JUDGE} {number}" for number in range(60))))
    found = [label.findall(text) for text in judgments]
    assert {len(labels) for labels in found} == {1}
    assert {labels[0] for labels in found} == {"A>>B", "A>B", "A=B", "B>A", "B>>A"}
    wire.configure(unreadable=0.5)
    found = [label.findall(text) for text in texts(ask(wire, *(f"{JUDGE} {n}" for n in range(60))))]
    assert {len(labels) for labels in found} == {0, 1, 2}
    wire.configure(unreadable=0.0, reply="size=500")
    (judgment,) = texts(ask(wire, JUDGE))
    assert len(judgment) == 500 and label.search(judgment)


def test_usage_model_and_fingerprint(wire: Server) -> None:
    wire.configure(served_suffix="-2024-08-06", markdown=True)
    (reply,) = ask(wire, "x" * 387)
    assert (reply.model, reply.system_fingerprint) == ("m-2024-08-06", "fp_loopback")
    # "user", the text and two line ends make 393 bytes: 99 tokens of four bytes.
    assert reply.usage.prompt_tokens == 99
    assert reply.usage.completion_tokens == -(-len(texts([reply])[0]) // 4)
    assert reply.usage.total_tokens == 99 + reply.usage.completion_tokens
    assert "- **" in texts([reply])[0] and "```python" in texts([reply])[0]


def test_max_tokens_cuts(wire: Server) -> None:
    (reply,) = ask(wire, "a", max_tokens=5)
    assert (reply.choices[0].finish_reason, len(texts([reply])[0])) == ("length", 20)
    assert ask_anthropic(wire, max_tokens=5).stop_reason == "max_tokens"


def test_reasoning_has_its_own_place(wire: Server) -> None:
    (plain,) = texts(ask(wire, "a"))
    for field in ("reasoning_content", "reasoning"):
        wire.configure(reasoning=field)
        (reply,) = ask(wire, "a")
        assert texts([reply]) == [plain]
        thought = reply.choices[0].message.model_extra[field]
        assert reply.usage.completion_tokens_details.reasoning_tokens == -(-len(thought) // 4) > 0
    blocks = ask_anthropic(wire).content
    assert [block.type for block in blocks] == ["thinking", "text"]
    wire.configure(reasoning="think")
    (content,) = texts(ask(wire, "a"))
    assert content == f"<think>\n{thought}\n</think>\n\n{plain}"


def test_anthropic_takes_its_own_terms_only(wire: Server) -> None:
    assert ask_anthropic(wire, system="Be brief.").usage.input_tokens > 0
    assert wire.requests(1)[0]["body"]["system"] == "Be brief."
    with pytest.raises(anthropic.BadRequestError, match="Unexpected role"):
        ask_anthropic(wire, messages=[{"role": "system", "content": "Be brief."}])
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Field required"):
        ask_anthropic(wire, extra_body={"max_tokens": None})


def test_azure_wants_its_api_version(wire: Server) -> None:
    async def call(**query: str) -> Any:
        base = f"{wire.azure_base}/openai/deployments/dep"
        async with openai.AsyncOpenAI(base_url=base, api_key="az", default_query=query, max_retries=0) as client:
            return await client.chat.completions.create(model="x", messages=[{"role": "user", "content": "a"}])

    assert asyncio.run(call(**{"api-version": "2024-10-21"})).model == "dep"
    with pytest.raises(openai.NotFoundError, match="Resource not found"):
        asyncio.run(call())
