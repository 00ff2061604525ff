"""What a run would cost: counted from the exact prompts, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from arena_hard.calling.batch import EMPTY_TRIES
from arena_hard.calling.prompt_tokens import PromptCounter
from arena_hard.calling.providers.base import Message
from arena_hard.data import jsonl
from arena_hard.data.name_lists import shortened
from arena_hard.data.paths import Bench
from arena_hard.data.record_folder import record_files
from arena_hard.data.records import Answer, Usage, judgment_from_row
from arena_hard.data.settings import ModelSettings
from arena_hard.money.prices import Price, money, price_of

AT_MOST = (
    "live and batch: each request answered once; at most: every reply at full length, with all further attempts, "
    "second tries of truncated and empty replies, and a token for each byte of a prompt. What a provider adds to that, "
    "or bills for requests that failed, only --max-cost limits"
)
TOKENS_PER_SECOND = 50.0  # of one request, where nothing better is known


@dataclass(frozen=True)
class Output:
    """Tokens that a request is expected to bring: mean, spread and most of `seen` requests (0: none seen)."""

    mean: float
    spread: float
    seen: int
    longest: float = 0.0

    def total(self, requests: int, most: int) -> tuple[float, float]:
        """The range of the sum over so many requests: two standard errors either way.

        Spread of the sum: n·s² for what is to come, (n·s)²/seen for the mean that is not known better.
        Without any request seen: from nothing to `most` tokens each.
        """
        if not self.seen:
            return 0.0, float(requests * most)
        middle, spread = requests * self.mean, self.spread * math.sqrt(requests + requests**2 / self.seen)
        limit = float(requests * most) if self.mean <= most else math.inf  # not every server keeps max_tokens
        return max(0.0, middle - 2 * spread), min(middle + 2 * spread, limit)


@dataclass(frozen=True)
class Quote:
    """What a run would send to one model. Token counts are sums, money is dollars (None: price unknown).

    live, batch: what is expected where each request is answered once; most: what it comes to at the worst.
    """

    name: str
    requests: int
    input_tokens: int
    output_tokens: tuple[float, float]
    live: tuple[float, float] | None
    batch: tuple[float, float] | None
    most: float | None
    seconds: tuple[float, float]
    seen: int
    price: Price | None
    counted: bool


def quote(
    model: ModelSettings, prompts: Iterable[list[Message]], max_tokens: int, output: Output, worst: float
) -> Quote:
    """The quote for sending these prompts to a model. Raises UserError for a bad `price:`.

    worst: dollars if each request, with what may have to be asked again, is answered at full length.
    """
    counter = PromptCounter(model.model_name)
    sizes = [counter.count(prompt) for prompt in prompts]
    most = (max_tokens if model.max_tokens is None else model.max_tokens) + (model.thinking or 0)
    tokens = output.total(len(sizes), most)
    price = price_of(model)
    return Quote(
        name=model.name,
        requests=len(sizes),
        input_tokens=sum(sizes),
        output_tokens=tokens,
        live=_range(price, sum(sizes), tokens),
        batch=_range(price.batch if price else None, sum(sizes), tokens),
        most=worst * EMPTY_TRIES * max(1.0, output.longest / most) if price else None,
        seconds=_seconds(model, sizes, tokens),
        seen=output.seen,
        price=price,
        counted=counter.exact,
    )


def _range(price: Price | None, prompt: int, output: tuple[float, float]) -> tuple[float, float] | None:
    if price is None:
        return None
    low, high = (price.cost(Usage(prompt_tokens=prompt, completion_tokens=round(end))) for end in output)
    return low, high


def _seconds(model: ModelSettings, sizes: Sequence[int], output: tuple[float, float]) -> tuple[float, float]:
    """The time that the requests take side by side, and not less than the limits per minute ask for."""
    side_by_side = 8 if model.parallel == "auto" else model.parallel
    side_by_side *= max(1, len(model.endpoints or []))
    low, high = (end / TOKENS_PER_SECOND / max(1, min(side_by_side, len(sizes))) for end in output)
    paced = 60 * len(sizes) / model.requests_per_minute if model.requests_per_minute else 0.0
    if model.tokens_per_minute:
        paced = max(paced, 60 * sum(sizes) / model.tokens_per_minute)
    return max(low, paced), max(high, paced)


def output_of(lengths: Sequence[float]) -> Output:
    """What is expected after requests that brought so many tokens each."""
    if not lengths:
        return Output(0.0, 0.0, 0)
    mean = sum(lengths) / len(lengths)
    variance = sum((length - mean) ** 2 for length in lengths) / max(1, len(lengths) - 1)
    return Output(mean, math.sqrt(variance), len(lengths), max(lengths))


def output_seen_in_answers(answers: Iterable[Answer]) -> Output:
    """Output tokens of cached answers: as reported, else as counted when they were written."""
    lengths: list[float] = []
    for answer in answers:
        turns = sum(len(choice) for choice in answer.choices)
        counted = [t.token_len for choice in answer.choices for t in choice if t.token_len is not None]
        if answer.usage is not None:
            lengths += [answer.usage.completion_tokens // turns] * turns
        elif counted or answer.token_len is None:
            lengths += counted
        else:
            lengths += [answer.token_len / len(answer.turns)] * len(answer.turns)
    return output_of(lengths)


def output_seen_in_judgments(bench: Bench, judge: str, model_name: str, most: int = 1000) -> Output:
    """Output tokens of a judge's cached games, whatever model and baseline they are about; `most` are looked at."""
    counter = PromptCounter(model_name)
    lengths: list[float] = []
    files = [file for each in bench.judgment_sets(judge) for file in record_files(each.folder)]
    for file in files:
        every = (game for row in jsonl.read(file, judgment_from_row) for game in row.games if game)
        games = (game for game in every if game.usage or game.judgment)  # some folders hold the scores alone
        for _, game in zip(range(-(-most // len(files))), games):
            lengths.append(game.usage.completion_tokens if game.usage else counter.text(game.judgment))
    return output_of(lengths)


def quote_lines(quotes: Sequence[Quote], unit: str) -> list[str]:
    """The quotes as a table for people, with what they rest on below it."""
    head = f"{unit:<40} {'requests':>8} {'input tokens':>13} {'output tokens':>21}"
    lines = [f"{head} {'live':>20} {'batch':>20} {'at most':>10} {'time':>17}"]
    for each in quotes:
        lines.append(
            f"{each.name:<40} {each.requests:>8,} {each.input_tokens:>13,} "
            f"{_span(each.output_tokens, _count):>21} {_money_span(each.live):>20} "
            f"{_money_span(each.batch, each.price):>20} {_money_at_most(each.most):>10} "
            f"{_span(each.seconds, duration):>17}"
        )
    if len(quotes) > 1:
        lines.append(_total_line(quotes))
    return lines + _notes(quotes)


def _total_line(quotes: Sequence[Quote]) -> str:
    requests, tokens = sum(each.requests for each in quotes), sum(each.input_tokens for each in quotes)
    output = _sum([each.output_tokens for each in quotes])
    known = [each.live for each in quotes if each.live]
    whole = len(known) == len(quotes)
    live = _money_span(_sum(known)) if whole else "unknown"
    most = _money_at_most(sum(each.most or 0.0 for each in quotes) if whole else None)
    return f"{'all':<40} {requests:>8,} {tokens:>13,} {_span(output, _count):>21} {live:>20} {'':>20} {most:>10}"


def _sum(ranges: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(low for low, _ in ranges), sum(high for _, high in ranges)


def _notes(quotes: Sequence[Quote]) -> list[str]:
    notes = [f"prices: {source}" for source in sorted({each.price.source for each in quotes if each.price})]
    unknown = sorted({each.name for each in quotes if each.price is None})
    if unknown:
        notes.append(
            f"price unknown: {shortened(unknown)}. Add price: {{input: …, output: …}} (dollars per million tokens) "
            "to the model's entry."
        )
    for each in quotes:
        if each.seen:
            notes.append(f"output tokens for {each.name}: two standard errors around {each.seen} cached replies")
        elif each.requests:
            notes.append(
                f"output tokens for {each.name}: nothing is cached yet, so anything from none to max_tokens each"
            )
    if any(each.requests and each.most is not None for each in quotes):
        notes.append(AT_MOST)
    if not all(each.counted for each in quotes):
        notes.append("input tokens are estimated from bytes, because tiktoken's vocabulary cannot be fetched")
    notes.append(f"time: {TOKENS_PER_SECOND:g} tokens a second for each request, and the limits per minute")
    return list(dict.fromkeys(notes))


def _span(ends: tuple[float, float], show: Callable[[float], str]) -> str:
    low, high = (show(end) for end in ends)
    return low if low == high else f"up to {high}" if ends[0] == 0 else f"{low} to {high}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _money_span(ends: tuple[float, float] | None, price: Price | None = None) -> str:
    if ends is None:
        return "no batches" if price else "unknown"
    low, high = money(ends[0]), money(ends[1])
    return low if low == high else f"{low} to {high}"


def _money_at_most(dollars: float | None) -> str:
    return "unknown" if dollars is None else money(dollars)


def duration(seconds: float) -> str:
    """Seconds in the unit that a reader thinks in."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
