"""What a model is asked: its system prompt, the messages of each turn, and the settings that shape its answer."""

from __future__ import annotations

import asyncio
import functools

from arena_hard.calling.providers.base import CallError, Message
from arena_hard.data.records import Question
from arena_hard.data.settings import AnswerSettings, ModelSettings, later_shaping
from arena_hard.data.tokens import PromptLength

# The original sends this prompt to these models when the config gives none; scores depend on it.
DEFAULT_SYSTEM_PROMPT = "You are a helpful assistant."
MODELS_WITH_DEFAULT_PROMPT = {
    "gpt-3.5-turbo",
    "gpt-3.5-turbo-0301",
    "gpt-3.5-turbo-0613",
    "gpt-3.5-turbo-0613-verbose",
    "gpt-3.5-turbo-16k",
    "gpt-3.5-turbo-16k-0613",
    "gpt-4",
    "gpt-4-0314",
    "gpt-4-0613",
    "gpt-4-turbo",
    "gpt-4-1106-preview",
    "gpt-4-0125-preview",
}


def system_prompt(model: ModelSettings) -> str | None:
    """The model's own system prompt, or the one that older OpenAI models get."""
    if model.system_prompt is not None:
        return model.system_prompt
    return DEFAULT_SYSTEM_PROMPT if model.model_name in MODELS_WITH_DEFAULT_PROMPT else None


def opening_messages(model: ModelSettings) -> list[Message]:
    """What stands before the first turn."""
    system = system_prompt(model)
    return [{"role": "system", "content": system}] if system else []


def prompts_of(model: ModelSettings, question: Question) -> list[list[Message]]:
    """What is known today of each request for a question: later turns will hold the answers before them too."""
    turns: list[Message] = [{"role": "user", "content": turn} for turn in question.turns]
    return [[*opening_messages(model), *turns[: end + 1]] for end in range(len(turns))]


def replies_shown_again(question: Question) -> int:
    """How many replies its requests hold together besides: the third turn shows those to the first two."""
    return len(question.turns) * (len(question.turns) - 1) // 2


def answer_shaping_settings(model: ModelSettings, settings: AnswerSettings) -> dict[str, object]:
    """All that shapes an answer besides the question: equal settings, equal hash."""
    return {
        "model_name": model.model_name,
        "system_prompt": system_prompt(model),
        "temperature": settings.temperature if model.temperature is None else model.temperature,
        "max_tokens": settings.max_tokens if model.max_tokens is None else model.max_tokens,
        "num_choices": settings.num_choices,
        "tokenizer": model.tokenizer,
        "reasoning_effort": model.reasoning_effort,
        "thinking": model.thinking,
        "extra_body": model.extra_body,
        "retry_truncated": model.retry_truncated,
        **later_shaping(model),
    }


async def room_for_reply(model: ModelSettings, prompt: str, max_tokens: int) -> int:
    """max_tokens, reduced by the prompt's length where the config names a tokenizer. Raises CallError."""
    if model.tokenizer is None:
        return max_tokens
    room = await asyncio.to_thread(_prompt_length(model.tokenizer).room, prompt, max_tokens)
    if room < 1:
        raise CallError("final", f"the prompt leaves no room within max_tokens {max_tokens}; raise max_tokens")
    return room


@functools.lru_cache
def _prompt_length(tokenizer: str) -> PromptLength:
    return PromptLength(tokenizer)
