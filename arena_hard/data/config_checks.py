"""What the values of the config files may be: mistakes that no type shows, each with the key and the remedy."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from urllib.parse import urlsplit

from arena_hard.data import templates
from arena_hard.data.presets import categories_of
from arena_hard.data.records import UserError
from arena_hard.data.settings import (
    DEFAULT_PATTERN,
    AnswerSettings,
    JudgeSettings,
    ModelSettings,
    suggestion,
    with_environment,
)

_OWN_KEYS = ("messages", "model")  # of a request: what is asked, and whom


def check_model(where: str, model: ModelSettings) -> None:
    """An entry of the endpoint file. Raises UserError."""
    if not (model.model_name or model.model_id):
        raise UserError(f"{where}: the key 'model_name' is missing.")
    _at_least(where, "attempts", model.attempts, 1)
    _at_least(where, "backoff", model.backoff, 0)
    for key in ("parallel", "max_tokens", "thinking"):
        value = getattr(model, key)
        if value != "auto":
            _at_least(where, key, value, 1)
    for key in ("timeout", "deadline", "requests_per_minute", "tokens_per_minute"):
        _above_zero(where, key, getattr(model, key))
    _at_least(where, "temperature", model.temperature, 0)
    _check_extra_body(where, model.extra_body)
    for key, texts in (("stop", model.stop or []), ("end_think_token", [model.end_think_token])):
        if "" in texts:
            raise UserError(f"{where}: {key} holds an empty text. Take it out.")
    _check_think_pattern(where, model.think_pattern)
    for number, endpoint in enumerate(model.endpoints or [], 1):
        if endpoint.api_base is not None and model.api_type != "recorded":
            _check_address(f"{where}: endpoints {number}", endpoint.api_base)


def _check_think_pattern(where: str, pattern: str | None) -> None:
    if pattern is None:
        return
    try:
        empty = re.compile(pattern, re.DOTALL).search("")
    except re.error as error:
        raise UserError(f"{where}: think_pattern is no regular expression ({error}).") from None
    if empty:
        raise UserError(f"{where}: think_pattern matches an empty text. Write the tags around a thought into it.")


def _check_sampling(where: str, settings: AnswerSettings | JudgeSettings) -> None:
    """What both stages say of a request. Raises UserError."""
    _at_least(where, "temperature", settings.temperature, 0)
    _at_least(where, "max_tokens", settings.max_tokens, 1)


def check_categories(settings: JudgeSettings, there: set[str]) -> None:
    """Each category of the config must be one that a question has, or that its benchmark is known for.

    Raises UserError.
    """
    for name in settings.categories or {}:
        if name not in there and name not in categories_of(settings.bench_name):
            raise UserError(f"categories: no question is of the category {name!r}. {suggestion(name, there)}")


def _at_least(where: str, key: str, value: float | None, least: int) -> None:
    if value is not None and not (math.isfinite(value) and value >= least):
        raise UserError(f"{where}: {key} is {value} and must be at least {least}.")


def _above_zero(where: str, key: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise UserError(f"{where}: {key} is {value} and must be above 0; leave the key out for the default.")


def _check_extra_body(where: str, extra: dict[str, Any] | None) -> None:
    for key in _OWN_KEYS:
        if key in (extra or {}):
            raise UserError(f"{where}: extra_body: {key!r} is what a request is about. Take it out.")
    for key, value in (extra or {}).items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise UserError(
                f"{where}: extra_body: {key} is {value!r}, which JSON cannot carry. Put a date into quotes; "
                "use finite numbers."
            ) from None


def _check_address(where: str, base: str) -> None:
    """An address left empty would send prompts and key to the provider's own."""
    if not base.strip():
        raise UserError(f"{where}: api_base is empty. Write the server's address, or leave the key out.")
    known = with_environment(base).strip()
    if known.startswith("${"):
        return  # not known until the variable is set
    try:
        parts = urlsplit(known)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = "${" in known
    if not good:
        raise UserError(f"{where}: api_base {base!r} is no address. Write it like http://localhost:8000/v1.")


def check_answer_settings(where: str, settings: AnswerSettings) -> None:
    """gen_answer_config.yaml. Raises UserError."""
    if settings.num_choices < 1:
        raise UserError(f"{where}: num_choices must be at least 1.")
    _check_sampling(where, settings)


def check_judge_settings(where: str, settings: JudgeSettings) -> None:
    """judge_config.yaml. Raises UserError, also for a pattern or template that cannot work."""
    _check_sampling(where, settings)
    if settings.number_of_judgment_attempts < 1:
        raise UserError(f"{where}: number_of_judgment_attempts must be at least 1.")
    if settings.reference and not settings.references:
        raise UserError(f"{where}: reference is true but ref_model names no model. Name one, or set reference: false.")
    _check_patterns(where, settings)
    if not settings.prompt_template:
        raise UserError(f"{where}: prompt_template is empty. It holds the user message for the judge.")
    for number, template in enumerate(settings.prompt_template, 1):
        _check_template(f"{where}: prompt_template {number}", template)


def _check_patterns(where: str, settings: JudgeSettings) -> None:
    try:
        patterns = settings.patterns
    except re.error as error:
        raise UserError(f"{where}: regex_pattern is no regular expression ({error}).") from None
    if not patterns:
        raise UserError(f"{where}: regex_pattern is empty. Leave it out for {DEFAULT_PATTERN}")
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
