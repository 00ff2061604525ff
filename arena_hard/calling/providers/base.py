"""The words between the call loop and the adapters: request, reply, and three kinds of error."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from arena_hard.calling.providers.quotas import Quota
from arena_hard.data import secrets
from arena_hard.data.usage import Usage

Message = dict[str, str]
Note = tuple[str, str]  # what a reply is remarkable for: "field", "thought", "template", "finish" or "end", and which
Kind = Literal["rate limit", "transient", "final"]
RAISE = "raise max_tokens"  # what is said of a reply that was cut before an answer began
OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens")  # what bounds a reply's tokens in a request's body


class Request(msgspec.Struct, frozen=True):
    """One completion to ask for. `max_tokens` counts the tokens of the reply.

    shared: characters at the start of the first user message that other requests begin with too.
    stop: texts that end the reply where they would come. choices: the only replies there may be, where the server can
    be told so; fields: of the object that has one of the choices in each. logprobs: whether to ask for the
    probabilities of the reply's tokens. embeds: whether a vector is asked for each message, in place of a reply to all.
    """

    model: str
    messages: list[Message]
    temperature: float | None
    max_tokens: int
    extra: dict[str, Any] = {}
    reasoning_effort: str | None = None
    thinking: int | None = None
    shared: int = 0
    stop: list[str] | None = None
    choices: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    logprobs: bool = False
    embeds: bool = False


class Token(NamedTuple):
    """A token of a reply, the logarithm of its probability, and those of others in its place.

    least: the most probability that a token may have which is not among them.
    """

    text: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()
    least: float = 0.0


class Reply(msgspec.Struct, frozen=True):
    """What a server answered. `finish_reason` 'length' means that it was cut at max_tokens.

    An adapter fills it with what came: the text as it is, thoughts in it too; `read_reply` of reading.py does the rest.
    thought: what came apart from the text; notes: what the run's report should say of it.
    key: its name in a mailbox, the same whenever its record is played; None for what was only asked live.
    tokens: those that may be part of a label (token_odds.py), where they were asked for and came. form: of the
    constraint that it kept to (constraints.py). refuses: whether the server marks the text as a refusal to answer.
    vectors: of each message, where they were asked for.
    """

    content: str
    finish_reason: str = "stop"
    usage: Usage | None = None
    served_model: str | None = None
    fingerprint: str | None = None
    thought: str | None = None
    quotas: Mapping[str, Quota] = {}
    key: str | None = None
    notes: tuple[Note, ...] = ()
    tokens: tuple[Token, ...] | None = None
    form: str | None = None
    refuses: bool = False
    vectors: tuple[list[float], ...] | None = None


class TooLong(NamedTuple):
    """What a refusal says of a prompt that does not fit: the most that is taken, and the tokens that were counted.

    is_later: whether the prompt holds earlier replies of the same record, without which it had room.
    """

    limit: int | None = None
    prompt: int | None = None
    is_later: bool = False


class CallError(Exception):
    """A call that brought no answer.

    kind: 'rate limit' (wait, then ask again), 'transient' (ask again a few times), 'final' (never
        ask the same again).
    retry_after: seconds that the server asked to wait, if it did.
    endpoint_wide: every other request to this endpoint would end the same way (wrong key, no quota).
    lesson: how the server wants to be asked instead (a term of `Dialect`), if it said so.
    finish_reason: that of a reply which came and holds no text; None where no reply came.
    usage: the tokens that were paid for all the same.
    key: the call's name in a mailbox.
    wrong_address: whether the server did not know the path that was asked, or sent a web page.
    is_page: whether that web page came in the place of a reply, with a status that says that all is well.
    not_taken: whether nobody worked on it: the server could not be reached, or was too busy to begin.
    busy: whether the server said that it takes no more for now: every 'rate limit', and what may pass of that kind.
    unheard: whether the line failed, or no answer came in time, so that nothing is known of what the server takes.
    too_long: what the server said of the length, where the prompt did not fit into its context.
    about_request: of one that ended a call, whether it was for what was asked, or for a reply without text: another
        request to the same server may well be answered.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        retry_after: float | None = None,
        endpoint_wide: bool = False,
        lesson: str | None = None,
        finish_reason: str | None = None,
        usage: Usage | None = None,
        key: str | None = None,
        wrong_address: bool = False,
        not_taken: bool = False,
        busy: bool = False,
        unheard: bool = False,
    ) -> None:
        message = secrets.mask(message)
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.retry_after = retry_after
        self.endpoint_wide = endpoint_wide
        self.lesson = lesson
        self.finish_reason = finish_reason
        self.usage = usage
        self.key = key
        self.wrong_address = wrong_address
        self.not_taken = not_taken
        self.busy = busy or kind == "rate limit"
        self.unheard = unheard
        self.too_long: TooLong | None = None
        self.about_request = False
        self.is_page = False

    def refuses_request(self) -> bool:
        """Whether it says something of this request, as `about_request` does, and nothing of the server."""
        refused = self.kind == "final" and not (self.endpoint_wide or self.wrong_address)
        return refused or self.finish_reason is not None


class Unforeseen(CallError):
    """A call that an error in the program ended: its kind, its words and its place; no other call is lost by it."""

    def __init__(self, error: Exception, usage: Usage | None = None) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{'/'.join(Path(frames[-1].filename).parts[-2:])}:{frames[-1].lineno}" if frames else "?"
        words = without_secrets(f"{type(error).__name__}: {error}".rstrip(" :."))
        super().__init__("final", f"{words} ({place}); this is a mistake in the program, please report it", usage=usage)

    def refuses_request(self) -> bool:
        """It says nothing of the request, and is to be seen."""
        return False


class Connection(msgspec.Struct, frozen=True):
    """Where an adapter sends its requests: all that is needed to open a client.

    timeout: seconds that one request may take; it is ended from outside then.
    verify: whom to trust in TLS: the machine's authorities (True), those of a file or folder, or anybody (False).
    notes: what a user should hear of it.
    options: what this api_type needs besides, with the environment filled in: a region, an own provider's `options:`.
    """

    api_type: str
    base_url: str | None
    api_key: str | None
    api_version: str | None
    timeout: float
    verify: bool | str = True
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = {}


# What a server may have taught about how it wants to be asked: "max_completion_tokens",
# "no temperature", "developer role", "no system role", "stream", "no stream", "few logprobs", "no logprobs",
# "logprobs hold", "no encoding_format", and of each form of constraints.py "no FORM" or "FORM holds"; doubts.py adds
# what it is sure of.
Dialect = set[str]


class Adapter(Protocol):
    """One small adapter for each wire format. It never sleeps, retries, prints or logs, and it knows no files.

    All state is the client's: one adapter serves every endpoint of its api_type, with many calls at once.
    """

    def open(self, connection: Connection) -> Any:
        """The client that all requests of one endpoint share; called once, outside the loop. Nothing is sent yet."""
        ...

    def body(self, request: Request, dialect: Dialect) -> dict[str, Any]:
        """The request as it goes over the wire, in the server's terms; nothing secret, since --dry-run prints it.

        dialect: what `CallError.lesson` of earlier refusals said, and otherwise empty.
        """
        ...

    async def send(self, client: Any, body: dict[str, Any]) -> Reply:
        """One call, sent once. It may be cancelled at any `await`, and nothing else ends it early.

        Raises CallError whose kind says what happens next: 'rate limit' waits, 'transient' asks again, 'final' fails.
        """
        ...

    async def close(self, client: Any) -> None:
        """Give the client's connections back; called once, at the end of the run."""
        ...


_SECRET = re.compile(
    r"(?i)\b(bearer\s+(?!(?:tokens?|auth\w*|keys?|scheme|realm)\b)\S+|(?:sk|key|gsk|xai|pk)-[\w*.-]{4,}"
    r"|ya29\.[\w*.-]{4,}|eyj[\w-]{8,}\.[\w.-]+"  # a token of Google's, a signed token
    r"|(?:akia|asia)[a-z0-9*]{12,}|x-amz-security-token[:=]\s*\S+)"  # AWS's
)
_IN_A_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s@]+@|([?&](?:api[-_]?)?(?:key|token)=)[^&\s\"']+")
# what a terminal would obey: escape sequences, other control characters, changes of the writing direction
_FOR_TERMINALS = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_LONGEST_WORD = 500  # characters of a word that a server says, such as a model's name
NO_KEY = "EMPTY"  # what is sent to a server that wants none


def without_secrets(text: str) -> str:
    """A provider's message with all keys in it made unreadable, printable, and not longer than a few lines.

    Those that this run does not know are told by their looks.
    """
    text = secrets.mask_message(_FOR_TERMINALS.sub("", whole_characters(text)))
    text = _IN_A_URL.sub(lambda found: f"{found[1] or found[2]}{'' if found[1] else '[key]'}", text)
    text = " ".join(_SECRET.sub("[key]", text).split())
    return text if len(text) <= 500 else text[:500] + " …"


def whole_characters(text: str) -> str:
    """A text that can be written: two halves of a character are made one, and of a lone half it is \ufffd."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def printable(word: str) -> str:
    """A word of a server's, which messages and records repeat, on one line and without what a terminal would obey."""
    word = " ".join(_FOR_TERMINALS.sub("", whole_characters(word)).split())
    return word if len(word) <= _LONGEST_WORD else word[:_LONGEST_WORD] + "…"


def host_of(url: str) -> str:
    """How a server is called in messages: its name and port, without the user and password of a URL."""
    return urlsplit(url).netloc.rpartition("@")[2] or url


def is_of(value: object, sdk: str, name: str) -> bool:
    """Whether a value is of this class of an SDK, which may not be imported, or just now by another thread."""
    return any((each.__name__, each.__module__.partition(".")[0]) == (name, sdk) for each in type(value).__mro__)
