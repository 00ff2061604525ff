"""Which judgments exist, are missing, have changed, or lack an answer, and in which order they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from arena_hard.calling.context import Prompts, reply_tokens
from arena_hard.calling.manifest import open_failures
from arena_hard.calling.origins import origins
from arena_hard.calling.providers.base import Message
from arena_hard.calling.record_run import Job
from arena_hard.calling.run_tally import RunOutput, RunTally
from arena_hard.calling.selection import chosen_models, records_to_redo, redo_name
from arena_hard.data.baselines import JudgmentFolder, named_in
from arena_hard.data.columns import mapped, where
from arena_hard.data.known_records import Played
from arena_hard.data.name_lists import counted, shortened
from arena_hard.data.paths import Bench
from arena_hard.data.records import Question, UserError
from arena_hard.data.verdicts import is_verdict
from arena_hard.judging.cache_order import in_blocks
from arena_hard.judging.label_question import ROOM, tokens_beside_prompt
from arena_hard.judging.shown import can_be_shown, prompts_of, shown_for
from arena_hard.judging.stage import AtHand, Candidate, Stage, bill_label, label_of, load_judged
from arena_hard.judging.unchanged import changed_judgments, in_words

FEWER_ATTEMPTS = "number_of_judgment_attempts: 1 in the judge's config"


class JudgmentJob(Job, kw_only=True):
    """One judgment to get. shared_by: how many models are judged on its question in this run.

    unanswered: why questions for the label alone brought no answer; untried: why further attempts did not.
    """

    candidate: Candidate
    shared_by: int = 1
    unanswered: list[str] = []
    untried: list[str] = []


def plan_judge(stage: Stage) -> list[Candidate]:
    """What there is and what is missing of each model. Raises UserError."""
    names = chosen_models(stage.args, stage.settings.model_list)
    own = stage.settings.baseline_model if stage.settings.baseline and not stage.settings.categories else None
    names = [name for name in names if name != own]  # the baseline is not judged against itself
    folder = judgment_folder(stage, names)
    parts = [(name, part) for name in names for part in files_of(stage, folder, name).items()]
    candidates: list[Candidate] = []
    for name, (file, questions) in parts:
        candidates.append(plan_candidate(stage, name, file, questions, folder.at_hand))
        folder.at_hand.pop(file, None)
        candidates[-1].known.forget_prompts()
        candidates[-1].answers.forget()
    check_answers(stage.bench, candidates)
    if not stage.args.keep_mixed:
        check_words(stage, candidates)
    return candidates


def judgment_folder(stage: Stage, names: Sequence[str]) -> JudgmentFolder:
    """What the judge's folders hold, in all of these models' files; categories matter where the config knows them."""
    groups = {each.question_id: each.category if stage.settings.categories else "" for each in stage.all_questions}
    return JudgmentFolder(stage.bench, stage.judge.name, groups, frozenset(names))


def files_of(stage: Stage, folder: JudgmentFolder, name: str) -> dict[Path, list[Question]]:
    """The files that a model's judgments are in, or are to be written to, each with its questions of this run."""
    categories = stage.settings.categories or {}
    in_file: dict[Path, set[str]] = {}
    for category in stage.categories:
        baseline, own = stage.settings.baseline_of(category), categories.get(category)
        group = category if categories else ""
        file = folder.file_for(name, baseline, group, bool(own and own.baseline_model))
        in_file.setdefault(file, set()).add(category)
    return {file: stage.questions_in(frozenset(found)) for file, found in in_file.items()}


def plan_candidate(
    stage: Stage, name: str, file: Path, questions: list[Question], at_hand: AtHand | None = None
) -> Candidate:
    """Which judgments of one file exist, are missing, or cannot be made for want of an answer.

    at_hand: what is known of files already.
    """
    group = stage.group(questions)
    is_further = file.parent != stage.bench.judgment_folder(stage.judge.name)
    candidate = Candidate(
        name,
        file,
        (stage.settings.baseline_of(questions[0].category) or "") if is_further else "",
        questions,
        stage.shown.answers_of(stage.bench, stage.bench.answer_file(name)),
        load_judged(stage, name, file, questions, at_hand),
        RunTally(file, ",".join(group.hashes), endpoints=origins(stage.judge)),
    )
    stage.account.open(bill_label(stage, candidate), stage.judge)
    if not stage.settings.baseline:
        check_no_baseline(candidate)
    again = judgments_to_redo(stage, candidate)
    there = group.there(candidate.judged)
    wanted = {*again, *(group.keys - there if len(there) < len(group.keys) else ())}
    if stage.args.only_failed:
        wanted = open_failures(file, candidate.judged)
    candidate.existing = len(there)
    candidate.tally.before = wanted & candidate.judged.keys()
    candidate.tally.redo_name = redo_name(stage.args, name)
    for question in questions if wanted else []:
        if question.question_id not in wanted:
            continue
        if stage.settings.baseline_of(question.category) == name:
            continue  # the baseline of this category
        if can_be_shown(stage, candidate, question):
            candidate.missing.append(question)
        else:
            candidate.without_answer.append(question)
    candidate.tally.new = {question.question_id for question in candidate.missing} - candidate.tally.before
    return candidate


def judgments_to_redo(stage: Stage, candidate: Candidate) -> set[str]:
    """The judgments to make again: those that --redo and --retry-unreadable name.

    Raises UserError where judgments were made with other settings, or of texts that have changed.
    """
    group = stage.group(candidate.questions)
    found = mapped(candidate.judged, lambda each: each.settings_hash)
    changed = changed_judgments(stage, candidate)
    what = in_words(stage, candidate, changed)
    again = records_to_redo(stage.args, candidate.file, candidate.name, found, group.shapings, changed, what)
    any_label = not stage.settings.baseline
    unreadable = where(candidate.judged, lambda each: not is_readable(each, any_label))
    candidate.unreadable = len(unreadable)
    return again | (unreadable & group.keys if stage.args.retry_unreadable else set())


def check_no_baseline(candidate: Candidate) -> None:
    """Ratings of answers on their own must not replace judgments against a baseline. Raises UserError."""
    for _, baseline in named_in(candidate.file) if candidate.file.is_file() else ():
        if baseline:
            raise UserError(
                f"{candidate.file} holds judgments against {baseline}, and with baseline: false answers are rated on "
                "their own. Give this judge another name in the endpoint file, so that it has a folder of its own."
            )


def is_readable(judgment: Played, any_label: bool = True) -> bool:
    """Whether each game of a judgment has a verdict; with `any_label` whatever was read is one."""
    scores = [game and game.verdict for game in judgment.games]
    return bool(scores) and all(score is not None and (any_label or is_verdict(score)) for score in scores)


def check_answers(bench: Bench, candidates: list[Candidate]) -> None:
    """A model without any answer is a mistake in model_list. Raises UserError."""
    there = {candidate.name for candidate in candidates if candidate.answers or candidate.judged}
    empty = [name for name in dict.fromkeys(candidate.name for candidate in candidates) if name not in there]
    if empty:
        raise UserError(
            f"no answers in {bench.answer_folder}/ for {shortened(empty)}. "
            "Run gen_answer.py for them first, or remove them from model_list."
        )


def check_words(stage: Stage, candidates: list[Candidate]) -> None:
    """An answer is judged against the words that it is an answer to. Raises UserError."""
    of_file: dict[Path, set[str]] = {}  # the ids of answers to other words
    edited: dict[tuple[Path, str], set[str]] = {}
    for candidate, question in ((each, question) for each in candidates for question in each.missing):
        for answers in [candidate.answers, *shown_for(stage.shown, stage.settings, question)]:
            if answers.file not in of_file:
                of_file[answers.file] = answers.to_other_words(stage.questions)
            key = question.question_id
            if key in of_file[answers.file]:
                edited.setdefault((answers.file, answers.facts[key].model), set()).add(key)
    for (file, name), keys in edited.items():
        raise UserError(
            f"{file}: {counted(len(keys), 'answer is', 'answers are')} to questions that were edited since. "
            f"Run gen_answer.py --models {name} --redo {name} first; --keep-mixed judges them as they are."
        )


def output_of(stage: Stage, candidate: Candidate) -> RunOutput:
    """The record file of a model's judgments, as a run needs it."""
    shapings = list({id(each): each for each in map(stage.shaping, candidate.missing)}.values())
    written = {label_of(candidate, key): key for key in candidate.judged}
    missing = [label_of(candidate, question.question_id) for question in candidate.missing]
    bill = bill_label(stage, candidate)
    return RunOutput(candidate.tally, bill, shapings, written=written, missing=missing, against=candidate.against)


def jobs_in_order(stage: Stage, outputs: list[tuple[Candidate, RunOutput]], width: int) -> Iterator[JudgmentJob]:
    """In the order in which what all prompts of a question share is found in the provider's cache.

    width: how many judgments are made at once.
    """
    missing = {candidate.file: {q.question_id for q in candidate.missing} for candidate, _ in outputs}
    for question, (candidate, output) in in_blocks(stage.questions, outputs, width):
        key = question.question_id
        if key in missing[candidate.file]:
            yield JudgmentJob(
                output=output,
                question=question,
                label=label_of(candidate, key),
                candidate=candidate,
                shared_by=sum(key in keys for keys in missing.values()),
            )


def forget_texts(stage: Stage) -> None:
    """Let go what planning has read of the answers that all models are shown beside."""
    for answers in [*stage.shown.baselines.values(), *stage.shown.references]:
        answers.forget()


def prompts_to_send(stage: Stage, candidates: Sequence[Candidate]) -> Prompts:
    """The first prompt of each missing judgment; that of the second game is as long."""
    to_make = [(candidate, question) for candidate in candidates for question in candidate.missing]
    shortens = stage.settings.truncate == "answers"

    def each() -> Iterator[list[Message]]:
        return (prompts_of(stage, candidate, question)[0] for candidate, question in to_make)

    beside = tokens_beside_prompt(stage.settings, reply_tokens(stage.judge, stage.settings.max_tokens))
    fewer = FEWER_ATTEMPTS if stage.settings.number_of_judgment_attempts > 1 else ""
    return Prompts("judgments", each, stage.settings.max_tokens, shortens, beside, fewer)


def room_for(stage: Stage, job: JudgmentJob) -> float:
    """Dollars to set aside for both games of a judgment; 0 without a limit."""
    if stage.account.limit is None:
        return 0.0
    return most_it_may_cost(stage, job.candidate, prompts_of(stage, job.candidate, job.question))


def most_it_may_cost(stage: Stage, candidate: Candidate, prompts: Sequence[Sequence[Message]]) -> float:
    """Dollars for games that begin with these prompts if each attempt is answered at full length."""
    sizes = [sum(len(message["content"].encode()) for message in prompt) for prompt in prompts]
    asks = stage.settings.verdict != "text"
    attempts, most = stage.settings.number_of_judgment_attempts + asks, max(stage.settings.max_tokens, ROOM * asks)
    return stage.account.worst(bill_label(stage, candidate), sizes, most, attempts)
