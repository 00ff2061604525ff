"""Let a judge compare the models' answers with a baseline's: answers → judgment.

Reads config/judge_config.yaml and config/api_config.yaml, writes
data/BENCH/model_judgment/JUDGE/MODEL.jsonl (JUDGE/vs_BASELINE/MODEL.jsonl for further baselines). Each question is
judged in two games: in the first the baseline's answer is A and the model's is B, in the second they change places,
because judges favour a place. What is judged already is not judged again.
"""

from __future__ import annotations

if __name__ == "__main__":  # before what takes long to import
    from arena_hard.data import interrupts

    interrupts.end_at_once()

import argparse
import asyncio
from functools import partial
from typing import TYPE_CHECKING

import utils
from arena_hard.calling import selection
from arena_hard.calling.context_check import print_contexts
from arena_hard.calling.local_server import serving
from arena_hard.calling.manifest import earlier_notes, finish_killed
from arena_hard.calling.progress import Progress
from arena_hard.calling.record_run import Group, RecordRun, Row
from arena_hard.calling.run_tally import notes_together, remark_lines, report_failures
from arena_hard.data.bench_files import load_questions
from arena_hard.data.config_checks import check_categories
from arena_hard.data.name_lists import counted
from arena_hard.data.paths import Bench
from arena_hard.data.records import Game, Judgment, Question, judgment_row
from arena_hard.judging.flags import add_judging, check_judging, planned_looks
from arena_hard.judging.game import play
from arena_hard.judging.label_question import asking_notes
from arena_hard.judging.plan import (
    JudgmentJob,
    forget_texts,
    jobs_in_order,
    output_of,
    plan_judge,
    prompts_to_send,
    room_for,
)
from arena_hard.judging.prompts import check_prompts, opening_messages
from arena_hard.judging.quoting import games_of, quote_of
from arena_hard.judging.shortening import games_in_room
from arena_hard.judging.shown import Texts, can_be_shown, load_shown, shown_texts
from arena_hard.judging.stage import Candidate, Stage, judgments_of, only, opponent, report_missing_answers, why_nothing
from arena_hard.judging.verdict_ways import VerdictWays
from arena_hard.money.account import Account, print_costs
from arena_hard.money.quotes import quote_lines

if TYPE_CHECKING:  # it imports numpy
    from arena_hard.judging.stopping import Looks

EXAMPLES = """\
  python gen_judgment.py
  python gen_judgment.py --models my-model --limit 20
  python gen_judgment.py --quote
  python gen_judgment.py --max-cost 20 --sample 100
  python gen_judgment.py --until-decided model-a model-b
  python gen_judgment.py --dry-run
  python gen_judgment.py --setting-file config/demo/judge_config.yaml --endpoint-file config/demo/api_config.yaml
  python gen_judgment.py --retry-unreadable
"""


def main() -> int:
    args = parse_arguments()
    settings = utils.load_judge_settings(args.setting_file)
    bench = Bench(args.data_dir, settings.bench_name)
    questions = load_questions(bench)
    chosen = selection.chosen_questions(args, questions)
    judges = utils.load_models(args.endpoint_file, settings.judges)

    shown = load_shown(bench, settings, chosen)
    check_categories(settings, {question.category for question in questions})
    check_prompts(settings, chosen)
    account = Account(args.max_cost, args.batch, args.finish_live)
    stages = [Stage(args, settings, judge, bench, chosen, questions, shown, account) for judge in judges]
    plans = [plan_judge(stage) for stage in stages]  # all judges are planned before one is paid
    for stage, candidates in zip(stages, plans):
        forget_texts(stage)
        print_plan(stage, candidates)
    if args.dry_run or args.quote:
        show = print_requests if args.dry_run else print_quote
        for stage, candidates in zip(stages, plans):
            show(stage, candidates)
        print_contexts((stage.judge, prompts_to_send(stage, candidates)) for stage, candidates in zip(stages, plans))
        return 0
    try:
        code = max(judge_with(stage, candidates, questions) for stage, candidates in zip(stages, plans))
    finally:  # a run that is stopped has cost something too
        print_costs(account)
    return max(code, int(bool(account.not_sent)))


def parse_arguments() -> argparse.Namespace:
    parser = utils.parser(__doc__ or "", EXAMPLES)
    selection.add_config_files(
        parser, "config/judge_config.yaml", "judge, baseline, prompts and models", "endpoint of the judge"
    )
    selection.add_selection(parser)
    add_judging(parser)
    args = parser.parse_args()
    selection.check_selection(args)
    check_judging(args)
    return args


def judge_with(stage: Stage, candidates: list[Candidate], questions: list[Question]) -> int:
    """Run one judge; its own server runs for just this time. Returns the exit code."""
    looks = planned_looks(stage, candidates)
    for candidate in candidates:
        if not candidate.missing:
            finish_killed(candidate.file, questions)
    if not any(candidate.missing for candidate in candidates):
        print(f"{stage.judge.name}: nothing to judge{why_nothing(stage, candidates)}.")
        if looks:  # again at all that the runs before have looked at: each look has spent some of the error
            for said in looks.look_again(judgments_of(stage, candidates), stage.questions):
                print(said)
            looks.note_in([candidate.file for candidate in candidates])
        return report_missing_answers(candidates)
    with serving(stage.judge, stage.bench.log_file(stage.judge.name)) as served:
        stage.judge = served
        return asyncio.run(judge(stage, candidates, questions, looks))


async def judge(stage: Stage, candidates: list[Candidate], questions: list[Question], looks: Looks | None) -> int:
    """Make the missing judgments, all at once or wave by wave. Returns the exit code."""
    models = utils.Models()
    try:
        if looks is None:
            code = await judge_all(stage, models, candidates, questions)
        else:
            code = await judge_in_waves(stage, models, candidates, questions, looks)
    finally:
        await models.close()
    return max(code, report_missing_answers(candidates))


async def judge_in_waves(
    stage: Stage, models: utils.Models, candidates: list[Candidate], questions: list[Question], looks: Looks
) -> int:
    """Judge wave by wave until the flags are met; what failed leaves a gap and stops nothing. Returns the exit code."""
    from arena_hard.rating import sequential

    seen: list[str] = []
    code = 0
    for wave in sequential.waves(stage.questions):
        keys = {question.question_id for question in wave}
        seen += sorted(keys)
        for_now = [only(candidate, keys) for candidate in candidates]
        if any(candidate.missing for candidate in for_now):
            code = max(code, await judge_all(stage, models, for_now, questions))
        enough, said = looks.look(judgments_of(stage, candidates), seen)
        looks.note_in([candidate.file for candidate in candidates])  # at once: a run may be killed
        print(said)
        if enough or stage.account.not_sent:
            break
    return code


# ---------------------------------------------------------------------------------------- plan


def print_plan(stage: Stage, candidates: list[Candidate]) -> None:
    settings = stage.settings
    games = 2 if settings.pairwise else 1
    chosen = selection.chosen_models(stage.args, settings.model_list)
    against = f"against {opponent(stage, chosen)}, " if settings.baseline else ""
    print(
        f"{stage.bench.name}: {counted(len(stage.questions), 'question')}, judge {stage.judge.name}, {against}"
        f"{counted(games, 'game')} a judgment"
    )
    for candidate in candidates:
        line = f"  {candidate.title:<40} {candidate.existing:>5} judgments exist, {len(candidate.missing):>5} to make"
        if candidate.without_answer:
            line += f", {len(candidate.without_answer)} lack an answer"
        if candidate.unreadable and not stage.args.retry_unreadable:
            line += f", {candidate.unreadable} unreadable (--retry-unreadable judges them again)"
        print(line)
        for note in earlier_notes(candidate.file, candidate.tally.endpoints, candidate.existing):
            print(f"  note: {note}")
    for note in asking_notes(settings):
        print(f"  note: {note}")
    if stage.judge.system_prompt is not None:
        print(
            f"  note: the system_prompt in the endpoint entry of {stage.judge.name} is not sent to a judge; "
            f"its instructions are the system_prompt of {stage.args.setting_file}."
        )


def print_requests(stage: Stage, candidates: list[Candidate]) -> None:
    for candidate in candidates:
        can_be = (each for each in candidate.questions if can_be_shown(stage, candidate, each))
        question = next(iter(candidate.missing or can_be), None)
        if question is None:
            continue
        pair, references = shown_texts(stage, candidate, question)
        messages = opening_messages(stage.settings, question, pair, references)
        told = stage.settings
        logprobs = told.verdict == "logprobs"
        selection.print_request(stage.judge, messages, told.temperature, told.max_tokens, logprobs)


def print_quote(stage: Stage, candidates: list[Candidate]) -> None:
    seen = games_of(stage)
    quotes = [quote_of(stage, candidate, seen) for candidate in candidates if candidate.missing]
    print("\n".join(quote_lines(quotes, f"judgments by {stage.judge.name} of")))


# ----------------------------------------------------------------------------------------- run


async def judge_all(stage: Stage, models: utils.Models, candidates: list[Candidate], questions: list[Question]) -> int:
    """Make all judgments that are missing. Returns the exit code."""
    outputs = [(candidate, output_of(stage, candidate)) for candidate in candidates if candidate.missing]
    ways = VerdictWays(stage.settings)

    async def get(job: JudgmentJob, clock: utils.Clock) -> Row:
        judgment = await get_judgment(model, stage, job, clock)
        ways.add(judgment, job.replies, job.unanswered, job.untried)
        return lambda: judgment_row(judgment)

    files = [output for _, output in outputs]
    with RecordRun[JudgmentJob]("judgments", files, models, stage.account, stage.bench, stage.args) as run:
        model = run.open_model(stage.judge)
        jobs = jobs_in_order(stage, outputs, utils.width(model))
        count = sum(len(candidate.missing) for candidate, _ in outputs)
        prompts = prompts_to_send(stage, [candidate for candidate, _ in outputs])
        await run.make([Group(model, jobs, count, files, prompts)], partial(room_for, stage), get, questions)
    return report(run.progress, ways, [candidate for candidate, _ in outputs], stage.judge.name)


async def get_judgment(model: utils.Model, stage: Stage, job: JudgmentJob, clock: utils.Clock) -> Judgment:
    """Both games of one judgment. Raises CallError."""
    question, settings = job.question, stage.settings
    pair, references = shown_texts(stage, job.candidate, question)
    ask = partial(utils.chat_completion, model, clock=clock)

    async def play_in(order: Texts) -> Game:
        return await play(ask, stage, job, order, references)

    games = await games_in_room(model, stage, job, (pair, references), play_in)
    return Judgment(
        question_id=question.question_id,
        model=job.candidate.name,
        judge=model.settings.name,
        games=tuple(games),
        baseline=settings.baseline_of(question.category),
        category=question.category if settings.categories else None,
        settings_hash=stage.shaping_hash(question),
    )


# -------------------------------------------------------------------------------------- report


def report(progress: Progress, ways: VerdictWays, candidates: list[Candidate], judge: str) -> int:
    """Say how the run ended. Returns the exit code."""
    print(f"{counted(progress.done, 'judgment')} written, {len(progress.failures)} failed.")
    for line in ways.lines():
        print(line)
    for line in remark_lines([(candidate.title, candidate.tally) for candidate in candidates], "judgments"):
        print(line)
    for remark in notes_together(candidate.tally for candidate in candidates).remarks("judgments"):
        print(f"  {judge}: {remark}")
    return report_failures(progress, [candidate.tally for candidate in candidates], "judgments")


if __name__ == "__main__":
    utils.run_main(main)
