"""What refusals teach of how a server wants to be asked, in the providers' words; one of its size teaches nothing."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from arena_hard.calling.providers.bedrock import refusal
from arena_hard.calling.providers.lessons import lesson
from arena_hard.data.settings import EndpointSettings, ModelSettings
from tests.support.direct_calls import outcomes
from tests.support.small_server import Answered, ask, completion, error
from tests.support.threaded_server import serving

LIMIT, COLD, DEVELOPER, USER = "max_completion_tokens", "no temperature", "developer role", "no system role"
TURNS = "Conversation roles must alternate user/assistant/user/assistant/..."

REFUSED = [
    # words, param, role of the first message, lesson
    ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
     "max_tokens", "user", LIMIT),
    ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
     None, "system", LIMIT),
    ("`max_tokens` is deprecated, please use `max_completion_tokens`", None, "user", LIMIT),
    ("Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value is supported.",
     "temperature", "user", COLD),
    ("Unsupported parameter: 'temperature' is not supported with this model.", None, "system", COLD),
    ("`temperature` is deprecated for this model.", None, "user", COLD),
    ("temperature: Extra inputs are not permitted", None, "user", COLD),
    ("Unrecognized request argument supplied: temperature", None, "user", COLD),
    ("Unsupported value: 'messages[0].role' does not support 'system' with this model.", "messages[0].role", "system",
     DEVELOPER),
    ("Unsupported value: 'messages[0].role' does not support 'developer' with this model.", "messages[0].role",
     "developer", USER),
    ("System role not supported", None, "system", DEVELOPER),
    ("Developer instruction is not enabled for models/gemma-3-27b-it", None, "developer", USER),
    (TURNS, None, "developer", USER),
    (TURNS, None, "system", USER),
    ("Only user and assistant roles are supported!", None, "system", USER),
    ("This model only support stream mode, please enable the stream parameter to access the model. ", None, "user",
     "stream"),
    ("parameter.enable_thinking must be set to false for non-streaming calls", None, "user", "stream"),
    ("Streaming is strongly recommended for operations that may take longer than 10 minutes.", None, "user", "stream"),
    ("Streaming is required for operations that may take longer than 10 minutes.", None, "user", "stream"),
]  # fmt: skip

NOTHING_TAUGHT = [
    # OpenAI, Azure
    "This model's maximum context length is 8192 tokens. However, you requested 8292 tokens (4196 in the messages, "
    "4096 in the completion). Please reduce the length of the messages or completion.",
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (4904 in the messages, "
    "4096 in the completion). Please reduce the length of the system prompt, the messages or max_completion_tokens.",
    "max_tokens is too large: 200000. This model supports at most 16384 completion tokens, whereas "
    "you provided 200000.",
    "Could not finish the message because max_tokens or model output limit was reached. Please try again with higher "
    "max_tokens.",
    # vLLM
    "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context "
    "length is 4096 tokens and "
    "your request has 20 input tokens (4096 > 4096 - 20). None",
    "max_completion_tokens=4096 cannot be greater than max_model_len=2048. Please request fewer output tokens.",
    # SGLang, TGI and Together
    "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 12000 "
    "tokens: 4000 tokens from the input messages and 8000 tokens for the completion. Please reduce "
    "the number of tokens "
    "in the input messages or the completion to fit within the limit.",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 5000 `inputs` tokens and 4096 "
    "`max_new_tokens`",
    # Mistral, Groq
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the "
    "`context_window` for this model",
    "`max_completion_tokens` must be less than or equal to `8192`, the maximum value for "
    "`max_completion_tokens` is less "
    "than the `context_window` for this model",
    "Please reduce the length of the messages or completion.",
    # Anthropic
    "prompt is too long: 210000 tokens > 200000 maximum",
    "max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-sonnet-20241022",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input "
    "length or `max_tokens` "
    "and try again",
    # Gemini, Vertex
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Unable to submit request because it has a maxOutputTokens value of 100000 but the supported range is from 1 "
    "(inclusive) to 65537 (exclusive). Update the value and try again.",
    # another parameter is refused
    "Unsupported parameter: 'top_k'. Supported parameters are temperature, max_tokens.",
    "The audio modality is not supported on this system.",
    "Input should be less than or equal to 2: temperature",
    "`temperature` may only be set to 1 when thinking is enabled.",
    "System messages are only supported at the beginning. Tools are not supported with this model.",
    "After the optional system message, conversation roles must alternate user/assistant/user/assistant/...",
    "Your organization must be verified to stream this model.",
]  # fmt: skip


def asked(role: str = "user") -> dict[str, Any]:
    """The body of a request whose first message has this role."""
    return {"model": "m", "messages": [{"role": role, "content": "x"}], "max_tokens": 100, "temperature": 0.0}


@pytest.mark.parametrize(("words", "param", "role", "taught"), REFUSED)
def test_a_refused_parameter_teaches(words: str, param: str | None, role: str, taught: str) -> None:
    body = {"error": {"message": words, "param": param}}
    assert lesson(400, body, words, asked(role)) == taught
    assert lesson(404, body, words, asked(role)) is None


@pytest.mark.parametrize("words", NOTHING_TAUGHT)
@pytest.mark.parametrize("role", ["user", "system", "developer"])
def test_a_refused_size_or_another_parameter_teaches_nothing(words: str, role: str) -> None:
    for param in (None, "messages", "max_tokens"):
        assert lesson(400, {"error": {"message": words, "param": param}}, words, asked(role)) is None


@pytest.mark.parametrize(
    ("words", "taught"),
    [
        ("`temperature` is deprecated for this model.", COLD),
        ("This model doesn't support the temperature field. Remove temperature and try again.", COLD),
        ("Malformed input request: extraneous key [temperature] is not permitted, please reformat your input.", COLD),
        ("This model doesn't support system messages. Try again without system messages.", USER),
        ("The operating system of this host is not supported.", None),
        ("The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that "
         "is lower than 4096, or a shorter system prompt; longer ones are not supported.", None),
        ("Input is too long for requested model.", None),
        ("This model doesn't support topK. Set temperature instead.", None),
    ],
)  # fmt: skip
def test_bedrocks_refusals(words: str, taught: str | None) -> None:
    response = {"Error": {"Code": "ValidationException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    body = {"inferenceConfig": {"temperature": 0.0}, "system": [{"text": "x"}]}
    assert refusal(response, words, body).lesson == taught


def test_a_request_that_is_too_large_is_sent_once_and_changes_no_other() -> None:
    def answer(body: dict[str, Any], number: int) -> Answered:
        return error(400, NOTHING_TAUGHT[1], code="context_length_exceeded") if number == 1 else completion("fine")

    found = ask(answer, prompts=2, one_by_one=True)
    assert "maximum context length" in found.first.message
    assert ["max_tokens" in body for body in found.bodies] == [True, True]


def test_a_template_of_two_roles_gets_the_system_prompt_in_the_first_message() -> None:
    """Gemma's, behind vLLM: what it says of the developer role speaks of alternation alone."""
    refusals = {"system": "System role not supported", "developer": TURNS}

    async def answer(request: web.BaseRequest) -> web.Response:
        first = (await request.json())["messages"][0]
        if first["role"] in refusals:
            return web.json_response({"object": "error", "message": refusals[first["role"]], "code": 400}, status=400)
        return web.json_response(completion(first["content"])[2])

    with serving(answer) as root:
        model = ModelSettings(name="m", model_name="m", endpoints=[EndpointSettings(f"{root}/v1", "k")])
        assert outcomes(model, system="Be brief.")[0].content == "Be brief.\n\nPrompt 1"
