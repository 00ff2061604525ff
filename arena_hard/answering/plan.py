"""Which answers of a model exist, which are to be asked for, and what that may cost."""

from __future__ import annotations

import argparse

import msgspec

from arena_hard.answering.requests import answer_shaping_settings, prompts_of, system_prompt
from arena_hard.calling.context import Prompts
from arena_hard.calling.manifest import open_failures
from arena_hard.calling.origins import origins
from arena_hard.calling.run_tally import RunOutput, RunTally
from arena_hard.calling.selection import records_to_redo, redo_name
from arena_hard.data.columns import Column, Places
from arena_hard.data.known_records import Answers
from arena_hard.data.paths import Bench
from arena_hard.data.records import Question
from arena_hard.data.settings import AnswerSettings, ModelSettings, short_hash
from arena_hard.money.account import Account


class ModelPlan(msgspec.Struct):
    """What is to be asked of one model. existing: how many of the chosen questions it has answered."""

    settings: ModelSettings
    existing: int
    missing: list[Question]
    output: RunOutput

    def label(self, question: Question) -> str:
        """How an answer is called in progress, failures and kept replies."""
        return label_of(self.settings.name, question.question_id)


def plan_model(
    args: argparse.Namespace,
    bench: Bench,
    model: ModelSettings,
    settings: AnswerSettings,
    questions: list[Question],
    account: Account,
) -> ModelPlan:
    """Which answers exist and which are missing. Raises UserError where settings would be mixed in silence.

    args: the flags of selection.add_selection; account: gets the model's bill.
    """
    file = bench.answer_file(model.name)
    answers = Answers(bench, file)
    found = answers.facts.mapped(lambda each: each.settings_hash)
    shaping = answer_shaping_settings(model, settings)
    edited = answers.to_other_words(questions)
    today = Column(Places([question.question_id for question in questions]), [shaping], bytes(len(questions)))
    edits = "to questions that were edited since"
    what = f"answer is {edits}", f"answers are {edits}"
    again = records_to_redo(args, file, model.name, found, today, edited, what)
    there = found.keys() - again
    wanted = [question for question in questions if question.question_id not in there]
    if args.only_failed:
        failed = open_failures(file, answers)
        wanted = [question for question in questions if question.question_id in failed]
    before = {question.question_id for question in wanted} & answers.keys()
    tally = RunTally(file, short_hash(shaping), endpoints=origins(model), before=before)
    tally.redo_name = redo_name(args, model.name)
    tally.new = {question.question_id for question in wanted} - before
    existing = len(today.keys() & found.keys())
    account.open(model.name, model)
    one_choice = settings.num_choices == 1 and not model.retry_truncated
    one_call = one_choice and all(len(question.turns) == 1 for question in wanted)
    written = {label_of(model.name, key): key for key in found} if wanted else {}
    missing = [label_of(model.name, question.question_id) for question in wanted]
    output = RunOutput(tally, model.name, [shaping], not one_call, written, missing)
    return ModelPlan(model, existing, wanted, output)


def prompts_to_send(plan: ModelPlan, settings: AnswerSettings) -> Prompts | None:
    """The last prompt of each missing answer; None where max_tokens is shortened by its length anyway."""
    if plan.settings.tokenizer:
        return None
    return Prompts("answers", lambda: (prompts_of(plan.settings, q)[-1] for q in plan.missing), settings.max_tokens)


def label_of(model: str, question_id: str) -> str:
    return f"{model} {question_id}"


def most_it_may_cost(account: Account, model: ModelSettings, settings: AnswerSettings, question: Question) -> float:
    """Dollars for all requests of an answer if each is answered at full length."""
    texts = [system_prompt(model) or "", *question.turns]
    sizes = [sum(len(text.encode()) for text in texts)] * settings.num_choices
    return account.worst(model.name, sizes, settings.max_tokens, len(question.turns))
