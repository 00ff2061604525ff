"""build_bench.py with the steps of labelling alone, on tables of prompts and topics that a test has made."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import build_bench
import utils
from arena_hard.building.label_steps import label_steps
from arena_hard.building.opinion_step import opinion_steps
from arena_hard.building.settings import BuildSettings
from arena_hard.building.steps import Step


def steps_of(settings: BuildSettings) -> list[Step]:
    """The passes and the second opinion."""
    steps = label_steps(settings)
    return [*steps, *opinion_steps(settings, steps)]


if __name__ == "__main__":
    build_bench.build_steps = steps_of
    utils.run_main(build_bench.main)
