"""Ask models the questions of a bench and keep their answers: question → answer.

Reads config/gen_answer_config.yaml (which models, how they are asked) and config/api_config.yaml
(where they are), writes data/BENCH/model_answer/MODEL.jsonl. What is there already is not asked again.
"""

from __future__ import annotations

if __name__ == "__main__":  # before what takes long to import
    from arena_hard.data import interrupts

    interrupts.end_at_once()

import argparse
import asyncio
import time

import msgspec

import utils
from arena_hard.answering.plan import ModelPlan, most_it_may_cost, plan_model, prompts_to_send
from arena_hard.answering.requests import opening_messages, prompts_of, replies_shown_again, room_for_reply
from arena_hard.calling import selection
from arena_hard.calling.batch import Waiting
from arena_hard.calling.context import Prompts
from arena_hard.calling.context_check import print_contexts
from arena_hard.calling.local_server import serving
from arena_hard.calling.manifest import earlier_notes, finish_killed
from arena_hard.calling.progress import Progress
from arena_hard.calling.record_run import Group, Job, RecordRun, Row
from arena_hard.calling.run_tally import remark_lines, report_failures
from arena_hard.data.bench_files import load_answers, load_questions
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench
from arena_hard.data.records import Answer, AnswerTurn, Question, answer_row
from arena_hard.data.settings import AnswerSettings, ModelSettings
from arena_hard.data.tokens import TokenCounter
from arena_hard.money.account import Account, print_costs
from arena_hard.money.quotes import output_seen_in_answers, quote, quote_lines, texts_seen_in_answers

EXAMPLES = """\
  python gen_answer.py
  python gen_answer.py --models my-model --limit 20
  python gen_answer.py --quote
  python gen_answer.py --max-cost 5 --sample 100
  python gen_answer.py --dry-run
  python gen_answer.py --redo my-model
  python gen_answer.py --setting-file config/demo/gen_answer_config.yaml --endpoint-file config/demo/api_config.yaml
"""


class Stage(msgspec.Struct):
    """All that planning and asking need. questions: those of the bench, in the order of its file."""

    args: argparse.Namespace
    settings: AnswerSettings
    bench: Bench
    questions: list[Question]
    account: Account


def main() -> int:
    args = parse_arguments()
    settings = utils.load_answer_settings(args.setting_file)
    models = utils.load_models(args.endpoint_file, selection.chosen_models(args, settings.model_list))
    bench = Bench(args.data_dir, settings.bench_name)
    questions = load_questions(bench)
    chosen = selection.chosen_questions(args, questions)

    stage = Stage(args, settings, bench, questions, Account(args.max_cost, args.batch, args.finish_live))
    plans = [plan_model(args, bench, model, settings, chosen, stage.account) for model in models]
    print_plan(bench, chosen, plans)
    if args.dry_run:
        print_requests(plans, settings, chosen)
        print_contexts(to_send(plans, settings))
        return 0
    complete = [plan for plan in plans if not plan.missing]
    plans = [plan for plan in plans if plan.missing]
    if args.quote:
        print_quote(stage.account, plans, settings)
        print_contexts(to_send(plans, settings))
        return 0
    for plan in complete:
        finish_killed(plan.output.path, questions)
    if not plans:
        print("Nothing to generate.")
        return 0
    # models on a server of their own come one after the other, the rest side by side
    together = [plan for plan in plans if not plan.settings.serve]
    rounds = ([together] if together else []) + [[plan] for plan in plans if plan.settings.serve]
    try:
        code = max(answer_round(stage, round_) for round_ in rounds)
    finally:  # a run that is stopped has cost something too
        print_costs(stage.account)
    return max(code, int(bool(stage.account.not_sent)))


def answer_round(stage: Stage, plans: list[ModelPlan]) -> int:
    """Run some models side by side; a model's own server runs for just this time. Returns the exit code."""
    with serving(plans[0].settings, stage.bench.log_file(plans[0].settings.name)) as served:
        plans[0].settings = served
        return asyncio.run(answer_all(stage, plans))


def parse_arguments() -> argparse.Namespace:
    parser = utils.parser(__doc__ or "", EXAMPLES)
    selection.add_config_files(
        parser, "config/gen_answer_config.yaml", "models, and how to query them", "endpoints of the models"
    )
    selection.add_selection(parser)
    args = parser.parse_args()
    selection.check_selection(args)
    return args


# ---------------------------------------------------------------------------------------- plan


def print_plan(bench: Bench, questions: list[Question], plans: list[ModelPlan]) -> None:
    print(f"{bench.name}: {counted(len(questions), 'question')}, {counted(len(plans), 'model')}")
    for plan in plans:
        print(f"  {plan.settings.name:<40} {plan.existing:>5} answers exist, {len(plan.missing):>5} to generate")
        tally = plan.output.tally
        for note in earlier_notes(tally.records, tally.endpoints, plan.existing):
            print(f"  note: {note}")


def print_requests(plans: list[ModelPlan], settings: AnswerSettings, questions: list[Question]) -> None:
    for plan in plans:
        question = (plan.missing or questions)[0]
        first = prompts_of(plan.settings, question)[0]
        selection.print_request(plan.settings, first, settings.temperature, settings.max_tokens)


def to_send(plans: list[ModelPlan], settings: AnswerSettings) -> list[tuple[ModelSettings, Prompts]]:
    prompts = ((plan.settings, prompts_to_send(plan, settings)) for plan in plans)
    return [(model, those) for model, those in prompts if those]


def print_quote(account: Account, plans: list[ModelPlan], settings: AnswerSettings) -> None:
    quotes = []
    for plan in plans:
        prompts = (prompt for q in plan.missing for prompt in prompts_of(plan.settings, q) * settings.num_choices)
        answers = load_answers(plan.output.path).values()
        seen, shown = output_seen_in_answers(answers), texts_seen_in_answers(answers)
        worst = sum(most_it_may_cost(account, plan.settings, settings, question) for question in plan.missing)
        earlier = settings.num_choices * sum(map(replies_shown_again, plan.missing))
        quotes.append(quote(plan.settings, prompts, settings.max_tokens, seen, worst, earlier=earlier, shown=shown))
    print("\n".join(quote_lines(quotes, "answers by")))


# ----------------------------------------------------------------------------------------- run


class AnswerJob(Job, kw_only=True):
    """One answer to get, and from whom."""

    plan: ModelPlan
    model: utils.Model


async def answer_all(stage: Stage, plans: list[ModelPlan]) -> int:
    """Ask for all that is missing. Returns the exit code."""
    models = utils.Models()
    counter = TokenCounter()

    def worst(job: AnswerJob) -> float:
        return most_it_may_cost(stage.account, job.plan.settings, stage.settings, job.question)

    async def get(job: AnswerJob, clock: utils.Clock) -> Row:
        answer = await get_answer(stage, job, clock)
        return lambda: answer_row(completed(answer, counter))

    outputs = [plan.output for plan in plans]
    try:
        with RecordRun[AnswerJob]("answers", outputs, models, stage.account, stage.bench, stage.args) as run:
            asked = [run.open_model(plan.settings) for plan in plans]
            groups = [group_of(stage, plan, model) for plan, model in zip(plans, asked)]
            await run.make(groups, worst, get, stage.questions, counter.load)
    finally:
        await models.close()
    return report(run.progress, counter, plans)


def group_of(stage: Stage, plan: ModelPlan, model: utils.Model) -> Group[AnswerJob]:
    jobs = [
        AnswerJob(output=plan.output, question=question, label=plan.label(question), plan=plan, model=model)
        for question in plan.missing
    ]
    return Group(model, jobs, len(jobs), [plan.output], prompts_to_send(plan, stage.settings))


async def get_answer(stage: Stage, job: AnswerJob, clock: utils.Clock) -> Answer:
    """All choices of one answer. Raises CallError."""
    choices: list[tuple[AnswerTurn, ...]] = []
    waiting: Waiting | None = None
    for _ in range(stage.settings.num_choices):
        try:
            choices.append(await get_choice(stage, job, clock))
        except Waiting as later:
            waiting = later  # all choices go into the same batch
    if waiting:
        raise waiting
    return Answer(
        question_id=job.question.question_id,
        model=job.plan.settings.name,
        choices=tuple(choices),
        tstamp=time.time(),
        finish_reason=utils.finish_reason_of(job.replies),
        usage=utils.total_usage(job.replies),
        served_model=job.replies[-1].served_model,
        settings_hash=job.output.tally.settings_hash,
        question_hash=job.question.hash,
    )


async def get_choice(stage: Stage, job: AnswerJob, clock: utils.Clock) -> tuple[AnswerTurn, ...]:
    """One conversation from its beginning, so that no choice sees another. Raises CallError."""
    settings = stage.settings
    messages = opening_messages(job.plan.settings)
    turns: list[AnswerTurn] = []
    for question in job.question.turns:
        messages = [*messages, {"role": "user", "content": question}]
        room = await room_for_reply(job.plan.settings, question, settings.max_tokens)
        reply = await utils.chat_completion(job.model, messages, settings.temperature, room, clock)
        messages = [*messages, {"role": "assistant", "content": reply.content}]
        turns.append(AnswerTurn(reply.content, thought=reply.thought))
        job.replies.append(reply)
    return tuple(turns)


def completed(answer: Answer, counter: TokenCounter) -> Answer:
    """The answer with its id and token_len, which the thread that writes it makes and counts."""
    choices = tuple(
        tuple(msgspec.structs.replace(turn, token_len=counter.count(turn.content)) for turn in turns)
        for turns in answer.choices
    )
    return msgspec.structs.replace(answer, answer_id=new_answer_id(), choices=choices)


def new_answer_id() -> str:
    import shortuuid

    return shortuuid.uuid()


# -------------------------------------------------------------------------------------- report


def report(progress: Progress, counter: TokenCounter, plans: list[ModelPlan]) -> int:
    """Say how the run ended. Returns the exit code."""
    if counter.problem:
        print(counter.problem)
    print(f"{counted(progress.done, 'answer')} written, {len(progress.failures)} failed.")
    tallies = [plan.output.tally for plan in plans]
    for line in remark_lines([(plan.settings.name, plan.output.tally) for plan in plans], "answers", of_replies=True):
        print(line)
    return report_failures(progress, tallies, "answers")


if __name__ == "__main__":
    utils.run_main(main)
