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

import msgspec

import utils
from arena_hard.batch import Waiting
from arena_hard.costs import Account
from arena_hard.manifest import RunTally, begin_run, end_run, moved_note, open_failures, remedy
from arena_hard.origins import origins
from arena_hard.paths import Bench
from arena_hard.progress import Progress, failure_lines
from arena_hard.providers.base import CallError, Message, Reply
from arena_hard.quotes import output_seen_in_answers, quote, quote_lines
from arena_hard.records import Answer, AnswerTurn, Question, answer_row
from arena_hard.replies import KeptReplies
from arena_hard.serve import serving
from arena_hard.settings import AnswerSettings, ModelSettings, short_hash
from arena_hard.tokens import PromptLength, TokenCounter
from arena_hard.writer import RecordWriter

EXAMPLES = """\
  python gen_answer.py
  python gen_answer.py --models my-model --limit 20
  python gen_answer.py --quote
  python gen_answer.py --max-cost 5 --sample 100
  python gen_answer.py --dry-run
  python gen_answer.py --redo my-model
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
    found: set[str]
    existing: int
    missing: list[Question]
    shaping: dict[str, object]
    tally: RunTally
    account: Account


@dataclass
class Job:
    """One answer to get."""

    plan: ModelPlan
    model: utils.Model
    question: Question
    worst: float = 0.0

    @property
    def label(self) -> str:
        return label_of(self.plan, self.question.question_id)


def main() -> int:
    args = parse_arguments()
    settings = utils.load_answer_settings(args.setting_file)
    models = utils.load_models(args.endpoint_file, utils.chosen_models(args, settings.model_list))
    bench = Bench(args.data_dir, settings.bench_name)
    questions = utils.load_questions(bench)
    chosen = utils.chosen_questions(args, questions)

    account = Account(args.max_cost, args.batch, args.finish_live)
    plans = [plan_model(args, bench, model, settings, chosen, account) for model in models]
    print_plan(bench, chosen, plans)
    if args.dry_run:
        print_requests(plans, settings, chosen)
        return 0
    plans = [plan for plan in plans if plan.missing]
    if args.quote:
        print_quote(bench, plans, settings)
        return 0
    if not plans:
        print("Nothing to ask.")
        return 0
    # models on a server of their own come one after the other, the rest side by side
    together = [plan for plan in plans if not plan.settings.serve]
    rounds = ([together] if together else []) + [[plan] for plan in plans if plan.settings.serve]
    try:
        code = max(answer_round(args, bench, round_, settings, questions) for round_ in rounds)
    finally:  # a run that is stopped has cost something too
        utils.print_costs(account)
    return max(code, int(bool(account.not_sent)))


def answer_round(
    args: argparse.Namespace, bench: Bench, plans: list[ModelPlan], settings: AnswerSettings, questions: list[Question]
) -> int:
    """Run some models side by side; a model's own server runs for just this time. Returns the exit code."""
    with serving(plans[0].settings, bench.log_file(plans[0].settings.name)) as served:
        plans[0].settings = served
        return asyncio.run(answer_all(args, bench, plans, settings, questions))


def parse_arguments() -> argparse.Namespace:
    parser = utils.parser(__doc__ or "", EXAMPLES)
    parser.add_argument(
        "--setting-file",
        type=Path,
        default=Path("config/gen_answer_config.yaml"),
        help="which models, and how they are asked (default: %(default)s)",
    )
    parser.add_argument(
        "--endpoint-file",
        type=Path,
        default=Path("config/api_config.yaml"),
        help="where the models are (default: %(default)s)",
    )
    utils.add_selection(parser)
    args = parser.parse_args()
    utils.check_selection(args)
    return args


# ---------------------------------------------------------------------------------------- plan


def plan_model(
    args: argparse.Namespace,
    bench: Bench,
    model: ModelSettings,
    settings: AnswerSettings,
    questions: list[Question],
    account: Account,
) -> ModelPlan:
    """Which answers exist and which are missing. Raises UserError where settings would be mixed in silence."""
    file = bench.answer_file(model.name)
    answers = utils.load_answers(file)
    found = {key: answer.settings_hash for key, answer in answers.items()}
    shaping = answer_shaping_settings(model, settings)
    again = utils.records_to_redo(args, file, model.name, found, {q.question_id: shaping for q in questions})
    wanted = [q for q in questions if q.question_id not in found or q.question_id in again]
    if args.only_failed:
        failed = open_failures(file, answers)
        wanted = [question for question in questions if question.question_id in failed]
    before = {question.question_id for question in wanted} & answers.keys()
    tally = RunTally(file, short_hash(shaping), endpoints=origins(model), before=before)
    existing = sum(question.question_id in found for question in questions)
    account.open(model.name, model)
    return ModelPlan(model, file, set(found), existing, wanted, shaping, tally, account)


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
        "retry_truncated": model.retry_truncated,
    }


def system_prompt(model: ModelSettings) -> str | None:
    """The model's own system prompt, or the one that older OpenAI models get."""
    if model.system_prompt is not None:
        return model.system_prompt
    return DEFAULT_SYSTEM_PROMPT if model.model_name in MODELS_WITH_DEFAULT_PROMPT else None


def opening_messages(model: ModelSettings) -> list[Message]:
    """What stands before the first turn."""
    system = system_prompt(model)
    return [{"role": "system", "content": system}] if system else []


def print_plan(bench: Bench, questions: list[Question], plans: list[ModelPlan]) -> None:
    print(f"{bench.name}: {len(questions)} questions, {len(plans)} models")
    for plan in plans:
        print(f"  {plan.settings.name:<40} {plan.existing:>5} answers exist, {len(plan.missing):>5} to ask for")
        note = moved_note(plan.file, plan.tally.endpoints) if plan.existing and plan.missing else None
        if note:
            print(f"  note: {note}")


def print_requests(plans: list[ModelPlan], settings: AnswerSettings, questions: list[Question]) -> None:
    for plan in plans:
        question = (plan.missing or questions)[0]
        messages = [*opening_messages(plan.settings), {"role": "user", "content": question.turns[0]}]
        utils.print_request(plan.settings, messages, settings.temperature, settings.max_tokens)


def print_quote(bench: Bench, plans: list[ModelPlan], settings: AnswerSettings) -> None:
    quotes = []
    for plan in plans:
        prompts = (prompt for q in plan.missing for prompt in prompts_of(plan, q) * settings.num_choices)
        seen = output_seen_in_answers(utils.load_answers(plan.file).values())
        quotes.append(quote(plan.settings, prompts, settings.max_tokens, seen))
    print("\n".join(quote_lines(quotes, "answers by")))


def prompts_of(plan: ModelPlan, question: Question) -> list[list[Message]]:
    """What is known today of each request for a question: later turns will hold the answers before them too."""
    turns: list[Message] = [{"role": "user", "content": turn} for turn in question.turns]
    return [[*opening_messages(plan.settings), *turns[: end + 1]] for end in range(len(turns))]


# ----------------------------------------------------------------------------------------- run


async def answer_all(
    args: argparse.Namespace, bench: Bench, plans: list[ModelPlan], settings: AnswerSettings, questions: list[Question]
) -> int:
    """Ask for all that is missing. Returns the exit code."""
    models = utils.Models()
    counter = TokenCounter()
    with RecordWriter() as writer:
        for plan in plans:
            utils.open_output(writer, plan.file)
            begin_run(plan.tally, [plan.shaping])
        groups = [(plan, utils.open_model(models, plan.settings, writer)) for plan in plans]
        progress = Progress(sum(len(plan.missing) for plan in plans), "answers", models)

        unfinished = {plan.settings.name: open_unfinished(plan, settings, writer) for plan in plans}

        async def ask(job: Job) -> None:
            clock = progress.begin(job.label)
            clock.kept = kept = unfinished[job.plan.settings.name]
            tally = job.plan.tally
            try:
                answer = await get_answer(job, settings, clock)
            except Waiting:
                progress.later(job.label)
                raise
            except CallError as error:
                if error.usage:  # replies that held no answer are paid for too
                    job.plan.account.pay(job.plan.settings.name, error.usage)
                tally.failed[job.question.question_id] = error.message
                progress.fail(job.label, error.message)
                return
            await writer.write(job.plan.file, lambda: answer_row(with_token_counts(answer, counter)))
            if kept:
                kept.record_written(job.label)
            tally.count([answer.usage], [answer.finish_reason])
            progress.finish(job.label)

        async def work(job: Job) -> None:
            job.worst = most_it_may_cost(job, settings)
            async with job.plan.account.room(job.worst) as granted:
                if granted:
                    await ask(job)

        try:
            with utils.posting(bench, "answers by", [model for _, model in groups], args) as mailboxes:
                async with progress.shown():
                    jobs = [(jobs_of(plan, model), utils.width(model)) for plan, model in groups]
                    await utils.run_exchanges(jobs, work, mailboxes, plans[0].account)
                for mailbox in mailboxes if not (progress.failures or plans[0].account.not_sent) else []:
                    mailbox.archive()
        finally:
            await models.close()
            for plan in plans:
                end_run(plan.tally)
        for plan in plans:
            utils.put_in_order(plan.file, questions)
        for kept in filter(None, unfinished.values()):
            kept.tidy()
    return report(progress, counter, plans)


def open_unfinished(plan: ModelPlan, settings: AnswerSettings, writer: RecordWriter) -> KeptReplies | None:
    """The replies that earlier runs were given for answers that are not written yet; None where one call is all."""
    if settings.num_choices == 1 and all(len(question.turns) == 1 for question in plan.missing):
        return None
    written = {label_of(plan, key) for key in plan.found}
    return utils.open_unfinished(plan.file, writer, written, plan.account)


def label_of(plan: ModelPlan, question_id: str) -> str:
    return f"{plan.settings.name} {question_id}"


def jobs_of(plan: ModelPlan, model: utils.Model) -> Iterator[Job]:
    return (Job(plan, model, question) for question in plan.missing)


def most_it_may_cost(job: Job, settings: AnswerSettings) -> float:
    """Dollars for all requests of an answer if each is answered at full length."""
    texts = [system_prompt(job.plan.settings) or "", *job.question.turns]
    sizes = [sum(len(text.encode()) for text in texts)] * settings.num_choices
    return job.plan.account.worst(job.plan.settings.name, sizes, settings.max_tokens, len(job.question.turns))


async def get_answer(job: Job, settings: AnswerSettings, clock: utils.Clock) -> Answer:
    """All choices of one answer. Raises CallError."""
    replies: list[Reply] = []
    choices: list[tuple[AnswerTurn, ...]] = []
    waiting: Waiting | None = None
    for _ in range(settings.num_choices):
        try:
            choices.append(await get_choice(job, settings, clock, replies))
        except Waiting as later:
            waiting = later  # all choices go into the same batch
    if waiting:
        raise waiting
    return Answer(
        question_id=job.question.question_id,
        model=job.plan.settings.name,
        choices=tuple(choices),
        answer_id=new_answer_id(),
        tstamp=time.time(),
        finish_reason=utils.finish_reason_of(replies),
        usage=utils.total_usage(replies),
        served_model=replies[-1].served_model,
        settings_hash=job.plan.tally.settings_hash,
    )


async def get_choice(
    job: Job, settings: AnswerSettings, clock: utils.Clock, replies: list[Reply]
) -> tuple[AnswerTurn, ...]:
    """One conversation from its beginning, so that no choice sees another. Raises CallError."""
    messages = opening_messages(job.plan.settings)
    turns: list[AnswerTurn] = []
    for question in job.question.turns:
        messages = [*messages, {"role": "user", "content": question}]
        room = await room_for_reply(job.plan.settings, question, settings.max_tokens)
        reply = await utils.chat_completion(job.model, messages, settings.temperature, room, clock)
        messages = [*messages, {"role": "assistant", "content": reply.content}]
        turns.append(AnswerTurn(reply.content, thought=reply.thought))
        job.plan.tally.saw(reply)
        job.plan.account.pay(job.plan.settings.name, reply.usage, job.worst, reply.key)
        replies.append(reply)
    return tuple(turns)


def with_token_counts(answer: Answer, counter: TokenCounter) -> Answer:
    """The answer with token_len, counted by the thread that writes it."""
    choices = tuple(
        tuple(msgspec.structs.replace(turn, token_len=counter.count(turn.content)) for turn in turns)
        for turns in answer.choices
    )
    return msgspec.structs.replace(answer, choices=choices)


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


def report(progress: Progress, counter: TokenCounter, plans: list[ModelPlan]) -> int:
    """Say how the run ended. Returns the exit code."""
    if counter.problem:
        print(counter.problem)
    print(f"{progress.done} answers written, {len(progress.failures)} failed.")
    for plan in plans:
        for remark in plan.tally.remarks("answers"):
            print(f"  {plan.settings.name}: {remark}")
    if not progress.failures:
        return 0
    print("\n".join(failure_lines(progress.failures)))
    print(remedy(plan.tally for plan in plans))
    return 1


if __name__ == "__main__":
    utils.run_main(main)
