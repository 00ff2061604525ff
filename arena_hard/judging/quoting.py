"""What missing judgments would cost: what games have taken so far, and what today's settings may add."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence, Set
from functools import reduce
from itertools import islice
from operator import add
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from arena_hard.calling.prompt_tokens import PromptCounter
from arena_hard.data import jsonl
from arena_hard.data.paths import Bench
from arena_hard.data.record_folder import record_files
from arena_hard.data.records import Game, Judgment, judgment_from_row
from arena_hard.judging.label_question import QUOTED, ROOM, question_for_label
from arena_hard.judging.plan import most_it_may_cost
from arena_hard.judging.shown import prompts_of
from arena_hard.judging.stage import Candidate, Stage
from arena_hard.money.quotes import AS_COUNTED, Expected, Quote, input_range, longest_reply, output_of, quoted

_SECOND_REQUEST = 1.8  # times the input of one request, from which on a game took another
_MOST_SEEN = 1000  # games that are looked at
_LOOKED_THROUGH = 20  # times as many judgments, in search of some of today's settings


class Taken(msgspec.Struct, frozen=True):
    """What a game took. ratio: its input tokens for one of its first prompt as we count it, where they are known.

    output: its output tokens; was_asked: whether the label was asked for; has_verdict: whether there is one.
    """

    ratio: float | None
    output: float
    was_asked: bool = False
    has_verdict: bool = True


class Seen(msgspec.Struct, frozen=True):
    """A judge's games so far. is_today: whether they were made with today's settings; the latest kind counts alone."""

    games: tuple[Taken, ...] = ()
    is_today: bool = False

    @property
    def scale(self) -> float:
        """About how many tokens the server counts for one of ours: no game took less than its first prompt."""
        return min((game.ratio for game in self.games if game.ratio), default=1.0)


def games_of(stage: Stage) -> Seen:
    """What the judge's games have taken, those that were made with today's settings alone if there are any."""
    systems = {each.question_id: stage.settings.system_prompt_of(each.category) for each in stage.all_questions}
    hashes = frozenset(map(stage.shaping_hash, stage.all_questions))
    return games_seen(stage.bench, stage.judge.name, stage.judge.model_name, hashes, systems)


def games_seen(
    bench: Bench,
    judge: str,
    model_name: str,
    hashes: Container[str | None] = (),
    systems: Mapping[str, str] = MappingProxyType({}),
) -> Seen:
    """What a judge's games have taken, whatever model and baseline they are about; some of very many are looked at.

    hashes: of today's settings; systems: the system prompt by question_id.
    """
    counter = PromptCounter(model_name)
    files = [file for each in bench.judgment_sets(judge) for file in record_files(each.folder)]
    found: dict[bool, list[Taken]] = {True: [], False: []}
    most = -(-_MOST_SEEN // max(1, len(files)))
    for file in files:
        of_file: dict[bool, list[Taken]] = {True: [], False: []}
        for judgment in islice(jsonl.read(file, judgment_from_row), _LOOKED_THROUGH * most):
            if len(of_file[True]) >= most:
                break
            games = of_file[judgment.settings_hash in hashes]
            if len(games) < most:
                games += [_taken(counter, game, systems.get(judgment.question_id, "")) for game in _told(judgment)]
        for is_today, games in of_file.items():
            found[is_today] += games
    is_today = bool(found[True])
    return Seen(tuple(found[is_today]), is_today)


def _told(judgment: Judgment) -> Iterator[Game]:
    """Its games; some folders hold the scores alone."""
    return (game for game in judgment.games if game and (game.usage or game.judgment))


def _taken(counter: PromptCounter, game: Game, system: str) -> Taken:
    was_asked, has_verdict = game.verdict_by in ("constrained", "words"), game.verdict is not None
    if game.usage is None:
        return Taken(None, counter.text(game.judgment), was_asked, has_verdict)
    shown = counter.count([{"content": text} for text in (system, game.user_prompt) if text])
    ratio = game.usage.prompt_tokens / shown if game.user_prompt else None
    return Taken(ratio, game.usage.completion_tokens, was_asked, has_verdict)


def quote_of(stage: Stage, candidate: Candidate, seen: Seen) -> Quote:
    """What the missing judgments of a model would cost. Raises UserError for a bad `price:`."""
    counter = PromptCounter(stage.judge.model_name)
    each = {question.question_id: prompts_of(stage, candidate, question) for question in candidate.missing}
    prompts = [prompt for of_question in each.values() for prompt in of_question]
    worst = most_it_may_cost(stage, candidate, prompts)
    most = longest_reply(stage.judge, stage.settings.max_tokens)
    asking = _Asking(stage, seen, most, counter.text(question_for_label(stage.settings)["content"]))
    fresh: list[int] = []
    again: list[Expected] = []
    before = _judged_before(candidate, each.keys() & candidate.judged.keys())
    for key, of_question in each.items():
        games = before.get(key, ())
        for number, prompt in enumerate(of_question):
            size, game = counter.count(prompt), games[number] if number < len(games) else None
            if game and game.usage and game.verdict is None:
                again.append(asking.again(size, game))
            else:
                fresh.append(size)
    expected = reduce(add, [asking.fresh(fresh), *again])
    made = quoted(stage.judge, expected, len(prompts), asking.most_of_all, worst, counter.exact)
    return replace(made, name=candidate.title)


def _judged_before(candidate: Candidate, keys: Set[str]) -> dict[str, tuple[Game | None, ...]]:
    """The games of these questions' judgments, which are to be made again."""
    rows = jsonl.read(candidate.file, judgment_from_row) if keys else ()
    return {judgment.question_id: judgment.games for judgment in rows if judgment.question_id in keys}


class _Asking(msgspec.Struct, frozen=True):
    """What games are expected to take by what was seen; most: tokens of a reply; question: those of the label's."""

    stage: Stage
    seen: Seen
    most: int
    question: int

    @property
    def attempts(self) -> int:
        return self.stage.settings.number_of_judgment_attempts

    @property
    def most_of_all(self) -> int:
        """Output tokens of a game."""
        return self.most * self.attempts + ROOM * self.asks

    @property
    def asks(self) -> bool:
        return self.stage.settings.verdict != "text"

    def fresh(self, sizes: Sequence[int]) -> Expected:
        """Games that are new, whose first prompts have these sizes."""
        if not sizes:
            return Expected()
        if not self.seen.games:
            return self._unseen(sizes)
        found, number, tokens = self.seen.games, len(sizes), sum(sizes)
        ratios = [game.ratio for game in found if game.ratio]
        inputs = input_range(output_of(ratios) if ratios else AS_COUNTED, tokens, number)
        output = output_of([game.output for game in found])
        low, high = (number * sum(ends) / len(found) for ends in zip(*map(self._requests, found)))
        made = Expected((low, high), inputs, output.total(number, self.most_of_all), output.seen, output.longest)
        if self.seen.is_today:
            return made
        made += self._further_attempts(number, tokens, output.mean)
        return made + self._label_question(number, tokens, output.mean, self.stage.settings.verdict_always)

    def _requests(self, game: Taken) -> tuple[float, float]:
        """How many requests a game took, at least and at most: records do not tell."""
        asked, one = game.was_asked, min(1.0, self.seen.scale)
        if self.attempts == 1 or game.ratio is None:
            return 1 + asked, 1 + asked
        if not game.has_verdict or (asked and not self.stage.settings.verdict_always):
            return 1 + asked, self.attempts + asked
        took_more = game.ratio >= (asked + _SECOND_REQUEST) * one
        return 1 + asked, (self.attempts if took_more else 1) + asked

    def _unseen(self, sizes: Sequence[int]) -> Expected:
        """From a single request each, answered with nothing, to all that there may be, at full length."""
        number, tokens, attempts = len(sizes), sum(sizes), self.attempts
        earlier = self.most * attempts * (attempts - 1) // 2  # each attempt shows the texts before it
        texts = Expected(
            (number, number * attempts),
            (tokens, tokens * attempts + number * earlier),
            (0, number * self.most * attempts),
        )
        return texts + self._label_question(number, tokens, self.most * attempts, self.stage.settings.verdict_always)

    def _further_attempts(self, number: int, tokens: int, output: float) -> Expected:
        """What today's settings may add to games of other settings: attempts at those that came without a verdict."""
        known = [game for game in self.seen.games if game.ratio]
        share = sum(not game.has_verdict for game in known) / max(1, len(known))
        times = share * (self.attempts - 1)
        written = number * times * output
        return Expected((0, number * times), (0, times * tokens * self.seen.scale + written), (0, written))

    def _label_question(self, number: int, tokens: int, written: float, always: bool) -> Expected:
        """The request for the label, if there is one: in each of some games (`always`) or in any of them.

        written: tokens of a game's texts before it, of which the ends are shown again.
        """
        if not self.asks:
            return Expected()
        shown = min(written, QUOTED * self.attempts)
        high = tokens * max(1.0, self.seen.scale) + number * (self.question + shown)
        low = tokens * min(1.0, self.seen.scale) + number * self.question
        return Expected((number * always, number), (low * always, high), (number * always, number * ROOM))

    def again(self, size: int, before: Game) -> Expected:
        """A game that is played again for want of a verdict: from one request to as many as before, and the label."""
        usage = before.usage
        assert usage is not None
        one = usage.prompt_tokens / (self.attempts + 1)
        texts = Expected(
            (1, self.attempts), (min(size, one), max(size, usage.prompt_tokens)), (0, usage.completion_tokens), seen=1
        )
        one_request = max(size, usage.prompt_tokens // self.attempts)
        return texts + self._label_question(1, one_request, usage.completion_tokens, always=False)
