"""Runs of a script until all is there, while they are killed and others change the file that they write."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arena_hard.data.writer import is_being_written
from tests.support.file_changes import SAID, Change, lines_of, some_changes, wait_for_lines
from tests.support.pipeline_bench import Scratch

A_MOMENT = 0.1  # seconds
RUNS = 40  # what is refused for good is asked for by the next run; more than this is a fault of ours


@dataclass
class Disturbed:
    """What the runs came to.

    replies: how many the server has given that a script can take; kills, changes: of each script.
    lost: replies that kills lost; wrong: changes of the file that a run did not speak of, or did not make up for.
    """

    scratch: Scratch
    seed: int
    kills: int
    changes: int
    replies: Callable[[], int]
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    after_each: Callable[[], None] = lambda: None
    runs: int = 0
    lost: int = 0
    outputs: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def until_done(self, script: str, output: Path, wanted: int, each: int) -> None:
        """Run a script until it ends well. wanted: records; each: replies that one of them takes."""
        troubles: list[Change | None] = [*some_changes(self.changes, self._rng), *[None] * self.kills]
        self._rng.shuffle(troubles)
        number = len(troubles)
        for _ in range(RUNS):
            before = self.replies() - each * lines_of(output)
            with self.scratch.start(script, *self.arguments, **self.environment) as process:
                changed, there = list[str](), 0
                while troubles and _gets_to(process, output, wanted * (number - len(troubles) + 1) // (number + 1)):
                    trouble = troubles.pop(0)
                    if trouble is None:
                        time.sleep(self._rng.uniform(0, 0.1))
                        process.kill()
                        break
                    there = lines_of(output)
                    changed += [trouble.__name__] if _changed_in_time(output, trouble) else []
                out, err = process.communicate()
            self.runs += 1
            self.outputs.append(out + err)
            self.after_each()
            if process.returncode == -signal.SIGKILL:
                self.lost += max(0, self.replies() - each * lines_of(output) - before)
            elif changed:
                self._check_made_up_for(changed, there - lines_of(output))
            if process.returncode == 0:
                return
        raise AssertionError(self.outputs[-1])

    def _check_made_up_for(self, changed: Sequence[str], fewer: int) -> None:
        what = ", ".join(changed)
        self.wrong += [f"{what} without a word"] if SAID not in self.outputs[-1] else []
        self.wrong += [f"{fewer} records lost by {what}"] if fewer > 0 else []

    def broken(self) -> list[str]:
        """Promises that every run keeps."""
        return self.wrong + (["an error of Python's"] if any("Traceback" in each for each in self.outputs) else [])


def _gets_to(process: subprocess.Popen[str], output: Path, lines: int) -> bool:
    """Whether a run is still at work when its file has so many lines, and not about to end with the last of them."""
    wait_for_lines(output, lines, lambda: process.poll() is not None)
    time.sleep(A_MOMENT)
    return process.poll() is None and is_being_written(output)


def _changed_in_time(output: Path, change: Change) -> bool:
    """Change a file; what came when the run was about to let go of it is undone, for nobody could make up for it."""
    before = output.read_bytes()
    change(output)
    time.sleep(A_MOMENT)
    if is_being_written(output):
        return True
    if lines_of(output) < before.count(b"\n"):
        output.write_bytes(before)
    return False


def wrong_ids(name: str, found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Records that are doubled, lost or out of order."""
    broken = [f"{len(found) - len(set(found))} {name} doubled"] if len(set(found)) < len(found) else []
    broken += [f"{len(set(wanted) - set(found))} {name} lost"] if set(wanted) - set(found) else []
    return broken or ([f"{name} that are not wanted or out of order"] if list(found) != list(wanted) else [])
