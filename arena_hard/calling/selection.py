"""What a run is to ask for: the flags that choose it, alike for answers and judgments, and what they mean."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from arena_hard.calling import manifest
from arena_hard.calling.calls import request_body
from arena_hard.calling.origins import origins
from arena_hard.calling.providers.base import Message
from arena_hard.calling.redo import left_of
from arena_hard.data import settings
from arena_hard.data.columns import Column
from arena_hard.data.name_lists import counted, suggestion
from arena_hard.data.records import Question, UserError
from arena_hard.data.sample import sample
from arena_hard.data.settings import ModelSettings


def add_config_files(parser: argparse.ArgumentParser, setting_file: str, what: str, where: str) -> None:
    """The flags that name the stage's config and the endpoint file. what, where: what these say, for --help."""
    parser.add_argument("--setting-file", type=Path, default=Path(setting_file), help=f"{what} (default: %(default)s)")
    parser.add_argument(
        "--endpoint-file",
        type=Path,
        default=Path("config/api_config.yaml"),
        help=f"{where} (default: %(default)s)",
    )


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The flags that choose what to run, alike for answers and judgments."""
    group = parser.add_argument_group("what to run")
    group.add_argument("--models", nargs="+", metavar="MODEL", help="these models instead of model_list")
    group.add_argument("--limit", type=int, metavar="N", help="only the first N questions")
    group.add_argument("--sample", type=int, metavar="N", help="N questions, a share of each cluster; seeded, nested")
    group.add_argument("--question-ids", type=Path, metavar="FILE", help="only the question ids in FILE, one per line")
    group.add_argument("--only-failed", action="store_true", help="only what failed in earlier runs")
    group.add_argument(
        "--redo",
        nargs="+",
        metavar="MODEL",
        default=[],
        help="regenerate these models: records made with other settings or, if there are none, all records",
    )
    group.add_argument(
        "--keep-mixed", action="store_true", help="continue although cached records were made with other settings"
    )
    group.add_argument("--dry-run", action="store_true", help="print the plan and one full request; send none")
    add_costs(parser, "what it costs", "print requests, tokens, price and time; send none")


def add_costs(parser: argparse.ArgumentParser, title: str, quote: str) -> None:
    """The flags of what calls cost, alike for all that is asked for. quote: the help of --quote."""
    money = parser.add_argument_group(title)
    money.add_argument("--quote", action="store_true", help=quote)
    money.add_argument(
        "--batch", action="store_true", help="use the provider's batch interface: half the price, within a day"
    )
    money.add_argument(
        "--finish-live", action="store_true", help="with --batch: send live whatever the batch returned no reply for"
    )
    money.add_argument("--max-cost", type=float, metavar="DOLLARS", help="stop before the run costs more than this")


def check_selection(args: argparse.Namespace) -> None:
    """Flags that mean nothing together. Raises UserError."""
    if args.finish_live and not args.batch:
        raise UserError(
            "--finish-live only applies to --batch. Add --batch, or drop it: without --batch everything is sent live."
        )


def chosen_models(args: argparse.Namespace, model_list: list[str]) -> list[str]:
    """The models to run, each once. Raises UserError for none, or a --redo of a model that is not among them."""
    names = list(dict.fromkeys(args.models or model_list))
    if not names:
        raise UserError(
            f"{args.setting_file}: model_list is empty. Name at least one model of the endpoint file, there or with "
            "--models."
        )
    for name in args.redo:
        if name not in names:
            raise UserError(f"--redo {name}: not among the models to run. {suggestion(name, set(names))}")
    return names


def chosen_questions(args: argparse.Namespace, questions: list[Question]) -> list[Question]:
    """The questions to run. Raises UserError for a bad --limit or an id that the bench has not."""
    if args.question_ids is not None:
        questions = _listed(args.question_ids, questions)
    if args.sample is not None:
        questions = sample(questions, args.sample)
    if args.limit is not None and args.limit < 1:
        raise UserError(f"--limit {args.limit}: must be at least 1.")
    return questions[: args.limit]


def _listed(file: Path, questions: list[Question]) -> list[Question]:
    try:
        wanted = file.read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--question-ids {file} cannot be read: {error}.") from None
    if not wanted:
        raise UserError(f"--question-ids {file}: the file names no question. Write one id per line.")
    known = {question.question_id for question in questions}
    for number, key in enumerate(wanted, 1):
        if key not in known:
            raise UserError(f"{file}: entry {number}, {key!r}, is not a question of this benchmark. Remove it.")
    listed = set(wanted)
    return [question for question in questions if question.question_id in listed]


def records_to_redo(
    args: argparse.Namespace,
    file: Path,
    name: str,
    found: Mapping[str, str | None],
    today: Column[dict[str, Any]],
    changed: Set[str] = frozenset(),
    what: tuple[str, str] = ("", ""),
) -> set[str]:
    """Which cached records are asked for again, and a check that nothing is mixed in silence.

    found: settings_hash of each cached record by question id; today: today's settings by question id; changed: the
    ids of records that are out of date for another reason, which `what` tells of one, and of several. A --redo makes
    what is out of date, or all where nothing is; one that was broken off makes the rest.
    Raises UserError when records were made with other settings and no flag says what to do.
    """
    other = manifest.differing(found, today.mapped(settings.short_hash))
    if name in args.redo:
        there, missing = found.keys() & today.keys(), today.keys() - found.keys()
        return {*changed, *other} or left_of(manifest.broken_off_redo(file), there, missing)
    if other and not args.keep_mixed:
        raise UserError(manifest.mixed_message(file, name, other, found, today))
    if changed and not args.keep_mixed:
        raise UserError(
            f"{file}: {counted(len(changed), *what)}. --redo {name} asks for them again, "
            "--keep-mixed keeps them as they are."
        )
    return set()


def redo_name(args: argparse.Namespace, model: str) -> str:
    """A name of its own for the --redo of a model; empty where it is not asked for."""
    return f"{time.time():.6f}" if model in args.redo else ""


def print_request(
    model: ModelSettings, messages: list[Message], temperature: float, max_tokens: int, logprobs: bool = False
) -> None:
    """One request as it would go over the wire (--dry-run)."""
    body = request_body(model, messages, temperature, max_tokens, logprobs)
    addresses = [each if " " in each else f"{each} at its own address" for each in origins(model)]
    print(f"\none request to {model.name} ({'; '.join(addresses)}):")
    print(json.dumps(body, indent=2, ensure_ascii=False))
