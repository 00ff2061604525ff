"""What the config files may say: one struct for each file, defaults as in the original.

A key that is not named here is a mistake, reported with the nearest known one. What a value may be is
checked in bounds.py.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeGuard, TypeVar

import msgspec

from arena_hard.data.records import UserError, is_list

S = TypeVar("S", bound=msgspec.Struct)


class EndpointSettings(msgspec.Struct, frozen=True):
    """One server that answers for a model. Keys may be written as ${NAME} from the environment."""

    api_base: str | None = None
    api_key: str | None = None
    api_version: str | None = None


class ModelSettings(msgspec.Struct, frozen=True):
    """One entry of api_config.yaml: a model and how to reach it. `name` is the entry's own name."""

    name: str = ""
    model_name: str = ""
    endpoints: list[EndpointSettings] | None = None
    api_type: str = "openai"
    parallel: int | Literal["auto"] = 1
    tokenizer: str | None = None
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float = 600.0
    deadline: float = 3600.0
    attempts: int = 8
    backoff: float = 1.0
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    reasoning_effort: str | None = None
    thinking: int | None = None
    extra_body: dict[str, Any] | None = None
    retry_truncated: bool = False
    record: str | None = None
    serve: str | None = None
    price: dict[str, float] | None = None


class AnswerSettings(msgspec.Struct, frozen=True):
    """gen_answer_config.yaml."""

    bench_name: str
    model_list: list[str]
    name: str = ""
    temperature: float = 0.0
    max_tokens: int = 4096
    num_choices: int = 1


class CategorySettings(msgspec.Struct, frozen=True):
    """What a category of v2.0 has of its own: a baseline and a judge's system prompt."""

    baseline_model: str | None = None
    system_prompt: str | None = None


DEFAULT_PATTERN = r"\[\[([AB<>=]+)\]\]"


class JudgeSettings(msgspec.Struct, frozen=True):
    """judge_config.yaml."""

    bench_name: str
    judge_model: str | list[str]
    prompt_template: list[str]
    model_list: list[str]
    name: str = ""
    reference: bool | None = False
    ref_model: str | list[str] | None = None
    baseline: bool = True
    baseline_model: str = "gpt-4-0314"
    pairwise: bool = True
    temperature: float = 0.0
    max_tokens: int = 4096
    regex_pattern: str | list[str] = DEFAULT_PATTERN
    number_of_judgment_attempts: int = 2
    system_prompt: str = ""
    categories: dict[str, CategorySettings] | None = None

    @property
    def judges(self) -> list[str]:
        """The judges, one after the other."""
        return [self.judge_model] if isinstance(self.judge_model, str) else self.judge_model

    @property
    def references(self) -> list[str]:
        """The models whose reference answers the judge sees."""
        if not self.reference or self.ref_model is None:
            return []
        return [self.ref_model] if isinstance(self.ref_model, str) else self.ref_model

    @property
    def patterns(self) -> list[re.Pattern[str]]:
        """The verdict patterns, in the order in which they are tried."""
        texts = [self.regex_pattern] if isinstance(self.regex_pattern, str) else self.regex_pattern
        return [re.compile(text) for text in texts]

    def baseline_of(self, category: str) -> str | None:
        """The baseline for questions of a category; None when answers are judged on their own."""
        if not self.baseline:
            return None
        own = (self.categories or {}).get(category)
        return own.baseline_model if own and own.baseline_model else self.baseline_model

    def system_prompt_of(self, category: str) -> str:
        """The judge's system prompt for questions of a category."""
        own = (self.categories or {}).get(category)
        return own.system_prompt if own and own.system_prompt else self.system_prompt


# The keys whose values hold keys of their own, as a list of entries or by name.
_INNER: dict[str, type[msgspec.Struct]] = {"endpoints": EndpointSettings, "categories": CategorySettings}

# v2.0 renamed these keys; both names are read.
_ALIASES = {"model": "model_name", "regex_patterns": "regex_pattern", "judge_models": "judge_model"}


def parse(values: Any, struct: type[S], where: str) -> S:
    """Checked settings from a mapping. Raises UserError with `where`, the key and the remedy."""
    if not _is_mapping(values):
        raise UserError(f"{where}: expected keys with values, found {type(values).__name__}.")
    known = set(struct.__struct_fields__) - ({"name"} if struct is ModelSettings else set())
    if isinstance(values.get("prompt_template"), str):  # v2.0 has one template, not a list
        values = {**values, "prompt_template": [values["prompt_template"]]}
    renamed = {
        _ALIASES[key] if _ALIASES.get(key) in known and key not in known else key: value
        for key, value in values.items()
    }
    _check_keys(renamed, known, where)
    for key in _INNER.keys() & renamed.keys() & known:
        for name, entry in _entries(renamed[key]):
            _check_keys(entry, set(_INNER[key].__struct_fields__), f"{where}: {key} {name}")
    try:
        return msgspec.convert(renamed, struct)
    except msgspec.ValidationError as error:
        raise UserError(f"{where}: {_readable(error)}.") from None


def _check_keys(values: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in values:
        if key not in known:
            raise UserError(f"{where}: unknown key {key!r}. {suggestion(str(key), known)}")


def _entries(values: Any) -> list[tuple[Any, Mapping[str, Any]]]:
    """The entries of a list, numbered, or of a mapping, by name; what is no mapping is left to msgspec."""
    named = values.items() if _is_mapping(values) else enumerate(values if is_list(values) else [], 1)
    return [(name, entry) for name, entry in named if _is_mapping(entry)]


def _is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def suggestion(word: str, known: set[str]) -> str:
    """A sentence that names the nearest known word, or all of them."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {', '.join(sorted(known))}."


def _readable(error: msgspec.ValidationError) -> str:
    """msgspec's message with the key in front instead of a JSON path behind."""
    text, _, path = str(error).partition(" - at `$")
    missing = re.match(r"Object missing required field `(\w+)`", text)
    if missing:
        return f"the key {missing.group(1)!r} is missing"
    key = path.rstrip("`").lstrip(".")
    return f"{key}: {text[0].lower()}{text[1:]}" if key else text


def fill_from_environment(text: str | None, where: str) -> str | None:
    """The text with each ${NAME} replaced by that environment variable. Raises UserError."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if not os.environ.get(name):
            raise UserError(f"{where}: the environment variable {name} is not set. Run: export {name}=...")
        return os.environ[name]

    return None if text is None else re.sub(r"\$\{(\w+)\}", value, text)


def with_environment(text: str) -> str:
    """The text with each ${NAME} replaced whose variable is set."""
    return re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match.group(1)) or match.group(), text)


def short_hash(values: Mapping[str, Any]) -> str:
    """Twelve hex digits that name a set of settings: SHA-256 of its canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()[:12]
