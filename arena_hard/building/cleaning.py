"""The second step: what is too short or too long, has several turns, or should not be published, goes no further."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from arena_hard.building import personal_data
from arena_hard.building.parallel import in_order
from arena_hard.building.reading import batches, texts_of
from arena_hard.building.settings import CleanSettings
from arena_hard.building.steps import Context, Output, Step
from arena_hard.building.tables import Table, arrow

if TYPE_CHECKING:
    import pyarrow as pa

PATTERNS = 2  # raised with the patterns of personal data, so that what was cleaned by others is cleaned anew
_MARKS = re.compile(r"\bNAME_\d+\b")  # what LMSYS-Chat-1M has in the place of names
Reason = Callable[["Prompt", CleanSettings], bool]


class Prompt(msgspec.Struct):
    """What a row is judged by."""

    text: str
    n_user_turns: int
    flags: set[str]


class CleanStep(Step):
    """Keep the conversations that can become questions."""

    name = "clean"
    needs = ("read",)

    def made_from(self, context: Context) -> dict[str, Any]:
        return {"clean": msgspec.to_builtins(context.settings.clean), "patterns": PATTERNS}

    def run(self, context: Context, rows: Table | None, out: Output) -> None:
        assert rows is not None
        work = functools.partial(cleaned, context.settings.clean)
        for count, table, dropped in in_order(work, batches(rows), context.processes):
            for reason, examples in dropped.items():
                out.drop(reason, examples)
            out.write(table)
            out.advance(count)


def cleaned(settings: CleanSettings, table: pa.Table) -> tuple[int, pa.Table, dict[str, list[tuple[str, str]]]]:
    """The number of rows, those that stay, and (id, text) of the others by the reason why they go."""
    found = arrow()
    texts = texts_of(table)
    suspicious = found.compute.match_substring_regex(found.array(texts, found.string()), personal_data.ANY).to_pylist()
    rows = zip(
        table.column("id").to_pylist(), texts, table.column("n_user_turns").to_pylist(),
        table.column("flags").to_pylist(), suspicious,
    )  # fmt: skip
    dropped: dict[str, list[tuple[str, str]]] = {}
    stay: list[bool] = []
    all_flags: list[list[str]] = []
    for key, text, turns, flags, suspect in rows:
        prompt = Prompt(text, turns, set(flags))
        if _MARKS.search(text):
            prompt.flags.add("redacted")
        reason = next((name for name, applies in _REASONS.items() if applies(prompt, settings)), None)
        if reason is None and suspect:
            reason = _with_personal_data(prompt, settings)
        if reason is not None:
            dropped.setdefault(reason, []).append((key, personal_data.masked(text) if suspect else text))
        stay.append(reason is None)
        all_flags.append(sorted(prompt.flags))
    at = table.schema.get_field_index("flags")
    flagged = table.set_column(at, table.schema.field(at), found.array(all_flags, found.list_(found.string())))
    return table.num_rows, flagged.filter(found.array(stay, found.bool_())), dropped


def _with_personal_data(prompt: Prompt, settings: CleanSettings) -> str | None:
    kinds = personal_data.personal_data(prompt.text)
    prompt.flags.update(kinds)
    return f"personal data ({kinds[0]})" if kinds and settings.personal_data == "drop" else None


_REASONS: dict[str, Reason] = {
    "several user turns": lambda prompt, settings: settings.turns == "single" and prompt.n_user_turns > 1,
    "with an image": lambda prompt, settings: "image" in prompt.flags,
    "with an attachment": lambda prompt, settings: "attachment" in prompt.flags,
    "moderated": lambda prompt, settings: settings.moderation == "drop" and "moderation" in prompt.flags,
    "with redacted names": lambda prompt, settings: settings.redacted == "drop" and "redacted" in prompt.flags,
    "too short": lambda prompt, settings: len(prompt.text.strip()) < settings.min_characters,
    "too long": lambda prompt, settings: len(prompt.text) > settings.max_characters,
}
