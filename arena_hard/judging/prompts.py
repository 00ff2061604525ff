"""What a judge is shown: the messages of a game, and the settings that shape them."""

from __future__ import annotations

from arena_hard.calling.providers.base import Message
from arena_hard.data import templates
from arena_hard.data.records import Question, UserError
from arena_hard.data.settings import JudgeSettings, ModelSettings, later_shaping

ASK_FOR_VERDICT = "Please carry on with your judgment and end it with one of the verdict labels."


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


def user_prompt(messages: list[Message]) -> str:
    """What a record keeps of the prompt: the user messages, one for each template."""
    return "\n\n".join(message["content"] for message in messages if message["role"] == "user")


def first_user_prompt(messages: list[Message]) -> str:
    """The first user message, which is all that earlier versions kept where there were several."""
    return next(message["content"] for message in messages if message["role"] == "user")


def judge_prompts(
    settings: JudgeSettings, question: Question, answers: list[list[str]], references: list[list[str]]
) -> list[str]:
    """The user messages for the judge. Raises KeyError with a placeholder that cannot be filled."""
    fields = set().union(*(templates.fields_of(template) for template in settings.prompt_template))
    values = templates.prompt_values(question.turns, answers, references, fields)
    return [templates.fill(template, values) for template in settings.prompt_template]


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
        **({"retry_truncated": True} if judge.retry_truncated else {}),
        **({"truncate": settings.truncate} if settings.truncate != "error" else {}),
        **({"verdict": settings.verdict} if settings.verdict != "text" else {}),
        **({"verdict_always": True} if settings.verdict_always else {}),
        **later_shaping(judge),
    }


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
                f"{len(question.turns)} turns has nothing to fill it with. Remove it, or fix the question."
            ) from None
