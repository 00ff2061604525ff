"""Ask models the questions of a bench and keep their answers: question → answer.

Reads config/gen_answer_config.yaml (which models, how they are asked) and config/api_config.yaml
(where they are), writes data/BENCH/model_answer/MODEL.jsonl. What is there already is not asked again.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import utils
from arena_hard.paths import Bench
from arena_hard.progress import Progress, failure_lines
from arena_hard.providers.base import CallError, Message, Reply
from arena_hard.records import Answer, AnswerTurn, Question, answer_row
from arena_hard.settings import AnswerSettings, ModelSettings, short_hash
from arena_hard.tokens import PromptLength, TokenCounter
from arena_hard.writer import RecordWriter

EXAMPLES = """\
  python gen_answer.py
  python gen_answer.py --setting-file config/demo/gen_answer_config.yaml --endpoint-file config/demo/api_config.yaml
"""

# The original sends this prompt to these models when the config gives none; scores depend on it.
DEFAULT_SYSTEM_PROMPT = "You are a helpful assistant."
MODELS_WITH_DEFAULT_PROMPT = {
    "gpt-3.5-turbo",
    "gpt-3.5-turbo-0301",
    "gpt-3.5-turbo-0613",
    "gpt-3.5-turbo-0613-verbose",
    "gpt-3.5-turbo-16k",
    "gpt-3.5-turbo-16k-0613",
    "gpt-4",
    "gpt-4-0314",
    "gpt-4-0613",
    "gpt-4-turbo",
    "gpt-4-1106-preview",
    "gpt-4-0125-preview",
}


@dataclass
class ModelPlan:
    """What is to be asked of one model."""

    settings: ModelSettings
    file: Path
    existing: int
    missing: list[Question]
    settings_hash: str


@dataclass
class Job:
    """One answer to get."""

    plan: ModelPlan
    model: utils.Model
    question: Question

    @property
    def label(self) -> str:
        return f"{self.plan.settings.name} {self.question.question_id}"


def main() -> int:
    args = parse_arguments()
    settings = utils.load_answer_settings(args.setting_file)
    models = utils.load_models(args.endpoint_file, settings.model_list)
    bench = Bench(args.data_dir, settings.bench_name)
    questions = utils.load_questions(bench)

    plans = [plan_model(bench, model, settings, questions) for model in models]
    print_plan(bench, questions, plans)
    if not any(plan.missing for plan in plans):
        print("Nothing to ask.")
        return 0
    return asyncio.run(answer_all(plans, settings, questions))


def parse_arguments() -> argparse.Namespace:
    parser = utils.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--setting-file", type=Path, default=Path("config/gen_answer_config.yaml"))
    parser.add_argument("--endpoint-file", type=Path, default=Path("config/api_config.yaml"))
    return parser.parse_args()


# ---------------------------------------------------------------------------------------- plan


def plan_model(
    bench: Bench, model: ModelSettings, settings: AnswerSettings, questions: list[Question]
) -> ModelPlan:
    """Which answers exist and which are missing."""
    file = bench.answer_file(model.name)
    existing = utils.load_answers(file)
    missing = [question for question in questions if question.question_id not in existing]
    return ModelPlan(
        settings=model,
        file=file,
        existing=len(questions) - len(missing),
        missing=missing,
        settings_hash=short_hash(answer_shaping_settings(model, settings)),
    )


def answer_shaping_settings(model: ModelSettings, settings: AnswerSettings) -> dict[str, object]:
    """All that shapes an answer besides the question: equal settings, equal hash."""
    return {
        "model_name": model.model_name,
        "system_prompt": system_prompt(model),
        "temperature": settings.temperature if model.temperature is None else model.temperature,
        "max_tokens": settings.max_tokens if model.max_tokens is None else model.max_tokens,
        "num_choices": settings.num_choices,
        "tokenizer": model.tokenizer,
        "reasoning_effort": model.reasoning_effort,
        "thinking": model.thinking,
        "extra_body": model.extra_body,
    }


def system_prompt(model: ModelSettings) -> str | None:
    """The model's own system prompt, or the one that older OpenAI models get."""
    if model.system_prompt is not None:
        return model.system_prompt
    return DEFAULT_SYSTEM_PROMPT if model.model_name in MODELS_WITH_DEFAULT_PROMPT else None


def print_plan(bench: Bench, questions: list[Question], plans: list[ModelPlan]) -> None:
    print(f"{bench.name}: {len(questions)} questions, {len(plans)} models")
    for plan in plans:
        print(f"  {plan.settings.name:<40} {plan.existing:>5} answers exist, {len(plan.missing):>5} to ask for")


# ----------------------------------------------------------------------------------------- run


async def answer_all(plans: list[ModelPlan], settings: AnswerSettings, questions: list[Question]) -> int:
    """Ask for all that is missing. Returns the exit code."""
    plans = [plan for plan in plans if plan.missing]
    models = utils.Models()
    counter = TokenCounter()
    with RecordWriter() as writer:
        for plan in plans:
            utils.open_output(writer, plan.file)
        groups = [(plan, utils.open_model(models, plan.settings, writer)) for plan in plans]
        progress = Progress(sum(len(plan.missing) for plan in plans), "answer", lambda: utils.state_of(models))

        async def work(job: Job) -> None:
            progress.begin(job.label)
            try:
                answer = await get_answer(job, settings, counter)
            except CallError as error:
                progress.fail(job.label, error.message)
                return
            await writer.write(job.plan.file, answer_row(answer))
            progress.finish(job.label)

        try:
            async with progress.shown():
                await utils.run_groups(
                    [(jobs_of(plan, model), utils.width(model)) for plan, model in groups], work
                )
        finally:
            await models.close()
    for plan in plans:
        utils.put_in_order(plan.file, questions)
    return report(progress, counter)


def jobs_of(plan: ModelPlan, model: utils.Model) -> Iterator[Job]:
    return (Job(plan, model, question) for question in plan.missing)


async def get_answer(job: Job, settings: AnswerSettings, counter: TokenCounter) -> Answer:
    """All choices of one answer. Raises CallError."""
    model = job.model
    system = system_prompt(model.settings)
    choices: list[tuple[AnswerTurn, ...]] = []
    replies: list[Reply] = []
    for _ in range(settings.num_choices):
        messages: list[Message] = [{"role": "system", "content": system}] if system else []
        turns: list[AnswerTurn] = []
        for question in job.question.turns:
            messages = [*messages, {"role": "user", "content": question}]
            room = await room_for_reply(model.settings, question, settings.max_tokens)
            reply = await utils.chat_completion(model, messages, settings.temperature, room)
            messages = [*messages, {"role": "assistant", "content": reply.content}]
            tokens = await asyncio.to_thread(counter.count, reply.content)
            turns.append(AnswerTurn(reply.content, tokens, reply.thought))
            replies.append(reply)
        choices.append(tuple(turns))
    return Answer(
        question_id=job.question.question_id,
        model=model.settings.name,
        choices=tuple(choices),
        answer_id=new_answer_id(),
        tstamp=time.time(),
        finish_reason="length" if any(r.finish_reason == "length" for r in replies) else replies[-1].finish_reason,
        usage=utils.total_usage(replies),
        served_model=replies[-1].served_model,
        settings_hash=job.plan.settings_hash,
    )


async def room_for_reply(model: ModelSettings, prompt: str, max_tokens: int) -> int:
    """max_tokens, reduced by the prompt's length where the config names a tokenizer. Raises CallError."""
    if model.tokenizer is None:
        return max_tokens
    room = await asyncio.to_thread(prompt_length(model.tokenizer).room, prompt, max_tokens)
    if room < 1:
        raise CallError("final", f"the prompt leaves no room within max_tokens {max_tokens}; raise max_tokens")
    return room


@functools.lru_cache
def prompt_length(tokenizer: str) -> PromptLength:
    return PromptLength(tokenizer)


def new_answer_id() -> str:
    import shortuuid

    return shortuuid.uuid()


def report(progress: Progress, counter: TokenCounter) -> int:
    """Say how the run ended. Returns the exit code."""
    if counter.problem:
        print(counter.problem)
    print(f"{progress.done} answers written, {len(progress.failures)} failed.")
    if not progress.failures:
        return 0
    print("\n".join(failure_lines(progress.failures)))
    print("Nothing was written for what failed; the same command asks for just that.")
    return 1


if __name__ == "__main__":
    utils.run_main(main)
