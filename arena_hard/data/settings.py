"""What the config files may say: one struct for each file, defaults as in the original.

A key that is neither named here nor known from elsewhere (foreign_configs.py) is a mistake, reported with where it
belongs or with the nearest known one. Limits of values are part of their types; what no type shows is checked in
config_checks.py.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Mapping
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from arena_hard.data import foreign_configs
from arena_hard.data.name_lists import NEAR_KEY, nearest, shortened
from arena_hard.data.places import Place
from arena_hard.data.record_values import is_list, is_object
from arena_hard.data.records import UserError
from arena_hard.data.value_types import LARGEST, AsWritten, fitted, is_null, kinds_of
from arena_hard.data.value_words import check_value, remedy
from arena_hard.data.yaml_files import ConfigNote, plain

Text = Annotated[str, msgspec.Meta(min_length=1)]  # a pattern in a union with a list of it crashes msgspec 0.22
Count = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
Dollars = Annotated[float, msgspec.Meta(ge=0, le=10**9)]  # for a million tokens
Positive = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]

S = TypeVar("S", bound=msgspec.Struct)


class EndpointSettings(msgspec.Struct, frozen=True):
    """One server that answers for a model. Texts may be written as ${NAME} from the environment.

    verify: false trusts any certificate, a text names the file or folder of those that are trusted.
    """

    api_base: str | None = None
    api_key: Text | None = None
    api_version: Text | None = None
    verify: bool | str | None = True
    aws_region: Text | None = None
    aws_access_key_id: Text | None = None
    aws_secret_access_key: Text | None = None
    aws_session_token: Text | None = None
    options: dict[str, AsWritten] | None = None


class ModelSettings(msgspec.Struct, frozen=True):
    """One entry of api_config.yaml: a model and how to reach it. `name` is the entry's own name.

    lines: where its keys are written, for messages (places.lines_within).
    """

    name: str = ""
    model_name: str = ""
    endpoints: list[EndpointSettings] | None = None
    api_type: Text = "openai"
    parallel: Count | Literal["auto"] = 1
    tokenizer: Text | None = None
    system_prompt: str | None = None
    temperature: NotNegative | None = None
    max_tokens: Count | None = None
    timeout: Positive = 600.0
    deadline: Positive = 3600.0
    give_up_after: Positive = 600.0
    attempts: Count = 8
    backoff: NotNegative = 1.0
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    reasoning_effort: Text | None = None
    thinking: Count | None = None
    extra_body: dict[str, Any] | None = None
    stop: list[str] | None = None
    context_length: Count | None = None
    end_think_token: str | None = None
    think_pattern: str | None = None
    retry_truncated: bool = False
    record: Text | None = None
    serve: Text | None = None
    price: dict[str, Dollars] | None = None
    model_id: Text | None = None
    aws_region: Text | None = None
    project_id: Text | None = None
    regions: Text | list[Text] | None = None
    probe: bool = False
    lines: dict[str, str] = {}

    def line_of(self, *keys: str) -> str:
        """How a message begins: FILE:LINE of the first of these keys that is there, else of the entry, or nothing."""
        line = next((self.lines[key] for key in (*keys, "") if key in self.lines), "")
        return f"{line}: " if line else ""


def later_shaping(model: ModelSettings) -> dict[str, object]:
    """Keys that shape what a model says, where they are set: without them a record's hash stays what it was."""
    later = {"stop": model.stop, "end_think_token": model.end_think_token, "think_pattern": model.think_pattern}
    return {key: value for key, value in later.items() if value}


class AnswerSettings(msgspec.Struct, frozen=True):
    """gen_answer_config.yaml."""

    bench_name: Text
    model_list: list[Text] = []
    name: str = ""
    temperature: NotNegative = 0.0
    max_tokens: Count = 4096
    num_choices: Count = 1


class CategorySettings(msgspec.Struct, frozen=True):
    """What a category of v2.0 has of its own: a baseline and a judge's system prompt."""

    baseline_model: Text | None = None
    system_prompt: str | None = None


DEFAULT_PATTERN = r"\[\[([AB<>=]+)\]\]"


class JudgeSettings(msgspec.Struct, frozen=True):
    """judge_config.yaml."""

    bench_name: Text
    judge_model: Text | list[Text]
    prompt_template: list[Text]
    model_list: list[Text] = []
    name: str = ""
    reference: bool | None = False
    ref_model: Text | list[Text] | None = None
    baseline: bool = True
    baseline_model: Text = "gpt-4-0314"
    pairwise: bool = True
    temperature: NotNegative = 0.0
    max_tokens: Count = 4096
    regex_pattern: Text | list[Text] = DEFAULT_PATTERN
    number_of_judgment_attempts: Count = 2
    truncate: Literal["error", "answers"] = "error"
    verdict: Literal["text", "constrained", "logprobs"] = "text"
    verdict_always: bool = False
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

    @property
    def only_baseline(self) -> str | None:
        """The baseline where all questions have the same; None where categories differ, or there is none."""
        names = {self.baseline_of(category) for category in self.categories or {"": None}}
        return names.pop() if len(names) == 1 else None

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


# What people know the places of keys by; those of the same file come first.
_PLACES: dict[type[msgspec.Struct], tuple[str, str]] = {
    ModelSettings: (
        "endpoint file",
        "the model's entry in the endpoint file (config/api_config.yaml), beside endpoints",
    ),
    EndpointSettings: ("endpoints", "an endpoint of the endpoint file (config/api_config.yaml), beside api_base"),
    AnswerSettings: ("answers", "config/gen_answer_config.yaml"),
    JudgeSettings: ("judgments", "config/judge_config.yaml"),
    CategorySettings: ("judgments", "a category in config/judge_config.yaml (categories: {NAME: ...})"),
}


def parse(values: Any, struct: type[S], where: Place | str) -> S:
    """Checked settings from a mapping, as yaml_files.load_written gives it.

    Warns of keys that have no effect (ConfigNote). Raises UserError with `where`, the key, what is allowed and the
    remedy.
    """
    place = where if isinstance(where, Place) else Place(where, values)
    return parse_with_place(place, struct)[0]


def parse_with_place(place: Place, struct: type[S]) -> tuple[S, Place]:
    """Checked settings from the mapping at a place, and the place with its keys in this project's words."""
    if not is_object(place.value):
        raise UserError(
            f"{place}: keys with values are expected here, and there {_what_there_is(plain(place.value))}. Write each "
            "on a line of its own, indented below the name, as name: value with a space after the colon."
        )
    known = _words_of(place, struct)
    return msgspec.convert(_settled(struct, known), struct), known


def _what_there_is(value: Any) -> str:
    return "is nothing" if value is None else "is a list (-)" if is_list(value) else "is a text or a number"


def _words_of(place: Place, struct: type[msgspec.Struct]) -> Place:
    """The mapping at a place in this project's words, with notes on what was decided or has no effect."""
    read = _READERS.get(struct, foreign_configs.of_part)
    understood, remarks = read(dict(place.value), known_keys(struct))
    if remarks:
        warnings.warn(_noted(place, remarks), ConfigNote, stacklevel=1)
    return Place(place.file, understood, place.keys, place.line)


def _noted(place: Place, remarks: list[str]) -> str:
    """One note on a mapping: it begins with the line of the first key that it speaks of, and names those of others."""
    lines: list[int | None] = []
    for remark in remarks:
        key = next((key for key in place.value if re.search(rf"\b{re.escape(key)}\b", remark)), "")
        lines.append(place.at(key).line)
    said = [
        remark if line == lines[0] or line is None else f"{remark} (line {line})"
        for remark, line in zip(remarks, lines)
    ]
    return f"{Place(place.file, None, place.keys, lines[0])}: {'; '.join(said)}."


def _inner(struct: type[msgspec.Struct], place: Place) -> dict[str, Any]:
    return _settled(struct, _words_of(place, struct))


def _settled(struct: type[msgspec.Struct], place: Place) -> dict[str, Any]:
    """The known keys with values of the types that are meant; null is what the key has by default."""
    settled: dict[str, Any] = {}
    fields = {field.name: field for field in msgspec.structs.fields(struct) if field.name in known_keys(struct)}
    for key, value in place.value.items():
        field = fields.get(key)
        if field is None:
            raise UserError(f"{place.line_only(key)}: unknown key {str(key)!r}. {_meant(key, value, struct)}")
        hint = field.type
        if not is_null(value, hint):
            settled[field.name] = fitted(value, hint, place.at(key), _inner)
            check_value(settled[field.name], field, place.at(key))
        elif NoneType in kinds_of(hint):
            settled[field.name] = None
        elif hint is bool:
            settled[field.name] = False  # as Python takes it
    for field in fields.values():
        if field.required and field.name not in settled:
            missing = place.line_only(field.name)  # one that is there and says nothing has a line
            raise UserError(f"{missing}: the key {field.name!r} is missing. {remedy(field)}")
    return settled


def known_keys(struct: type[msgspec.Struct]) -> set[str]:
    """The keys of a mapping; an entry's name and lines are no keys within it."""
    return set(struct.__struct_fields__) - ({"name", "lines"} if struct is ModelSettings else set())


def _meant(key: str, value: Any, struct: type[msgspec.Struct]) -> str:
    """What an unknown key is: one of another place, the nearest one of its own or of another, or a name."""
    if places := places_of(key, struct):
        return f"It belongs in {places}."
    if foreign_configs.is_server_option(key):
        return f"It belongs in the command of serve, in {_PLACES[ModelSettings][1]}."
    own, elsewhere = _own_words(struct), {word for each in _PLACES for word in known_keys(each)}
    meant = _MEANT.get(key.lower(), ())
    near = next((word for word in meant if word in own), None) or nearest(key, own | foreign_configs.NOTES, NEAR_KEY)
    if near is None and struct is EndpointSettings and is_object(value):
        return "Endpoints have no names. Write them as a list: a - before the first key of each, in place of its name."
    if near is None and (other := next(iter(meant), None) or nearest(key, elsewhere, NEAR_KEY)):
        return f"Did you mean {other!r}, which belongs in {places_of(other, struct)}?"
    if near is not None:
        return f"Did you mean {near!r}?"
    return f"Known are: {shortened(sorted(known_keys(struct)), 40)}. README.md (Settings) says what they mean."


# words for keys that no likeness tells, by what they may mean
_MEANT = {
    "location": ("regions", "aws_region"),
    "judge": ("judge_model",),
    "judges": ("judge_model",),
    "temp": ("temperature",),
    "key": ("api_key",),
    "token": ("api_key",),
    "url": ("api_base",),
    "address": ("api_base",),
    "baseline_answer": ("baseline_model",),
}


def places_of(key: str, struct: type[msgspec.Struct] | None = None) -> str:
    """Where else a key is known, in words: in the same file, else in others; empty where it is not."""
    others = [each for each in _PLACES if each is not struct and key in _own_words(each)]
    file = _PLACES[struct][0] if struct in _PLACES else ""
    near = [each for each in others if _PLACES[each][0] == file] or others
    return ", or ".join(_PLACES[each][1] for each in near)


def _own_words(struct: type[msgspec.Struct]) -> set[str]:
    return known_keys(struct) | foreign_configs.WORDS.get(struct.__name__, set())


def short_hash(values: Mapping[str, Any]) -> str:
    """Twelve hex digits that name a set of settings: SHA-256 of its canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()[:12]
