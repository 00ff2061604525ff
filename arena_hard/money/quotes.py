"""What a run would cost: counted from the exact prompts, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from arena_hard.calling.batch import EMPTY_TRIES
from arena_hard.calling.prompt_tokens import MESSAGE_TOKENS, PromptCounter
from arena_hard.calling.providers.base import Message
from arena_hard.data.name_lists import shortened
from arena_hard.data.records import Answer
from arena_hard.data.settings import ModelSettings
from arena_hard.data.usage import Usage
from arena_hard.money.prices import Price, money, price_of

AT_MOST = (
    "live and batch: what is expected where no request fails; at most: every reply at full length, with all further "
    "attempts, second tries of truncated and empty replies, and a token for each byte of a prompt. What a provider "
    "adds to that, or bills for requests that failed, only --max-cost limits"
)
TOKENS_PER_SECOND = 50.0  # of one request, where nothing better is known


class Output(msgspec.Struct, frozen=True):
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


NOTHING_SEEN = Output(0.0, 0.0, 0)
AS_COUNTED = Output(1.0, 0.0, 1)  # the input of a record where it is its first prompt, as we count it


class Expected(msgspec.Struct, frozen=True):
    """What records are expected to take together, from least to most; seen: how many of their kind were seen.

    longest: the most output tokens of one of these.
    """

    requests: tuple[float, float] = (0.0, 0.0)
    input: tuple[float, float] = (0.0, 0.0)
    output: tuple[float, float] = (0.0, 0.0)
    seen: int = 0
    longest: float = 0.0

    def __add__(self, other: Expected) -> Expected:
        requests, tokens, output = (
            _sum(ends)
            for ends in ((self.requests, other.requests), (self.input, other.input), (self.output, other.output))
        )
        return Expected(requests, tokens, output, max(self.seen, other.seen), max(self.longest, other.longest))


class Quote(msgspec.Struct, frozen=True):
    """What a run would send to one model. Token counts are sums, money is dollars (None: price unknown).

    live, batch: what is expected where no request fails; most: what it comes to at the worst.
    """

    name: str
    requests: tuple[float, float]
    input_tokens: tuple[float, float]
    output_tokens: tuple[float, float]
    live: tuple[float, float] | None
    batch: tuple[float, float] | None
    most: float | None
    seconds: tuple[float, float]
    seen: int
    price: Price | None
    counted: bool


def longest_reply(model: ModelSettings, max_tokens: int) -> int:
    """The most output tokens of one reply."""
    return (max_tokens if model.max_tokens is None else model.max_tokens) + (model.thinking or 0)


def quote(
    model: ModelSettings,
    prompts: Iterable[list[Message]],
    max_tokens: int,
    output: Output,
    worst: float,
    inputs: Output = AS_COUNTED,
    further: float = 0.0,
    earlier: int = 0,
    shown: Output = NOTHING_SEEN,
) -> Quote:
    """The quote for records that begin with these prompts. Raises UserError for a bad `price:`.

    output: tokens of a record. inputs: its input tokens for one of its first prompt as we count it. further: input
    tokens of a second request that any of them may take. worst: dollars if each request, with what may have to be asked
    again, is answered at full length. earlier: how many replies to earlier turns all prompts will hold besides, of the
    tokens that are `shown`.
    """
    counter = PromptCounter(model.model_name)
    sizes = [counter.count(prompt) for prompt in prompts]
    number, tokens, most = len(sizes), sum(sizes), longest_reply(model, max_tokens)
    times = 1 + bool(further)
    ratio, before = input_range(inputs, tokens + earlier * MESSAGE_TOKENS, number), shown.total(earlier, most)
    expected = Expected(
        requests=(number, number * times),
        input=(ratio[0] + before[0], ratio[1] + before[1] + (tokens + number * further) * bool(further)),
        output=output.total(number, most * times),
        seen=output.seen,
        longest=output.longest / times,
    )
    return quoted(model, expected, number, most, worst, counter.exact)


def scaled(found: Quote, requests: int) -> Quote:
    """A quote of some requests for more of their kind; the most that they may cost is that of all already."""
    times = requests / found.requests[0]

    def larger(ends: tuple[float, float]) -> tuple[float, float]:
        return ends[0] * times, ends[1] * times

    return replace(
        found,
        requests=larger(found.requests),
        input_tokens=larger(found.input_tokens),
        output_tokens=larger(found.output_tokens),
        live=found.live and larger(found.live),
        batch=found.batch and larger(found.batch),
        seconds=larger(found.seconds),
    )


def input_range(inputs: Output, tokens: int, number: int) -> tuple[float, float]:
    """The input tokens of so many records whose first prompts have `tokens` together, as we count them."""
    low, high = inputs.total(number, number * 10**6)
    return (low * tokens / number, high * tokens / number) if number else (0.0, 0.0)


def quoted(model: ModelSettings, expected: Expected, number: int, most: int, worst: float, is_exact: bool) -> Quote:
    """The quote for what so many records are expected to take. Raises UserError for a bad `price:`.

    most: output tokens of one of them at full length; is_exact: whether its input was counted with a vocabulary.
    """
    price = price_of(model)
    return Quote(
        name=model.name,
        requests=expected.requests,
        input_tokens=expected.input,
        output_tokens=expected.output,
        live=_range(price, expected),
        batch=_range(price.batch if price else None, expected),
        most=worst * EMPTY_TRIES * max(1.0, expected.longest / most) if price else None,
        seconds=_seconds(model, number, expected),
        seen=expected.seen,
        price=price,
        counted=is_exact,
    )


def _range(price: Price | None, expected: Expected) -> tuple[float, float] | None:
    if price is None:
        return None
    ends = zip(expected.input, expected.output)
    low, high = (price.cost(Usage(prompt_tokens=round(prompt), completion_tokens=round(end))) for prompt, end in ends)
    return low, high


def _seconds(model: ModelSettings, number: int, expected: Expected) -> tuple[float, float]:
    """The time that the records take side by side, and not less than the limits per minute ask for."""
    side_by_side = 8 if model.parallel == "auto" else model.parallel
    side_by_side *= max(1, len(model.endpoints or []))
    low, high = (end / TOKENS_PER_SECOND / max(1, min(side_by_side, number)) for end in expected.output)
    return max(low, _paced(model, expected, 0)), max(high, _paced(model, expected, 1))


def _paced(model: ModelSettings, expected: Expected, end: int) -> float:
    requests = 60 * expected.requests[end] / model.requests_per_minute if model.requests_per_minute else 0.0
    tokens = 60 * expected.input[end] / model.tokens_per_minute if model.tokens_per_minute else 0.0
    return max(requests, tokens)


def output_of(lengths: Sequence[float]) -> Output:
    """What is expected after records that took so many tokens each, or so many for one that was counted."""
    if not lengths:
        return NOTHING_SEEN
    mean = sum(lengths) / len(lengths)
    if len(lengths) == 1:  # which says nothing of the others
        return Output(mean, mean, 1, mean)
    variance = sum((length - mean) ** 2 for length in lengths) / (len(lengths) - 1)
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


def texts_seen_in_answers(answers: Collection[Answer]) -> Output:
    """Tokens of the texts of cached answers, which later turns show again; they are fewer where a model thought."""
    turns = (turn for answer in answers for choice in answer.choices for turn in choice)
    lengths = [float(turn.token_len) for turn in turns if turn.token_len is not None]
    return output_of(lengths) if lengths else output_seen_in_answers(answers)


def quote_lines(quotes: Sequence[Quote], unit: str) -> list[str]:
    """The quotes as a table for people, with what they rest on below it."""
    head = f"{unit:<40} {'requests':>8} {'input tokens':>13} {'output tokens':>21}"
    lines = [f"{head} {'live':>20} {'batch':>20} {'at most':>10} {'time':>17}"]
    for each in quotes:
        lines.append(
            f"{each.name:<40} {_span(each.requests, _count):>8} {_span(each.input_tokens, _count):>13} "
            f"{_span(each.output_tokens, _count):>21} {_money_span(each.live):>20} "
            f"{_money_span(each.batch, each.price):>20} {_money_at_most(each.most):>10} "
            f"{_span(each.seconds, duration):>17}"
        )
    if len(quotes) > 1:
        lines.append(_total_line(quotes))
    return lines + _notes(quotes)


def _total_line(quotes: Sequence[Quote]) -> str:
    requests, tokens, output = (
        _span(_sum([getattr(each, name) for each in quotes]), _count)
        for name in ("requests", "input_tokens", "output_tokens")
    )
    known = [each.live for each in quotes if each.live]
    whole = len(known) == len(quotes)
    live = _money_span(_sum(known)) if whole else "unknown"
    most = _money_at_most(sum(each.most or 0.0 for each in quotes) if whole else None)
    return f"{'all':<40} {requests:>8} {tokens:>13} {output:>21} {live:>20} {'':>20} {most:>10}"


def _sum(ranges: Iterable[tuple[float, float]]) -> tuple[float, float]:
    lows, highs = zip(*ranges)
    return sum(lows), sum(highs)


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
        elif each.requests[0]:
            notes.append(
                f"output tokens for {each.name}: nothing is cached yet, so anything from none to max_tokens each"
            )
    if any(each.requests[0] and each.most is not None for each in quotes):
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
