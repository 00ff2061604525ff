"""How the verdicts of a run were had: in the judge's text or asked for, with probabilities or without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from arena_hard.calling.providers.base import Reply
from arena_hard.calling.providers.context_length import too_long
from arena_hard.data.name_lists import counted
from arena_hard.data.records import Judgment
from arena_hard.data.settings import JudgeSettings
from arena_hard.judging.plan import FEWER_ATTEMPTS, is_readable

_ASKING = "verdict: constrained in the setting file would ask for the label alone there"
_REASONS = 5  # that are shown, of why questions for the label failed


class VerdictWays(msgspec.Struct):
    """What is to be said of the verdicts of one run, of all models that a judge judged."""

    settings: JudgeSettings
    ways: Counter[str] = msgspec.field(default_factory=Counter)
    forms: Counter[str] = msgspec.field(default_factory=Counter)
    unanswered: Counter[str] = msgspec.field(default_factory=Counter)
    untried: Counter[str] = msgspec.field(default_factory=Counter)
    unreadable: int = 0
    refused: int = 0
    games: int = 0
    with_odds: int = 0
    unknown: float = 0.0

    def add(
        self,
        judgment: Judgment,
        replies: Sequence[Reply],
        unanswered: Sequence[str] = (),
        untried: Sequence[str] = (),
    ) -> None:
        """A judgment was had that these replies make.

        unanswered: why questions for its labels brought no answer; untried: why further attempts before them did not.
        """
        self.unanswered.update(unanswered)
        self.untried.update(untried)
        self.unreadable += not is_readable(judgment)
        self.forms.update(reply.form for reply in replies if reply.form)
        self.refused += sum(reply.refuses or reply.finish_reason == "content_filter" for reply in replies)
        for game in judgment.games:
            self.games += 1
            self.ways[(game and game.verdict_by) or "none"] += 1
            if game and game.label_probabilities:
                self.with_odds += 1
                self.unknown += game.label_probabilities_unknown or 0.0

    def lines(self) -> list[str]:
        """For people, after the run."""
        asks = self.settings.verdict != "text"
        lines = [f"{self.unreadable} of them hold a game without a readable verdict (score null)."]
        lines = lines if self.unreadable else []
        if lines and not asks and self.settings.baseline:
            lines[0] += f" {_ASKING}."
        if asks and self.games:
            lines += [self._ways(), *self._why_untried(), *self._why_unanswered()]
        if self.settings.verdict == "logprobs" and self.games:
            lines.append(self._odds())
        return lines

    def _ways(self) -> str:
        forms = f" ({', '.join(sorted(self.forms))})" if self.forms else ""
        words = self.ways["words"] + self.ways["none"]
        told = f"{self.ways['text']} in the judge's text, {self.ways['constrained']} asked for with a constraint{forms}"
        line = f"verdicts of {counted(self.games, 'game')}: {told}"
        if not words:
            return f"{line}."
        line += f", {self.ways['words']} asked for in words, {self.ways['none']} not had"
        if self.forms or ((self.unanswered or self.refused) and not self.ways["words"]):
            return f"{line}; --retry-unreadable asks again." if self.ways["none"] else f"{line}."
        return (
            f"{line}: the server took no constraint. One that does is llama.cpp, vLLM, SGLang, Ollama, or a provider's."
        )

    def _why_untried(self) -> Iterator[str]:
        """The further attempts that failed: the label was asked for without them."""
        if self.untried:
            failed = counted(self.untried.total(), "further attempt", "further attempts")
            (reason, _), *_ = self.untried.most_common(1)
            yield f"{failed} brought no text, and the label was asked for at once: {reason}.{_room(self.untried)}"

    def _why_unanswered(self) -> Iterator[str]:
        """The questions that failed, and the most frequent reasons."""
        if not self.unanswered:
            return
        asked = counted(self.unanswered.total(), "question for the label", "questions for the label")
        yield f"{asked} brought no answer; what the text says of these games stays, a verdict or none:"
        for reason, count in self.unanswered.most_common(_REASONS):
            yield f"  {count} × {reason}"
        if len(self.unanswered) > _REASONS:
            yield f"  and {counted(len(self.unanswered) - _REASONS, 'other reason')}"
        if room := _room(self.unanswered):
            yield f" {room}"

    def _odds(self) -> str:
        if not self.with_odds:
            none = "the server gave no logprobs that tell of it; the labels stand as they are"
            return f"label_probabilities: in no game: {none}."
        line = f"label_probabilities: in {self.with_odds} of {counted(self.games, 'game')}"
        share = self.unknown / self.with_odds
        line += (
            f"; {share:.1%} of their mass is not known of single labels, and was shared out" if share >= 5e-4 else ""
        )
        missing = self.games - self.with_odds
        return f"{line}{'; the labels of the others stand as they are' if missing else ''}."


def _room(reasons: Iterable[str]) -> str:
    """What gives a later request of a game more room, where one of these was too long."""
    is_long = any(map(too_long, reasons))
    return f" More room: {FEWER_ATTEMPTS}, or a lower max_tokens." if is_long else ""
