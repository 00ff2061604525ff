"""The shapes of rows on disk, in both formats, and what the program makes of them.

Two formats exist: v0.1 (`question_id`, `turns`, `choices`) and v2.0 (`uid`, `prompt`, `messages`).
Each `*_from_row` function reads either one; the `*_row` functions write v0.1 with added keys only.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import msgspec


class UserError(Exception):
    """A mistake that the user can mend: the message says what is wrong, where, and what to do."""


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one or more calls, as the server counted them; `batched` of them were bought by batch."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    batched: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))


class Question(msgspec.Struct, frozen=True):
    """One question: what the user says, turn by turn."""

    question_id: str
    turns: tuple[str, ...]
    category: str = ""
    cluster: str | None = None


class AnswerTurn(msgspec.Struct, frozen=True):
    """What a model said in one turn; `token_len` is None where it could not be counted."""

    content: str
    token_len: int | None = None
    thought: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """One model's record for one question: `choices[k][t]` is turn t of choice k."""

    question_id: str
    model: str
    choices: tuple[tuple[AnswerTurn, ...], ...]
    answer_id: str = ""
    tstamp: float | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    served_model: str | None = None
    settings_hash: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def turns(self) -> tuple[AnswerTurn, ...]:
        """The turns of the first choice, the one that is judged."""
        return self.choices[0]


class Game(msgspec.Struct, frozen=True):
    """One position order of a judgment; `verdict` is None when no label could be read."""

    verdict: str | None
    judgment: str = ""
    user_prompt: str = ""
    usage: Usage | None = None
    served_model: str | None = None
    finish_reason: str | None = None
    thought: str | None = None


class Judgment(msgspec.Struct, frozen=True):
    """The judge's record for one question and model. Game 1: A = baseline, B = model; game 2 swapped."""

    question_id: str
    model: str
    judge: str
    games: tuple[Game | None, ...]
    baseline: str | None = None
    category: str | None = None
    settings_hash: str | None = None


# ---------------------------------------------------------------------------------------- reading


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a value read from JSON or YAML is an object with keys."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a value read from JSON or YAML is a list."""
    return isinstance(value, list)


def _text(row: dict[str, Any], *keys: str) -> str:
    """The first of `keys` that the row has; ValueError when it has none or holds no text."""
    for key in keys:
        if key in row:
            if not isinstance(row[key], str) or not row[key]:
                raise ValueError(f"{key} must be a text, not {row[key]!r}")
            return row[key]
    raise ValueError(f"the key {' or '.join(keys)} is missing")


def _optional(row: dict[str, Any], key: str) -> Any:
    """A text, or None where the key is missing or null; ValueError for anything else."""
    if row.get(key) is not None and not isinstance(row[key], str):
        raise ValueError(f"{key} must be a text, not {row[key]!r}")
    return row.get(key)


def _objects(row: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = row.get(key)
    if not is_list(value) or not value:
        raise ValueError(f"{key} must be a list that is not empty")
    for entry in value:
        if not is_object(entry):
            raise ValueError(f"{key} must hold objects with keys, not {str(entry)[:40]!r}")
    return value


def question_from_row(row: dict[str, Any]) -> Question:
    """A question from a row of either format. Raises ValueError with the key that is wrong."""
    question_id = _text(row, "question_id", "uid")
    category = _optional(row, "category") or ""
    if "turns" not in row:
        return Question(question_id, (_text(row, "prompt"),), category, _optional(row, "subcategory"))
    turns = tuple(_text(turn, "content") for turn in _objects(row, "turns"))
    return Question(question_id, turns, category, _optional(row, "cluster"))


def usage_from_row(row: dict[str, Any] | None) -> Usage | None:
    """The token counts of a record, or None when it carries none."""
    return msgspec.convert(row, Usage) if isinstance(row, dict) else None


def answer_from_row(row: dict[str, Any]) -> Answer:
    """An answer from a row of either format. Raises ValueError with the key that is wrong."""
    if "choices" in row:
        choices = tuple(
            tuple(_turn_from_row(turn) for turn in _objects(choice, "turns")) for choice in _objects(row, "choices")
        )
    else:
        choices = (_turns_from_messages(row),)
    return Answer(
        question_id=_text(row, "question_id", "uid"),
        model=_text(row, "model_id", "model"),
        choices=choices,
        answer_id=row.get("answer_id") or row.get("ans_id") or "",
        tstamp=row.get("tstamp"),
        finish_reason=row.get("finish_reason"),
        usage=usage_from_row(row.get("usage")),
        served_model=row.get("served_model"),
        settings_hash=_optional(row, "settings_hash"),
        metadata=row.get("metadata"),
    )


def _turn_from_row(turn: dict[str, Any]) -> AnswerTurn:
    content = turn.get("content")
    if not isinstance(content, str):
        raise ValueError(f"content of a turn must be a text, not {content!r}")
    return AnswerTurn(content, turn.get("token_len"), turn.get("thought"))


def _turns_from_messages(row: dict[str, Any]) -> tuple[AnswerTurn, ...]:
    """v2.0: the assistant's messages, whose content is a text or {answer[, thought]}."""
    contents = [m.get("content") for m in _objects(row, "messages") if m.get("role") == "assistant"]
    if not contents:
        raise ValueError("messages holds no message of the assistant")
    metadata: Any = row.get("metadata") or {}
    if not is_object(metadata):
        raise ValueError("metadata must be an object with keys")
    total = metadata.get("token_len")
    lengths = [None] * (len(contents) - 1) + [total] if len(contents) > 1 else [total]
    turns = [c if is_object(c) else {"answer": c} for c in contents]
    return tuple(
        AnswerTurn(_text_or_empty(turn, "answer"), length, turn.get("thought")) for turn, length in zip(turns, lengths)
    )


def _text_or_empty(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a text, not {value!r}")
    return value


def judgment_from_row(row: dict[str, Any]) -> Judgment:
    """A judgment from a row of either format. Raises ValueError with the key that is wrong."""
    games = row.get("games")
    if not is_list(games):
        raise ValueError("games must be a list")
    return Judgment(
        question_id=_text(row, "question_id", "uid"),
        model=_text(row, "model"),
        judge=row.get("judge") or "",
        games=tuple(_game_from_row(game) for game in games),
        baseline=_optional(row, "baseline"),
        category=_optional(row, "category"),
        settings_hash=_optional(row, "settings_hash"),
    )


def _game_from_row(game: Any) -> Game | None:
    if game is None:
        return None
    if not is_object(game):
        raise ValueError("games must hold objects with keys, or null")
    judgment, prompt = game.get("judgment"), game.get("user_prompt", game.get("prompt"))
    if is_object(judgment):
        judgment = judgment.get("answer")
    if is_list(prompt):
        prompt = next((m["content"] for m in prompt if m.get("role") == "user"), "")
    return Game(
        verdict=game.get("score"),
        judgment=judgment or "",
        user_prompt=prompt or "",
        usage=usage_from_row(game.get("usage")),
        served_model=game.get("served_model"),
        finish_reason=game.get("finish_reason"),
        thought=game.get("thought"),
    )


# ---------------------------------------------------------------------------------------- writing


def usage_row(usage: Usage | None) -> dict[str, int] | None:
    """A usage as it stands in a record: only the counts that are not zero."""
    return None if usage is None else msgspec.to_builtins(usage)


def answer_row(answer: Answer) -> dict[str, Any]:
    """An answer in v0.1's shape, with the added keys after the old ones."""
    return {
        "question_id": answer.question_id,
        "answer_id": answer.answer_id,
        "model_id": answer.model,
        "choices": [
            {"index": index, "turns": [_turn_row(turn) for turn in turns]} for index, turns in enumerate(answer.choices)
        ],
        "tstamp": answer.tstamp,
        "finish_reason": answer.finish_reason,
        "usage": usage_row(answer.usage),
        "served_model": answer.served_model,
        "settings_hash": answer.settings_hash,
    }


def _turn_row(turn: AnswerTurn) -> dict[str, Any]:
    row: dict[str, Any] = {"content": turn.content, "token_len": turn.token_len}
    return row if turn.thought is None else {**row, "thought": turn.thought}


def judgment_row(judgment: Judgment) -> dict[str, Any]:
    """A judgment in v0.1's shape, with the added keys after the old ones."""
    row: dict[str, Any] = {
        "question_id": judgment.question_id,
        "model": judgment.model,
        "judge": judgment.judge,
        "games": [_game_row(game) for game in judgment.games],
        "baseline": judgment.baseline,
        "settings_hash": judgment.settings_hash,
    }
    return row if judgment.category is None else {**row, "category": judgment.category}


def _game_row(game: Game | None) -> dict[str, Any] | None:
    if game is None:
        return None
    row: dict[str, Any] = {
        "user_prompt": game.user_prompt,
        "judgment": game.judgment,
        "score": game.verdict,
        "usage": usage_row(game.usage),
        "served_model": game.served_model,
        "finish_reason": game.finish_reason,
    }
    return row if game.thought is None else {**row, "thought": game.thought}
