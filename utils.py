"""What the scripts share: how they start and end, configs, records, and running many calls at once.

Config files become checked settings, JSONL files become records; `chat_completion`, the one call to
a model, is handed on from arena_hard.calls.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import signal
import sys
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from arena_hard import bounds, jsonl, manifest, settings
from arena_hard.batch import Mailbox, Waiting
from arena_hard.calls import (
    Clock,
    Model,
    Models,
    chat_completion,
    finish_reason_of,
    request_body,
    total_usage,
    width,
)
from arena_hard.costs import Account
from arena_hard.paths import Bench, file_name
from arena_hard.providers import provider_of
from arena_hard.providers.base import CallError, Message, Reply
from arena_hard.providers.batches import batches_of
from arena_hard.providers.recorded import recording_row
from arena_hard.records import (
    Answer,
    Judgment,
    Question,
    UserError,
    answer_from_row,
    judgment_from_row,
    question_from_row,
)
from arena_hard.replies import KeptReplies
from arena_hard.sample import sample
from arena_hard.settings import AnswerSettings, JudgeSettings, ModelSettings
from arena_hard.writer import RecordWriter

__all__ = ["Clock", "Model", "Models", "chat_completion", "finish_reason_of", "total_usage", "width"]

J = TypeVar("J")

ERROR_MARK = "$ERROR$"  # what the original wrote in place of an answer that it could not get

# ------------------------------------------------------------------------------------- scripts


def run_main(main: Callable[[], int]) -> None:
    """Run a script: a user's mistake is one message and exit code 2, Ctrl-C is 130."""
    warnings.showwarning = functools.partial(_show_warning, warnings.showwarning)
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):  # end like Ctrl-C: what was started is stopped
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup wants a run to outlive its terminal
                signal.signal(number, signal.default_int_handler)
        code = main()
        sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("\nstopped; what has arrived is kept, and the same command goes on from there.", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output (head, less) has gone
        code = 0
    except OSError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}. Check the path and who may use it.", file=sys.stderr)
        code = 2
    sys.exit(code)


def _show_warning(others: Callable[..., None], message: Warning | str, kind: type[Warning], *place: Any) -> None:
    """A torn line is a note for people; Python shows it once for each file."""
    if issubclass(kind, jsonl.TornLine):
        print(f"note: {message}", file=sys.stderr)
    else:
        others(message, kind, *place)


def parser(doc: str, examples: str) -> argparse.ArgumentParser:
    """An argument parser that shows examples under its help, with the flags that every script has."""
    made = argparse.ArgumentParser(
        description=doc,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--data-dir", type=Path, default=Path("data"), help="folder with the benches (default: data)")
    return made


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The flags that choose what to run, alike for answers and judgments."""
    group = parser.add_argument_group("what to run")
    group.add_argument("--models", nargs="+", metavar="MODEL", help="these models instead of model_list")
    group.add_argument("--limit", type=int, metavar="N", help="only the first N questions")
    group.add_argument("--sample", type=int, metavar="N", help="N questions, a share of each cluster; seeded, nested")
    group.add_argument("--question-ids", type=Path, metavar="FILE", help="only the question ids in FILE, one a line")
    group.add_argument("--only-failed", action="store_true", help="only what failed in earlier runs")
    group.add_argument(
        "--redo",
        nargs="+",
        metavar="MODEL",
        default=[],
        help="ask again for these models: for records made with other settings, or for all where none were",
    )
    group.add_argument(
        "--keep-mixed", action="store_true", help="go on where cached records were made with other settings"
    )
    group.add_argument("--dry-run", action="store_true", help="print the plan and one full request; send nothing")
    money = parser.add_argument_group("what it costs")
    money.add_argument("--quote", action="store_true", help="print requests, tokens, price and time; send nothing")
    money.add_argument("--batch", action="store_true", help="ask by batch, at half the price and within a day")
    money.add_argument(
        "--finish-live", action="store_true", help="with --batch: ask live what a batch brought no reply for"
    )
    money.add_argument("--max-cost", type=float, metavar="DOLLARS", help="stop before the run costs more than this")


def check_selection(args: argparse.Namespace) -> None:
    """Flags that mean nothing together. Raises UserError."""
    if args.finish_live and not args.batch:
        raise UserError("--finish-live: is for --batch. Add --batch, or leave it out: without it all is asked live.")


def chosen_models(args: argparse.Namespace, model_list: list[str]) -> list[str]:
    """The models to run. Raises UserError for a --redo of a model that is not among them."""
    names = list(dict.fromkeys(args.models or model_list))
    for name in args.redo:
        if name not in names:
            raise UserError(f"--redo {name}: not among the models to run. {settings.suggestion(name, set(names))}")
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
        raise UserError(f"--question-ids {file}: the file names no question. Write one id a line.")
    known = {question.question_id for question in questions}
    for number, key in enumerate(wanted, 1):
        if key not in known:
            raise UserError(f"{file}: entry {number}, {key!r}, is no question of this bench. Remove it.")
    listed = set(wanted)
    return [question for question in questions if question.question_id in listed]


def records_to_redo(
    args: argparse.Namespace,
    file: Path,
    name: str,
    found: dict[str, str | None],
    today: dict[str, dict[str, Any]],
) -> set[str]:
    """Which cached records are asked for again, and a check that nothing is mixed in silence.

    found: settings_hash of each cached record by question id; today: today's settings by question id.
    Raises UserError when records were made with other settings and no flag says what to do.
    """
    hashes = {id(values): settings.short_hash(values) for values in {id(v): v for v in today.values()}.values()}
    wanted = {key: hashes[id(values)] for key, values in today.items()}
    other = manifest.differing({key: found[key] for key in found if key in today}, wanted)
    if name in args.redo:
        return set(other or [key for key in found if key in today])
    if other and not args.keep_mixed:
        raise UserError(manifest.mixed_message(file, name, other, found, today))
    return set()


def print_request(model: ModelSettings, messages: list[Message], temperature: float, max_tokens: int) -> None:
    """One request as it would go over the wire (--dry-run)."""
    import json

    body = request_body(model, messages, temperature, max_tokens)
    print(f"\none request to {model.name} ({model.api_type}):")
    print(json.dumps(body, indent=2, ensure_ascii=False))


# ------------------------------------------------------------------------------------- configs


def load_yaml(file: Path) -> dict[str, Any]:
    """A YAML file that holds keys. Raises UserError with the line of a mistake."""
    import yaml

    class Loader(yaml.SafeLoader):
        """A key written twice would win over the first one in silence; a bad date would be a traceback."""

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except ValueError as error:
                line = node.start_mark.line + 1
                raise UserError(f"{file}:{line}: {error}. Put the value into quotes if it is meant as text.") from None

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key_node, _ in node.value:
                key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
                if key in seen and key != "<<":
                    line = key_node.start_mark.line + 1
                    raise UserError(f"{file}:{line}: the key {key!r} is there twice. Remove one of the two.")
                seen.add(key or str(id(key_node)))
            return super().construct_mapping(node, deep)

    try:
        with open(file, encoding="utf-8") as stream:
            values = yaml.load(stream, Loader)
    except FileNotFoundError:
        raise UserError(f"{file} does not exist. Name the right file, or run from the project's folder.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{_yaml_place(file, error)} Mend the line; indent with spaces, not tabs.") from None
    if not isinstance(values, dict):
        raise UserError(f"{file} is not a config: it should hold keys with values (name: value).")
    return values


def _yaml_place(file: Path, error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{file}:{mark.line + 1}" if mark else str(file)
    return f"{place}: not readable as YAML ({getattr(error, 'problem', None) or error})."


def load_answer_settings(file: Path) -> AnswerSettings:
    """gen_answer_config.yaml. Raises UserError."""
    loaded = settings.parse(load_yaml(file), AnswerSettings, str(file))
    if loaded.num_choices < 1:
        raise UserError(f"{file}: num_choices must be at least 1.")
    bounds.check_sampling(str(file), loaded)
    _check_models(file, loaded.model_list)
    return loaded


def load_judge_settings(file: Path) -> JudgeSettings:
    """judge_config.yaml. Raises UserError, also for a pattern or template that cannot work."""
    from arena_hard import verdicts

    loaded = settings.parse(load_yaml(file), JudgeSettings, str(file))
    bounds.check_sampling(str(file), loaded)
    if loaded.number_of_judgment_attempts < 1:
        raise UserError(f"{file}: number_of_judgment_attempts must be at least 1.")
    if loaded.reference and not loaded.references:
        raise UserError(f"{file}: reference is true but ref_model names no model. Name one, or set reference: false.")
    _check_patterns(file, loaded)
    if not loaded.prompt_template:
        raise UserError(f"{file}: prompt_template is empty. It holds the user message for the judge.")
    for number, template in enumerate(loaded.prompt_template, 1):
        _check_template(f"{file}: prompt_template {number}", template, verdicts)
    _check_models(file, loaded.model_list)
    return loaded


def _check_models(file: Path, models: list[str]) -> None:
    if not models:
        raise UserError(f"{file}: model_list is empty. Name at least one model of the endpoint file.")
    twice = sorted({model for model in models if models.count(model) > 1})
    if twice:
        raise UserError(f"{file}: model_list names {', '.join(twice)} twice.")


def _check_patterns(file: Path, loaded: JudgeSettings) -> None:
    import re

    try:
        patterns = loaded.patterns
    except re.error as error:
        raise UserError(f"{file}: regex_pattern is no regular expression ({error}).") from None
    for pattern in patterns:
        if pattern.groups != 1:
            raise UserError(
                f"{file}: regex_pattern {pattern.pattern!r} has {pattern.groups} groups and needs exactly one, "
                f"around the label: {settings.DEFAULT_PATTERN}"
            )


def _check_template(where: str, template: str, verdicts: Any) -> None:
    try:
        fields = verdicts.fields_of(template)
    except ValueError as error:
        raise UserError(f"{where}: {error}. Write {{{{ and }}}} for braces that are meant as text.") from None
    for name in sorted(fields):
        if not verdicts.is_placeholder(name):
            known = {"question_1", "answer_1", "answer_2", "ref_answer_1", "QUESTION", "ANSWER_A", "ANSWER_B"}
            raise UserError(f"{where}: unknown placeholder {{{name}}}. {settings.suggestion(name, known)}")


def load_models(file: Path, names: Iterable[str]) -> list[ModelSettings]:
    """The entries of api_config.yaml for these names. Raises UserError for those that are missing."""
    entries = load_yaml(file)
    names = list(names)
    missing = [name for name in names if name not in entries]
    if missing:
        known = {str(name) for name in entries}
        raise UserError(
            f"{file} has no endpoint for {', '.join(missing)}. {settings.suggestion(missing[0], known)} "
            "Add an entry with model_name, endpoints and api_type (README.md shows one)."
        )
    return [_model_settings(file, name, entries[name]) for name in names]


def _model_settings(file: Path, name: str, values: Any) -> ModelSettings:
    import msgspec

    loaded = settings.parse(values, ModelSettings, f"{file}: {name}")
    bounds.check_model(f"{file}: {name}", loaded)
    loaded = msgspec.structs.replace(loaded, name=name)
    provider_of(loaded)
    return loaded


# ------------------------------------------------------------------------------------- records


def load_questions(bench: Bench) -> list[Question]:
    """The questions in the order of the file. Raises UserError for a bad or torn line or an id that is there twice."""
    bench.check()
    questions = list(jsonl.read(bench.question_file, question_from_row, complete=True))
    if not questions:
        raise UserError(f"{bench.question_file} holds no question.")
    seen: set[str] = set()
    for question in questions:
        if question.question_id in seen:
            raise UserError(
                f"{bench.question_file}: question_id {question.question_id} is there twice. Remove one of the two."
            )
        seen.add(question.question_id)
    return questions


def load_answers(file: Path) -> dict[str, Answer]:
    """Answers by question_id, the last of several; empty when there is no file.

    What the original wrote for a failed call is no answer.
    """
    if not file.is_file():
        return {}
    answers = {answer.question_id: answer for answer in jsonl.read(file, answer_from_row)}
    return {key: answer for key, answer in answers.items() if not has_error_mark(answer)}


def has_error_mark(answer: Answer) -> bool:
    """Whether the original wrote this record for a call that failed."""
    return any(turn.content == ERROR_MARK for turns in answer.choices for turn in turns)


def load_judgments(file: Path) -> dict[str, Judgment]:
    """Judgments by question_id, the last of several; empty when there is no file."""
    if not file.is_file():
        return {}
    return {judgment.question_id: judgment for judgment in jsonl.read(file, judgment_from_row)}


def put_in_order(file: Path, questions: list[Question]) -> None:
    """Sort a finished record file by question, the last line of each: equal runs leave equal files.

    The bootstrap draws rows by their place in the file, so the order is part of the result. Lines
    that a later one replaced are kept in FILE.superseded.
    """
    place = {question.question_id: index for index, question in enumerate(questions)}
    jsonl.sort(file, place, file.with_name(file.name.removesuffix(".jsonl") + ".superseded"))


# ----------------------------------------------------------------------------------------- runs


async def run_jobs(jobs: Iterable[J], work: Callable[[J], Awaitable[None]], width: int) -> None:
    """Work on the jobs, `width` at a time; the first exception stops all and is raised."""
    queue: Iterator[J] = iter(jobs)

    async def worker() -> None:
        for job in queue:  # one iterator for all workers: each job is taken once
            await work(job)

    await _all_of(worker() for _ in range(width))


async def run_groups(
    groups: Sequence[tuple[Iterable[J], int]], work: Callable[[J], Awaitable[None]]
) -> None:
    """Run several groups of jobs side by side, each with its own width."""
    await _all_of(run_jobs(jobs, work, width) for jobs, width in groups)


async def _all_of(parts: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run the parts side by side; when one raises, the others are stopped before it is raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run_exchanges(
    groups: Sequence[tuple[Iterable[J], int]],
    work: Callable[[J], Awaitable[None]],
    mailboxes: list[Mailbox],
    account: Account,
) -> None:
    """Run groups of jobs; those that wait for a batch run again when it has come. Raises UserError."""
    waiting: list[J] = []

    async def attempt(job: J) -> None:
        try:
            await work(job)
        except Waiting:
            waiting.append(job)

    try:
        if any(mailbox.busy for mailbox in mailboxes):
            await asyncio.gather(*(mailbox.exchange() for mailbox in mailboxes))
        while groups:
            await run_groups(groups, attempt)
            await asyncio.gather(*(mailbox.exchange() for mailbox in mailboxes))
            await account.batches_came_back()
            groups = [(list(waiting), 64)] if waiting else []
            waiting.clear()
    except CallError as error:
        raise UserError(f"--batch: {error.message}. Mend it and run the same command again.") from None


@contextlib.contextmanager
def posting(bench: Bench, stage: str, models: list[Model], args: argparse.Namespace) -> Iterator[list[Mailbox]]:
    """With --batch, a mailbox for each model; it is put away when all records are written. Raises UserError."""
    with contextlib.ExitStack() as stack:
        boxes: list[Mailbox] = []
        for model in models if args.batch else []:
            batches = batches_of(model.settings.api_type, model.endpoints[0].client)
            if batches is None:
                raise UserError(f"{model.settings.name}: no batches for api_type {model.settings.api_type}.")
            folder = bench.folder / "batch" / f"{stage} {file_name(model.settings.name)}"
            model.mailbox = stack.enter_context(Mailbox(folder, batches, model.adapter, _say, args.finish_live))
            if args.redo and not model.mailbox.busy:
                model.mailbox.archive()  # to ask anew is not to read the old replies again
            boxes.append(model.mailbox)
        yield boxes


def _say(text: str) -> None:
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)


def open_model(models: Models, model: ModelSettings, writer: RecordWriter) -> Model:
    """A model ready to be called; with the config key `record`, its replies are recorded. Raises UserError."""
    opened = models.open(model)
    if model.record:
        file = Path(model.record)
        writer.open(file)

        async def record(messages: list[Message], reply: Reply) -> None:
            await writer.write(file, lambda: recording_row(model.model_name, messages, reply))

        opened.record = record
    return opened


def open_unfinished(records: Path, writer: RecordWriter, written: set[str], account: Account) -> KeptReplies:
    """The replies of records that were not finished, kept beside the record file; they have been paid for."""
    kept = KeptReplies(records.with_suffix(".unfinished"), writer, written)
    account.paid_before(kept.keys)
    return kept


def print_costs(account: Account) -> None:
    """What a run has cost, and what its limit left undone; nothing where nothing was asked."""
    lines = account.lines()
    if lines:
        print("\n".join(lines))


def open_output(writer: RecordWriter, file: Path) -> None:
    """Open a record file for writing, and say so when its end had to be repaired. Raises UserError."""
    torn = writer.open(file)
    if torn:
        kept = jsonl.torn_file(file)
        print(f"{file}: a torn last line of {torn} bytes, left by an interrupted run, was moved to {kept.name}.")


