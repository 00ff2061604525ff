"""Asking a loopback server through the real SDKs, without retries of theirs."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic
import openai

from .process import Server


def ask(server: Server, *contents: str, key: str = "sk-1", role: str = "user", **request: Any) -> list[Any]:
    """Ask several questions at once; an error takes the place of its reply."""

    async def calls() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=server.openai_base, api_key=key, max_retries=0) as client:
            create: Any = client.chat.completions.create
            bodies = [{"model": "m", "messages": [{"role": role, "content": text}]} | request for text in contents]
            return await asyncio.gather(*(create(**body) for body in bodies), return_exceptions=True)

    return asyncio.run(calls())


def ask_anthropic(server: Server, **request: Any) -> Any:
    async def call() -> Any:
        base = server.anthropic_base
        async with anthropic.AsyncAnthropic(base_url=base, api_key="sk-ant", max_retries=0) as client:
            body = {
                "model": "m",
                "max_tokens": 4000,
                "messages": [{"role": "user", "content": "Why?"}],
            } | request
            return await client.messages.create(**body)

    return asyncio.run(call())


def texts(replies: list[Any]) -> list[str]:
    return [reply.choices[0].message.content for reply in replies]
