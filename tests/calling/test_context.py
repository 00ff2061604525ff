"""What a run says of a context: how many prompts do not fit, and what to set."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from arena_hard.calling.context import Context, Prompts, fit_line, measured, refusal_line, reply_tokens
from arena_hard.calling.context_check import ContextCheck
from arena_hard.calling.models import Models
from arena_hard.calling.providers.base import CallError, TooLong
from arena_hard.data.settings import EndpointSettings, ModelSettings

WORD = "word "  # a token each


def prompts(*words: int, max_tokens: int = 2048, shortens: bool | None = False) -> Prompts:
    texts = [[{"role": "user", "content": WORD * count}] for count in words]
    return Prompts("judgments", lambda: iter(texts), max_tokens, shortens)


def entry(**more: Any) -> ModelSettings:
    return ModelSettings(
        **{"name": "j", "model_name": "m", "endpoints": [EndpointSettings("http://127.0.0.1:9")]} | more
    )


def line(length: int, asked: Prompts, engine: str = "vllm", **more: Any) -> str | None:
    return fit_line(entry(**more), Context(length, "S", engine), asked)


def test_what_has_room_is_not_counted_and_not_said() -> None:
    found = measured(entry(), prompts(10, 10).each(), 100)
    assert (found.total, found.doubtful, found.counts) == (2, 0, ())
    assert line(4096, prompts(1000, 2000)) is None


def test_how_many_do_not_fit_and_what_helps() -> None:
    said = line(4096, prompts(100, 2500, 3000)) or ""
    assert "j: the prompts of about 2 of 3 judgments do not fit into its context of 4,096 tokens (S)" in said
    assert "max_tokens takes 2,048 of them, and the longest prompt has about 3,008" in said
    assert "max_tokens: 768; serve it with --max-model-len 6144; or truncate: answers" in said
    assert "1024 (about 1 do not fit then)" in (line(4096, prompts(2500, 3800)) or "")
    assert "--max-model-len 6144; or" in (line(4096, prompts(5000), model_name="gpt-4", max_tokens=512) or "")


def test_a_count_by_the_models_own_vocabulary_is_no_estimate() -> None:
    assert "about" not in (line(4096, prompts(3000), model_name="gpt-4-0613") or "about")


@pytest.mark.parametrize(
    ("engine", "words"),
    [("sglang", "--context-length 6144"), ("llamacpp", "-c 6144 for each slot"), ("tgi", "--max-total-tokens 6144"),
     ("library", "OLLAMA_CONTEXT_LENGTH=6144"), ("", "a context of 6144 tokens (vLLM: --max-model-len")],
)  # fmt: skip
def test_the_remedy_is_in_the_servers_own_words(engine: str, words: str) -> None:
    said = line(4096, prompts(3000), engine) or ""
    assert words in said
    assert ("without saying so" in said) == (engine == "library")


def test_the_projects_own_server_has_a_flag_of_its_own() -> None:
    said = line(4096, prompts(3000), "llamacpp", serve="python tools/llama_server.py x.gguf --port {port}") or ""
    assert "serve it with --context 6144" in said


def test_a_question_that_takes_more_than_a_reply_is_counted() -> None:
    asked = msgspec.structs.replace(prompts(3400, max_tokens=512), beside=906)
    assert line(4096, prompts(3400, max_tokens=512)) is None
    said = line(4096, asked) or ""
    assert "max_tokens 512, or the question for the label, takes about 906 of them" in said
    assert "What helps: serve it with --max-model-len 5120; or truncate: answers" in said
    shortens = line(4096, msgspec.structs.replace(asked, shortens=True, fewer_turns="fewer attempts")) or ""
    told = "where too little would be left of them, the question may not fit. To avoid it: fewer attempts; or"
    assert told in shortens


def test_a_refusal_of_a_later_prompt_names_what_makes_it_shorter() -> None:
    asked = msgspec.structs.replace(prompts(3000, max_tokens=512), fewer_turns="fewer attempts")
    first, later = (refusal_line(entry(), TooLong(4096, 4000, later), None, asked) for later in (False, True))
    assert "a prompt of 4,000 tokens" in first and "fewer attempts" not in first
    assert "a prompt of 4,000 tokens with the text before it does not fit" in later
    assert "What helps: fewer attempts; a max_tokens below 512" in later


def test_only_what_can_be_done_is_offered() -> None:
    assert "truncate" not in (line(4096, prompts(3000, shortens=None)) or "truncate")
    assert "are shortened (truncate: answers). To avoid it: max_tokens" in (
        line(4096, prompts(3000, shortens=True)) or ""
    )
    assert "a model with a context of 6144" in (line(4096, prompts(3000), api_type="openrouter") or "")


def test_the_reply_has_what_the_request_will_say() -> None:
    assert reply_tokens(entry(), 100) == 100
    assert reply_tokens(entry(max_tokens=7), 100) == 7
    assert reply_tokens(entry(max_tokens=7, extra_body={"max_completion_tokens": 50}), 100) == 50
    assert reply_tokens(entry(thinking=1000), 100) == 1100


def test_of_very_many_prompts_a_part_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena_hard.calling.context.MOST_COUNTED", 10)
    found = measured(entry(), prompts(*[30, 60] * 50, 90).each(), 50)
    assert (found.total, found.doubtful) == (101, 101)
    assert len(found.counts) <= 10
    assert (found.over(10), found.longest) == (101, 98)


def learnt(error: CallError, asked: Prompts, **more: Any) -> list[str | None]:
    """What is said before a run and after two refusals."""

    async def run() -> list[str | None]:
        models = Models()
        try:
            check = ContextCheck(models.open(entry(**more)), asked)
            return [await check.begin(), *[await check.learn(error) for _ in range(2)]]
        finally:
            await models.close()

    return asyncio.run(run())


def refused(limit: int | None, prompt: int | None = None) -> CallError:
    error = CallError("final", "too long")
    error.too_long = TooLong(limit, prompt)
    return error


def test_a_first_refusal_tells_how_many_more_will_come() -> None:
    before, first, second = learnt(refused(4096), prompts(100, 3000))
    assert before is second is None
    assert first and "about 1 of 2 judgments do not fit into its context of 4,096 tokens (so it says in a ref" in first


def test_a_refusal_that_the_count_does_not_explain_or_that_has_no_number_is_said_too() -> None:
    said = learnt(refused(4096, 2100), prompts(100))[1] or ""
    assert "a prompt of 2,100 tokens does not fit into its context of 4,096 tokens beside max_tokens 2048" in said
    assert "context_length in its entry" in (learnt(refused(None), prompts(100))[1] or "")


def test_what_was_said_before_the_run_is_not_said_again() -> None:
    before, first, _ = learnt(refused(4096), prompts(3000), context_length=4096)
    assert before and "(context_length in its entry)" in before
    assert first is None
    assert learnt(CallError("final", "other"), prompts(3000))[1:] == [None, None]
