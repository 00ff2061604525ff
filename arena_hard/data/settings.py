"""What the config files may say: one struct for each file, defaults as in the original.

A key that is neither named here nor known from elsewhere (foreign_configs.py) is a mistake, reported with the nearest
known one. What a value may be is checked in config_checks.py.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import warnings
from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, TypeVar

import msgspec

from arena_hard.data import foreign_configs
from arena_hard.data.name_lists import shortened
from arena_hard.data.records import UserError, is_object
from arena_hard.data.value_types import fitted, is_null, kinds_of
from arena_hard.data.yaml_files import ConfigNote

S = TypeVar("S", bound=msgspec.Struct)


class EndpointSettings(msgspec.Struct, frozen=True):
    """One server that answers for a model. Texts may be written as ${NAME} from the environment.

    verify: false trusts any certificate, a text names the file or folder of those that are trusted.
    """

    api_base: str | None = None
    api_key: str | None = None
    api_version: str | None = None
    verify: bool | str | None = True
    aws_region: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    options: dict[str, Any] | None = None


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
    stop: list[str] | None = None
    end_think_token: str | None = None
    think_pattern: str | None = None
    retry_truncated: bool = False
    record: str | None = None
    serve: str | None = None
    price: dict[str, float] | None = None
    model_id: str | None = None
    aws_region: str | None = None
    project_id: str | None = None
    regions: str | list[str] | None = None


def later_shaping(model: ModelSettings) -> dict[str, object]:
    """Keys that shape what a model says, where they are set: without them a record's hash stays what it was."""
    later = {"stop": model.stop, "end_think_token": model.end_think_token, "think_pattern": model.think_pattern}
    return {key: value for key, value in later.items() if value}


class AnswerSettings(msgspec.Struct, frozen=True):
    """gen_answer_config.yaml."""

    bench_name: str
    model_list: list[str] = []
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
    model_list: list[str] = []
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


# How the words of other versions and forks are read, by what they stand in.
_READERS: dict[type[msgspec.Struct], foreign_configs.Reader] = {
    ModelSettings: foreign_configs.of_model,
    EndpointSettings: foreign_configs.of_endpoint,
    AnswerSettings: foreign_configs.of_stage,
    JudgeSettings: foreign_configs.of_stage,
}


def parse(values: Any, struct: type[S], where: str) -> S:
    """Checked settings from a mapping, as yaml_files.load_written gives it.

    Warns of keys that have no effect (ConfigNote). Raises UserError with `where`, the key and the remedy.
    """
    if not is_object(values):
        raise UserError(f"{where}: expected keys with values (name: value).")
    try:
        return msgspec.convert(_settled(values, struct, where), struct)
    except msgspec.ValidationError as error:
        raise UserError(f"{where}: {_readable(error)}.") from None


def _settled(values: Mapping[str, Any], struct: type[msgspec.Struct], where: str) -> dict[str, Any]:
    """The known keys with values of the types that are meant; null is what the key has by default."""
    known = set(struct.__struct_fields__) - ({"name"} if struct is ModelSettings else set())
    understood, remarks = _READERS.get(struct, foreign_configs.of_part)(dict(values), known)
    if remarks:
        warnings.warn(f"{where}: {'; '.join(remarks)}.", ConfigNote, stacklevel=1)
    settled: dict[str, Any] = {}
    hints = {field.name: field.type for field in msgspec.structs.fields(struct)}
    for key, value in understood.items():
        if key not in known:
            also = foreign_configs.OF_A_REQUEST if struct is ModelSettings else ()
            raise UserError(f"{where}: unknown key {key!r}. {suggestion(key, known.union(also))}")
        hint = hints[key]
        if not is_null(value, hint):
            settled[key] = fitted(value, hint, f"{where}: {key}", _settled)
        elif NoneType in kinds_of(hint):
            settled[key] = None
        elif hint is bool:
            settled[key] = False  # as Python takes it
    return settled


def suggestion(word: str, known: set[str]) -> str:
    """A sentence that names the nearest known word, or all of them."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known are: {shortened(sorted(known), 40)}."


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
