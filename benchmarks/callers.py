"""Other ways to ask for the same replies, each a program of its own: what calls.py measures gen_answer.py beside.

    python benchmarks/callers.py sdk|aiohttp|inspect ADDRESS --count 2000 --parallel 64

sdk       the openai SDK's asynchronous client, one for all calls
aiohttp   aiohttp with the request and the decoder of the standard library: the least that Python needs
inspect   inspect_ai, a harness for evaluations, which writes its log; it needs an environment in which it is installed

None of them keeps anything but the replies' lengths (inspect_ai its log), and none retries or counts tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable

PROMPT = "word " * 400
MOST_TOKENS = 3000


async def side_by_side(ask: Callable[[str], Awaitable[str]], count: int, parallel: int) -> int:
    """The characters of all replies, of which so many are waited for at once."""
    room = asyncio.Semaphore(parallel)

    async def one(number: int) -> int:
        async with room:
            return len(await ask(f"{number} {PROMPT}"))

    return sum(await asyncio.gather(*(one(number) for number in range(count))))


async def by_sdk(address: str, count: int, parallel: int) -> int:
    """The openai SDK as its documentation uses it."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=address, api_key="k", max_retries=0, timeout=120) as client:

        async def ask(prompt: str) -> str:
            reply = await client.chat.completions.create(
                model="m0", messages=[{"role": "user", "content": prompt}], max_tokens=MOST_TOKENS
            )
            return reply.choices[0].message.content or ""

        return await side_by_side(ask, count, parallel)


async def by_aiohttp(address: str, count: int, parallel: int) -> int:
    """One session, one connection for each request in flight."""
    import aiohttp

    connections = aiohttp.TCPConnector(limit=parallel)
    async with aiohttp.ClientSession(connector=connections, headers={"Authorization": "Bearer k"}) as session:

        async def ask(prompt: str) -> str:
            body = {"model": "m0", "messages": [{"role": "user", "content": prompt}], "max_tokens": MOST_TOKENS}
            async with session.post(f"{address}/chat/completions", json=body) as response:
                reply = await response.json()
            return str(reply["choices"][0]["message"]["content"])

        return await side_by_side(ask, count, parallel)


def by_inspect(address: str, count: int, parallel: int) -> int:
    """An evaluation without a scorer."""
    os.environ |= {"OPENAI_BASE_URL": address, "OPENAI_API_KEY": "k"}
    from inspect_ai import Task, eval  # pyright: ignore[reportMissingImports]
    from inspect_ai.dataset import MemoryDataset, Sample  # pyright: ignore[reportMissingImports]
    from inspect_ai.solver import generate  # pyright: ignore[reportMissingImports]

    task = Task(MemoryDataset([Sample(f"{number} {PROMPT}") for number in range(count)]), solver=generate())
    with tempfile.TemporaryDirectory() as folder:
        logs = eval(
            task,
            model="openai/m0",
            max_connections=parallel,
            max_samples=parallel,
            max_tokens=MOST_TOKENS,
            log_dir=folder,
            display="none",
            model_args={"responses_api": False},
        )
        assert logs[0].status == "success", logs[0].error
        return sum(len(sample.output.completion) for sample in logs[0].samples or [])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=("sdk", "aiohttp", "inspect"))
    parser.add_argument("address", help="of the server, with /v1")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--parallel", type=int, default=64)
    args = parser.parse_args()
    if args.way == "inspect":
        found = by_inspect(args.address, args.count, args.parallel)
    else:
        found = asyncio.run({"sdk": by_sdk, "aiohttp": by_aiohttp}[args.way](args.address, args.count, args.parallel))
    assert found >= args.count * 1000, found
    return 0


if __name__ == "__main__":
    sys.exit(main())
