"""A server's context length: read from lists of models and from the refusals of many servers, and looked for before
a run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from arena_hard.calling.context import Context
from arena_hard.calling.context_check import look
from arena_hard.calling.models import Models
from arena_hard.calling.providers.base import CallError
from arena_hard.calling.providers.context_length import Listed, TooLong, listed, told_by, too_long
from arena_hard.calling.providers.error_bodies import message_of
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.loopback import Server
from tests.support.small_server import ask, completion, error

LLAMA = "the request exceeds the available context size. try increasing the context size or enable context shift"

REFUSALS = [
    # OpenAI, DeepSeek, earlier vLLM
    ("This model's maximum context length is 8192 tokens. However, you requested 8292 tokens (4196 in the messages, "
     "4096 in the completion). Please reduce the length of the messages or completion.", 8192, 4196),
    ("This model's maximum context length is 4097 tokens, however you requested 4116 tokens (3860 in your prompt; 256 "
     "for the completion).", 4097, 3860),
    ("This model's maximum context length is 4097 tokens. However, your messages resulted in 5613 tokens.", 4097, 5613),
    ("Your input exceeds the context window of this model. Please adjust your input and try again.", None, None),
    # vLLM; what it counts "at least" is no count
    ("'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 4096 tokens "
     "and your request has 20 input tokens (4096 > 4096 - 20). None", 4096, 20),
    ("This model's maximum context length is 4096 tokens. However, you requested 1024 output tokens and your prompt "
     "contains at least 3073 input tokens, for a total of at least 4097 tokens.", 4096, None),
    ("max_completion_tokens=4096 cannot be greater than max_model_len=2048. Please request fewer output tokens.",
     2048, None),
    ("The decoder prompt (length 12345) is longer than the maximum model length of 8192. Make sure that "
     "`max_model_len` is no smaller than the number of text tokens", 8192, 12345),
    # SGLang, TGI and Together
    ("Requested token count exceeds the model's maximum context length of 202752 tokens. You requested a total of "
     "202941 tokens: 170941 tokens from the input messages and 32000 tokens for the completion.", 202752, 170941),
    ("The input (61709 tokens) is longer than the model's context length (40960 tokens).", 40960, 61709),
    ("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 5000 `inputs` tokens and 4096 "
     "`max_new_tokens`", 8193, 5000),
    ("Input validation error: `inputs` must have less than 4095 tokens. Given: 5000", 4095, 5000),
    # llama.cpp, llama-cpp-python, LM Studio
    ("request (1407 tokens) exceeds the available context size (256 tokens), try increasing it", 256, 1407),
    (LLAMA, None, None),
    ("Requested tokens (516) exceed context window of 512", 512, None),
    ("The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 5000 >= n_ctx: "
     "4096). Try to load the model with a larger context length", 4096, 5000),
    # Mistral, Groq, Anthropic, Gemini, xAI, OpenRouter, Cohere, Fireworks, Bedrock
    ("Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
     32768, 40000),
    ("Please reduce the length of the messages or completion.", None, None),
    ("prompt is too long: 210000 tokens > 200000 maximum", 200000, 210000),
    ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or "
     "`max_tokens` and try again", 200000, 190000),
    ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", 1048576, 1200000),
    ("This model's maximum prompt length is 131072 but the request contains 133000 tokens.", 131072, 133000),
    ("This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 tokens (8000 of text "
     "input, 1000 in the output).", 8192, 8000),
    ("too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000.", 4081, 5000),
    ("The prompt is too long: 9000, model maximum context length: 8192", 8192, 9000),
    ("Input is too long for requested model.", None, None),
    # SGLang, Moonshot, Qwen, Cerebras, OpenAI
    ("Input length (5000 tokens) exceeds the maximum allowed length (4096 tokens). Use a shorter input or enable "
     "--allow-auto-truncate.", 4096, 5000),
    ("context_length_exceeded", None, None),
    ("Invalid request: Your request exceeded model token limit: 8192", 8192, None),
    ("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]", 30720, None),
    ("Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192", 8192, 9000),
    ("Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens. Please "
     "reduce the length of the messages.", 272000, 300000),
]  # fmt: skip

OTHERS = [
    "max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-sonnet-20241022",
    "max_tokens is too large: 200000. This model supports at most 16384 completion tokens.",
    "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the "
    "`context_window` for this model",
    "Could not finish the message because max_tokens or model output limit was reached.",
    "Request too large for gpt-4 on tokens per min (TPM): Limit 10000, Requested 12000.",
    "Unsupported parameter: 'top_k'. Supported parameters are temperature, max_tokens.",
    "invalid model name",
]


@pytest.mark.parametrize(("words", "limit", "prompt"), REFUSALS)
def test_a_refusal_tells_the_length_and_what_was_counted(words: str, limit: int | None, prompt: int | None) -> None:
    assert too_long(words) == TooLong(limit, prompt)


@pytest.mark.parametrize("words", OTHERS)
def test_other_refusals_say_nothing_of_the_context(words: str) -> None:
    assert too_long(words) is None


def test_numbers_beside_the_words_are_read_too() -> None:
    body = {"error": {"code": 400, "message": LLAMA, "type": "e", "n_prompt_tokens": 1407, "n_ctx": 256}}
    assert too_long(message_of(body)) == TooLong(256, 1407)
    assert message_of({"error": {"message": "request (1407 tokens) exceeds the available context size (256 tokens)",
                                 "n_ctx": 256}}).endswith("(256 tokens)")  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "length"),
    [
        ({"owned_by": "vllm", "max_model_len": 8192}, 8192),
        ({"owned_by": "sglang", "max_model_len": "8192"}, 8192),
        ({"context_length": 131072, "top_provider": {"context_length": 32768}}, 32768),  # OpenRouter
        ({"context_length": 4096, "top_provider": {"context_length": None}}, 4096),
        ({"context_window": 131072}, 131072),  # Groq
        ({"max_context_length": 32768}, 32768),  # Mistral
        ({"max_context_length": 32768, "loaded_context_length": 4096}, 4096),  # LM Studio
        ({"owned_by": "openai"}, None),
        ({"max_model_len": None}, None),
        ({"max_model_len": -1}, None),
    ],
)
def test_lists_of_models_tell_it_under_many_names(entry: dict[str, Any], length: int | None) -> None:
    found = listed({"data": [{"id": "other", "max_model_len": 1}, {"id": "m", **entry}]}, "m")
    assert found and found.length == length
    assert listed([{"id": "m", **entry}], "alias") == found  # Together sends no object; one model goes by any name


@pytest.mark.parametrize("found", [None, "x", {}, {"data": 3}, {"data": [1]}, {"data": [{"id": "a"}, {"id": "b"}]}])
def test_a_list_without_the_model_tells_nothing(found: Any) -> None:
    assert listed(found, "m") is None


def test_places_of_single_servers() -> None:
    assert listed({"data": [{"id": "m", "owned_by": "m"}]}, "m") == Listed(None, "tgi")
    assert told_by("tgi", {"max_total_tokens": 4096}, "m") == Listed(4096, "tgi", "max_total_tokens")
    slots = {"total_slots": 4, "default_generation_settings": {"n_ctx": 2048}}
    assert told_by("llamacpp", slots, "m") == Listed(2048, "llamacpp", "n_ctx of a slot")
    loaded = {"models": [{"name": "a", "context_length": 1}, {"name": "m", "context_length": 4096}]}
    assert told_by("library", loaded, "m") == Listed(4096, "library", "context_length in ollama ps")
    for engine in ("tgi", "llamacpp", "library"):
        assert told_by(engine, {"models": []}, "m") is None and told_by(engine, None, "m") is None


def looked(base: str, **more: Any) -> Context | None:
    async def run() -> Context | None:
        models = Models()
        try:
            return await look(models.open(ModelSettings("m", "m", [EndpointSettings(base, "k")], **more)))
        finally:
            await models.close()

    return asyncio.run(run())


@pytest.mark.slow
def test_a_server_is_asked_where_it_tells_it(wire: Server) -> None:
    host = wire.openai_base.split("/")[2]
    wire.configure(context_window=8192, context_told="models")
    assert looked(wire.openai_base) == Context(8192, f"max_model_len of {host}", "vllm")
    assert looked(wire.openai_base, context_length=99) == Context(99, "context_length in its entry", counts=True)
    wire.configure(context_told="props")
    assert looked(wire.openai_base) == Context(8192, f"n_ctx of a slot of {host}", "llamacpp")
    wire.configure(context_told=None)
    assert looked(wire.openai_base) is None
    assert looked("http://127.0.0.1:9/v1") is None  # nobody there


def test_prompts_that_are_too_long_fail_in_the_same_words_and_are_asked_once() -> None:
    def answer(body: dict[str, Any], number: int) -> Any:
        if number > 2:
            return completion("fine")
        return error(500 if number == 1 else 400, LLAMA, n_prompt_tokens=1000 + number, n_ctx=256)

    asked = ask(answer, prompts=3, one_by_one=True)
    assert len(asked.bodies) == 3
    first, second, third = asked.outcomes
    assert isinstance(first, CallError) and isinstance(second, CallError) and not isinstance(third, CallError)
    assert (first.too_long, second.too_long) == (TooLong(256, 1001), TooLong(256, 1002))
    said = "the prompt and max_tokens 100 do not fit into the maximum context length of 256 tokens"
    assert (first.message.split(": ")[1:], second.message.split(": ")[1:]) == (["500", said], ["400", said])
