"""The texts of some prompts, by their ids."""

from __future__ import annotations

from collections.abc import Sequence

from arena_hard.building.steps import Context
from arena_hard.data.records import Question, UserError

TEXTS = "language"  # the step whose table has them


def prompts_in(context: Context, ids: Sequence[str], texts: str = TEXTS) -> list[Question]:
    """The prompts with these ids, in the order of the ids. Raises UserError for one whose text is not there."""
    wanted, found = set(ids), dict[str, tuple[str, ...]]()
    for part in context.table(texts).parts(["id", "turns"]):
        keys = part.column("id").to_pylist()
        if wanted.isdisjoint(keys):
            continue
        for key, turns in zip(keys, part.column("turns").to_pylist()):
            if key in wanted:
                found[key] = tuple(turns)
    if missing := next((key for key in ids if key not in found), None):
        raise UserError(
            f"{context.folder}: the prompt {missing} is not among those of the step {texts}. Run build_bench.py --from "
            f"{texts}; the labels stay."
        )
    return [Question(key, found[key]) for key in ids]


def examples_of(context: Context, ids: Sequence[str]) -> list[tuple[str, str]]:
    """(id, text) of some prompts, for the pictures that steps leave of what they dropped."""
    return [(prompt.question_id, "\n".join(prompt.turns)) for prompt in prompts_in(context, ids)]
