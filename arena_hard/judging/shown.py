"""What a judge is shown for a question: the answers in their order, the references, and the prompts made of them."""

from __future__ import annotations

from msgspec.structs import replace

from arena_hard.calling.providers.base import Message
from arena_hard.data.known_records import Answers
from arena_hard.data.paths import Bench
from arena_hard.data.records import Answer, Question, UserError
from arena_hard.data.settings import JudgeSettings
from arena_hard.judging.cache_order import shared_length
from arena_hard.judging.prompts import first_user_prompt, opening_messages
from arena_hard.judging.stage import Candidate, Shown, Stage

LEFT_WHOLE = 400  # characters of a text of which nothing is left out
Texts = list[list[str]]  # answers in the order in which they are shown, each a text for each turn


def load_shown(bench: Bench, settings: JudgeSettings, questions: list[Question]) -> Shown:
    """The baselines' and the reference answers. Raises UserError where there are none at all."""
    names = {settings.baseline_of(question.category) for question in questions} - {None}
    shown = Shown({}, [])
    baselines = {name: shown.answers_of(bench, bench.answer_file(name)) for name in sorted(map(str, names))}
    for name, answers in baselines.items():
        if not answers:
            raise UserError(
                f"{bench.answer_file(name)} holds no answers of the baseline {name}. Run gen_answer.py for it "
                "first, or fetch them as README.md says."
            )
    references = [shown.answers_of(bench, bench.reference_file(name)) for name in settings.references]
    for name, answers in zip(settings.references, references):
        if not answers:
            raise UserError(
                f"{bench.reference_file(name)} holds no reference answers. Put them there, or set reference: false."
            )
    return replace(shown, baselines=baselines, references=references)


def can_be_shown(stage: Stage, candidate: Candidate, question: Question) -> bool:
    """Whether all answers that the judge needs are there, each with as many turns as the question."""
    key, sources = question.question_id, [candidate.answers, *shown_for(stage.shown, stage.settings, question)]
    return all(key in answers and answers.facts[key].turns == len(question.turns) for answers in sources)


def needed_answers(stage: Stage, candidate: Candidate, question: Question) -> list[Answer | None]:
    """The answers that the judge needs for a question, None for those that are not there."""
    everything = [candidate.answers, *shown_for(stage.shown, stage.settings, question)]
    return [answers.get(question.question_id) for answers in everything]


def shown_for(shown: Shown, settings: JudgeSettings, question: Question) -> list[Answers]:
    """The answers by others that the judge needs for a question: the baseline's and the references."""
    baseline = settings.baseline_of(question.category)
    return ([] if baseline is None else [shown.baselines[baseline]]) + shown.references


def shown_texts(stage: Stage, candidate: Candidate, question: Question) -> tuple[list[list[str]], list[list[str]]]:
    """The answers in the order of the first game, and the reference answers."""
    key = question.question_id
    baseline = stage.settings.baseline_of(question.category)
    answer = texts_of(candidate.answers[key])
    pair = [answer] if baseline is None else [texts_of(stage.shown.baselines[baseline][key]), answer]
    return pair, [texts_of(answers[key]) for answers in stage.shown.references]


def abridged(texts: Texts, share: float) -> Texts:
    """The texts with so much of each kept, its beginning and its end; short ones are left whole."""
    return [[_abridged(text, share) for text in turns] for turns in texts]


def left_out(texts: Texts, share: float) -> int:
    """How many characters of the texts are not shown then; the words that say so are none of theirs."""
    return sum(_left_out(text, share) for turns in texts for text in turns)


def _left_out(text: str, share: float) -> int:
    return 0 if len(text) <= LEFT_WHOLE else max(0, len(text) - int(len(text) * share))


def _abridged(text: str, share: float) -> str:
    missing = _left_out(text, share)
    if not missing:
        return text
    kept = len(text) - missing
    tail = kept // 2
    return f"{text[: kept - tail]}\n\n[… {missing:,} characters left out …]\n\n{text[len(text) - tail :]}"


def prompts_of(stage: Stage, candidate: Candidate, question: Question) -> list[list[Message]]:
    """What the judge is shown first in each game of a judgment."""
    pair, references = shown_texts(stage, candidate, question)
    orders = [pair, pair[::-1]] if stage.settings.pairwise else [pair]
    return [opening_messages(stage.settings, question, order, references) for order in orders]


def shared_with_others(
    stage: Stage,
    candidate: Candidate,
    question: Question,
    answers: list[list[str]],
    references: list[list[str]],
    prompt: str,
) -> int:
    """Characters of a prompt that those of the question's other models begin with too.

    answers: in the order of the game; prompt: what the judge is shown of them. 0 where no cache asks for it.
    """
    if stage.judge.api_type != "anthropic":
        return 0
    own = texts_of(candidate.answers[question.question_id])
    place = len(answers) - 1 if answers[-1] == own and answers[0] != own else 0
    another = [*answers[:place], [f"\0{turn}" for turn in own], *answers[place + 1 :]]
    messages = opening_messages(stage.settings, question, another, references)
    return shared_length(prompt, first_user_prompt(messages))


def texts_of(answer: Answer) -> list[str]:
    return [turn.content for turn in answer.turns]
