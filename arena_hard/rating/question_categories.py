"""Which category question.jsonl puts each question in, and what tells whether that is still so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from arena_hard.data.record_folder import is_there
from arena_hard.data.record_index import mark_of
from arena_hard.data.typed_jsonl import Reader


class _Question(msgspec.Struct):
    question_id: str = ""
    uid: str = ""
    category: str | None = None


def question_categories(file: Path) -> dict[str, str]:
    """The category of each question by id; empty without a question file. Raises UserError."""
    if not is_there(file):
        return {}
    reader: Reader[_Question] = Reader(_Question)
    found = {row.question_id or row.uid: row.category or "" for rows in reader.blocks(file) for row in rows}
    reader.check_ids(file, found)
    return found


def fingerprints(category_of: Mapping[str, str]) -> dict[str, str]:
    """A digest of the questions of each category, whatever their order; those without a category have none."""
    questions: dict[str, list[str]] = {}
    for question, category in category_of.items():
        questions.setdefault(category, []).append(question)
    return {category: mark_of(sorted(ids)).hex() for category, ids in sorted(questions.items()) if category}
