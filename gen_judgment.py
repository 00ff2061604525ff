"""Let a judge compare the models' answers with a baseline's: answers → judgment.

Reads config/judge_config.yaml and config/api_config.yaml, writes
data/BENCH/model_judgment/JUDGE/MODEL.jsonl. Each question is judged in two games: in the first the
baseline's answer is A and the model's is B, in the second they change places, because judges favour
a place. What is judged already is not judged again.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import utils
from arena_hard import verdicts
from arena_hard.paths import Bench
from arena_hard.progress import Progress, failure_lines
from arena_hard.providers.base import CallError, Message, Reply
from arena_hard.records import Answer, Game, Judgment, Question, UserError, judgment_row
from arena_hard.settings import JudgeSettings, ModelSettings, short_hash
from arena_hard.writer import RecordWriter

EXAMPLES = """\
  python gen_judgment.py
  python gen_judgment.py --setting-file config/demo/judge_config.yaml --endpoint-file config/demo/api_config.yaml
  python gen_judgment.py --retry-unreadable
"""

ASK_FOR_VERDICT = "Please carry on with your judgment and end it with one of the verdict labels."


@dataclass
class Candidate:
    """A model whose answers are judged, and what there is of it."""

    name: str
    file: Path
    answers: dict[str, Answer]
    judged: dict[str, Judgment]
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

    @property
    def label(self) -> str:
        return f"{self.candidate.name} {self.question.question_id}"


def main() -> int:
    args = parse_arguments()
    settings = utils.load_judge_settings(args.setting_file)
    bench = Bench(args.data_dir, settings.bench_name)
    questions = utils.load_questions(bench)
    judges = utils.load_models(args.endpoint_file, settings.judges)

    shown = load_shown(bench, settings, questions)
    check_prompts(settings, questions)
    codes = [
        judge_with(judge, bench, settings, questions, shown, args.retry_unreadable) for judge in judges
    ]
    return max(codes)


def parse_arguments() -> argparse.Namespace:
    parser = utils.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--setting-file", type=Path, default=Path("config/judge_config.yaml"))
    parser.add_argument("--endpoint-file", type=Path, default=Path("config/api_config.yaml"))
    parser.add_argument(
        "--retry-unreadable",
        action="store_true",
        help="judge again where an earlier judgment holds a game without a readable verdict",
    )
    return parser.parse_args()


def judge_with(
    judge: ModelSettings,
    bench: Bench,
    settings: JudgeSettings,
    questions: list[Question],
    shown: Shown,
    retry_unreadable: bool,
) -> int:
    """Plan and run one judge. Returns the exit code."""
    candidates = [
        plan_candidate(bench, judge.name, name, settings, questions, shown, retry_unreadable)
        for name in candidate_names(settings)
    ]
    check_answers(bench, candidates)
    print_plan(bench, judge, settings, questions, candidates)
    if not any(candidate.missing for candidate in candidates):
        print("Nothing to judge.")
        return report_missing_answers(candidates)
    return asyncio.run(judge_all(judge, settings, questions, candidates, shown))


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


def candidate_names(settings: JudgeSettings) -> list[str]:
    """The models of model_list; the baseline is not judged against itself."""
    own = settings.baseline_model if settings.baseline and not settings.categories else None
    return [name for name in settings.model_list if name != own]


def plan_candidate(
    bench: Bench,
    judge: str,
    name: str,
    settings: JudgeSettings,
    questions: list[Question],
    shown: Shown,
    retry_unreadable: bool,
) -> Candidate:
    """Which judgments of one model exist, are missing, or cannot be made for want of an answer."""
    file = bench.judgment_file(judge, name)
    candidate = Candidate(name, file, utils.load_answers(bench.answer_file(name)), utils.load_judgments(file))
    check_baselines(candidate, settings, questions)
    for question in questions:
        judgment = candidate.judged.get(question.question_id)
        unreadable = judgment is not None and not is_readable(judgment)
        candidate.unreadable += unreadable
        if judgment is not None and not (unreadable and retry_unreadable):
            continue
        if settings.baseline_of(question.category) == name:
            continue  # the baseline of this category
        everything = [candidate.answers, *shown_for(shown, settings, question)]
        if all(question.question_id in answers for answers in everything):
            candidate.missing.append(question)
        else:
            candidate.without_answer.append(question)
    return candidate


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


def is_readable(judgment: Judgment) -> bool:
    """Whether each game of a judgment has a verdict."""
    return all(game is not None and game.verdict is not None for game in judgment.games)


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


def check_prompts(settings: JudgeSettings, questions: list[Question]) -> None:
    """Fill each template for a question of each number of turns, before a judge is paid. Raises UserError."""
    kinds = {len(question.turns): question for question in questions}
    for question in kinds.values():
        one = ["" for _ in question.turns]
        answers = [one, one] if settings.baseline else [one]
        try:
            judge_prompts(settings, question, answers, [one for _ in settings.references])
        except KeyError as error:
            raise UserError(
                f"prompt_template names {{{error.args[0]}}}, and question {question.question_id} with "
                f"{len(question.turns)} turns has nothing to fill it with. Remove it, or mend the question."
            ) from None


def print_plan(
    bench: Bench,
    judge: ModelSettings,
    settings: JudgeSettings,
    questions: list[Question],
    candidates: list[Candidate],
) -> None:
    games = 2 if settings.pairwise else 1
    against = f"against {settings.baseline_model}, " if settings.baseline and not settings.categories else ""
    print(f"{bench.name}: {len(questions)} questions, judge {judge.name}, {against}{games} games a judgment")
    for candidate in candidates:
        line = (
            f"  {candidate.name:<40} {len(candidate.judged):>5} judgments exist, {len(candidate.missing):>5} to make"
        )
        if candidate.without_answer:
            line += f", {len(candidate.without_answer)} lack an answer"
        if candidate.unreadable:
            line += f", {candidate.unreadable} unreadable (--retry-unreadable judges them again)"
        print(line)


# ----------------------------------------------------------------------------------------- run


async def judge_all(
    judge: ModelSettings,
    settings: JudgeSettings,
    questions: list[Question],
    candidates: list[Candidate],
    shown: Shown,
) -> int:
    """Make all judgments that are missing. Returns the exit code."""
    active = [candidate for candidate in candidates if candidate.missing]
    models = utils.Models()
    counts = {"unreadable": 0}
    with RecordWriter() as writer:
        for candidate in active:
            utils.open_output(writer, candidate.file)
        model = utils.open_model(models, judge, writer)
        progress = Progress(
            sum(len(candidate.missing) for candidate in active), "judgment", lambda: utils.state_of(models)
        )

        async def work(job: Job) -> None:
            progress.begin(job.label)
            try:
                judgment = await get_judgment(model, settings, job, shown)
            except CallError as error:
                progress.fail(job.label, error.message)
                return
            counts["unreadable"] += not is_readable(judgment)
            await writer.write(job.candidate.file, judgment_row(judgment))
            progress.finish(job.label)

        try:
            async with progress.shown():
                await utils.run_groups([(jobs_in_order(questions, active), utils.width(model))], work)
        finally:
            await models.close()
    for candidate in active:
        utils.put_in_order(candidate.file, questions)
    return report(progress, counts["unreadable"], candidates)


def jobs_in_order(questions: list[Question], candidates: list[Candidate]) -> Iterator[Job]:
    """Question by question, so that what all prompts of a question share stays in the provider's cache."""
    wanted = [({question.question_id for question in c.missing}, c) for c in candidates]
    for question in questions:
        for missing, candidate in wanted:
            if question.question_id in missing:
                yield Job(candidate, question)


async def get_judgment(model: utils.Model, settings: JudgeSettings, job: Job, shown: Shown) -> Judgment:
    """Both games of one judgment. Raises CallError."""
    question = job.question
    key = question.question_id
    baseline = settings.baseline_of(question.category)
    answer = texts_of(job.candidate.answers[key])
    references = [texts_of(answers[key]) for answers in shown.references]
    pair = [answer] if baseline is None else [texts_of(shown.baselines[baseline][key]), answer]
    games = [await play(model, settings, question, pair, references)]
    if settings.pairwise:
        games.append(await play(model, settings, question, pair[::-1], references))
    return Judgment(
        question_id=key,
        model=job.candidate.name,
        judge=model.settings.name,
        games=tuple(games),
        baseline=baseline,
        category=question.category if settings.categories else None,
        settings_hash=short_hash(judgment_shaping_settings(model.settings, settings, question.category)),
    )


def texts_of(answer: Answer) -> list[str]:
    return [turn.content for turn in answer.turns]


async def play(
    model: utils.Model,
    settings: JudgeSettings,
    question: Question,
    answers: list[list[str]],
    references: list[list[str]],
) -> Game:
    """One game: ask, and ask again where no verdict came. Raises CallError."""
    messages = opening_messages(settings, question, answers, references)
    user_prompt = next(message["content"] for message in messages if message["role"] == "user")
    patterns = settings.patterns
    replies: list[Reply] = []
    text, reading = "", verdicts.Reading(None, missing=True)
    for _ in range(settings.number_of_judgment_attempts):
        replies.append(await utils.chat_completion(model, messages, settings.temperature, settings.max_tokens))
        text = "\n".join(reply.content for reply in replies)
        reading = verdicts.read_verdict(text, patterns)
        if not reading.missing:
            break
        messages = asked_again(messages, replies[-1].content)
    return Game(reading.verdict, text, user_prompt, utils.total_usage(replies), replies[-1].served_model)


def opening_messages(
    settings: JudgeSettings, question: Question, answers: list[list[str]], references: list[list[str]]
) -> list[Message]:
    """What the judge is shown first, with the answers in the order of this game."""
    system = settings.system_prompt_of(question.category)
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    prompts = judge_prompts(settings, question, answers, references)
    return messages + [{"role": "user", "content": prompt} for prompt in prompts]


def asked_again(messages: list[Message], judgment: str) -> list[Message]:
    """The messages that ask a judge for the verdict that its judgment lacks."""
    return [
        *messages,
        {"role": "assistant", "content": judgment},
        {"role": "user", "content": ASK_FOR_VERDICT},
    ]


def judge_prompts(
    settings: JudgeSettings, question: Question, answers: list[list[str]], references: list[list[str]]
) -> list[str]:
    """The user messages for the judge. Raises KeyError with a placeholder that cannot be filled."""
    fields = set().union(*(verdicts.fields_of(template) for template in settings.prompt_template))
    values = verdicts.prompt_values(question.turns, answers, references, fields)
    return [verdicts.fill(template, values) for template in settings.prompt_template]


def judgment_shaping_settings(judge: ModelSettings, settings: JudgeSettings, category: str) -> dict[str, object]:
    """All that shapes a judgment besides question and answers: equal settings, equal hash."""
    return {
        "model_name": judge.model_name,
        "system_prompt": settings.system_prompt_of(category),
        "prompt_template": settings.prompt_template,
        "regex_pattern": settings.regex_pattern,
        "number_of_judgment_attempts": settings.number_of_judgment_attempts,
        "temperature": settings.temperature if judge.temperature is None else judge.temperature,
        "max_tokens": settings.max_tokens if judge.max_tokens is None else judge.max_tokens,
        "pairwise": settings.pairwise,
        "baseline": settings.baseline_of(category),
        "references": settings.references,
        "reasoning_effort": judge.reasoning_effort,
        "thinking": judge.thinking,
        "extra_body": judge.extra_body,
    }


# -------------------------------------------------------------------------------------- report


def report(progress: Progress, unreadable: int, candidates: list[Candidate]) -> int:
    """Say how the run ended. Returns the exit code."""
    print(f"{progress.done} judgments written, {len(progress.failures)} failed.")
    if unreadable:
        print(f"{unreadable} of them hold a game without a readable verdict (score null).")
    if progress.failures:
        print("\n".join(failure_lines(progress.failures)))
        print("Nothing was written for what failed; the same command asks for just that.")
    return max(report_missing_answers(candidates), int(bool(progress.failures)))


def report_missing_answers(candidates: list[Candidate]) -> int:
    """List the models whose answers, or the baseline's, are not complete. Returns the exit code."""
    incomplete = [candidate for candidate in candidates if candidate.without_answer]
    for candidate in incomplete:
        print(
            f"  {candidate.name}: {len(candidate.without_answer)} questions could not be judged, because its answer "
            "or the baseline's is missing. Run gen_answer.py again."
        )
    return 1 if incomplete else 0


if __name__ == "__main__":
    utils.run_main(main)
