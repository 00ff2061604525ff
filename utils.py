"""What every stage starts with: configs in, the one call to a model, and how a script starts and ends.

Config files become checked settings (`load_answer_settings`, `load_judge_settings`, `load_models`). The one call to
a model, `chat_completion`, is handed on from arena_hard.calling with what it needs.
"""

from __future__ import annotations

import argparse
import errno
import functools
import gc
import signal
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from arena_hard import __version__
from arena_hard.data import config_checks, interrupts, jsonl, secret_sources, settings, streams
from arena_hard.data.name_lists import shortened
from arena_hard.data.places import Place, lines_within
from arena_hard.data.presets import with_usual_values
from arena_hard.data.records import UserError
from arena_hard.data.settings import AnswerSettings, JudgeSettings, ModelSettings
from arena_hard.data.yaml_files import ConfigNote, load_written, load_yaml

if TYPE_CHECKING:
    from arena_hard.calling.calls import chat_completion, finish_reason_of, total_usage, width
    from arena_hard.calling.models import Clock, Model, Models

__all__ = ["Clock", "Model", "Models", "chat_completion", "finish_reason_of", "load_yaml", "total_usage", "width"]
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # such an error comes without the name of a file


def __getattr__(name: str) -> Any:
    """What a call needs is imported when it is asked for: results and pages need none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from arena_hard.calling import calls, models

    globals()[name] = found = getattr(models if hasattr(models, name) else calls, name)
    return found


# ------------------------------------------------------------------------------------- scripts


def run_main(main: Callable[[], int]) -> None:
    """Run a script: a user's mistake is one message and exit code 2, Ctrl-C is 130."""
    gc.freeze()  # what was imported stays, and is shared with copies of the process
    streams.prepare()
    secret_sources.know_environment()
    warnings.showwarning = functools.partial(_show_warning, warnings.showwarning)
    try:
        interrupts.end_in_order()
        for number in (signal.SIGTERM, signal.SIGHUP):  # end like Ctrl-C: what was started is stopped
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup wants a run to outlive its terminal
                signal.signal(number, signal.default_int_handler)
        code = main()
        sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}{streams.locale_remedy(str(error))}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(interrupts.SAID, file=sys.stderr)
        code = interrupts.CODE
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output (head, less) has gone
        code = 0
    except UnicodeEncodeError as error:
        if error.encoding != sys.getfilesystemencoding():
            raise
        print(
            f"error: {error.object!r} is not a valid file name.{streams.locale_remedy(error.object)}", file=sys.stderr
        )
        code = 2
    except OSError as error:
        if error.filename is None and error.errno not in _FULL:
            raise
        if error.filename is None:
            streams.give_up_output()
        where = error.filename or "a file or the output"
        advice = "Free some space" if error.errno in _FULL else "Check the path and its permissions"
        print(f"error: {where}: {error.strerror}. {advice}, then run again.", file=sys.stderr)
        code = 2
    sys.exit(code)


def _show_warning(others: Callable[..., None], message: Warning | str, kind: type[Warning], *place: Any) -> None:
    """A torn line or a remark on a file is a note for people; Python shows each once."""
    if issubclass(kind, (jsonl.Remark, ConfigNote)):
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
    add_version(made)
    made.add_argument("--data-dir", type=Path, default=Path("data"), help="folder with the benchmarks (default: data)")
    return made


def add_version(parser: argparse.ArgumentParser) -> None:
    """The flag --version."""
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}", help="print the version and exit"
    )


# ------------------------------------------------------------------------------------- configs


def load_answer_settings(file: Path) -> AnswerSettings:
    """gen_answer_config.yaml. Raises UserError."""
    return settings.parse(load_written(file), AnswerSettings, str(file))


def load_judge_settings(file: Path) -> JudgeSettings:
    """judge_config.yaml. Raises UserError, also for a pattern or template that cannot work."""
    place = Place(str(file), with_usual_values(load_written(file)))
    loaded, place = settings.parse_with_place(place, JudgeSettings)
    config_checks.check_judge_settings(place, loaded)
    return loaded


def load_models(file: Path, names: Iterable[str]) -> list[ModelSettings]:
    """The entries of api_config.yaml for these names. Raises UserError for those that are missing."""
    entries = Place(str(file), load_written(file))
    for name, entry in entries.value.items():
        secret_sources.know_config(entry, name)
    config_checks.note_misplaced(entries)
    names = list(names)
    missing = [name for name in names if name not in entries.value]
    if missing:
        raise UserError(
            f"{file} has no endpoint for {shortened(missing)}. {config_checks.missing_entry(entries, missing[0])}"
        )
    return [_model_settings(file, entries.at(name), name) for name in names]


def _model_settings(file: Path, entry: Place, name: str) -> ModelSettings:
    from arena_hard.calling.providers.registry import settled

    loaded, place = settings.parse_with_place(entry, ModelSettings)
    config_checks.check_model(place, loaded)
    named = msgspec.structs.replace(loaded, name=name, lines=lines_within(place))
    try:
        return settled(named, file.parent)
    except UserError as error:
        raise UserError(f"{place.line_only('api_type')}: {error}") from None
