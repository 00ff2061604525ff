"""Which order of requests a provider's prompt cache likes: share of the cacheable tokens that hit.

    python benchmarks/prefix_cache.py

Against the loopback server's simulated cache. One second here stands for five minutes: a prefix is kept
for 1 s, a reply takes 50 ms (15 s), so that a pass over all questions outlives the cache.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import utils  # noqa: E402
from arena_hard.calling.job_queue import run_jobs  # noqa: E402
from arena_hard.data.settings import EndpointSettings, ModelSettings  # noqa: E402
from arena_hard.judging.cache_order import in_blocks, shared_length  # noqa: E402
from tests.loopback import Server, running_server  # noqa: E402

QUESTIONS, MODELS, PARALLEL, SEED = 500, 3, 16, 1
WORDS = ["river", "stone", "bright", "lantern", "copper", "garden", "quiet", "window", "harbour", "paper"]


def text(rng: random.Random, size: int) -> str:
    """Words of so many characters, different each time."""
    return " ".join(rng.choices(WORDS, k=size // 6))[:size].strip() + f" {rng.random()}"


def prompts() -> tuple[str, dict[tuple[int, int], str]]:
    """The system prompt, and the prompt of game 1 for each question and model; sizes as on the real bench."""
    rng = random.Random(SEED)
    made = {}
    for question in range(QUESTIONS):
        start = f"{text(rng, 500)}\n\nAnswer A:\n{text(rng, 2500)}\n\nAnswer B:\n"
        for model in range(MODELS):
            made[question, model] = start + text(rng, 2500)
    return text(rng, 2000), made


def orders() -> dict[str, list[tuple[int, int]]]:
    """Pairs of question and model in three orders."""
    questions, models = list(range(QUESTIONS)), list(range(MODELS))
    return {
        "model by model": [(q, m) for m in models for q in questions],
        "question by question": [(q, m) for q in questions for m in models],
        "in blocks of questions": list(in_blocks(questions, models, 2 * PARALLEL)),
    }


async def judged(server: Server, api_type: str, order: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Input tokens read from the cache, and those that every request but a question's first could have read."""
    base = server.openai_base if api_type == "openai" else server.anthropic_base
    endpoint = EndpointSettings(api_base=base, api_key="k")
    models = utils.Models()
    model = models.open(
        ModelSettings(name="judge", model_name="judge", api_type=api_type, endpoints=[endpoint], parallel=PARALLEL)
    )
    system, made = prompts()
    cached = possible = 0

    async def work(pair: tuple[int, int]) -> None:
        nonlocal cached, possible
        question, number = pair
        prompt = made[pair]
        shared = shared_length(prompt, made[question, (number + 1) % MODELS])
        messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        reply = await utils.chat_completion(model, messages, 0.0, 200, shared=shared)
        cached += reply.usage.cached_tokens if reply.usage else 0
        possible += (len(system) + shared) // 4

    try:
        await run_jobs(iter(order), work, utils.width(model))
    finally:
        await models.close()
    return cached, possible * (MODELS - 1) // MODELS


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(f"{QUESTIONS} questions, {MODELS} models, {PARALLEL} in flight, seed {SEED}")
    cache = {"ttl": 1.0}
    with running_server(latency=0.05, prefix_cache=cache, reply="size=400", seed=SEED) as server:
        for api_type in ("openai", "anthropic"):
            for name, order in orders().items():
                server.reset()
                cached, possible = asyncio.run(judged(server, api_type, order))
                print(f"{api_type:<10} {name:<24} {cached:>9,} of {possible:>9,} tokens hit: {cached / possible:.1%}")


if __name__ == "__main__":
    main()
