"""Prices, quotes, budgets and bills, by arithmetic done by hand."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.batch import Waiting
from arena_hard.calling.providers.base import CallError, Reply, Request
from arena_hard.calling.spending import NoRoom
from arena_hard.data import jsonl
from arena_hard.data.paths import Bench
from arena_hard.data.records import UserError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.usage import Usage
from arena_hard.money.account import Account
from arena_hard.money.past_costs import past_bills, report_lines
from arena_hard.money.prices import price_by_name, price_of, source_note
from arena_hard.money.quotes import Output, output_of, quote, quote_lines
from arena_hard.money.surplus import Lessons

OWN = {"input": 2.0, "output": 10.0, "cached_input": 0.5}


def model(**settings: Any) -> ModelSettings:
    return ModelSettings(**({"name": "judge", "model_name": "some-model", "price": OWN} | settings))


# ------------------------------------------------------------------------------------------ prices


def test_cached_and_written_tokens_have_their_own_price() -> None:
    price = price_of(model(price=OWN | {"cache_write": 3.0}))
    assert price is not None
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=100_000, cached_tokens=600_000, cache_write_tokens=200_000)
    assert price.cost(usage) == pytest.approx(0.2 * 2 + 0.6 * 0.5 + 0.2 * 3 + 0.1 * 10)
    assert price.saved_by_cache(usage) == pytest.approx(0.6 * 1.5 - 0.2 * 1)


def test_a_batch_costs_half_unless_the_entry_says_otherwise() -> None:
    half, own = price_of(model()), price_of(model(price=OWN | {"batch_input": 1.5}))
    assert half and half.batch and (half.batch.input, half.batch.output) == (1.0, 5.0)
    assert own and own.batch and (own.batch.input, own.batch.output) == (1.5, 5.0)
    mistral = price_of(model(api_type="mistral"))
    assert mistral and mistral.batch is None


def test_tokens_bought_by_batch_count_at_that_price() -> None:
    price = price_of(model())
    assert price is not None
    batched = Usage(prompt_tokens=800_000, completion_tokens=200_000, batched=1_000_000)
    live = Usage(prompt_tokens=800_000, completion_tokens=200_000)
    assert price.cost(live) == pytest.approx(3.6) and price.cost(batched) == pytest.approx(1.8)
    assert price.cost(live + batched) == pytest.approx(5.4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"inptu": 1, "output": 1}, "unknown key 'inptu'. Did you mean 'input'"),
        ({"input": 1}, "needs the key 'output'"),
        ({"input": -1, "output": 1}, "below zero"),
    ],
)
def test_a_bad_price_is_named(given: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        price_of(model(price=given))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="genai-prices needs Python 3.11 (requirements.txt)")
def test_listed_prices_come_offline_with_their_date() -> None:
    price = price_of(ModelSettings(name="j", model_name="gpt-4-1106-preview"))
    assert price is not None and (price.input, price.output) == (10.0, 30.0)
    claude = price_of(ModelSettings(name="c", model_name="claude-sonnet-4-5", api_type="anthropic"))
    assert claude and claude.cached_input < claude.input < claude.cache_write
    assert claude.batch and claude.batch.output == claude.output / 2
    assert source_note().startswith("genai-prices ") and "data up to 20" in source_note()


def test_an_unknown_price_is_none_and_never_a_guess() -> None:
    assert price_of(ModelSettings(name="m", model_name="my-org/my-model")) is None
    assert price_by_name("no-such-model-anywhere") is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.1.2.3", "gpu-7"])
def test_a_server_of_ones_own_has_no_list_price(host: str) -> None:
    endpoints = [EndpointSettings(api_base=f"http://{host}:8000/v1")]
    assert price_of(ModelSettings(name="m", model_name="gpt-4.1", endpoints=endpoints)) is None


# ------------------------------------------------------------------------------------------- quote


def test_the_range_of_output_shrinks_with_what_was_seen() -> None:
    few, many = output_of([190, 210]), output_of([190, 210] * 50)
    assert (few.mean, few.seen) == (200.0, 2)
    low, high = few.total(10, 4096)
    spread = 2 * few.spread * (10 + 100 / 2) ** 0.5
    assert (low, high) == (pytest.approx(2000 - spread), pytest.approx(2000 + spread))
    assert many.total(10, 4096)[1] < high
    assert Output(0, 0, 0).total(10, 4096) == (0, 40960)
    assert many.total(10, 201)[1] == 2010  # never more than max_tokens allows


def test_a_quote_counts_the_prompts_and_prices_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena_hard.calling.prompt_tokens.PromptCounter.text", lambda self, text: len(text))
    prompts = [[{"role": "system", "content": "x" * 10}, {"role": "user", "content": "y" * 90}]] * 3
    made = quote(model(parallel=2), prompts, 1000, Output(500.0, 0.0, 4), 0.1)
    assert (made.requests, made.input_tokens) == ((3, 3), (333, 333))
    cost = (333 * 2 + 1500 * 10) / 1e6
    assert made.live == (pytest.approx(cost), pytest.approx(cost))
    assert made.batch == (pytest.approx(cost / 2), pytest.approx(cost / 2))
    assert made.most == pytest.approx(2 * 0.1)  # each empty reply is asked for once more
    assert made.seconds[0] == pytest.approx(1500 / 50 / 2)


def test_replies_beyond_max_tokens_raise_the_upper_ends() -> None:
    seen = output_of([500, 500, 2000])
    assert seen.total(100, 300)[0] < 100 * 1000 < seen.total(100, 300)[1]
    made = quote(model(), [[{"role": "user", "content": "y"}]], 1000, seen, 0.1)
    assert made.most == pytest.approx(2 * 0.1 * 2)


def test_an_unknown_price_is_said_to_be_unknown() -> None:
    prompts = [[{"role": "user", "content": "y"}]]
    made = quote(model(price=None, model_name="my-org/x"), prompts, 100, Output(0, 0, 0), 0.0)
    text = "\n".join(quote_lines([made], "judge"))
    assert "unknown" in text and "price unknown: judge" in text and "$" not in text


# ------------------------------------------------------------------------------------------ budget


def ask_for(tokens: int) -> Request:
    """A request without a text, whose reply may have so many tokens."""
    return Request("m", [], None, tokens)


def came(tokens: int, **more: int) -> Reply:
    return Reply("x", "stop", Usage(completion_tokens=tokens, **more), None)


async def bought(account: Account, name: str, worst: float, most: int, outcome: Reply) -> bool:
    """A record of one request; False where there was no room for it."""
    async with account.room("judge", name, worst) as purse:
        if purse is None:
            return False
        ticket = await purse.draw(ask_for(most))
        ticket.sent = True
        await asyncio.sleep(0)
        ticket.settle(outcome)
        return True


def run_records(account: Account, costs: list[int], worst: float) -> list[int]:
    """Records that run side by side and cost so many output tokens each; which of them were sent."""

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*(bought(account, str(n), worst, 20_000, came(t)) for n, t in enumerate(costs)))

    return [number for number, sent in enumerate(asyncio.run(all_of_them())) if sent]


def test_the_limit_is_never_passed_and_is_used_as_far_as_is_safe() -> None:
    account = Account(limit=1.0)
    account.open("judge", model())  # 10 dollars a million: 10,000 tokens are 0.1 dollars
    worst = account.worst("judge", [0], 20_000)
    assert worst == pytest.approx(0.2)
    sent = run_records(account, [10_000] * 30, worst)
    spent = account.bills["judge"].dollars
    assert spent is not None and spent <= 1.0
    assert len(sent) == 9  # the tenth could have come to 0.9 + 0.2
    assert account.not_sent == 21 and "--max-cost 1" in account.lines()[-1]


@pytest.mark.parametrize("limit", [float("inf"), float("nan"), -1.0, 1e300])
def test_a_limit_is_a_number_of_dollars(limit: float) -> None:
    with pytest.raises(UserError, match=f"--max-cost {limit:g}: must be a number of dollars".replace("+", r"\+")):
        Account(limit)


def test_records_wait_for_what_is_in_flight_before_they_are_given_up() -> None:
    account = Account(limit=0.25)
    account.open("judge", model())
    sent = run_records(account, [1_000] * 6, account.worst("judge", [0], 20_000))
    assert len(sent) == 6  # one at a time: each sets 0.2 aside and spends 0.01


def test_the_worst_case_holds_every_attempt_with_all_that_went_before() -> None:
    account = Account(limit=1.0)
    account.open("judge", model())
    one = 100 * 2 + 50 * 10
    two = (100 + 50) * 2 + 50 * 10
    assert account.worst("judge", [100, 100], 50, attempts=2) == pytest.approx(2 * (one + two) / 1e6)


def test_a_reply_without_usage_counts_as_the_most_it_may_have_cost() -> None:
    account = Account(limit=0.3)
    account.open("judge", model())
    silent = Reply("x", "stop", None, None)
    assert asyncio.run(bought(account, "1", 0.2, 20_000, silent))
    assert not asyncio.run(bought(account, "2", 0.15, 15_000, silent))
    assert "1 request reported no usage" in "\n".join(account.lines())


@pytest.mark.parametrize(
    ("outcome", "billed"),
    [
        (CallError("transient", "no answer within 5 s"), True),
        (CallError("transient", "500: oops"), True),
        (CallError("transient", "503: busy", not_taken=True), False),
        (CallError("rate limit", "429"), False),
        (CallError("final", "400: no"), False),
        (CallError("final", "cut", finish_reason="length"), True),
        (None, True),
    ],
)
def test_what_may_be_billed_without_a_word_is(outcome: CallError | None, billed: bool) -> None:
    account = Account(limit=1.0)
    account.open("judge", model())

    async def fail() -> None:
        async with account.room("judge", "1", 0.1) as purse:
            assert purse is not None
            ticket = await purse.draw(ask_for(10_000))
            ticket.sent = True
            ticket.settle(outcome)

    asyncio.run(fail())
    assert account.bills["judge"].unknown == pytest.approx(0.1 if billed else 0.0)
    assert account.bills["judge"].requests == 1


def test_what_a_reply_teaches_holds_for_what_came_back_without_a_word_too() -> None:
    account = Account(limit=1.0)
    for label in ("judge", "judge for m"):
        account.open(label, model())
    taught = Usage(prompt_tokens=3000, completion_tokens=10_000)

    async def scene() -> None:
        outcomes = [CallError("transient", "no answer within 5 s"), Reply("x", "stop", taught, None)]
        for label, outcome in zip(account.bills, outcomes):
            async with account.room(label, "1", 0.1) as purse:
                assert purse is not None
                ticket = await purse.draw(ask_for(10_000))
                ticket.sent = True
                ticket.settle(outcome)

    asyncio.run(scene())
    assert account.bills["judge"].unknown == pytest.approx(0.1 + 3000 * 2 / 1e6)
    left = 1.0 - 2 * (0.1 + 3000 * 2 / 1e6)
    assert not asyncio.run(bought(account, "2", left + 0.001, 1, came(1)))
    assert asyncio.run(bought(account, "2", left - 0.001, 1, came(1)))


def test_a_try_that_nobody_expected_asks_before_it_is_sent() -> None:
    account = Account(limit=0.25)
    account.open("judge", model())

    async def ask_on() -> int:
        tries = 0
        async with account.room("judge", "1", 0.1) as purse:
            assert purse is not None
            while tries < 9:
                ticket = await purse.draw(ask_for(10_000))
                ticket.sent, tries = True, tries + 1
                ticket.settle(CallError("transient", "empty", usage=Usage(completion_tokens=10_000)))
        return tries

    with pytest.raises(NoRoom):
        asyncio.run(ask_on())
    assert account.bills["judge"].dollars == pytest.approx(0.2) and account.not_sent == 1
    assert account.lines()[-1].startswith(
        "--max-cost 0.25: stopped before exceeding it; 1 record was begun and not fin"
    )


def test_records_that_wait_for_each_other_do_not_wait_forever() -> None:
    account = Account(limit=0.25)
    account.open("judge", model())

    async def record(name: str) -> None:
        async with account.room("judge", name, 0.1) as purse:
            assert purse is not None
            for _ in range(3):
                ticket = await purse.draw(ask_for(10_000))
                ticket.sent = True
                await asyncio.sleep(0)
                ticket.settle(came(10_000))

    async def both() -> list[BaseException | None]:
        ways = await asyncio.gather(record("1"), record("2"), return_exceptions=True)
        return list(ways)

    assert [type(way) for way in asyncio.run(asyncio.wait_for(both(), 5))] == [NoRoom, NoRoom]
    assert account.bills["judge"].dollars == pytest.approx(0.2)


def test_what_a_server_counts_beyond_the_known_is_learnt() -> None:
    lessons = Lessons()
    assert lessons.learn(100, 50, Usage(prompt_tokens=90, completion_tokens=50)) is False
    assert (lessons.prompt.of(1000), lessons.reply.of(50)) == (0, 0)
    assert lessons.learn(100, 50, Usage(prompt_tokens=400, completion_tokens=70)) is True
    assert lessons.prompt.of(100) == 300 and lessons.prompt.of(1000) == 3000  # perhaps by the byte
    assert lessons.reply.of(50) == 40
    lessons.learn(1000, 50, Usage(prompt_tokens=1300))
    assert lessons.prompt.of(1000) == 300  # a template


def test_a_limit_needs_a_price() -> None:
    unknown = model(price=None, model_name="my-org/x")
    Account().open("judge", unknown)
    with pytest.raises(UserError, match="price of judge is not known"):
        Account(limit=1.0).open("judge", unknown)


# ------------------------------------------------------------------------------------------ report


def write(file: Path, *rows: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(map(jsonl.encode, rows)))


def judgment(key: str, *usages: dict[str, int] | None) -> dict[str, Any]:
    games = [{"user_prompt": "p", "judgment": "[[A=B]]", "score": "A=B", "usage": usage} for usage in usages]
    return {"question_id": key, "model": "m", "judge": "judge", "games": games}


def test_the_report_sums_all_records_and_what_they_replaced(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "bench")
    usage = {"prompt_tokens": 100_000, "completion_tokens": 10_000, "cached_tokens": 50_000}
    file = bench.judgment_file("judge", "m")
    write(file, judgment("1", usage, usage), judgment("2", usage, None))
    write(file.with_name("m.superseded"), judgment("1", usage))
    lines = report_lines(past_bills(bench, {"judge": model()}))
    # 4 games with usage: each 50k at 2, 50k at 0.5, 10k at 10 dollars a million
    assert "judgments by judge of m: 5 requests, 400,000 input tokens (200,000 of them cached)" in lines[1]
    assert "$0.90" in lines[1] and "saved $0.30" in lines[1] and "1 request reported no usage" in lines[1]
    assert lines[-2] == "  total: $0.90"


def test_the_report_says_which_prices_it_lacks(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "bench")
    write(bench.judgment_file("judge", "m"), judgment("1", {"prompt_tokens": 10, "completion_tokens": 1}))
    lines = report_lines(past_bills(bench))
    assert "price unknown" in lines[1] and lines[2] == "  total: unknown"
    write(bench.judgment_file("judge", "m"), judgment("1", None))
    lines = report_lines(past_bills(bench))
    assert "cost unknown; 1 request reported no usage" in lines[1] and "total: unknown" in lines[2]


# ---------------------------------------------------------------------------------------- by batch


def batched(outcomes: dict[str, list[Reply | CallError]], account: Account, rounds: int, records: int) -> list[str]:
    """Records that post one request each and wait; how each ended. outcomes: of batches, by the number of the round."""
    ended: dict[str, str] = {}
    worst = account.worst("judge", [0], 20_000)

    async def record(name: str, number: int) -> None:
        try:
            async with account.room("judge", name, worst) as purse:
                if purse is None:
                    ended[name] = "no room"
                    return
                found = outcomes.get(name, [])[:number]
                purse.receive(name, found)
                if not (found and isinstance(found[-1], Reply)):
                    await purse.post(name, ask_for(20_000))
                    raise Waiting
                ended[name] = "written"
        except Waiting:
            return
        except NoRoom:
            ended[name] = "no room for another try"

    async def all_rounds() -> None:
        for number in range(rounds):
            names = [str(each) for each in range(records) if str(each) not in ended]
            await asyncio.gather(*(record(name, number) for name in names))

    asyncio.run(asyncio.wait_for(all_rounds(), 5))
    return [ended.get(str(each), "waits") for each in range(records)]


def batch_account(limit: float) -> Account:
    account = Account(limit=limit, by_batch=True)
    account.open("judge", ModelSettings(name="j", model_name="m", price={"input": 0, "output": 20}))
    return account


def test_a_limit_of_cost_holds_over_a_whole_batch() -> None:
    account = batch_account(1.0)  # each may cost 0.2 dollars by batch
    assert batched({}, account, 1, 9) == ["waits"] * 5 + ["no room"] * 4
    assert account.not_sent == 4


def test_what_a_batch_brought_is_taken_in_although_all_comes_at_once() -> None:
    brought: dict[str, list[Reply | CallError]] = {
        str(number): [came(19_000 + number, batched=19_000 + number)] for number in range(5)
    }
    account = batch_account(1.0)
    assert batched(brought, account, 2, 9) == ["written"] * 5 + ["no room"] * 4
    assert account.bills["judge"].requests == 5


def test_another_try_by_batch_asks_for_room_and_what_came_is_paid_once() -> None:
    empty = CallError("transient", "empty", usage=Usage(completion_tokens=20_000, batched=20_000))
    brought: dict[str, list[Reply | CallError]] = {str(number): [empty, came(9, batched=9)] for number in range(2)}
    account = batch_account(0.65)
    assert batched(brought, account, 4, 2) == ["written", "no room for another try"]
    assert account.bills["judge"].requests == 3
    assert account.bills["judge"].dollars == pytest.approx(0.40009, abs=1e-5)


# ------------------------------------------------------------------ counts that do not fit together


@pytest.mark.parametrize(
    ("odd", "dollars"),
    [
        (Usage(prompt_tokens=1000, cached_tokens=4_000_000), 0.002 + 2.0),  # counted beside the prompt
        (Usage(prompt_tokens=1000, cache_write_tokens=1_000_000), 0.002 + 2.0),
        (Usage(prompt_tokens=-3_000_000, completion_tokens=-1, cached_tokens=-5), 0.0),
        (Usage(completion_tokens=10, reasoning_tokens=100_000), 1.0001),
        (Usage(prompt_tokens=1_000_000, batched=-7), 2.0),
    ],
)
def test_one_odd_reply_takes_nothing_from_what_the_others_cost(odd: Usage, dollars: float) -> None:
    price = price_of(model())
    plain = Usage(prompt_tokens=5_000_000, completion_tokens=1_000_000)
    assert price is not None and price.cost(plain) == pytest.approx(20)
    assert price.cost(odd) == pytest.approx(dollars)
    for usages in ([plain, odd], [odd, plain], [odd, odd, plain]):
        expected = sum(map(price.cost, usages))
        assert price.cost(sum(usages, Usage())) == pytest.approx(expected)
