"""What the user's own adapters bring that is not what they should: answers are kept, mistakes are one failed call."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from arena_hard.calling.providers.base import CallError
from arena_hard.data.settings import EndpointSettings, ModelSettings
from arena_hard.data.usage import Usage
from tests.calling.test_own_provider import OAuth, chat_reply, oauth, provider, settings  # noqa: F401
from tests.support.direct_calls import outcomes

HEAD = "import asyncio, enum, sys\nfrom arena_hard.calling.providers import *\n"
TEN = Usage(prompt_tokens=10, completion_tokens=20)


GOOD = "return Reply('fine', 'stop', None, 'm')"
SEND = f"""    async def send(self, client, body):
        if body['prompt'] != 'Prompt 2': {GOOD}
        CODE
"""
BODY = "    def body(self, request, dialect):\n        return {'prompt': request.messages[0]['content']}\n"


def sent(folder: Path, code: str) -> list[Any]:
    """What comes of three calls, of which `send` does this in the second one."""
    file = folder / "own.py"
    file.write_text(HEAD + provider(send=SEND.replace("CODE", code), body=BODY))
    endpoints = [EndpointSettings("http://127.0.0.1:9")]
    model = ModelSettings("m", "x", endpoints, f"{file}:MyAdapter", backoff=0.01, attempts=2, deadline=1.0)
    return outcomes(model, 3, one_by_one=True)


ODD: list[tuple[str, str, Usage | None, str | None]] = [
    # arguments of Reply, answer, usage, what is noted
    ("'fine'", "fine", None, None),
    ("'fine', 'stop', 10.0, 'm'", "fine", None, "usage: 10.0"),
    ("'fine', 'stop', '5', 'm'", "fine", None, 'usage: "5"'),
    ("'fine', 'stop', {'prompt_tokens': 10, 'completion_tokens': '20'}, 'm'", "fine", TEN, None),
    ("'fine', 'stop', {'input_tokens': 4, 'output_tokens': 20, 'cache_read_input_tokens': 6}, 'm'", "fine",
     Usage(10, 20, cached_tokens=6), None),
    ("'fine', 'stop', {'inputTokens': 10, 'outputTokens': 20}, 'm'", "fine", TEN, None),
    ("'fine', 'stop', Usage('10', 20.0), 'm'", "fine", TEN, None),
    ("'fine', 'stop', Usage(None, 20), 'm'", "fine", None, "usage.prompt_tokens: null"),
    ("'fine', 'stop', Usage([], 20), 'm'", "fine", None, "usage.prompt_tokens: []"),
    ("'fine', 7, None, 'm'", "fine", None, "finish_reason: 7"),
    ("'fine', enum.Enum('E', 'STOP')(1), None, 'm'", "fine", None, None),
    ("'fine', None, None, 4", "fine", None, "served_model: 4"),
    ("'fine', 'stop', None, 'm', thought=['hm']", "fine", None, None),
    ("[{'type': 'text', 'text': 'fine'}], 'stop', None, 'm'", "fine", None, None),
    ("4, 'stop', None, 'm'", "4", None, "content: 4"),
    ("'fine', 'stop', None, 'm', quotas={'requests': 5, 3: None}", "fine", None, None),
    ("'fine', 'stop', None, 'm', quotas=7, key=3, notes=None", "fine", None, None),
    ("'fine', 'stop', None, 'm', notes=('a', ('field', 'x: 1'), ('b', 3))", "fine", None, "x: 1"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "answer", "usage", "noted"), ODD, ids=[row[0] for row in ODD])
def test_an_odd_field_costs_no_answer(
    tmp_path: Path, given: str, answer: str, usage: Usage | None, noted: str | None
) -> None:
    _, got, _ = sent(tmp_path, f"return Reply({given})")
    assert not isinstance(got, Exception), got
    assert (got.content, got.finish_reason, got.usage, got.key) == (answer, "stop", usage, None)
    assert len(got.notes) == (noted is not None) and (noted or "") in str(got.notes)


def test_halves_of_characters_are_no_part_of_a_reply(tmp_path: Path) -> None:
    half = "\\ud83d"
    more = f"fingerprint='f{half}', thought='t{half}', notes=(('field', 'n: {half}'),)"
    _, got, _ = sent(tmp_path, f"return Reply('fine{half}', 'x{half}', None, 'm{half}', {more})")
    assert (got.content, got.finish_reason, got.served_model) == ("fine\ufffd", "x\ufffd", "m\ufffd")
    assert (got.fingerprint, got.thought) == ("f\ufffd", "t\ufffd")
    assert got.notes == (("field", "n: \ufffd"), ("finish", "x\ufffd"))
    (tmp_path / "other").mkdir()
    _, error, _ = sent(tmp_path / "other", f"raise CallError('final', 'bad{half}')")
    assert error.message.endswith("bad\ufffd")


ERROR = "class E(Exception):\n            {}\n        raise E('x')"
MISTAKES = [
    ("return Reply(None, 'stop', None, 'm')", "no text"),
    ("return Reply(b'fine', 'stop', None, 'm')", "no Reply with a text"),
    ("return body['x']", "own.py:10: KeyError"),
    ("sys.exit(3)", "own.py:10: SystemExit"),
    *[("raise asyncio.CancelledError()", "own.py:10: CancelledError")] * (sys.version_info >= (3, 11)),
    ("raise TimeoutError()", "connection failed: TimeoutError"),
    ("raise CallError('retry', 'slow')", "slow (CallError of kind 'retry'; kinds are 'rate limit'"),
    ("raise CallError('transient', 'slow', retry_after=float('nan'))", "slow (after 2 tries)"),
    ("raise CallError('final', 'bad', lesson=['a'], finish_reason=4)", "bad"),
    ("raise CallError('final', 5)", "own.py:10: "),
    (ERROR.format("def __str__(self): raise ValueError('x')"), "E"),
    (ERROR.format("@property\n            def response(self): raise RuntimeError('closed')"), "E: x"),
    (ERROR.format("class response: status_code = 500; text = print; headers = None"), "500: E: x"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "words"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_one_failed_call(tmp_path: Path, code: str, words: str) -> None:
    first, second, third = sent(tmp_path, code)
    assert isinstance(second, CallError) and words in second.message
    assert (first.content, third.content) == ("fine", "fine")


def test_a_rate_limit_in_other_letters_is_waited_for(tmp_path: Path) -> None:
    head = "self.asked = getattr(self, 'asked', 0) + 1\n        if self.asked == 2: "
    _, got, _ = sent(tmp_path, f"{head}{GOOD}\n        raise CallError('rate_limit', 'slow', '0.05')")
    assert got.content == "fine"


def test_the_documented_example_reads_replies_without_usage(oauth: OAuth) -> None:  # noqa: F811
    told = chat_reply()[2]
    oauth.answer = lambda *_: (200, {}, told | {"usage": None})
    (got,) = outcomes(settings(oauth))
    assert (got.content, got.usage) == ("fine", None)
    oauth.answer = lambda *_: (200, {}, told | {"usage": {"prompt_tokens": 10.0, "completion_tokens": "20"}})
    assert outcomes(settings(oauth))[0].usage == TEN
