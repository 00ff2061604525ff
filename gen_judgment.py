"""Let a judge compare the models' answers with a baseline's: answers → judgment.

Reads config/judge_config.yaml and config/api_config.yaml, writes
data/BENCH/model_judgment/JUDGE/MODEL.jsonl. Each question is judged in two games: in the first the
baseline's answer is A and the model's is B, in the second they change places, because judges favour
a place. What is judged already is not judged again.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import utils
from arena_hard import verdicts
from arena_hard.batch import Waiting
from arena_hard.bounds import check_categories
from arena_hard.costs import Account
from arena_hard.manifest import RunTally, begin_run, differing, end_run, moved_note, open_failures, remedy
from arena_hard.order import in_blocks, shared_length
from arena_hard.origins import origins
from arena_hard.paths import Bench
from arena_hard.progress import Progress, failure_lines
from arena_hard.prompts import (
    asked_again,
    check_prompts,
    first_user_prompt,
    judgment_shaping_settings,
    opening_messages,
    user_prompt,
)
from arena_hard.providers.base import CallError, Message, Reply
from arena_hard.quotes import output_seen_in_judgments, quote, quote_lines
from arena_hard.records import Answer, Game, Judgment, Question, UserError, judgment_row
from arena_hard.replies import KeptReplies
from arena_hard.serve import serving
from arena_hard.settings import JudgeSettings, ModelSettings, short_hash
from arena_hard.writer import RecordWriter

if TYPE_CHECKING:  # it imports numpy
    from arena_hard.until import Looks

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


@dataclass
class Candidate:
    """A model whose answers are judged, and what there is of it."""

    name: str
    file: Path
    answers: dict[str, Answer]
    judged: dict[str, Judgment]
    tally: RunTally
    missing: list[Question] = field(default_factory=list)
    without_answer: list[Question] = field(default_factory=list)
    unreadable: int = 0


@dataclass
class Shown:
    """The answers that the judge sees beside the candidates': by model, then by question_id."""

    baselines: dict[str, dict[str, Answer]]
    references: list[dict[str, Answer]]


@dataclass
class Job:
    """One judgment to get."""

    candidate: Candidate
    question: Question
    worst: float = 0.0
    shared_by: int = 1

    @property
    def label(self) -> str:
        return label_of(self.candidate, self.question.question_id)


@dataclass
class Stage:
    """One judge's part of a run: all that its planning and judging need."""

    args: argparse.Namespace
    settings: JudgeSettings
    judge: ModelSettings
    bench: Bench
    questions: list[Question]
    shown: Shown
    account: Account
    shapings: dict[str, dict[str, object]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def shaping(self, question: Question) -> dict[str, object]:
        """The settings that shape the judgment of a question."""
        category = question.category
        if category not in self.shapings:  # by category, for it is asked for each question and model
            self.shapings[category] = judgment_shaping_settings(self.judge, self.settings, category)
        return self.shapings[category]

    def shaping_hash(self, question: Question) -> str:
        """The short hash of those settings."""
        category = question.category
        if category not in self.hashes:
            self.hashes[category] = short_hash(self.shaping(question))
        return self.hashes[category]


def main() -> int:
    args = parse_arguments()
    settings = utils.load_judge_settings(args.setting_file)
    bench = Bench(args.data_dir, settings.bench_name)
    questions = utils.load_questions(bench)
    chosen = utils.chosen_questions(args, questions)
    judges = utils.load_models(args.endpoint_file, settings.judges)

    shown = load_shown(bench, settings, chosen)
    check_categories(settings, {question.category for question in questions})
    check_prompts(settings, chosen)
    account = Account(args.max_cost, args.batch, args.finish_live)
    stages = [Stage(args, settings, judge, bench, chosen, shown, account) for judge in judges]
    plans = [plan_judge(stage) for stage in stages]  # all judges are planned before one is paid
    for stage, candidates in zip(stages, plans):
        print_plan(stage, candidates)
    if args.dry_run:
        for stage, candidates in zip(stages, plans):
            print_requests(stage, candidates)
        return 0
    if args.quote:
        for stage, candidates in zip(stages, plans):
            print_quote(stage, candidates)
        return 0
    try:
        code = max(judge_with(stage, candidates, questions) for stage, candidates in zip(stages, plans))
    finally:  # a run that is stopped has cost something too
        utils.print_costs(account)
    return max(code, int(bool(account.not_sent)))


def parse_arguments() -> argparse.Namespace:
    parser = utils.parser(__doc__ or "", EXAMPLES)
    parser.add_argument(
        "--setting-file",
        type=Path,
        default=Path("config/judge_config.yaml"),
        help="judge, baseline, prompts and models (default: %(default)s)",
    )
    parser.add_argument(
        "--endpoint-file",
        type=Path,
        default=Path("config/api_config.yaml"),
        help="where the judge is (default: %(default)s)",
    )
    utils.add_selection(parser)
    parser.add_argument(
        "--retry-unreadable",
        action="store_true",
        help="judge again where an earlier judgment holds a game without a readable verdict",
    )
    waves = parser.add_argument_group("stop early", "judge in waves of questions, and stop when enough is known")
    waves.add_argument(
        "--until-width", type=float, metavar="POINTS", help="until each score's 95%% interval is so narrow"
    )
    waves.add_argument(
        "--until-decided", nargs=2, metavar="MODEL", help="until it is decided which of two models is better"
    )
    args = parser.parse_args()
    utils.check_selection(args)
    check_stopping(args)
    return args


def check_stopping(args: argparse.Namespace) -> None:
    """Raises UserError for flags that can never stop a run."""
    if args.until_width is not None and not 0 < args.until_width < math.inf:
        raise UserError(f"--until-width {args.until_width:g}: must be a number above 0 points.")
    if args.until_decided and len(set(args.until_decided)) < 2:
        raise UserError("--until-decided: the two models are the same. Name two that are to be compared.")


def judge_with(stage: Stage, candidates: list[Candidate], questions: list[Question]) -> int:
    """Run one judge; its own server runs for just this time. Returns the exit code."""
    looks = planned_looks(stage, candidates)
    if not any(candidate.missing for candidate in candidates):
        print(f"{stage.judge.name}: nothing to judge.")
        if looks:
            print(looks.look(judgments_of(candidates), [question.question_id for question in stage.questions])[1])
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


def planned_looks(stage: Stage, candidates: list[Candidate]) -> Looks | None:
    """The looks of --until-width and --until-decided, None without them. Raises UserError."""
    pair = stage.args.until_decided
    if stage.args.until_width is None and pair is None:
        return None
    from arena_hard.until import Goal, Looks

    goal = Goal(stage.args.until_width, tuple(pair) if pair else None)
    goal.check({candidate.name for candidate in candidates})
    return Looks(goal, len(stage.questions))


async def judge_in_waves(
    stage: Stage, models: utils.Models, candidates: list[Candidate], questions: list[Question], looks: Looks
) -> int:
    """Judge wave by wave until the flags are met; what failed leaves a gap and stops nothing. Returns the exit code."""
    from arena_hard import sequential

    seen: list[str] = []
    code = 0
    for wave in sequential.waves(stage.questions):
        keys = {question.question_id for question in wave}
        seen += sorted(keys)
        for_now = [only(candidate, keys) for candidate in candidates]
        if any(candidate.missing for candidate in for_now):
            code = max(code, await judge_all(stage, models, for_now, questions))
        enough, said = looks.look(judgments_of(candidates), seen)
        print(said)
        if enough or stage.account.not_sent:
            break
    return code


def judgments_of(candidates: list[Candidate]) -> dict[str, dict[str, Judgment]]:
    """All judgments on disk, by model and question_id."""
    return {candidate.name: utils.load_judgments(candidate.file) for candidate in candidates}


def only(candidate: Candidate, keys: set[str]) -> Candidate:
    """The candidate with no more to judge than these questions."""
    missing = [question for question in candidate.missing if question.question_id in keys]
    old = candidate.tally
    tally = RunTally(candidate.file, old.settings_hash, endpoints=old.endpoints, before=old.before)
    left_out = [question for question in candidate.without_answer if question.question_id in keys]
    return replace(candidate, missing=missing, without_answer=left_out, tally=tally)


# ---------------------------------------------------------------------------------------- plan


def load_shown(bench: Bench, settings: JudgeSettings, questions: list[Question]) -> Shown:
    """The baselines' and the reference answers. Raises UserError where there are none at all."""
    names = {settings.baseline_of(question.category) for question in questions} - {None}
    baselines = {str(name): utils.load_answers(bench.answer_file(str(name))) for name in sorted(map(str, names))}
    for name, answers in baselines.items():
        if not answers:
            raise UserError(
                f"{bench.answer_file(name)} holds no answers of the baseline {name}. Run gen_answer.py for it "
                "first, or fetch them as README.md says."
            )
    references = [utils.load_answers(bench.reference_file(name)) for name in settings.references]
    for name, answers in zip(settings.references, references):
        if not answers:
            raise UserError(
                f"{bench.reference_file(name)} holds no reference answers. Put them there, or set reference: false."
            )
    return Shown(baselines, references)


def plan_judge(stage: Stage) -> list[Candidate]:
    """What there is and what is missing of each model. Raises UserError."""
    names = utils.chosen_models(stage.args, stage.settings.model_list)
    own = stage.settings.baseline_model if stage.settings.baseline and not stage.settings.categories else None
    # the baseline is not judged against itself
    candidates = [plan_candidate(stage, name) for name in names if name != own]
    check_answers(stage.bench, candidates)
    return candidates


def plan_candidate(stage: Stage, name: str) -> Candidate:
    """Which judgments of one model exist, are missing, or cannot be made for want of an answer."""
    file = stage.bench.judgment_file(stage.judge.name, name)
    hashes = sorted({stage.shaping_hash(question) for question in stage.questions})
    candidate = Candidate(
        name,
        file,
        utils.load_answers(stage.bench.answer_file(name)),
        utils.load_judgments(file),
        RunTally(file, ",".join(hashes), endpoints=origins(stage.judge)),
    )
    stage.account.open(bill_label(stage, candidate), stage.judge)
    check_baselines(candidate, stage.settings, stage.questions)
    again = judgments_to_redo(stage, candidate)
    wanted = {question.question_id for question in stage.questions} - candidate.judged.keys() | again
    if stage.args.only_failed:
        wanted = open_failures(file, candidate.judged)
    candidate.tally.before = wanted & candidate.judged.keys()
    for question in stage.questions:
        if question.question_id not in wanted:
            continue
        if stage.settings.baseline_of(question.category) == name:
            continue  # the baseline of this category
        if can_be_shown(stage, candidate, question):
            candidate.missing.append(question)
        else:
            candidate.without_answer.append(question)
    return candidate


def judgments_to_redo(stage: Stage, candidate: Candidate) -> set[str]:
    """The judgments to make again: those that --redo and --retry-unreadable name.

    Raises UserError where judgments were made with other settings, or of answers that have changed.
    """
    found = {key: judgment.settings_hash for key, judgment in candidate.judged.items()}
    today = {question.question_id: stage.shaping(question) for question in stage.questions}
    again = utils.records_to_redo(stage.args, candidate.file, candidate.name, found, today)
    any_label = not stage.settings.baseline
    unreadable = {key for key, judgment in candidate.judged.items() if not is_readable(judgment, any_label)}
    candidate.unreadable = len(unreadable)
    changed = {q.question_id for q in stage.questions if has_changed(stage, candidate, q)}
    if changed - again and candidate.name not in stage.args.redo and not stage.args.keep_mixed:
        raise UserError(
            f"{candidate.file}: {len(changed)} judgments are of answers that have changed since. "
            f"--redo {candidate.name} judges anew, --keep-mixed keeps them."
        )
    if candidate.name in stage.args.redo and changed:  # some are out of date: no need to redo them all
        hashes = {key: short_hash(values) for key, values in today.items()}
        again = changed.union(differing({key: found[key] for key in again}, hashes))
    return again | (unreadable & set(today) if stage.args.retry_unreadable else set())


def has_changed(stage: Stage, candidate: Candidate, question: Question) -> bool:
    """Whether a judgment that we made was of other texts than today's."""
    judgment = candidate.judged.get(question.question_id)
    if judgment is None or judgment.settings_hash != stage.shaping_hash(question):
        return False
    if not judgment.games or judgment.games[0] is None:
        return False
    if not can_be_shown(stage, candidate, question):
        return False
    pair, references = shown_texts(stage, candidate, question)
    messages = opening_messages(stage.settings, question, pair, references)
    return judgment.games[0].user_prompt not in (user_prompt(messages), first_user_prompt(messages))


def can_be_shown(stage: Stage, candidate: Candidate, question: Question) -> bool:
    """Whether all answers that the judge needs are there, each with as many turns as the question."""
    everything = [candidate.answers, *shown_for(stage.shown, stage.settings, question)]
    needed = [answers.get(question.question_id) for answers in everything]
    return all(answer is not None and len(answer.turns) == len(question.turns) for answer in needed)


def shown_texts(stage: Stage, candidate: Candidate, question: Question) -> tuple[list[list[str]], list[list[str]]]:
    """The answers in the order of the first game, and the reference answers."""
    key = question.question_id
    baseline = stage.settings.baseline_of(question.category)
    answer = texts_of(candidate.answers[key])
    pair = [answer] if baseline is None else [texts_of(stage.shown.baselines[baseline][key]), answer]
    return pair, [texts_of(answers[key]) for answers in stage.shown.references]


def check_baselines(candidate: Candidate, settings: JudgeSettings, questions: list[Question]) -> None:
    """Judgments against another baseline must not be mixed with today's. Raises UserError."""
    for question in questions:
        judgment = candidate.judged.get(question.question_id)
        wanted = settings.baseline_of(question.category)
        if judgment is not None and judgment.baseline not in (None, wanted):
            raise UserError(
                f"{candidate.file} holds judgments against {judgment.baseline}, and baseline_model is {wanted}. "
                "Use the same baseline, or move that file away to judge anew."
            )


def is_readable(judgment: Judgment, any_label: bool = True) -> bool:
    """Whether each game of a judgment has a verdict; with `any_label` whatever was read is one."""
    scores = [game and game.verdict for game in judgment.games]
    return all(score is not None and (any_label or verdicts.is_verdict(score)) for score in scores)


def shown_for(shown: Shown, settings: JudgeSettings, question: Question) -> list[dict[str, Answer]]:
    """The answers by others that the judge needs for a question: the baseline's and the references."""
    baseline = settings.baseline_of(question.category)
    return ([] if baseline is None else [shown.baselines[baseline]]) + shown.references


def check_answers(bench: Bench, candidates: list[Candidate]) -> None:
    """A model without any answer is a mistake in model_list. Raises UserError."""
    empty = [candidate.name for candidate in candidates if not candidate.answers and not candidate.judged]
    if empty:
        raise UserError(
            f"no answers in {bench.answer_folder}/ for {', '.join(empty)}. "
            "Run gen_answer.py for them first, or take them out of model_list."
        )


def print_plan(stage: Stage, candidates: list[Candidate]) -> None:
    settings = stage.settings
    games = 2 if settings.pairwise else 1
    against = f"against {settings.baseline_model}, " if settings.baseline and not settings.categories else ""
    print(
        f"{stage.bench.name}: {len(stage.questions)} questions, judge {stage.judge.name}, {against}"
        f"{games} games a judgment"
    )
    for candidate in candidates:
        existing = sum(question.question_id in candidate.judged for question in stage.questions)
        line = f"  {candidate.name:<40} {existing:>5} judgments exist, {len(candidate.missing):>5} to make"
        if candidate.without_answer:
            line += f", {len(candidate.without_answer)} lack an answer"
        if candidate.unreadable and not stage.args.retry_unreadable:
            line += f", {candidate.unreadable} unreadable (--retry-unreadable judges them again)"
        print(line)
        note = moved_note(candidate.file, candidate.tally.endpoints) if existing and candidate.missing else None
        if note:
            print(f"  note: {note}")
    if stage.judge.system_prompt is not None:
        print(
            f"  note: the system_prompt in the endpoint entry of {stage.judge.name} is not sent to a judge; "
            f"its instructions are the system_prompt of {stage.args.setting_file}."
        )


def print_requests(stage: Stage, candidates: list[Candidate]) -> None:
    for candidate in candidates:
        ready = candidate.missing or [q for q in stage.questions if can_be_shown(stage, candidate, q)]
        if not ready:
            continue
        pair, references = shown_texts(stage, candidate, ready[0])
        messages = opening_messages(stage.settings, ready[0], pair, references)
        utils.print_request(stage.judge, messages, stage.settings.temperature, stage.settings.max_tokens)


def print_quote(stage: Stage, candidates: list[Candidate]) -> None:
    output = output_seen_in_judgments(stage.bench.judgment_folder(stage.judge.name), stage.judge.model_name)
    quotes = []
    for candidate in (each for each in candidates if each.missing):
        prompts = (prompt for question in candidate.missing for prompt in prompts_of(stage, candidate, question))
        made = quote(stage.judge, prompts, stage.settings.max_tokens, output)
        quotes.append(replace(made, name=candidate.name))
    print("\n".join(quote_lines(quotes, f"judgments by {stage.judge.name} of")))


def prompts_of(stage: Stage, candidate: Candidate, question: Question) -> list[list[Message]]:
    """What the judge is shown first in each game of a judgment."""
    pair, references = shown_texts(stage, candidate, question)
    orders = [pair, pair[::-1]] if stage.settings.pairwise else [pair]
    return [opening_messages(stage.settings, question, order, references) for order in orders]


def bill_label(stage: Stage, candidate: Candidate) -> str:
    return f"{stage.judge.name} judging {candidate.name}"


# ----------------------------------------------------------------------------------------- run


async def judge_all(
    stage: Stage, models: utils.Models, candidates: list[Candidate], questions: list[Question]
) -> int:
    """Make all judgments that are missing. Returns the exit code."""
    active = [candidate for candidate in candidates if candidate.missing]
    counts = {"unreadable": 0}
    with RecordWriter() as writer:
        for candidate in active:
            utils.open_output(writer, candidate.file)
            begin_run(candidate.tally, {id(s): s for s in map(stage.shaping, candidate.missing)}.values())
        model = utils.open_model(models, stage.judge, writer)
        width = utils.width(model)
        total = sum(len(candidate.missing) for candidate in active)
        progress = Progress(total, "judgments", models)

        unfinished = {c.name: open_unfinished(stage, c, writer) for c in active}

        async def ask(job: Job) -> None:
            clock = progress.begin(job.label)
            clock.kept = kept = unfinished[job.candidate.name]
            tally = job.candidate.tally
            try:
                judgment = await get_judgment(model, stage, job, clock)
            except Waiting:
                progress.later(job.label)
                raise
            except CallError as error:
                if error.usage:  # replies that held no judgment are paid for too
                    stage.account.pay(bill_label(stage, job.candidate), error.usage)
                tally.failed[job.question.question_id] = error.message
                progress.fail(job.label, error.message)
                return
            await writer.write(job.candidate.file, lambda: judgment_row(judgment))
            kept.record_written(job.label)
            counts["unreadable"] += not is_readable(judgment)
            games = [game for game in judgment.games if game]
            tally.count([game.usage for game in games], [game.finish_reason for game in games])
            progress.finish(job.label)

        async def work(job: Job) -> None:
            job.worst = most_it_may_cost(stage, job)
            async with stage.account.room(job.worst) as granted:
                if granted:
                    await ask(job)

        try:
            with utils.posting(stage.bench, "judgments by", [model], stage.args) as mailboxes:
                async with progress.shown():
                    jobs = jobs_in_order(stage.questions, active, width)
                    await utils.run_exchanges([(jobs, width)], work, mailboxes, stage.account)
                for mailbox in mailboxes if not (progress.failures or stage.account.not_sent) else []:
                    mailbox.archive()
        finally:
            for candidate in active:
                end_run(candidate.tally)
        for candidate in active:
            utils.put_in_order(candidate.file, questions)
            unfinished[candidate.name].tidy()
    return report(progress, counts["unreadable"], active)


def open_unfinished(stage: Stage, candidate: Candidate, writer: RecordWriter) -> KeptReplies:
    """The replies that earlier runs were given for judgments that are not written yet."""
    written = {label_of(candidate, key) for key in candidate.judged}
    return utils.open_unfinished(candidate.file, writer, written, stage.account)


def label_of(candidate: Candidate, question_id: str) -> str:
    return f"{candidate.name} {question_id}"


def jobs_in_order(questions: list[Question], candidates: list[Candidate], width: int) -> Iterator[Job]:
    """In the order in which what all prompts of a question share is found in the provider's cache."""
    missing = {c.name: {question.question_id for question in c.missing} for c in candidates}
    for question, candidate in in_blocks(questions, candidates, width):
        if question.question_id in missing[candidate.name]:
            shared_by = sum(question.question_id in keys for keys in missing.values())
            yield Job(candidate, question, shared_by=shared_by)


def most_it_may_cost(stage: Stage, job: Job) -> float:
    """Dollars for both games of a judgment if each attempt is answered at full length; 0 without a limit."""
    if stage.account.limit is None:
        return 0.0
    prompts = prompts_of(stage, job.candidate, job.question)
    sizes = [sum(len(message["content"].encode()) for message in prompt) for prompt in prompts]
    attempts = stage.settings.number_of_judgment_attempts
    return stage.account.worst(bill_label(stage, job.candidate), sizes, stage.settings.max_tokens, attempts)


async def get_judgment(model: utils.Model, stage: Stage, job: Job, clock: utils.Clock) -> Judgment:
    """Both games of one judgment. Raises CallError."""
    question, settings = job.question, stage.settings
    pair, references = shown_texts(stage, job.candidate, question)
    orders = [pair, pair[::-1]] if settings.pairwise else [pair]
    games: list[Game] = []
    waiting: Waiting | None = None
    for order in orders:
        try:
            games.append(await play(model, stage, question, order, references, job, clock))
        except Waiting as later:
            waiting = later  # both games go into the same batch
    if waiting:
        raise waiting
    return Judgment(
        question_id=question.question_id,
        model=job.candidate.name,
        judge=model.settings.name,
        games=tuple(games),
        baseline=settings.baseline_of(question.category),
        category=question.category if settings.categories else None,
        settings_hash=stage.shaping_hash(question),
    )


def texts_of(answer: Answer) -> list[str]:
    return [turn.content for turn in answer.turns]


async def play(
    model: utils.Model,
    stage: Stage,
    question: Question,
    answers: list[list[str]],
    references: list[list[str]],
    job: Job,
    clock: utils.Clock,
) -> Game:
    """One game: ask, and ask again where no verdict came. Raises CallError."""
    settings = stage.settings
    messages = opening_messages(settings, question, answers, references)
    shown = user_prompt(messages)
    shared = shared_with_others(stage, job, answers, references, first_user_prompt(messages))
    patterns = settings.patterns
    replies: list[Reply] = []
    text, reading = "", verdicts.Reading(None, missing=True)
    for _ in range(settings.number_of_judgment_attempts):
        reply = await utils.chat_completion(
            model, messages, settings.temperature, settings.max_tokens, clock, shared
        )
        replies.append(reply)
        job.candidate.tally.saw(reply)
        stage.account.pay(bill_label(stage, job.candidate), reply.usage, job.worst, reply.key)
        text = "\n".join(reply.content for reply in replies)
        reading = verdicts.read_verdict(text, patterns, any_label=not settings.baseline)
        if not reading.missing:
            break
        messages = asked_again(messages, reply.content)
    return Game(
        verdict=reading.verdict,
        judgment=text,
        user_prompt=shown,
        usage=utils.total_usage(replies),
        served_model=replies[-1].served_model,
        finish_reason=utils.finish_reason_of(replies),
        thought="\n".join(reply.thought for reply in replies if reply.thought) or None,
    )


def shared_with_others(
    stage: Stage, job: Job, answers: list[list[str]], references: list[list[str]], prompt: str
) -> int:
    """Characters of a prompt that those of the question's other models begin with too.

    Nothing for a model alone: to write to Anthropic's cache costs more than to read without it.
    """
    if job.shared_by < 2 or stage.judge.api_type != "anthropic":
        return 0
    own = texts_of(job.candidate.answers[job.question.question_id])
    place = len(answers) - 1 if answers[-1] == own and answers[0] != own else 0
    another = [*answers[:place], [f"\0{turn}" for turn in own], *answers[place + 1 :]]
    messages = opening_messages(stage.settings, job.question, another, references)
    return shared_length(prompt, first_user_prompt(messages))


# -------------------------------------------------------------------------------------- report


def report(progress: Progress, unreadable: int, candidates: list[Candidate]) -> int:
    """Say how the run ended. Returns the exit code."""
    print(f"{progress.done} judgments written, {len(progress.failures)} failed.")
    if unreadable:
        print(f"{unreadable} of them hold a game without a readable verdict (score null).")
    for candidate in candidates:
        for remark in candidate.tally.remarks("judgments"):
            print(f"  {candidate.name}: {remark}")
    if progress.failures:
        print("\n".join(failure_lines(progress.failures)))
        print(remedy(candidate.tally for candidate in candidates))
    return int(bool(progress.failures))


def report_missing_answers(candidates: list[Candidate]) -> int:
    """List the models whose answers, or the baseline's, are not complete. Returns the exit code."""
    incomplete = [candidate for candidate in candidates if candidate.without_answer]
    for candidate in incomplete:
        print(
            f"  {candidate.name}: {len(candidate.without_answer)} questions could not be judged, because its answer "
            "or the baseline's is missing or has another number of turns than the question. Run gen_answer.py again."
        )
    return 1 if incomplete else 0


if __name__ == "__main__":
    utils.run_main(main)
