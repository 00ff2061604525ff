"""Batches: what a mailbox promises, by itself and to the calls that go through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from arena_hard.calling.batch import Mailbox, Waiting
from arena_hard.calling.batch_sizes import split
from arena_hard.calling.calls import chat_completion
from arena_hard.calling.gate import Gate
from arena_hard.calling.kept_replies import key_of
from arena_hard.calling.models import Clock, Endpoint, Model
from arena_hard.calling.providers.base import CallError, Connection, Reply, Request
from arena_hard.calling.providers.batches import AnthropicBatches, Limits, Line, OpenAIBatches, Status, TooMuch
from arena_hard.calling.providers.openai_chat import ADAPTER, OpenAIChat
from arena_hard.data.records import Usage, UserError
from arena_hard.data.settings import ModelSettings
from arena_hard.money.account import Account


class Provider:
    """A provider in this process: takes batches, counts what it is paid for, and answers as it is told."""

    limits = Limits(3, 1_000_000)

    def __init__(self) -> None:
        self.taken: dict[str, tuple[str, list[Line]]] = {}
        self.outcomes: dict[str, Any] = {}  # by the user's text
        self.lose_the_yes = False
        self.queue = self.largest = 1000  # requests that are taken at once, and that a batch may have
        self.refused: list[int] = []

    async def submit(self, lines: list[Line], marker: str) -> str:
        if len(lines) > self.largest:
            self.refused.append(len(lines))
            raise TooMuch("final", "413: too large")
        batch_id = f"batch_{marker}"
        self.taken[batch_id] = (marker, lines)
        if self.lose_the_yes:
            raise KeyboardInterrupt
        return batch_id

    async def find(self, marker: str, count: int, known: set[str]) -> str | None:
        return next((key for key, (mark, _) in self.taken.items() if mark == marker), None)

    async def status(self, batch_id: str) -> Status:
        return Status(True, "completed")

    async def results(self, batch_id: str, bodies: dict[str, Any]) -> dict[str, Reply | CallError]:
        lines = self.taken[batch_id][1]
        if len(lines) > self.queue:
            self.refused.append(len(lines))
            del self.taken[batch_id]
            raise TooMuch("rate limit", "the queue is full")
        return {key: self._outcome(body) for key, body in lines}

    def _outcome(self, body: dict[str, Any]) -> Any:
        """What is told for the text, or for the text and the room; a reply without that."""
        text, room = body["messages"][-1]["content"], body.get("max_tokens")
        told = self.outcomes.get(f"{text} {room}") or self.outcomes.get(text)
        return told or Reply(f"re: {text}", "stop", Usage(10, 5), "served")

    @property
    def requests(self) -> int:
        return sum(len(lines) for _, lines in self.taken.values())


def request(text: str) -> Request:
    return Request("m", [{"role": "user", "content": text}], 0.0, 100)


def mailbox(folder: Path, provider: Provider, **options: Any) -> Mailbox:
    return Mailbox(folder / "box", provider, ADAPTER, lambda text: None, poll=(0.0, 0.0), **options)


def ask(box: Mailbox, text: str, asked: dict[str, int]) -> Reply | None:
    return box.reply(key_of(request(text), text, asked), request(text))


def play(box: Mailbox, texts: list[str]) -> dict[str, Any]:
    """Each text as a record of its own; what each came to."""
    found: dict[str, Any] = {}
    for text in texts:
        try:
            found[text] = ask(box, text, {})
        except (Waiting, CallError) as error:
            found[text] = error
    return found


def contents(found: dict[str, Any]) -> dict[str, str]:
    return {text: reply.content for text, reply in found.items()}


def test_requests_gather_go_out_in_lots_and_come_back(tmp_path: Path) -> None:
    provider, texts = Provider(), [f"q{n}" for n in range(7)]
    with mailbox(tmp_path, provider) as box:
        assert all(isinstance(each, Waiting) for each in play(box, texts).values())
        asyncio.run(box.exchange())
        assert contents(play(box, texts)) == {text: f"re: {text}" for text in texts}
    assert [len(lines) for _, lines in provider.taken.values()] == [3, 3, 1]


def test_a_kill_between_the_provider_s_yes_and_the_note_pays_nothing_twice(tmp_path: Path) -> None:
    provider, texts = Provider(), ["a", "b"]
    provider.lose_the_yes = True
    with mailbox(tmp_path, provider) as box:
        play(box, texts)
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(box.exchange())
    provider.lose_the_yes = False
    with mailbox(tmp_path, provider) as box:
        assert box.busy
        asyncio.run(box.exchange())
        assert contents(play(box, texts)) == {"a": "re: a", "b": "re: b"}
    assert provider.requests == 2


def test_replies_survive_and_other_texts_are_asked_anew(tmp_path: Path) -> None:
    provider = Provider()
    for texts in (["a"], ["a", "b"], ["a", "b"]):
        with mailbox(tmp_path, provider) as box:
            play(box, texts)
            asyncio.run(box.exchange())
    assert provider.requests == 2


def test_the_same_request_of_two_choices_is_asked_twice(tmp_path: Path) -> None:
    provider = Provider()
    with mailbox(tmp_path, provider) as box:
        asked: dict[str, int] = {}
        for _ in range(2):
            with pytest.raises(Waiting):
                ask(box, "a", asked)
        asyncio.run(box.exchange())
    assert provider.requests == 2


def test_expired_lines_go_into_the_next_batch_and_give_up_after_some(tmp_path: Path) -> None:
    provider = Provider()
    provider.outcomes["a"] = CallError("transient", "expired")
    with mailbox(tmp_path, provider) as box:
        for _ in range(4):
            assert isinstance(play(box, ["a"])["a"], Waiting)
            asyncio.run(box.exchange())
        failed = play(box, ["a"])["a"]
        assert isinstance(failed, CallError) and "in 4 batches: expired" in failed.message
    del provider.outcomes["a"]
    with mailbox(tmp_path, provider) as box:  # the next run tries again
        play(box, ["a"])
        asyncio.run(box.exchange())
        assert contents(play(box, ["a"])) == {"a": "re: a"}


def test_a_refused_line_fails_at_once_or_is_asked_live(tmp_path: Path) -> None:
    provider = Provider()
    provider.outcomes["a"] = CallError("final", "400: no")
    for live in (False, True):
        with mailbox(tmp_path, provider, finish_live=live) as box:
            play(box, ["a"])
            asyncio.run(box.exchange())
            found = play(box, ["a"])["a"]
            assert found is None if live else isinstance(found, CallError)


def test_a_lesson_changes_the_next_batch(tmp_path: Path) -> None:
    provider = Provider()
    provider.outcomes["a"] = CallError("final", "use max_completion_tokens", lesson="max_completion_tokens")
    with mailbox(tmp_path, provider) as box:
        play(box, ["a"])
        asyncio.run(box.exchange())
        play(box, ["a"])
        asyncio.run(box.exchange())
    first, second = (lines[0][1] for _, lines in provider.taken.values())
    assert "max_tokens" in first and "max_completion_tokens" in second and "max_tokens" not in second


# --------------------------------------------------------------------------- calls through a mailbox


class LiveServer(OpenAIChat):
    """An adapter that sends nothing: it answers what was put into `replies`, or fails."""

    def __init__(self, *replies: Reply) -> None:
        self.replies, self.sent = list(replies), 0

    async def send(self, client: Any, body: dict[str, Any]) -> Reply:
        self.sent += 1
        if not self.replies:
            raise CallError("final", "400: no")
        return self.replies.pop(0)


CUT = Reply("cut", "length", Usage(10, 100), "served")
WHOLE = Reply("whole", "stop", Usage(10, 150), "served")


def model_with(box: Mailbox, adapter: LiveServer) -> Model:
    settings = ModelSettings(name="m", model_name="m", retry_truncated=True)
    endpoint = Endpoint(adapter, Connection("openai", None, None, None, 1.0), None, Gate(4))
    return Model(settings, adapter, [endpoint], mailbox=box)


def converse(model: Model, texts: list[str], account: Account, label: str = "record") -> list[Reply]:
    """A record of some turns, played with exchanges between until it is there; each reply is paid for."""

    async def turns() -> list[Reply]:
        clock, found = Clock(label), []
        for text in texts:
            reply = await chat_completion(model, [{"role": "user", "content": text}], 0.0, 100, clock)
            account.pay("m", reply.usage, 0.0, reply.key)
            found.append(reply)
        return found

    async def rounds() -> list[Reply]:
        while True:
            try:
                return await turns()
            except Waiting:
                assert model.mailbox
                await model.mailbox.exchange()

    return asyncio.run(rounds())


def bill() -> Account:
    account = Account(by_batch=True)
    account.open("m", ModelSettings(name="m", model_name="m", price={"input": 0, "output": 20}))
    return account


def test_each_reply_is_recorded_once(tmp_path: Path) -> None:
    recorded: list[str] = []

    async def record(messages: list[dict[str, str]], reply: Reply) -> None:
        recorded.append(reply.content)

    with mailbox(tmp_path, Provider()) as box:
        model = model_with(box, LiveServer())
        model.record = record
        converse(model, ["a", "b", "b"], bill())
    assert recorded == ["re: a", "re: b", "re: b"]


def test_a_cut_reply_is_asked_again_with_twice_the_room_in_the_next_batch(tmp_path: Path) -> None:
    provider, live, account = Provider(), LiveServer(), bill()
    provider.outcomes |= {"a 100": CUT, "a 200": WHOLE}
    with mailbox(tmp_path, provider) as box:
        first, last = converse(model_with(box, live), ["a", "b"], account)
    assert (first.content, last.content) == ("whole", "re: b")
    assert first.usage == Usage(20, 250, batched=270)  # both were paid for
    assert [len(lines) for _, lines in provider.taken.values()] == [1, 1, 1] and live.sent == 0
    assert account.bills["m"].usage.completion_tokens == 255  # although the first turn was played thrice
    with mailbox(tmp_path, provider) as box:  # the next run finds all of it
        assert converse(model_with(box, live), ["a", "b"], bill())[0].usage == first.usage
    assert provider.requests == 3


@pytest.mark.parametrize("miss", [CallError("transient", "expired"), CallError("final", "400: no")])
def test_a_cut_reply_stays_when_more_room_brings_none(tmp_path: Path, miss: CallError) -> None:
    provider, live, account = Provider(), LiveServer(), bill()
    provider.outcomes |= {"a 100": CUT, "a 200": miss}
    with mailbox(tmp_path, provider) as box:
        first, _ = converse(model_with(box, live), ["a", "b"], account)
    assert (first.content, first.finish_reason) == ("cut", "length")
    assert account.bills["m"].usage.completion_tokens == 105
    assert provider.requests == 3 and live.sent == 0


def test_more_room_of_two_choices_is_paid_for_twice(tmp_path: Path) -> None:
    provider, account = Provider(), bill()
    provider.outcomes |= {"a 100": CUT, "a 200": WHOLE}
    with mailbox(tmp_path, provider) as box:
        converse(model_with(box, LiveServer()), ["a", "a"], account)
    assert provider.requests == 4 and account.bills["m"].usage.completion_tokens == 500


def test_what_was_asked_live_is_kept_for_the_next_playing(tmp_path: Path) -> None:
    provider, account = Provider(), bill()
    provider.outcomes |= {"a": CallError("final", "400: no")}
    live = LiveServer(CUT, WHOLE)  # the cut reply came live, and twice the room is asked for by batch first
    with mailbox(tmp_path, provider, finish_live=True) as box:
        found = converse(model_with(box, live), ["a", "b", "c"], account)
    assert [reply.content for reply in found] == ["whole", "re: b", "re: c"]
    assert live.sent == 2 and provider.requests == 4
    assert found[0].usage == Usage(20, 250)  # all of it at the full price
    assert account.bills["m"].usage.completion_tokens == 260
    with mailbox(tmp_path, provider, finish_live=True) as box:  # after a kill too
        assert converse(model_with(box, live), ["a", "b", "c"], bill())[0].content == "whole"
    assert live.sent == 2


def test_more_room_is_asked_live_once(tmp_path: Path) -> None:
    provider, account, live = Provider(), bill(), LiveServer()
    provider.outcomes |= {"a 100": CUT, "a 200": CallError("transient", "expired")}
    with mailbox(tmp_path, provider, finish_live=True) as box:
        found = converse(model_with(box, live), ["a", "b", "c"], account)
    assert found[0].content == "cut" and live.sent == 1
    assert account.bills["m"].usage.completion_tokens == 110


def test_two_runs_never_share_a_mailbox(tmp_path: Path) -> None:
    with (
        mailbox(tmp_path, Provider()),
        pytest.raises(UserError, match="another run"),
        mailbox(tmp_path, Provider()),
    ):
        pass


def test_put_away_replies_are_not_used_again(tmp_path: Path) -> None:
    provider = Provider()
    with mailbox(tmp_path, provider) as box:
        play(box, ["a"])
        asyncio.run(box.exchange())
        box.archive()
    with mailbox(tmp_path, provider) as box:
        assert isinstance(play(box, ["a"])["a"], Waiting)


# ---------------------------------------------------------------------------------- too much at once


def until_all_is_there(box: Mailbox, texts: list[str]) -> dict[str, Any]:
    """What each text came to, after as many exchanges as it takes."""
    for _ in range(30):
        found = play(box, texts)
        if not any(isinstance(each, Waiting) for each in found.values()):
            return found
        asyncio.run(box.exchange())
    raise AssertionError("no end")


@pytest.mark.parametrize("limit", ["queue", "largest"])
def test_what_is_too_much_is_halved_until_it_is_taken(tmp_path: Path, limit: str) -> None:
    provider, texts = Provider(), [f"q{n}" for n in range(9)]
    provider.limits = Limits(100, 1_000_000)
    setattr(provider, limit, 2)
    with mailbox(tmp_path, provider) as box:
        assert contents(until_all_is_there(box, texts)) == {text: f"re: {text}" for text in texts}
    assert provider.requests == 9  # nothing was paid for twice
    assert provider.refused[:2] == [9, 4] and len(provider.refused) <= 6
    with mailbox(tmp_path, provider) as box:
        assert not box.busy


def test_a_full_queue_is_waited_for_and_nothing_fails(tmp_path: Path) -> None:
    provider = Provider()
    provider.queue = 0
    with mailbox(tmp_path, provider, finish_live=True) as box:
        for _ in range(8):
            assert all(isinstance(each, Waiting) for each in play(box, ["a", "b"]).values())
            asyncio.run(box.exchange())
        provider.queue = 1000
        assert contents(until_all_is_there(box, ["a", "b"])) == {"a": "re: a", "b": "re: b"}


def test_a_queue_that_takes_some_of_several_batches_gets_the_others_next(tmp_path: Path) -> None:
    provider, texts = Provider(), [f"q{n}" for n in range(5)]
    provider.queue = 2  # of lots of 3 and 2
    with mailbox(tmp_path, provider) as box:
        play(box, texts)
        asyncio.run(box.exchange())
        assert provider.refused == [3]
        provider.queue = 3
        until_all_is_there(box, texts)
    assert provider.refused == [3] and len(provider.taken) == 2


def test_a_request_that_is_too_large_alone_fails_and_the_others_do_not(tmp_path: Path) -> None:
    provider = Provider()
    provider.largest = 0
    with mailbox(tmp_path, provider) as box:
        found = until_all_is_there(box, ["a"])
        assert isinstance(found["a"], CallError) and "413: too large" in found["a"].message
        provider.largest = 1000
        assert contents(until_all_is_there(box, ["b"])) == {"b": "re: b"}


def sdk_client(sdk: Any, name: str, answer: Callable[[httpx2.Request], httpx2.Response]) -> Any:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return getattr(sdk, name)(api_key="k", base_url="http://server.test", max_retries=0, http_client=http)


@pytest.mark.parametrize(
    ("status", "code", "refusal", "kind"),
    [
        (413, "x", TooMuch, "final"),
        (429, "x", CallError, "rate limit"),
        (400, "x", CallError, "final"),
        (400, "token_limit_exceeded", TooMuch, "rate limit"),
    ],
)
def test_refusals_say_whether_it_was_too_much(status: int, code: str, refusal: type[CallError], kind: str) -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, json={"error": {"type": "x", "code": code, "message": "no"}})

    of_openai = OpenAIBatches(sdk_client(openai, "AsyncOpenAI", refuse))
    of_anthropic = AnthropicBatches(sdk_client(anthropic, "AsyncAnthropic", refuse))
    for batches in (of_openai, of_anthropic) if code == "x" else (of_openai,):
        with pytest.raises(CallError) as raised:
            asyncio.run(batches.submit([("a", {"model": "m"})], "marker"))
        assert type(raised.value) is refusal and raised.value.kind == kind


@pytest.mark.parametrize("size", [30_000, 1_000_000])
def test_what_goes_over_the_wire_keeps_the_limits(size: int) -> None:
    """Texts that JSON makes longer, as the body of a request or of a file."""
    wide = ['é\n"\x01' * 999, "问" * 999, "x" * 999, ""]
    lines: list[Line] = [(f"{n:032x}", ADAPTER.body(request(wide[n % 4]), set())) for n in range(400)]
    sizes: list[int] = []

    def take(request: httpx2.Request) -> httpx2.Response:
        sizes.append(len(request.content))
        return httpx2.Response(200, json={"id": "some-id"})

    lots = split(lines, 50, size)
    assert [line for lot in lots for line in lot] == lines and max(map(len, lots)) <= 50
    for batches in (
        OpenAIBatches(sdk_client(openai, "AsyncOpenAI", take)),
        AnthropicBatches(sdk_client(anthropic, "AsyncAnthropic", take)),
    ):
        for number, lot in enumerate(lots):
            asyncio.run(batches.submit(lot, f"{number:012x}"))
    assert len(sizes) == 3 * len(lots) and max(sizes) <= size + 1000  # the form around a file


def test_lots_keep_both_limits() -> None:
    lines: list[Line] = [(str(n), {"text": "x" * 100}) for n in range(10)]
    assert [len(lot) for lot in split(lines, 4, 10_000)] == [4, 4, 2]
    assert [len(lot) for lot in split(lines, 100, 700)] == [2] * 5
    assert [len(lot) for lot in split(lines, 100, 1)] == [1] * 10  # the provider may refuse it; nothing is lost


def test_a_limit_of_cost_holds_over_a_whole_batch() -> None:
    account = Account(limit=1.0, by_batch=True)
    account.open("judge", ModelSettings(name="j", model_name="m", price={"input": 0, "output": 20}))
    worst = account.worst("judge", [0], 20_000)  # 0.2 dollars by batch

    async def records() -> int:
        sent = 0
        for _ in range(9):
            try:
                async with account.room(worst) as granted:
                    if granted:
                        sent += 1
                        raise Waiting
            except Waiting:
                continue
        return sent

    assert asyncio.run(records()) == 5 and account.not_sent == 4


def test_what_a_batch_brought_is_taken_in_although_all_comes_at_once() -> None:
    account = Account(limit=1.0, by_batch=True)
    account.open("judge", ModelSettings(name="j", model_name="m", price={"input": 0, "output": 20}))
    worst = account.worst("judge", [0], 20_000)
    came, written = False, []

    async def record(number: int) -> bool:
        try:
            async with account.room(worst) as granted:
                if not granted:
                    return False
                if not came:
                    raise Waiting
                account.pay("judge", Usage(completion_tokens=19_000 + number, batched=19_000 + number))
                await asyncio.sleep(0)  # the disk
                written.append(number)
                return False
        except Waiting:
            return True

    async def rounds() -> None:
        nonlocal came
        waiting = await asyncio.gather(*(record(number) for number in range(9)))
        came = True
        await account.batches_came_back()
        await asyncio.gather(*(record(number) for number, waits in enumerate(waiting) if waits))

    asyncio.run(rounds())
    assert len(written) == 5
