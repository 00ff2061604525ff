"""Keys and api_types of the original's later versions and of its forks, in this project's words.

Each function takes a mapping of a config and gives it back with the keys that are known here, and with remarks on what
was decided or has no effect. What it does not know stays, and is a mistake.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from arena_hard.data.records import is_list, is_object
from arena_hard.data.yaml_files import Written, plain

Values = dict[str, Any]


class Understood(NamedTuple):
    """A mapping in this project's words, and what is to be said of it."""

    values: Values
    remarks: list[str]


Reader = Callable[[Values, "set[str]"], Understood]

_NOTES = {
    "name",
    "description",
    "notes",
    "comment",
    "display_name",
    "beautiful_name",
    "license",
    "organization",
    "link",
}
_STAGE_NOTES = {*_NOTES, "images_base_dir"}
# what starts or sizes a local server; here that is the command in `serve`
_OF_A_SERVER = {
    *("local_engine", "engine_args", "server_args", "sglang_args", "vllm_args", "model_path", "tokenizer_path"),
    *("tp", "tp_size", "dp_size", "tensor_parallel_size", "data_parallel_size", "num_gpus", "gpu_memory_utilization"),
    *("mem_fraction_static", "max_model_len", "context_length", "max_num_seqs", "dtype", "quantization"),
    *("trust_remote_code", "chat_template", "load_format", "enforce_eager", "host", "port"),
}
# fields of a request that stand beside the entry's other keys
OF_A_REQUEST = (
    *("top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty", "repetition_penalty"),
    *("logit_bias", "chat_template_kwargs"),
)
_OF_AN_ENDPOINT = ("api_base", "base_url", "api_key", "api_version")

_MODEL_NAMES = {
    "model": "model_name",
    "max_new_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
}
_JUDGE_NAMES = {"regex_patterns": "regex_pattern", "judge_models": "judge_model"}
_ENDPOINT_NAMES = {"base_url": "api_base"}

_API_TYPES = {
    **dict.fromkeys(("openai_thinking", "openai_streaming", "openai_chat", "openai_custom", "openai-custom"), "openai"),
    **dict.fromkeys(("openai_compatible", "openai-compatible", "openai_like", "openai-like"), "openai"),
    **dict.fromkeys(("azure_openai", "azure-openai", "openai_azure"), "azure"),
    **dict.fromkeys(("anthropic_thinking", "claude"), "anthropic"),
    **dict.fromkeys(("vertex_ai", "vertexai"), "vertex"),
    **dict.fromkeys(("together_ai", "togetherai"), "together"),
    **dict.fromkeys(("deepseek_chat", "deepseek_reasoner"), "deepseek"),
    **dict.fromkeys(("google", "gemini_thinking"), "gemini"),
    **dict.fromkeys(("cohere_chat",), "cohere"),
    **dict.fromkeys(("mistralai",), "mistral"),
    **dict.fromkeys(("grok",), "xai"),
}
_OWN_MODELS = {"deepseek_reasoner": "deepseek-reasoner"}  # api_types that name the model
# servers on this machine that speak the OpenAI protocol: where they listen unless told otherwise
_LOCAL_SERVERS = {
    "sglang": "http://localhost:30000/v1",
    "vllm": "http://localhost:8000/v1",
    "hosted_vllm": "http://localhost:8000/v1",
    "ollama": "http://localhost:11434/v1",
    "ollama_chat": "http://localhost:11434/v1",
}
_PREFIXES = {  # the words in front of LiteLLM's model names that are api_types here
    *("openai", "azure", "anthropic", "gemini", "vertex_ai", "bedrock", "mistral", "cohere", "cohere_chat"),
    *("deepseek", "xai", "together_ai", "groq", "openrouter", *_LOCAL_SERVERS),
}
_OVERALL = "overall"  # the name of the pattern that finds the verdict, where others find single qualities
_WITH_THINKING_BUDGET = ("anthropic", "bedrock", "vertex")


def of_model(values: Values, known: set[str]) -> Understood:
    """An entry of api_config.yaml."""
    values, remarks = _renamed(values, _MODEL_NAMES)
    values = _with_request_fields(_with_endpoint(values))
    values, found = _with_api_type(values)
    remarks += found
    values, found = _with_thinking(values)
    remarks += found
    values, found = _without(values, _NOTES, known)
    remarks += found
    values, found = _without(values, _OF_A_SERVER, known, " here, where serve: starts a local server (README.md)")
    return Understood(values, remarks + found)


def of_endpoint(values: Values, known: set[str]) -> Understood:
    """One of an entry's endpoints."""
    values, remarks = _renamed(values, _ENDPOINT_NAMES)
    values, found = _without(values, _NOTES, known)
    return Understood(values, remarks + found)


def of_stage(values: Values, known: set[str]) -> Understood:
    """gen_answer_config.yaml or judge_config.yaml."""
    values, remarks = _renamed(values, {old: new for old, new in _JUDGE_NAMES.items() if new in known})
    if "regex_pattern" in known and "regex_pattern" in values:
        values, found = _with_patterns(values)
        remarks += found
    values, found = _without(values, _STAGE_NOTES, known)
    return Understood(values, remarks + found)


def of_part(values: Values, known: set[str]) -> Understood:
    """A mapping within a stage's config."""
    return _without(values, _NOTES, known)


def _renamed(values: Values, names: dict[str, str]) -> Understood:
    """With other names of keys replaced; where a key is there under both names, its own name counts."""
    renamed, remarks = {key: value for key, value in values.items() if key not in names}, list[str]()
    for old in names.keys() & values.keys():
        new = names[old]
        if renamed.setdefault(new, values[old]) != values[old]:
            remarks.append(f"{new} counts, not {old}, which differs")
    return Understood(renamed, remarks)


def _without(values: Values, names: Iterable[str], known: set[str], why: str = "") -> Understood:
    """Without the keys that have no effect; nor has what begins with x- or a dot, where people keep YAML anchors."""
    anchors = {key for key in values if key.startswith(("x-", "."))}
    dropped = [key for key in values if key in anchors.union(names) - known]
    kept = {key: value for key, value in values.items() if key not in dropped}
    spoken = [key for key in dropped if key not in anchors]
    return Understood(kept, [f"{', '.join(spoken)}: no effect{why}"] if spoken else [])


def _with_patterns(values: Values) -> Understood:
    """Patterns of which each has a name beside it.

    Where one is named overall, the others find verdicts on single qualities, which must not stand in for it.
    """
    value = values["regex_pattern"]
    named = {_text(each.get("name")) for each in value if is_object(each)} if is_list(value) else set[str]()
    others = sorted(named - {_OVERALL})
    if _OVERALL not in named or not is_list(value) or not others:
        patterns = [_pattern(each) for each in value] if is_list(value) else _pattern(value)
        return Understood({**values, "regex_pattern": patterns}, [])
    kept = [_pattern(each) for each in value if not is_object(each) or _text(each.get("name")) == _OVERALL]
    remark = f"patterns {', '.join(others)}: no effect, for only the {_OVERALL} verdict is read"
    return Understood({**values, "regex_pattern": kept}, [remark])


def _pattern(value: Any) -> Any:
    if is_object(value) and "pattern" in value and not value.keys() - {"pattern", *_NOTES}:
        return value["pattern"]
    return value


def _with_endpoint(values: Values) -> Values:
    """An address or key that stands in the entry itself is that of its one endpoint."""
    own = {key: values[key] for key in _OF_AN_ENDPOINT if key in values}
    if not own or plain(values.get("endpoints")):
        return values
    rest = {key: value for key, value in values.items() if key not in own}
    return {**rest, "endpoints": [own]}


def _with_request_fields(values: Values) -> Values:
    """Fields of the request go where all others are: into extra_body."""
    fields = {key: values[key] for key in OF_A_REQUEST if key in values}
    extra = values.get("extra_body", {})
    if isinstance(extra, Written) and extra.value is None:
        extra = {}
    if not fields or not is_object(extra):
        return values
    rest = {key: value for key, value in values.items() if key not in fields}
    return {**rest, "extra_body": {**fields, **extra}}


# ---------------------------------------------------------------------------------- api_types


def _with_api_type(values: Values) -> Understood:
    """An api_type that is known here, and a model's name without the prefix that says the api_type."""
    api_type, model = _text(values.get("api_type")), _text(values.get("model_name"))
    if "/" in api_type and ":" not in api_type:  # litellm/azure, azure/gpt-4o
        first, _, second = api_type.partition("/")
        api_type, model = (second, model) if first == "litellm" else (first, model or second)
    if api_type == "litellm" or (not api_type and not _has_address(values)):
        api_type, model = _split_prefix(api_type, model)
    model = model or _OWN_MODELS.get(api_type, "")
    local = _LOCAL_SERVERS.get(api_type)
    known = "openai" if local else "bedrock" if api_type.startswith("aws_") else _API_TYPES.get(api_type, api_type)
    named: Values = {"api_type": known} if known else {}
    named |= {"model_name": model} if model else {}
    remarks: list[str] = []
    if local and not _has_address(values) and not _text(values.get("serve")):
        named["endpoints"] = [{**_first_endpoint(values), "api_base": local}]
        remarks.append(f"no address for {api_type}, so its server is looked for at {local}; serve: starts one")
    return Understood({**values, **named}, remarks)


def _split_prefix(api_type: str, model: str) -> tuple[str, str]:
    prefix, _, rest = model.partition("/")
    if rest and prefix in _PREFIXES:
        return prefix, rest.removeprefix("converse/") if prefix == "bedrock" else rest
    return ("openai" if api_type else ""), model


def _has_address(values: Values) -> bool:
    """Whether the entry, or the SDK's own variable, says where its server is."""
    endpoints = values.get("endpoints")
    entries = endpoints if is_list(endpoints) else [endpoints]
    named = any(is_object(each) and (_text(each.get("api_base")) or _text(each.get("base_url"))) for each in entries)
    return named or bool(os.environ.get("OPENAI_BASE_URL"))


def _first_endpoint(values: Values) -> Values:
    endpoints = values.get("endpoints")
    first = endpoints[0] if is_list(endpoints) and endpoints else endpoints
    return first if is_object(first) else {}


def _text(value: Any) -> str:
    if isinstance(value, Written):
        return "" if value.value is None and not value.problem else value.text
    return value if isinstance(value, str) else ""


# ------------------------------------------------------------------------------------ thoughts


def _with_thinking(values: Values) -> Understood:
    """A budget for thoughts under the names that it has elsewhere.

    Where it is called budget_tokens, the entry's max_tokens holds thoughts and answer together.
    """
    thinking = values.get("thinking")
    if is_object(thinking):  # as it stands in a request to Anthropic
        budget = None if _text(thinking.get("type")) == "disabled" else thinking.get("budget_tokens")
        return Understood({**values, "thinking": budget}, [])
    if "budget_tokens" not in values:
        return Understood(values, [])
    rest = {key: value for key, value in values.items() if key != "budget_tokens"}
    api_type = _text(values.get("api_type")) or "openai"
    if api_type not in _WITH_THINKING_BUDGET:
        return Understood(rest, [f"budget_tokens: no effect with api_type {api_type}"])
    budget, most = plain(values["budget_tokens"]), plain(values.get("max_tokens"))
    if isinstance(budget, int) and isinstance(most, int) and 0 < budget < most:
        rest["max_tokens"] = most - budget
    return Understood({"thinking": budget or None, **rest}, [])
