"""When judging may stop: the goals of --until-width and --until-decided, looked at after each wave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from arena_hard.calling import manifest
from arena_hard.data.known_records import Played
from arena_hard.data.name_lists import counted, suggestion
from arena_hard.data.records import Question, UserError
from arena_hard.rating import sequential
from arena_hard.rating.arrays import FloatArray
from arena_hard.rating.stopped import Looked

Totals = Mapping[str, tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Goal:
    """What is to be known: each score's interval so narrow (points), and which of two models is better.

    baseline: the only one of all questions, which one of the two may be; empty where there are several.
    """

    width: float | None
    decided: tuple[str, str] | None
    baseline: str = ""

    def check(self, names: set[str]) -> None:
        """Raises UserError for a goal that these models cannot reach."""
        if not names:
            raise UserError("there is no model to judge but the baseline. Add models to model_list, or name them.")
        for name in self.decided or ():
            if name not in names | {self.baseline}:
                known = names | ({self.baseline} - {""})
                raise UserError(f"--until-decided {name}: not among the models to judge. {suggestion(name, known)}")

    def met(self, totals: Totals, boundary: float) -> tuple[bool, str]:
        """Whether enough is known, and what is known. `totals`: of each model as sequential.totals gives them."""
        enough, said = True, []
        if self.decided:
            first, second = self.decided
            fixed = (first == self.baseline, second == self.baseline)
            found = sequential.look_at(self._of(first, totals), self._of(second, totals), boundary, fixed)
            low, high = found.interval
            verdict = "decided" if found.decided else "not decided"
            said.append(f"{first} − {second} = {found.difference:+.1f} points ({low:+.1f} to {high:+.1f}), {verdict}")
            enough = found.decided
        if self.width is not None:
            widths = {name: sequential.width_of(*total, boundary) for name, total in totals.items()}
            widest = max(widths, key=lambda name: widths[name])
            said.append(f"the widest interval is that of {widest}: {widths[widest]:.1f} points")
            enough = enough and widths[widest] <= self.width
        return enough, "; ".join(said)

    def _of(self, name: str, totals: Totals) -> tuple[FloatArray, FloatArray]:
        """A model's totals; the baseline has won half of every question."""
        if name in totals:
            return totals[name]
        ones = np.ones_like(next(iter(totals.values()))[1])
        return ones / 2.0, ones


@dataclass
class Looks:
    """The looks so far. A boundary spends error by the share of the questions that was judged, not planned.

    questions: how many there are in all; judged: how many of them were at each look.
    """

    goal: Goal
    questions: int
    judged: list[int] = field(default_factory=list)

    @property
    def looked(self) -> Looked:
        """What the manifests say of them."""
        return Looked(self.questions, tuple(self.judged), self.goal.decided, self.goal.width)

    def note_in(self, files: Iterable[Path]) -> None:
        """Write them into the manifests of judgment files, for show_result.py to allow for. Raises UserError."""
        for file in files if self.judged else ():
            if file.is_file():
                before = manifest.load(file).get("looks")
                earlier = msgspec.convert(before, Looked) if before else None
                manifest.note(file, "looks", msgspec.to_builtins(self.looked.after(earlier)))

    def look_again(self, judgments: Mapping[str, Mapping[str, Played]], questions: Sequence[Question]) -> Iterator[str]:
        """What was known after each wave, up to the first after which it was enough."""
        seen: list[str] = []
        for wave in sequential.waves(questions):
            seen += [question.question_id for question in wave]
            enough, said = self.look(judgments, seen)
            yield said
            if enough:
                return

    def look(self, judgments: Mapping[str, Mapping[str, Played]], seen: Sequence[str]) -> tuple[bool, str]:
        """Whether enough is known after these questions, and what is known, for people.

        judgments: of each model by question_id. A question counts as judged when every model has it judged.
        """
        judged = [key for key in seen if all(key in of_model for of_model in judgments.values())]
        if len(judged) <= (self.judged[-1] if self.judged else 0):
            return False, f"judged {len(judged)} of {counted(self.questions, 'question')}: nothing new to look at"
        self.judged.append(len(judged))
        boundary = sequential.boundaries(self.looked.shares)[-1]
        totals = {name: sequential.totals(of_model, judged) for name, of_model in judgments.items()}
        enough, said = self.goal.met(totals, boundary)
        return enough, f"judged {len(judged)} of {counted(self.questions, 'question')}: {said}"
