"""What a field of a record holds, which in public files may be of another type than is usual."""

from __future__ import annotations

import re
from typing import Any, TypeGuard

import msgspec

# where a text is usual and public files hold numbers, too: 721086674 and "721086674" name the same question
NAMES = frozenset(
    {"question_id", "uid", "model", "model_id", "judge", "baseline", "category", "subcategory", "cluster"}
    | {"answer_id", "ans_id", "model_a", "model_b"}
)
LABELS = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
_COUNT = re.compile(r"\s*[0-9]{1,15}(?:\.[0-9]*)?\s*")


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a value read from JSON or YAML is an object with keys."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a value read from JSON or YAML is a list."""
    return isinstance(value, list)


def text_of(value: Any) -> Any:
    """A number as the text that names the same thing (3.0 is what pandas makes of 3); all else as it is."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def with_names(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its names as texts, and without a null in the place of its id."""
    odd = {key: text_of(value) for key, value in row.items() if key in NAMES and not isinstance(value, str)}
    row = {**row, **odd} if odd else row
    nulls = [key for key, value in odd.items() if value is None and key in ("question_id", "uid")]
    return {key: value for key, value in row.items() if key not in nulls} if nulls else row


def token_count(value: Any) -> float | None:
    """A count of tokens where it is one, be it as a text (-1 and NaN say that nobody counted); None for anything else.

    No record is refused for it.
    """
    if type(value) is int and 0 <= value < 1e15:  # mostly
        return value
    if isinstance(value, str) and _COUNT.fullmatch(value):
        value = float(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return value if 0 <= value < 1e15 else None


def text_in(value: Any) -> str | None:
    """The text of a turn: itself, what is under `content`, `answer` or `text`, or that of its parts together.

    None for anything else, and for parts that are not all text.
    """
    if isinstance(value, str):
        return value
    if is_object(value):
        return next((text_in(value[key]) for key in ("content", "answer", "text") if key in value), None)
    parts = [text_in(each) for each in value] if is_list(value) else []
    texts = [part for part in parts if part is not None]
    return "".join(texts) if parts and len(texts) == len(parts) else None


def holds_nothing(value: Any) -> bool:
    """Whether null or an empty list stands where `text_in` looks for a text."""
    if is_object(value):
        return any(holds_nothing(value[key]) for key in ("content", "answer", "text") if key in value)
    return value is None or value == []


def said_in(value: Any) -> str:
    """What a field holds for people: a text, {answer: text}, parts with a text each, or else its JSON."""
    if isinstance(value, str) or value is None:
        return value or ""
    if is_object(value):
        parts = [value[key] for key in ("answer", "text", "content") if isinstance(value.get(key), str)]
        return parts[0] if parts else msgspec.json.encode(value).decode()
    return "\n".join(map(said_in, value)) if is_list(value) else str(value)


def number_in(row: dict[str, Any], key: str) -> float | None:
    """A number; None for anything else."""
    value = row.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def label_probabilities(value: Any) -> dict[str, float] | None:
    """The probabilities of the five labels; None for anything else, also for numbers that are no probabilities."""
    if not is_object(value) or set(value) != set(LABELS):
        return None
    found = {label: number_in(value, label) for label in LABELS}
    numbers = [number for number in found.values() if number is not None and 0 <= number <= 1]
    return dict(zip(LABELS, numbers)) if len(numbers) == len(LABELS) and abs(sum(numbers) - 1) < 1e-6 else None


def _numbers(value: Any) -> dict[str, float] | None:
    """Numbers by name; None for anything else, which other programs may write under the same key."""
    return value if is_object(value) and all(isinstance(each, (int, float)) for each in value.values()) else None


def how_had(game: dict[str, Any]) -> dict[str, Any]:
    """What a game's row says of how it was played and read; what cannot be read is None."""
    by, unknown = game.get("verdict_by"), number_in(game, "label_probabilities_unknown")
    return {
        "truncated": _numbers(game.get("truncated")),
        "verdict_by": by if isinstance(by, str) else None,
        "label_probabilities": label_probabilities(game.get("label_probabilities")),
        "label_probabilities_unknown": unknown,
    }
