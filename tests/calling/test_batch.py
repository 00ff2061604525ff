"""Batches: what a mailbox promises, by itself and to the calls that go through it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.batch import Mailbox, Waiting
from arena_hard.calling.calls import chat_completion
from arena_hard.calling.gate import Gate
from arena_hard.calling.models import Clock, Endpoint, Model
from arena_hard.calling.providers.base import CallError, Connection, Reply
from arena_hard.calling.providers.openai_chat import OpenAIChat
from arena_hard.data.records import UserError
from arena_hard.data.settings import ModelSettings
from arena_hard.data.usage import Usage
from arena_hard.money.account import Account
from tests.support.mailboxes import Provider, ask, contents, mailbox, play


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


def converse(
    model: Model, texts: list[str], account: Account, label: str = "record", choices: Sequence[str] = ()
) -> list[Reply]:
    """A record of some turns, played with exchanges between until it is there; each reply is paid for."""

    async def turns() -> list[Reply]:
        async with account.room("m", label, 0.0) as purse:
            assert purse is not None
            return await talk(Clock(label, purse=purse))

    async def talk(clock: Clock) -> list[Reply]:
        found: list[Reply] = []
        for text in texts:
            reply = await chat_completion(model, [{"role": "user", "content": text}], 0.0, 100, clock, choices=choices)
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


@pytest.mark.parametrize("live", [[Reply("Hm.", "stop", Usage(10, 3)), Reply("yes", "stop", Usage(10, 1))], []])
def test_a_form_is_tried_live_by_one_call_before_batches_are_asked_in_it(tmp_path: Path, live: list[Reply]) -> None:
    """A server that ignores it would be paid for the whole batch; one without live calls is asked by batch alone."""
    provider, account, server = Provider(), bill(), LiveServer(*live)
    provider.outcomes |= {text: Reply("yes", "stop", Usage(10, 1)) for text in "abc"}
    with mailbox(tmp_path, provider) as box:
        found = converse(model_with(box, server), ["a", "b", "c"], account, choices=("yes", "no"))
    assert [reply.content for reply in found] == ["yes"] * 3
    bodies = [body for _, lines in provider.taken.values() for _, body in lines]
    assert len(bodies) == (2 if live else 3) and server.sent == (2 if live else 5)
    assert all(("structured_outputs" if live else "response_format") in body for body in bodies)
    if live:
        assert found[0].usage == Usage(20, 4) and account.bills["m"].usage.completion_tokens == 6


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


def test_put_away_replies_are_not_used_again_and_those_for_other_records_are(tmp_path: Path) -> None:
    provider = Provider()
    with mailbox(tmp_path, provider) as box:
        play(box, ["a", "b"])
        asyncio.run(box.exchange())
        box.archive({"a"})
        assert contents(play(box, ["b"])) == {"b": "re: b"}
    with mailbox(tmp_path, provider) as box:
        assert contents(play(box, ["b"])) == {"b": "re: b"}
        assert isinstance(play(box, ["a"])["a"], Waiting)
        asyncio.run(box.exchange())
        box.archive({"a", "b"})
    assert not (tmp_path / "box").exists()
