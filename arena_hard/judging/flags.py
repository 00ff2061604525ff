"""The flags of gen_judgment.py that only judging has: judging again, and stopping early."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from arena_hard.data.records import UserError
from arena_hard.judging.stage import Candidate, Stage

if TYPE_CHECKING:  # it imports numpy
    from arena_hard.judging.stopping import Looks


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    parser.add_argument(
        "--retry-unreadable",
        action="store_true",
        help="judge again where an earlier judgment holds a game without a readable verdict",
    )
    waves = parser.add_argument_group("stop early", "judge in waves of questions, and stop when enough is known")
    waves.add_argument(
        "--until-width", type=float, metavar="POINTS", help="until every 95%% interval is at most POINTS wide"
    )
    waves.add_argument(
        "--until-decided",
        nargs=2,
        metavar="MODEL",
        help="until it is clear which of two models is better; one may be the baseline",
    )


def check_judging(args: argparse.Namespace) -> None:
    """Raises UserError for flags that can never stop a run."""
    if args.until_width is not None and not 0 < args.until_width < math.inf:
        raise UserError(f"--until-width {args.until_width:g}: must be a number above 0 points.")
    if args.until_decided and len(set(args.until_decided)) < 2:
        raise UserError("--until-decided: the two models are the same. Name the two to compare.")


def planned_looks(stage: Stage, candidates: list[Candidate]) -> Looks | None:
    """The looks of --until-width and --until-decided, None without them. Raises UserError."""
    pair = stage.args.until_decided
    if stage.args.until_width is None and pair is None:
        return None
    from arena_hard.judging.stopping import Goal, Looks

    goal = Goal(stage.args.until_width, tuple(pair) if pair else None, stage.settings.only_baseline or "")
    goal.check({candidate.name for candidate in candidates})
    return Looks(goal, len(stage.questions))
