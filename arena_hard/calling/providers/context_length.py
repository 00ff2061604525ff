"""How many tokens a server takes, prompt and reply together: from its list of models, and from its refusals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from arena_hard.calling.providers.base import TooLong
from arena_hard.calling.providers.fields import whole_number

LLAMA_CPP, OLLAMA, LM_STUDIO, VLLM, SGLANG = "llamacpp", "library", "organization_owner", "vllm", "sglang"
TGI = "tgi"


class Listed(NamedTuple):
    """What a list of models says of one: its length, who runs it, and the name of the field."""

    length: int | None
    engine: str
    field: str = ""


# ---------------------------------------------------------------------------------------- refusals

_N = r"\(?(?P<{0}>\d[\d,]*)\b"
_LIMIT, _PROMPT = _N.format("limit"), _N.format("prompt")
# what is said of a context and not of the longest reply or of tokens a minute
_REFUSAL = re.compile(
    r"\b(?:maximum |model's )?(?:context|prompt|model) (?:length|window|size|limit)\b"
    r"|\bmax_model_len\b|\bmax(?:imum)? sequence length\b|`max_new_tokens` must be\b|`inputs` must have\b"
    r"|\bprompt is too long\b|\binput is too long\b|\binput token count\b|\btokens? in the prompt cannot exceed\b"
    r"|\bcontext_length_exceeded\b|\bmodel token limit\b|\bexceeds? the maximum allowed length\b"
    r"|\binput tokens exceed the configured limit\b"
    r"|\brange of input length should be\b|\breduce the length of the (?:messages|prompt|input)\b|\bn_keep\b.*\bn_ctx\b"
)
_NO_REFUSAL = re.compile(
    r"\bper (?:minute|day|second)\b|\bmaximum value for `max_(?:completion_)?tokens`|\binvalid\b(?! request:)"
)
_LIMITS = [
    re.compile(words)
    for words in (
        rf"\b\d[\d,]*(?: \+ \d[\d,]*)?(?: tokens)? > {_LIMIT}(?: maximum|, decrease)",
        rf"\b(?:context|prompt|model) (?:length|window|size|limit)(?: of| is|:)?(?: only| at most)? {_LIMIT}",
        rf"\b(?:model token limit:|maximum allowed length|configured limit of|while limit is) {_LIMIT}",
        rf"\brange of input length should be \[\d+, {_LIMIT}",
        rf"\bmax_model_len\s*=?\s*{_LIMIT}",
        rf"\bwith {_LIMIT} maximum context",
        rf"\bmust be <= {_LIMIT}",
        rf"\bmust have less than {_LIMIT}",
        rf"\bmaximum number of tokens allowed {_LIMIT}",
        rf"\bcannot exceed {_LIMIT}",
        rf"\bn_ctx\W+{_LIMIT}",
    )
]
_PROMPTS = [
    re.compile(words)
    for words in (
        rf"{_PROMPT}(?: tokens)?(?: of text input| in the (?:messages|prompt)| in your prompt| from the input)",
        rf"\b(?:resulted in|your request has|request contains) {_PROMPT} (?:input )?tokens",
        rf"\b(?:current length is|input length) {_PROMPT}",
        rf"(?<!at least )\bprompt contains {_PROMPT} (?:input )?tokens",
        rf"\b(?:the )?(?:input|request) {_PROMPT} tokens\)",
        rf"\bprompt \(length {_PROMPT}\)",
        rf"\bgiven: {_PROMPT} `inputs`|\bgiven: {_N.format('given')}$",
        rf"\btoo long: {_PROMPT}(?: tokens >|,)",
        rf"\bcontext limit: {_PROMPT} \+",
        rf"\bn_prompt_tokens\W+{_PROMPT}",
        rf"\binput token count {_PROMPT}",
        rf"\breceived {_PROMPT}",
        rf"\bn_keep\W+{_PROMPT}",
    )
]


def too_long(text: str) -> TooLong | None:
    """What a refusal says of a prompt that does not fit; None where it refuses something else."""
    lowered = text.lower()
    if not _REFUSAL.search(lowered) or _NO_REFUSAL.search(lowered):
        return None
    return TooLong(_first(_LIMITS, lowered), _first(_PROMPTS, lowered))


def _first(patterns: list[re.Pattern[str]], text: str) -> int | None:
    for pattern in patterns:
        if found := pattern.search(text):
            number = next(filter(None, found.groupdict().values()), "")
            return int(number.replace(",", "")) if number else None
    return None


# ------------------------------------------------------------------------------------------- lists

_LENGTHS = (
    "loaded_context_length",  # LM Studio: as it is loaded, which is less than it could be
    "max_model_len",  # vLLM, SGLang
    "context_length",  # OpenRouter, Together, and others
    "context_window",  # Groq
    "max_context_length",  # Mistral
)


def listed(found: Any, model_name: str) -> Listed | None:
    """What the answer to /models says of a model; None where it lists another one, or nothing that can be read."""
    rows = found.get("data") if isinstance(found, Mapping) else found
    entries = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    named = [entry for entry in entries if entry.get("id") == model_name]
    if not named and len(entries) != 1:  # a server of one model may be asked by any name
        return None
    entry = (named or entries)[0]
    owner = entry.get("owned_by")
    engine = TGI if owner == entry.get("id") else owner if isinstance(owner, str) else ""
    lengths = {key: length for key in _LENGTHS if (length := whole_number(entry.get(key))) and length > 0}
    served = entry.get("top_provider")  # OpenRouter: the one that will answer may take less
    least = whole_number(served.get("context_length")) if isinstance(served, Mapping) else None
    field = next(iter(lengths), "")
    return Listed(min(filter(None, (lengths.get(field), least)), default=None), engine, field)


def lists(found: Any, model_name: str) -> bool:
    """Whether the answer to /models names a model."""
    rows = found.get("data") if isinstance(found, Mapping) else found
    return isinstance(rows, list) and any(isinstance(row, Mapping) and row.get("id") == model_name for row in rows)


# Where servers tell it that do not in their list of models, from the root of the server.
PLACES = {LLAMA_CPP: "/props", OLLAMA: "/api/ps", LM_STUDIO: "/api/v0/models", TGI: "/info"}


def told_by(engine: str, found: Any, model_name: str) -> Listed | None:
    """What such a place of a server says."""
    if not isinstance(found, Mapping):
        return None
    if engine == LLAMA_CPP:  # of one of its slots, among which -c is divided
        settings = found.get("default_generation_settings")
        length = whole_number(settings.get("n_ctx")) if isinstance(settings, Mapping) else None
        return Listed(length, engine, "n_ctx of a slot") if length else None
    if engine == TGI:
        length = whole_number(found.get("max_total_tokens"))
        return Listed(length, engine, "max_total_tokens") if length else None
    if engine == OLLAMA:  # of a model that is loaded
        loaded = found.get("models")
        entries = [each for each in loaded if isinstance(each, Mapping)] if isinstance(loaded, list) else []
        same = (each for each in entries if model_name in (each.get("model"), each.get("name")))
        length = whole_number(next(same, {}).get("context_length"))
        return Listed(length, engine, "context_length in ollama ps") if length else None
    return listed(found, model_name)
