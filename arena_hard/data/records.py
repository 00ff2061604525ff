"""The shapes of rows on disk, in both formats, and what the program makes of them.

Two formats exist: v0.1 (`question_id`, `turns`, `choices`) and v2.0 (`uid`, `prompt`, `messages`).
Each `*_from_row` function reads either one; the `*_row` functions write v0.1 with added keys only.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from arena_hard.data import record_values
from arena_hard.data.record_values import holds_nothing, is_list, is_object, said_in, text_in, token_count, with_names
from arena_hard.data.usage import Usage, usage_from_row, usage_row


class UserError(Exception):
    """A mistake that the user can fix: the message says what is wrong, where, and what to do."""


class NothingSaid(ValueError):
    """A record holds no text where one should be, only null or an empty list: what a failed call may leave."""


class Question(msgspec.Struct, frozen=True):
    """One question: what the user says, turn by turn."""

    question_id: str
    turns: tuple[str, ...]
    category: str = ""
    cluster: str | None = None

    @property
    def hash(self) -> str:
        """Of its texts: an answer carries it, so that one to an edited question is known."""
        return hashlib.sha256("\0".join(self.turns).encode("utf-8", "surrogatepass")).hexdigest()[:12]


class AnswerTurn(msgspec.Struct, frozen=True):
    """What a model said in one turn; `token_len` is None where it could not be counted."""

    content: str
    token_len: float | None = None
    thought: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """One model's record for one question: `choices[k][t]` is turn t of choice k. model: empty where it names none.

    total_tokens: of all turns of the first choice, where the record says just that.
    """

    question_id: str
    model: str
    choices: tuple[tuple[AnswerTurn, ...], ...]
    answer_id: str = ""
    tstamp: float | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    served_model: str | None = None
    settings_hash: str | None = None
    total_tokens: float | None = None
    question_hash: str | None = None

    @property
    def turns(self) -> tuple[AnswerTurn, ...]:
        """The turns of the first choice, the one that is judged."""
        return self.choices[0]

    @property
    def token_len(self) -> float | None:
        """Tokens of those turns; None where they were not counted."""
        known = [turn.token_len for turn in self.turns if turn.token_len is not None]
        return sum(known) if len(known) == len(self.turns) else self.total_tokens

    def is_to_other_words(self, question: Question) -> bool:
        """Whether the question that it answers was another one then, as far as the record tells."""
        if self.question_hash is not None:
            return self.question_hash != question.hash
        return self.settings_hash is not None and len(self.turns) != len(question.turns)  # of ours, from before hashes


class Game(msgspec.Struct, frozen=True):
    """One position order of a judgment; `verdict` is None when no label could be read."""

    verdict: str | None
    judgment: str = ""
    user_prompt: str = ""
    usage: Usage | None = None
    served_model: str | None = None
    finish_reason: str | None = None
    thought: str | None = None
    truncated: dict[str, float] | None = None  # "kept": the share of each answer that was shown; "left_out": characters
    verdict_by: str | None = None  # in the "text", asked for "constrained" or in "words"; None: only texts are read
    label_probabilities: dict[str, float] | None = None
    label_probabilities_unknown: float | None = None


class Judgment(msgspec.Struct, frozen=True):
    """The judge's record for one question and model. Game 1: A = baseline, B = model; game 2 swapped.

    model: empty where the record names none, so that only its file tells it.
    """

    question_id: str
    model: str
    judge: str
    games: tuple[Game | None, ...]
    baseline: str | None = None
    category: str | None = None
    settings_hash: str | None = None


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


def _entries(row: dict[str, Any], key: str) -> list[Any]:
    """What a list holds, or the one entry that stands in its place; ValueError for none."""
    value = row.get(key)
    if isinstance(value, str) or is_object(value):
        return [value]
    if not is_list(value) or not value:
        error = ValueError if value else NothingSaid
        raise error(f"{key} must be a list that is not empty")
    return value


def question_from_row(row: dict[str, Any]) -> Question:
    """A question from a row of either format. Raises ValueError with the key that is wrong."""
    row = with_names(row)
    question_id = _text(row, "question_id", "uid")
    category = _optional(row, "category") or ""
    if "prompt" in row and "turns" not in row:
        return Question(question_id, (_text(row, "prompt"),), category, _optional(row, "subcategory"))
    turns = tuple(map(_text_of_turn, _entries(row, "turns")))
    if not all(turns):
        raise ValueError("a turn of a question must not be empty")
    return Question(question_id, turns, category, _optional(row, "cluster"))


def answer_from_row(row: dict[str, Any]) -> Answer:
    """An answer from a row of either format. Raises ValueError with the key that is wrong."""
    row = with_names(row)
    question_id = _text(row, "question_id", "uid")  # before the texts: what names no question is no answer that failed
    total = _total_tokens(row)
    turns = turns_in(row)
    if len(turns[0]) == 1 and turns[0][0].token_len is None:  # the total is that of the one turn
        turns[0] = [msgspec.structs.replace(turns[0][0], token_len=total)]
    return Answer(
        question_id=question_id,
        model=_optional(row, "model_id") or _optional(row, "model") or "",
        choices=tuple(map(tuple, turns)),
        answer_id=row.get("answer_id") or row.get("ans_id") or "",
        tstamp=row.get("tstamp"),
        finish_reason=_word(row, "finish_reason"),
        usage=usage_from_row(row.get("usage")),
        served_model=_word(row, "served_model"),
        settings_hash=_optional(row, "settings_hash"),
        total_tokens=total,
        question_hash=_word(row, "question_hash"),
    )


def _total_tokens(row: dict[str, Any]) -> float | None:
    """The tokens of a whole answer: `metadata` is where v2.0 has them, `conv_metadata` where v0.1 had them at last."""
    metadata = [row[key] for key in ("metadata", "conv_metadata") if is_object(row.get(key))]
    totals = [token_count(each.get("token_len")) for each in metadata]
    return next((total for total in totals if total is not None), None)


def _word(row: dict[str, Any], key: str) -> str | None:
    """A text that only people read; None for anything else."""
    return row[key] if isinstance(row.get(key), str) else None


def turns_in(row: dict[str, Any]) -> list[list[AnswerTurn]]:
    """The turns of each choice of an answer's row, in either format. Raises ValueError."""
    if "choices" not in row:
        return [_turns_from_messages(row)]
    return [list(map(_turn_from, _turns_of(choice))) for choice in _entries(row, "choices")]


def _turns_of(choice: Any) -> list[Any]:
    """The turns of a choice; in files of others it may be the one turn itself, or a provider's own."""
    if not is_object(choice):
        return [choice]
    return _entries(choice, "turns") if "turns" in choice else [choice.get("message", choice)]


def _turn_from(turn: Any) -> AnswerTurn:
    """A turn as a text or an object; a content of v2.0 may be {answer[, thought]}."""
    holders = [each for each in (turn, turn.get("content") if is_object(turn) else None) if is_object(each)]
    counts = [token_count(each.get("token_len")) for each in holders]
    thoughts = [said_in(each.get("thought")) for each in holders]
    tokens = next((count for count in counts if count is not None), None)
    return AnswerTurn(_text_of_turn(turn), tokens, next(filter(None, thoughts), None))


def _turns_from_messages(row: dict[str, Any]) -> list[AnswerTurn]:
    """v2.0: the assistant's messages."""
    turns = [each for each in _entries(row, "messages") if is_object(each) and each.get("role") == "assistant"]
    if not turns:
        raise ValueError("messages holds no message of the assistant")
    return [_turn_from(turn) for turn in turns]


def _text_of_turn(turn: Any) -> str:
    text = text_in(turn)
    if text is None and holds_nothing(turn):
        raise NothingSaid("a turn must hold a text (as its content), not null")
    if text is None:
        raise ValueError(f"a turn must hold a text (as its content), not {str(turn)[:60]!r}")
    return text


def judgment_from_row(row: dict[str, Any]) -> Judgment:
    """A judgment from a row of either format. Raises ValueError with the key that is wrong."""
    row = with_names(row)
    games: Any = row.get("games") or []
    if not is_list(games):
        raise ValueError("games must be a list")
    return Judgment(
        question_id=_text(row, "question_id", "uid"),
        model=_optional(row, "model") or "",
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
    prompt = game.get("user_prompt", game.get("prompt"))
    if is_list(prompt):
        users = [message for message in prompt if is_object(message) and message.get("role") == "user"]
        prompt = users[0].get("content") if users else prompt
    return Game(
        verdict=game.get("score"),
        judgment=said_in(game.get("judgment")),
        user_prompt=said_in(prompt),
        usage=usage_from_row(game.get("usage")),
        served_model=_word(game, "served_model"),
        finish_reason=_word(game, "finish_reason"),
        thought=said_in(game.get("thought")) or None,
        **record_values.how_had(game),
    )


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
        "question_hash": answer.question_hash,
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
        "games": [game and _game_row(game) for game in judgment.games],
        "baseline": judgment.baseline,
        "settings_hash": judgment.settings_hash,
    }
    return row if judgment.category is None else {**row, "category": judgment.category}


def _game_row(game: Game) -> dict[str, Any]:
    row: dict[str, Any] = {
        "user_prompt": game.user_prompt,
        "judgment": game.judgment,
        "score": game.verdict,
        "usage": usage_row(game.usage),
        "served_model": game.served_model,
        "finish_reason": game.finish_reason,
    }
    later = ("thought", "truncated", "verdict_by", "label_probabilities", "label_probabilities_unknown")
    return row | {name: value for name in later if (value := getattr(game, name)) is not None}
