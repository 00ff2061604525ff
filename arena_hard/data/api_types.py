"""api_types under the names that the original's later versions, LiteLLM, forks and people give them."""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple

from arena_hard.data.record_values import is_list, is_object
from arena_hard.data.yaml_files import Written, plain

Values = dict[str, Any]


class Understood(NamedTuple):
    """A mapping in this project's words, and what is to be said of it."""

    values: Values
    remarks: list[str]


# each api_type with its other names; case, spaces, dots, hyphens and underscores make no difference
_NAMES = {
    "openai": "chatgpt gpt openai_api openai_thinking openai_streaming openai_chat openai_custom openai_compatible "
    "openai_like",
    "azure": "azure_openai openai_azure azure_chat",
    "anthropic": "anthropic_thinking claude anthropic_chat claude_thinking",
    "gemini": "google gemini_thinking gemini_openai google_gemini google_ai_studio google_genai googleai",
    "mistral": "mistral_ai",
    "cohere": "cohere_chat cohere_v2",
    "deepseek": "deepseek_chat deepseek_reasoner deepseek_openai deepseek_thinking",
    "xai": "x_ai grok",
    "together": "together_ai",
    "groq": "groq_cloud",
    "openrouter": "openrouter_ai",
    "bedrock": "aws amazon aws_bedrock amazon_bedrock bedrock_converse",
    "vertex": "vertex_ai google_vertex google_vertex_ai google_vertexai vertex_ai_beta vertex_gemini",
    "recorded": "",
}
_OWN_MODELS = {"deepseekreasoner": "deepseek-reasoner"}  # api_types that name the model
# servers on this machine that speak the OpenAI protocol: where they listen unless told otherwise
LOCAL_SERVERS = {"sglang": 30000, "vllm": 8000, "ollama": 11434, "tgi": 3000, "lm_studio": 1234, "llama_cpp": 8080}
_LOCAL_NAMES = {
    "sglang": "sglang_local sglang_openai sglang_server local_sglang",
    "vllm": "hosted_vllm vllm_local vllm_openai vllm_server local_vllm",
    "ollama": "ollama_chat ollama_local ollama_openai",
    "tgi": "text_generation_inference",
    "lm_studio": "lmstudio",
    "llama_cpp": "llamacpp llama_server llama.cpp",
}
_PREFIXES = {  # the words in front of LiteLLM's model names that are api_types here
    *("openai", "azure", "anthropic", "gemini", "vertex_ai", "bedrock", "mistral", "cohere", "cohere_chat"),
    *("deepseek", "xai", "together_ai", "groq", "openrouter", "sglang", "vllm", "hosted_vllm", "ollama", "ollama_chat"),
}


def _folded(name: str) -> str:
    return re.sub(r"[\s._-]+", "", name).lower()


_KNOWN = {
    _folded(name): api_type
    for names in (_NAMES, _LOCAL_NAMES)
    for api_type, others in names.items()
    for name in (api_type, *others.split())
}


def with_api_type(values: Values) -> Understood:
    """An api_type that is known here, and a model's name without the prefix that says the api_type."""
    api_type, model = text_of(values.get("api_type")).strip(), text_of(values.get("model_name"))
    if "/" in api_type and ":" not in api_type:  # litellm/azure, azure/gpt-4o
        first, _, second = api_type.partition("/")
        inner, _, name = second.partition("/")
        api_type, model = (inner, model or name) if _folded(first) == "litellm" else (first, model or second)
    remarks: list[str] = []
    if _folded(api_type) == "litellm" or (not api_type and not _has_address(values)):
        is_litellms = bool(api_type) or model.startswith("litellm/")
        api_type, model = _split_prefix(api_type, model.removeprefix("litellm/"))
        if is_litellms and api_type == "openai" and "/" in model and not _has_address(values):
            prefix = model.partition("/")[0]
            remarks.append(
                f"model_name: {prefix}/ is no api_type here, so {model} is asked of openai; for another server write "
                "api_type and endpoints"
            )
    model = model or _OWN_MODELS.get(_folded(api_type), "")
    known = _known(api_type, values)
    named: Values = {"api_type": "openai" if known in LOCAL_SERVERS else known} if known else {}
    named |= {"model_name": model} if model else {}
    if known not in LOCAL_SERVERS or _has_address(values) or text_of(values.get("serve")):
        return Understood({**values, **named}, remarks)
    return _at_its_usual_address({**values, **named}, known)


def text_of(value: Any) -> str:
    """A value as it is written; empty for null and for what is no text."""
    if isinstance(value, Written):
        return "" if value.value is None and not value.problem else value.text
    return value if isinstance(value, str) else ""


def endpoints_of(values: Values) -> list[Any]:
    """What an entry has as its endpoints; one alone is a list of one."""
    given = values.get("endpoints")
    return given if is_list(given) else [given]


def first_endpoint(values: Values) -> Values:
    """The first endpoint of an entry; empty where there is none."""
    first = next(iter(endpoints_of(values)), None)
    return first if is_object(first) else {}


def _known(api_type: str, values: Values) -> str:
    """The api_type of this project, or the local server, that a name means; the name itself where it means none."""
    folded = _folded(api_type)
    if api_type.startswith("aws_"):
        return "bedrock"
    known = _KNOWN.get(folded, api_type)
    return _engine(values) or known if known in ("openai", "") and not _has_address(values) else known


def _engine(values: Values) -> str:
    """The local server that an entry without an address names in other keys; SGLang is the original's."""
    for key in ("engine", "backend", "framework"):
        named = _KNOWN.get(_folded(text_of(values.get(key))), "")
        if named in LOCAL_SERVERS:
            return named
    named = next((name for name in LOCAL_SERVERS if name in values and not text_of(values.get("api_type"))), "")
    return named or ("sglang" if plain(values.get("local_engine")) is True else "")


def _at_its_usual_address(values: Values, server: str) -> Understood:
    """An entry without an address: the server is looked for on this machine, at the port that the entry names."""
    port = plain(values.get("port")) or plain(values.get("server_port"))
    base = f"http://localhost:{port if type(port) is int else LOCAL_SERVERS[server]}/v1"
    endpoints = [{**first_endpoint(values), "api_base": base}]
    rest = {key: value for key, value in values.items() if key not in ("port", "server_port")}
    remark = f"no address for {server}, so its server is looked for at {base}; serve: starts one"
    return Understood({**rest, "endpoints": endpoints}, [remark])


def _split_prefix(api_type: str, model: str) -> tuple[str, str]:
    prefix, _, rest = model.partition("/")
    if rest and prefix in _PREFIXES:
        return prefix, rest.removeprefix("converse/") if prefix == "bedrock" else rest
    return ("openai" if api_type else ""), model


def _has_address(values: Values) -> bool:
    """Whether the entry, or the SDK's own variable, says where its server is."""
    entries = endpoints_of(values)
    named = [text_of(each.get(key)) for each in entries if is_object(each) for key in ("api_base", "base_url")]
    return any(named) or bool(os.environ.get("OPENAI_BASE_URL"))
