"""What the values of the config files may be: mistakes that no type shows, each with the key and the remedy."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any
from urllib.parse import urlsplit

from arena_hard.data import templates
from arena_hard.data.name_lists import suggestion
from arena_hard.data.places import Place
from arena_hard.data.presets import categories_of
from arena_hard.data.record_values import is_list, is_object
from arena_hard.data.records import UserError
from arena_hard.data.settings import DEFAULT_PATTERN, EndpointSettings, JudgeSettings, ModelSettings, places_of
from arena_hard.data.variables import names_variable, with_environment
from arena_hard.data.yaml_files import ConfigNote, plain

_LOOSE_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")
_HOST = re.compile(r"localhost|[\w.-]+:\d|[a-z][\w.-]*\.[a-z]")  # what lacks only http://
_OWN_KEYS = ("messages", "model")  # of a request: what is asked, and whom


def check_model(where: Place, model: ModelSettings) -> None:
    """An entry of the endpoint file. Raises UserError."""
    if not (model.model_name.strip() or model.model_id):
        place = where.line_only("model_name")
        raise UserError(f"{place}: the key 'model_name' is missing. Write it like model_name: my-org/my-model.")
    _check_extra_body(where.line_only("extra_body"), model.extra_body)
    for key, texts in (("stop", model.stop or []), ("end_think_token", [model.end_think_token])):
        if "" in texts:
            raise UserError(f"{where.line_only(key)}: {key} holds an empty text. Remove it.")
    _check_think_pattern(where.line_only("think_pattern"), model.think_pattern)
    _check_split_endpoints(where.at("endpoints"), model.endpoints or [])
    for number, endpoint in enumerate(model.endpoints or [], 1):
        if endpoint.api_base is not None and model.api_type != "recorded":
            place = where.at("endpoints").item(number)
            _check_address(place.line_only("api_base"), endpoint.api_base)


def _check_split_endpoints(where: Place, endpoints: list[EndpointSettings]) -> None:
    """Two items that follow each other and share no key are one endpoint: apart, one would go to another address.

    What all of them say may come from the entry.
    """
    usual = EndpointSettings()
    said = [{key for key in each.__struct_fields__ if getattr(each, key) != getattr(usual, key)} for each in endpoints]
    own = [{key for key in keys if not all(key in each for each in said)} for keys in said]
    for number, (first, second) in enumerate(zip(own, own[1:]), 1):
        if first and second and not first & second:
            place, names = where.item(number + 1), [", ".join(sorted(keys)) for keys in (first, second)]
            raise UserError(
                f"{place}: {names[1]} stands in an item of its own, after one with {names[0]} (line "
                f"{where.item(number).line}). Remove the - before it where both are one endpoint; else write "
                "api_base in each."
            )


def _check_think_pattern(where: Place, pattern: str | None) -> None:
    if pattern is None:
        return
    try:
        empty = re.compile(pattern, re.DOTALL).search("")
    except re.error as error:
        raise UserError(f"{where}: think_pattern is not a regular expression ({error}).") from None
    if empty:
        raise UserError(f"{where}: think_pattern matches an empty text. Write the tags around a thought into it.")


def note_misplaced(entries: Place) -> None:
    """Say of keys at the top of the endpoint file that they have no effect there."""
    for key, value in entries.value.items():
        if is_object(value) or is_list(value) or plain(value) is None or key.startswith(("x-", ".")):
            continue
        places = places_of(key)
        why = f"it belongs in {places}" if places else "an entry is a name with keys and values below it"
        warnings.warn(f"{entries.line_only(key)}: {key}: no effect here; {why}.", ConfigNote, stacklevel=1)


def missing_entry(entries: Place, name: str) -> str:
    """What to do about a model that the endpoint file does not have."""
    if "bench_name" in entries.value:
        return "It is a setting file (bench_name). Name the endpoint file with --endpoint-file."
    for key, value in entries.value.items():
        if is_object(value) and name in value:
            line = entries.at(key).at(name).line
            return f"It is inside {str(key)!r} (line {line}); an entry begins at the left edge: move it there."
    known = {str(key) for key in entries.value}
    meant = f"{suggestion(name, known)} " if known else ""
    return f"{meant}Add an entry with model_name, endpoints and api_type (README.md shows one)."


def check_categories(settings: JudgeSettings, there: set[str]) -> None:
    """Each category of the config must be one that a question has, or that its benchmark is known for.

    Raises UserError.
    """
    for name in settings.categories or {}:
        if name not in there and name not in categories_of(settings.bench_name):
            raise UserError(f"categories: no question is of the category {name!r}. {suggestion(name, there)}")


def _check_extra_body(where: Place, extra: dict[str, Any] | None) -> None:
    for key in _OWN_KEYS:
        if key in (extra or {}):
            raise UserError(f"{where}: extra_body: {key!r} is what a request is about. Remove it.")
    for key, value in (extra or {}).items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise UserError(
                f"{where}: extra_body: {key} is {value!r}, which JSON cannot carry. Write finite numbers, and texts in "
                "quotes."
            ) from None


def _check_address(where: Place, base: str) -> None:
    """An address left empty would send prompts and key to the provider's own."""
    if not base.strip():
        raise UserError(f"{where}: api_base is empty. Write the server's address, or leave the key out.")
    known = with_environment(base).strip()
    if names_variable(known):
        good = not names_variable(known.partition("/")[0]) or known == base.strip()  # not known until it is set
        loose = None
    else:
        good, loose = _is_address(known), _LOOSE_VARIABLE.search(known)
    if loose:
        name = loose.group(1)
        raise UserError(f"{where}: api_base {base!r}: for the environment variable {name} write ${{{name}}}.")
    if not good:
        like = f"http://{known}" if _HOST.match(known) and _is_address(f"http://{known}") else ""
        raise UserError(
            f"{where}: api_base {base!r} is not an address. Write it like {like or 'http://localhost:8000/v1'}."
        )


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def check_judge_settings(where: Place, settings: JudgeSettings) -> None:
    """judge_config.yaml. Raises UserError, also for a pattern or template that cannot work."""
    if not settings.judges:
        raise UserError(f"{where.line_only('judge_model')}: judge_model is empty. Name the model that judges.")
    if settings.reference and not settings.references:
        raise UserError(
            f"{where.line_only('reference')}: reference is true but ref_model names no model. Name one, or set "
            "reference: false."
        )
    _check_patterns(where.line_only("regex_pattern"), settings)
    _check_verdict(where, settings)
    template_place = where.line_only("prompt_template")
    if not settings.prompt_template:
        raise UserError(f"{template_place}: prompt_template is empty. It holds the user message for the judge.")
    for number, template in enumerate(settings.prompt_template, 1):
        _check_template(f"{template_place}: prompt_template {number}", template)
    if not any("answer" in field.lower() for each in settings.prompt_template for field in templates.fields_of(each)):
        raise UserError(f"{template_place}: prompt_template shows no answer. Write {{answer_1}} and {{answer_2}}.")


def _check_verdict(where: Place, settings: JudgeSettings) -> None:
    """A label is asked for where there are the five to choose from, and where it is read from the text it is not."""
    if settings.verdict == "text" and settings.verdict_always:
        raise UserError(
            f"{where.line_only('verdict_always')}: verdict_always asks for a label in each game, and with "
            "verdict: text none is asked for. Write verdict: constrained or verdict: logprobs beside it, or remove it."
        )
    if settings.verdict != "text" and not settings.baseline:
        raise UserError(
            f"{where.line_only('verdict')}: verdict: {settings.verdict} asks for one of the five labels that compare "
            "two answers, and with baseline: false each is rated on its own. Remove verdict, or write verdict: text."
        )


def _check_patterns(where: Place, settings: JudgeSettings) -> None:
    try:
        patterns = settings.patterns
    except re.error as error:
        raise UserError(f"{where}: regex_pattern is not a regular expression ({error}).") from None
    if not patterns:
        raise UserError(f"{where}: regex_pattern is empty. Remove it for the default {DEFAULT_PATTERN}")
    for pattern in patterns:
        if pattern.groups != 1:
            raise UserError(
                f"{where}: regex_pattern {pattern.pattern!r} has {pattern.groups} groups and needs exactly one, "
                f"around the label: {DEFAULT_PATTERN}"
            )


def _check_template(where: str, template: str) -> None:
    try:
        fields = templates.fields_of(template)
    except ValueError as error:
        raise UserError(f"{where}: {error}. Write {{{{ and }}}} for braces that are meant as text.") from None
    for name in sorted(fields):
        if not templates.is_placeholder(name):
            known = {"question_1", "answer_1", "answer_2", "ref_answer_1", "QUESTION", "ANSWER_A", "ANSWER_B"}
            raise UserError(f"{where}: unknown placeholder {{{name}}}. {suggestion(name, known)}")
