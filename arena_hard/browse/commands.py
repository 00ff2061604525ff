"""The commands that pages suggest, with the data folder and the judge's config that the browser was started with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import NamedTuple

from arena_hard.showing.config_values import CONFIG

DATA_DIR = Path("data")  # what the scripts take where nothing is said, as CONFIG


class Commands(NamedTuple):
    """Command lines that can be copied; a flag stands in them where its value is not the scripts' own."""

    data_dir: Path = DATA_DIR
    config_file: Path = CONFIG

    def answer(self, *more: str) -> str:
        """gen_answer.py with more flags."""
        return shlex.join(["python", "gen_answer.py", *self._folder(), *more])

    def judge(self, *more: str) -> str:
        """gen_judgment.py with more flags."""
        config = [] if self.config_file == CONFIG else ["--setting-file", str(self.config_file)]
        return shlex.join(["python", "gen_judgment.py", *config, *self._folder(), *more])

    def answer_again(self, model: str, question: str) -> str:
        """What replaces an answer that is there."""
        return self._once(question) + self.answer("--models", model, *_AGAIN, model)

    def judge_again(self, model: str, question: str) -> str:
        """What replaces a judgment that is there."""
        return self._once(question) + self.judge("--models", model, *_AGAIN, model)

    def _folder(self) -> list[str]:
        return [] if self.data_dir == DATA_DIR else ["--data-dir", str(self.data_dir)]

    def _once(self, question: str) -> str:
        return f"printf '%s\\n' {shlex.quote(question)} > {_IDS}\n"


_IDS = "ids.txt"
_AGAIN = ("--question-ids", _IDS, "--redo")
