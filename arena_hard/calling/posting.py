"""The mailbox of a model in a run with --batch: where it lies, and what may stand against one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from pathlib import Path

from arena_hard.calling.batch import Mailbox
from arena_hard.calling.models import Model
from arena_hard.calling.open_batches import check_division
from arena_hard.calling.providers.batches import batches_of
from arena_hard.data.paths import Bench, file_name
from arena_hard.data.records import UserError


def folder_of(bench: Bench, unit: str, model: str, against: Iterable[str], parts: Iterable[str]) -> Path:
    """Where it lies. Runs against other baselines, or over other parts, may go on beside each other.

    against: further baselines of a run's records; parts: which of several runs it is; "" for none of both.
    """
    further, numbers = (sorted(filter(None, set(names))) for names in (against, parts))
    name = " against ".join([f"{unit} by {file_name(model)}", *map(file_name, further)])
    return bench.folder / "batch" / ", ".join([name, *numbers])


def mailbox_of(model: Model, folder: Path, records: Set[str], say: Callable[[str], None], finish_live: bool) -> Mailbox:
    """One that is still to be entered. records: those to be made; say: a line for people. Raises UserError."""
    settings = model.settings
    batches = batches_of(settings.api_type, model.endpoints[0].client)
    if batches is None:
        raise UserError(f"{settings.name}: no batches for api_type {settings.api_type}.")
    check_division(folder)
    return Mailbox(folder, batches, model.adapter, say, finish_live, model=settings, records=records)
