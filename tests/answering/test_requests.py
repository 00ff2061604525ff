"""What a model is asked: system prompt, messages, and the settings that shape its answer."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from arena_hard.answering import requests
from arena_hard.calling.providers.base import CallError
from arena_hard.data.records import question_from_row
from arena_hard.data.settings import AnswerSettings, JudgeSettings, ModelSettings, short_hash
from arena_hard.judging.prompts import judgment_shaping_settings
from tests.support.pipeline_bench import question
from tests.support.plans import settings_of


@pytest.mark.parametrize(
    ("entry", "prompt"),
    [
        ({"model_name": "gpt-4-0314"}, "You are a helpful assistant."),
        ({"model_name": "gpt-4-0314", "system_prompt": "Be brief."}, "Be brief."),
        ({"model_name": "gpt-4-0314", "system_prompt": ""}, ""),
        ({"model_name": "gpt-4o"}, None),
    ],
)
def test_older_models_of_openai_get_the_originals_system_prompt(entry: dict[str, str], prompt: str | None) -> None:
    model = settings_of("m", **entry)
    assert requests.system_prompt(model) == prompt
    expected = [{"role": "system", "content": prompt}] if prompt else []
    assert requests.opening_messages(model) == expected


# How a model is reached, and how fast: of a model called otherwise all records stay
REACHED = {
    "name", "endpoints", "api_type", "parallel", "timeout", "deadline", "give_up_after", "attempts", "backoff",
    "requests_per_minute", "tokens_per_minute", "record", "serve", "price", "model_id", "aws_region", "project_id",
    "regions", "probe", "lines", "context_length",
}  # fmt: skip
OF_THE_JUDGES_CONFIG = {"system_prompt", "tokenizer"}  # which says these itself, or has no use
OTHER = {"extra_body": {"top_k": 1}, "stop": ["x"], "retry_truncated": True}
NUMBERS = {"temperature": 0.5, "max_tokens": 7, "thinking": 7}


def test_every_key_of_a_model_is_in_the_hash_of_its_records_or_known_to_shape_none() -> None:
    answers, judging = AnswerSettings(bench_name="b"), JudgeSettings("b", "m", ["{question_1}{answer_1}{answer_2}"])
    plain = settings_of("m")
    for key in ModelSettings.__struct_fields__:
        other = msgspec.structs.replace(plain, **{key: {**OTHER, **NUMBERS}.get(key, "x")})
        shapings = [
            (requests.answer_shaping_settings(each, answers), judgment_shaping_settings(each, judging, ""))
            for each in (plain, other)
        ]
        changed = [one != two for one, two in zip(*shapings)]
        assert changed == [key not in REACHED, key not in REACHED | OF_THE_JUDGES_CONFIG], key


def test_each_turn_is_asked_with_those_before_it() -> None:
    asked = question_from_row(question(1, "First?", "Second?"))
    first, second = requests.prompts_of(settings_of("m", system_prompt="S"), asked)
    assert first == [{"role": "system", "content": "S"}, {"role": "user", "content": "First?"}]
    assert second == [*first, {"role": "user", "content": "Second?"}]


def test_the_models_own_settings_come_before_those_of_the_stage() -> None:
    stage = AnswerSettings(bench_name="b", model_list=["m"], temperature=0.0, max_tokens=100)
    plain = requests.answer_shaping_settings(settings_of("m"), stage)
    assert (plain["temperature"], plain["max_tokens"]) == (0.0, 100)
    own = requests.answer_shaping_settings(settings_of("m", temperature=0.5, max_tokens=7), stage)
    assert (own["temperature"], own["max_tokens"]) == (0.5, 7)


@pytest.mark.parametrize(
    ("entry", "same"),
    [
        ({"parallel": 64, "timeout": 5.0, "attempts": 2, "price": {"input": 9.0, "output": 9.0}}, True),
        ({"system_prompt": "Be brief."}, False),
        ({"extra_body": {"top_p": 0.5}}, False),
        ({"reasoning_effort": "low"}, False),
        ({"retry_truncated": True}, False),
    ],
)
def test_what_shapes_an_answer_changes_the_hash_and_how_it_is_fetched_does_not(
    entry: dict[str, Any], same: bool
) -> None:
    stage = AnswerSettings(bench_name="b", model_list=["m"])
    hashes = [short_hash(requests.answer_shaping_settings(settings_of("m", **more), stage)) for more in ({}, entry)]
    assert (hashes[0] == hashes[1]) is same


def test_without_a_tokenizer_all_the_room_is_for_the_reply() -> None:
    assert asyncio.run(requests.room_for_reply(settings_of("m"), "word " * 500, 10)) == 10


def test_a_tokenizer_leaves_the_prompts_room_to_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    class ByCharacter:
        def __init__(self, name: str) -> None:
            assert name == "by-character"

        def room(self, prompt: str, most: int) -> int:
            return most - len(prompt)

    monkeypatch.setattr(requests, "PromptLength", ByCharacter)
    model = settings_of("m", tokenizer="by-character")
    assert asyncio.run(requests.room_for_reply(model, "x" * 30, 100)) == 70
    with pytest.raises(CallError, match="leaves no room within max_tokens 100"):
        asyncio.run(requests.room_for_reply(model, "x" * 100, 100))
    requests._prompt_length.cache_clear()
