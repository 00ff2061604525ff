"""What the checked reader makes of a file of judgments, to hold the others against it."""

from __future__ import annotations

from pathlib import Path

from arena_hard.data import jsonl
from arena_hard.data.record_folder import is_there
from arena_hard.data.records import Judgment, judgment_from_row


def load_judgments(file: Path) -> dict[str, Judgment]:
    """Judgments by question_id, the last of several; empty when there is no file."""
    if not is_there(file):
        return {}
    return {judgment.question_id: judgment for judgment in jsonl.read(file, judgment_from_row)}
