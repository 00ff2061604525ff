"""Keys of the original's later versions and of its forks, in this project's words (api_types: api_types.py).

Each function takes a mapping of a config and gives it back with the keys that are known here, and with remarks on what
was decided or has no effect. What it does not know stays, and is a mistake.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from arena_hard.data.api_types import Understood, Values, endpoints_of, text_of, with_api_type
from arena_hard.data.places import renamed
from arena_hard.data.record_values import is_list, is_object
from arena_hard.data.variables import names_variable
from arena_hard.data.yaml_files import Written, plain

Reader = Callable[[Values, "set[str]"], Understood]

NOTES = {
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
_STAGE_NOTES = {*NOTES, "images_base_dir"}
# what starts or sizes a local server; here that is the command in `serve`
_OF_A_SERVER = re.compile(
    r"""(local_)?engine | backend | framework | (tp|dp|pp|ep)(_size|_rank)?
    | (tensor|data|pipeline|expert)_parallel(_size)?
    | ((sglang|vllm|lmdeploy|tgi|llama_cpp|engine|server|model)_)?(args|kwargs|config) | sglang | vllm | lmdeploy
    | (sglang|vllm|server|engine)_\w+ | enable_(torch_compile|prefix_caching|chunked_prefill|expert_parallel)
    | (num_|n_)?gpus? | gpu_\w+ | gpus_\w+ | (cuda_)?(visible_)?devices? | base_gpu_id | nnodes | node_rank
    | mem_fraction_static | max_model_len(gth)? | max_context_len(gth)? | context_len | max_num_\w+
    | max_running_requests | max_prefill_tokens | max_workers | swap_space | block_size | kv_cache_dtype
    | attention_backend
    | dtype | torch_dtype | quantization | trust_remote_code | chat_template | load_format | enforce_eager | revision
    | download_dir | lora_(path|modules) | (tool_call|reasoning)_parser | tokenizer_(path|mode) | skip_tokenizer_init
    | disable_\w+ | log_level | host | port | subprocess_venv_path""",
    re.VERBOSE | re.IGNORECASE,
)
# fields of a request that stand beside the entry's other keys
OF_A_REQUEST = (
    *("top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty", "repetition_penalty"),
    *("logit_bias", "chat_template_kwargs"),
)
_WHOLE_NUMBERS = ("top_k", "seed")
_NUMBERS = (*_WHOLE_NUMBERS, "top_p", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty")
_OF_AN_ENDPOINT = {
    *("api_base", "base_url", "api_key", "api_version", "verify"),
    *("aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
}

_MODEL_NAMES = {
    "model": "model_name",
    "max_new_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "model_path": "model_name",  # what vLLM and SGLang call a model that has no other name
}
_JUDGE_NAMES = {"regex_patterns": "regex_pattern", "judge_models": "judge_model"}
_ENDPOINT_NAMES = {"base_url": "api_base"}
_ADDRESS = re.compile(r"\s*(https?://|(localhost|[\w.-]+:\d+)(/|$))")

WORDS = {  # what is understood of a mapping beside its own keys, by the name of what it is read into
    "ModelSettings": {*_MODEL_NAMES, *OF_A_REQUEST, "budget_tokens"},
    "EndpointSettings": {*_ENDPOINT_NAMES},
    "JudgeSettings": {*_JUDGE_NAMES},
}
_OVERALL = "overall"  # the name of the pattern that finds the verdict, where others find single qualities
_WITH_THINKING_BUDGET = ("anthropic", "bedrock", "vertex")


def of_model(values: Values, known: set[str]) -> Understood:
    """An entry of api_config.yaml."""
    values, remarks = _renamed(_with_model_of_endpoints(values), _MODEL_NAMES)
    values = _with_request_fields(_with_endpoints(values))
    values, found = with_api_type(values)
    remarks += found
    values, found = _with_thinking(values)
    remarks += found
    values, found = _without(values, NOTES, known)
    remarks += found
    values, found = _without_server_options(values, known)
    return Understood(values, remarks + found)


def of_endpoint(values: Values, known: set[str]) -> Understood:
    """One of an entry's endpoints."""
    values, remarks = _renamed(values, _ENDPOINT_NAMES)
    values, found = _without(values, NOTES, known)
    remarks += found
    values, found = _without_server_options(values, known)
    return Understood(values, remarks + found)


def of_stage(values: Values, known: set[str]) -> Understood:
    """gen_answer_config.yaml or judge_config.yaml."""
    values, remarks = _renamed(values, {old: new for old, new in _JUDGE_NAMES.items() if new in known})
    if "regex_pattern" in known and "regex_pattern" in values:
        values, found = _with_patterns(values)
        remarks += found
    values, found = _without(_with_references(values), _STAGE_NOTES, known)
    return Understood(values, remarks + found)


def of_part(values: Values, known: set[str]) -> Understood:
    """A mapping within a stage's config."""
    return _without(values, NOTES, known)


def _renamed(values: Values, names: dict[str, str]) -> Understood:
    """With other names of keys replaced; where a key is there under both names, its own name counts."""
    kept, remarks = {key: value for key, value in values.items() if key not in names}, list[str]()
    for old, value in values.items():
        if old in names and kept.setdefault(renamed(old, names[old]), value) != value:
            remarks.append(f"{names[old]} counts, not {old}, which differs")
    return Understood(kept, remarks)


def _without(values: Values, names: Iterable[str], known: set[str], why: str = "") -> Understood:
    """Without the keys that have no effect; nor has what begins with x- or a dot, where people keep YAML anchors."""
    anchors = {key for key in values if key.startswith(("x-", "."))}
    dropped = [key for key in values if key in anchors.union(names) - known]
    kept = {key: value for key, value in values.items() if key not in dropped}
    spoken = [str(key) for key in dropped if key not in anchors]
    return Understood(kept, [f"{', '.join(spoken)}: no effect{why}"] if spoken else [])


def is_server_option(key: str) -> bool:
    """Whether a key starts or sizes a local server elsewhere."""
    return _OF_A_SERVER.fullmatch(key) is not None


def _without_server_options(values: Values, known: set[str]) -> Understood:
    names = {key for key in values if is_server_option(key)}
    return _without(values, names, known, " here, where serve: starts a local server (README.md)")


def _with_patterns(values: Values) -> Understood:
    """Patterns of which each has a name beside it.

    Where one is named overall, the others find verdicts on single qualities, which must not stand in for it.
    """
    value = _named_patterns(values["regex_pattern"])
    named = {text_of(each.get("name")) for each in value if is_object(each)} if is_list(value) else set[str]()
    others = sorted(named - {_OVERALL})
    if _OVERALL not in named or not is_list(value) or not others:
        patterns = [_pattern(each) for each in value] if is_list(value) else _pattern(value)
        return Understood({**values, "regex_pattern": patterns}, [])
    kept = [_pattern(each) for each in value if not is_object(each) or text_of(each.get("name")) == _OVERALL]
    remark = f"patterns {', '.join(others)}: no effect, for only the {_OVERALL} verdict is read"
    return Understood({**values, "regex_pattern": kept}, [remark])


def _named_patterns(value: Any) -> Any:
    """The patterns of a mapping from their names, as a list of those with their names beside them."""
    if not is_object(value) or not value or "pattern" in value:
        return value
    if all(isinstance(each, str) for each in value.values()):
        return [{"name": str(name), "pattern": pattern} for name, pattern in value.items()]
    named = all(is_object(each) and "pattern" in each and "name" not in each for each in value.values())
    return [{"name": str(name), **each} for name, each in value.items()] if named else value


def _with_references(values: Values) -> Values:
    """The models of the reference answers, where `reference` names them instead of saying that there are some."""
    named = values.get("reference")
    if not is_list(named) or not named or "ref_model" in values or not all(map(text_of, named)):
        return values  # where it is a mistake, this is said when the value is read
    return {**values, "reference": True, "ref_model": named}


def _pattern(value: Any) -> Any:
    if is_object(value) and "pattern" in value and not value.keys() - {"pattern", *NOTES}:
        return value["pattern"]
    return value


def _with_endpoints(values: Values) -> Values:
    """The endpoints as a list of mappings: an address alone is its api_base.

    What stands in the entry itself counts for each endpoint that does not say it; a key that they all say stays, as a
    mistake.
    """
    given = values.get("endpoints")
    endpoints = [_with_address(each) for each in endpoints_of(values)]
    there = [each for each in endpoints if is_object(each)]
    if _is_nothing(given):
        endpoints = there = [Values()]
    own = {key: values[key] for key in values if key in _OF_AN_ENDPOINT and any(not _says(each, key) for each in there)}
    if not own and _is_nothing(given):
        return {**values, "endpoints": None} if given else values
    rest = {key: value for key, value in values.items() if key not in own}
    filled = [_filled(each, own) if is_object(each) else each for each in endpoints]
    return {**rest, "endpoints": filled}


def _is_nothing(value: Any) -> bool:
    """Null, also as Python says it, or a list or mapping without anything in it."""
    if is_list(value) and len(value) == 1 and not is_object(value[0]):
        return _is_nothing(value[0])
    return value in (None, [], {}, "None", "none") or (
        isinstance(value, Written) and value.value is None and not value.problem
    )


def _with_address(endpoint: Any) -> Any:
    """An address alone, or one in which a variable stands, as an endpoint; never what may be a key."""
    bare = isinstance(endpoint, str) and (_ADDRESS.match(endpoint) or names_variable(endpoint))
    return {"api_base": endpoint} if bare else endpoint


def _says(endpoint: Values, key: str) -> bool:
    return _ENDPOINT_NAMES.get(key, key) in {_ENDPOINT_NAMES.get(each, each) for each in endpoint}


def _filled(endpoint: Values, own: Values) -> Values:
    return {**{key: value for key, value in own.items() if not _says(endpoint, key)}, **endpoint}


def _with_model_of_endpoints(values: Values) -> Values:
    """A model_name that the endpoints say, where they agree: it is the entry's.

    They stay where they differ, as a mistake.
    """
    endpoints = [each for each in endpoints_of(values) if is_object(each)]
    names = {text_of(each.get("model_name")) for each in endpoints}
    if len(names) != 1 or "" in names:
        return values
    without = [{key: value for key, value in each.items() if key != "model_name"} for each in endpoints]
    rest = {key: value for key, value in values.items() if key not in ("model", "model_name")}
    return {**rest, "model_name": names.pop(), "endpoints": without}


def _with_request_fields(values: Values) -> Values:
    """Fields of the request go where all others are: into extra_body."""
    fields = {key: value for key, value in values.items() if key in OF_A_REQUEST}
    extra = values.get("extra_body", {})
    if isinstance(extra, Written) and extra.value is None:
        extra = {}
    if not (fields or extra) or not is_object(extra):
        return values
    rest = {key: value for key, value in values.items() if key not in fields}
    return {**rest, "extra_body": {key: _number(key, value) for key, value in {**fields, **extra}.items()}}


def _number(key: str, value: Any) -> Any:
    """The value of a field that is a number for all servers, also where it stands in quotes, or as 5.0 or 1e2."""
    number = value.value if isinstance(value, Written) else value
    if isinstance(number, str) and key in _NUMBERS:
        with contextlib.suppress(ValueError):
            number = float(number)
    if not isinstance(number, float) or key not in _NUMBERS or not math.isfinite(number):
        return value
    return int(number) if number.is_integer() and key in _WHOLE_NUMBERS else number


# ------------------------------------------------------------------------------------ thoughts


def _with_thinking(values: Values) -> Understood:
    """A budget for thoughts under the names that it has elsewhere.

    Where it is called budget_tokens, the entry's max_tokens holds thoughts and answer together.
    """
    thinking = values.get("thinking")
    if is_object(thinking):  # as it stands in a request to Anthropic
        disabled = text_of(thinking.get("type")) == "disabled"
        if thinking.keys() - {"type", "budget_tokens"} or not (disabled or "budget_tokens" in thinking):
            return Understood(values, [])
        budget = None if disabled else thinking["budget_tokens"]
        return Understood({**values, "thinking": budget}, [])
    if "budget_tokens" not in values:
        return Understood(values, [])
    rest = {key: value for key, value in values.items() if key != "budget_tokens"}
    api_type = text_of(values.get("api_type")) or "openai"
    if api_type not in _WITH_THINKING_BUDGET:
        return Understood(rest, [f"budget_tokens: no effect with api_type {api_type}"])
    budget, most = plain(values["budget_tokens"]), plain(values.get("max_tokens"))
    if isinstance(budget, int) and isinstance(most, int) and 0 < budget < most:
        rest["max_tokens"] = most - budget
    return Understood({"thinking": budget or None, **rest}, [])
