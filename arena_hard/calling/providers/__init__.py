"""An adapter for each api_type. It opens a client, makes a request's body, sends it, and reads what came: no more.

What an adapter of the user's own needs is imported from here (docs/own-provider.md). For the other rooms:

registry            which adapter speaks to a provider, where it lives, whose key it takes
base                request, reply, and three kinds of error
addresses           addresses as people paste them, and the right one where a server did not know what it was asked
batches             the providers' batch interfaces
batch_answers       what a batch interface answers, and whether all of it came
context_length      how many tokens a server takes, from its list of models and its refusals
quotas              the limits that a server announces with a reply
finish_reasons      why a reply ended, in one set of words
thoughts            thoughts that a server leaves inside the answer
thought_tags        the tags that models write around them
template_remains    chat templates that show through
recorded            completions replayed from a file
token_odds          the probabilities of tokens that a label may be made of
constraints         a reply that can only be one of some choices, or an object of such, in the server's own terms
lessons             how a server wants to be asked instead, read from its refusal

Inside:

openai_chat         OpenAI, Azure, and every server that speaks their protocol
openai_embeddings   their vectors of texts
anthropic_messages  Anthropic's messages
bedrock             Amazon's Converse interface
vertex              Google's Vertex AI
own                 providers of one's own
own_reply           what an adapter of the user's brings, in the types that are expected
http                what the adapters over HTTP share: errors told apart
late_sdk            the SDKs, imported when something comes that needs them
direct              requests that an SDK prepared once, sent with other bodies
error_bodies        what an error's body says, in any of its shapes
long_errors         bodies of errors that are longer than any words
failures_beside     whether what stands beside an answer tells that it broke off
decoding            the bytes of a reply → its JSON
streams             streams, asked for or not, as the one reply they are
fields              a reply read field by field, odd ones passed over and noted
usage               how many tokens a reply cost
harmony             the channels of the harmony format
tokens              access tokens that expire
google_session      how Google's token servers are reached
threads             a call of a blocking SDK in a thread of its own
tls                 whom an endpoint trusts, and why no encrypted connection comes about
transport           the HTTP transport that the SDKs get
unended             streams that are whole when their connection breaks
lenient             responses that only the SDKs' own transport reads
redirects           where a server may send a request on to
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arena_hard.calling.providers.base import Adapter, CallError, Connection, Dialect, Reply, Request
from arena_hard.calling.providers.http import http_error
from arena_hard.calling.providers.threads import in_thread
from arena_hard.calling.providers.tokens import Tokens
from arena_hard.data.secrets import know as keep_secret
from arena_hard.data.usage import Usage

if TYPE_CHECKING:
    import httpx2

__all__ = [
    "Adapter",
    "CallError",
    "Connection",
    "Dialect",
    "Reply",
    "Request",
    "Tokens",
    "Usage",
    "http_client",
    "http_error",
    "in_thread",
    "keep_secret",
]


def http_client(connection: Connection) -> httpx2.AsyncClient:
    """A client for an endpoint's server. Raises UserError for a proxy or certificate that cannot be used."""
    from arena_hard.calling.providers import transport  # with the HTTP libraries, which only calls need

    return transport.http_client(connection.base_url or "", connection.verify)
