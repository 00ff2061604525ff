"""Addresses as people paste them, and the right one for a server that knows nothing of what it was asked.

Understood, with a note: the path of a call at the end, /v1 twice, doubled slashes, a query, and for azure the
path of a deployment. What only the server can tell is looked up there, once, when it has refused a call.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec

# What the SDKs add themselves; /models alone is no such tail, for some bases end in it.
_TAILS = re.compile(
    r"(/chat/completions|/completions|/responses|/embeddings|/messages(/batches|/count_tokens)?|(?<=/v1)/models)$"
)
_DEPLOYMENT = re.compile(r"/openai(?:/v1|/deployments(?:/(?P<name>[^/]+))?)?$")
_CALLS = {"openai": ("/chat/completions", "/models"), "anthropic": ("/v1/messages", "/v1/models")}  # and the listing
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
LOOK_SECONDS = 5.0
STRANGER_SECONDS = 1.0  # a run waits for it


class Pasted(msgspec.Struct, frozen=True):
    """An address as the SDKs want it, and what else the pasted one said.

    deployment, version: of an azure address; changed: whether a user should hear what was understood.
    """

    base: str
    deployment: str | None = None
    version: str | None = None
    changed: bool = False


def understood(text: str, azure: bool = False) -> Pasted:
    """What an address means."""
    text = text.strip().rstrip("/")
    parts = urlsplit(text)
    path = re.sub(r"//+", "/", parts.path).rstrip("/")
    while (tail := _TAILS.search(path)) is not None:
        path = path[: tail.start()]
    path = re.sub(r"(/v\d+\w*)\1+(?=/|$)", r"\1", path)
    deployment = version = None
    if azure:
        version = next(iter(parse_qs(parts.query).get("api-version", [])), None)
        found = _DEPLOYMENT.search(path)
        if found:
            path, deployment = path[: found.start()], found["name"]
    base = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    return Pasted(base, deployment, version, base != text)


def shown(address: str) -> str:
    """An address without its credentials and query, for people."""
    return re.sub(r"//[^/@]*@", "//", re.split("[?#]", address)[0]).rstrip("/")


def web_page(text: str) -> str | None:
    """What to call a web page that came instead of JSON; None for anything else."""
    if not text.lstrip("\ufeff \r\n\t").startswith("<"):
        return None
    title = _TITLE.search(text)
    return f'a web page ("{" ".join(title[1].split())}")' if title else "a web page"


class Advice(msgspec.Struct, frozen=True):
    """What to say of an address, and whether a better one was found."""

    text: str
    found: bool = False


async def advice(client: Any, api_type: str) -> Advice:
    """What to say after a server did not know the path of a call.

    Asks the same server for its models at the base in use and at those that may be meant; `client` is the SDK's.
    """
    base = shown(str(client.base_url))
    if api_type == "azure":
        return Advice("For azure, api_base is the resource (https://NAME.openai.azure.com), model_name the deployment")
    call, listing = _CALLS.get(api_type, _CALLS["openai"])
    others = _candidates(base, api_type)
    here, *found = await asyncio.gather(*(_answers(client, each + listing) for each in (base, *others)))
    right = next((each for each, good in zip(others, found) if good), None)
    if right and not here:
        return Advice(f"Asked was {base}{call}; {right}{listing} answers, so write api_base: {right}", found=True)
    if not here and api_type != "anthropic" and not re.search(r"/v\d", base):
        return Advice(f"Asked was {base}{call}; most servers want /v1 at the end of api_base: {base}/v1")
    return Advice(f"Asked was {base}{call}")


def _candidates(base: str, api_type: str) -> list[str]:
    """Other addresses on the same server, the likeliest first."""
    parts = urlsplit(base)
    root = f"{parts.scheme}://{parts.netloc}"
    parent = base.rpartition("/")[0] if parts.path.strip("/") else root
    if api_type == "anthropic":
        made = [parent, root, f"{base}/anthropic", f"{root}/anthropic", f"{root}/api"]
    else:
        made = [f"{base}/v1", parent, f"{root}/v1", f"{base}/openai", f"{root}/api/v1", f"{root}/openai/v1", root]
    return [each for each in dict.fromkeys(made) if each != base]


async def _answers(client: Any, url: str) -> bool:
    """Whether a URL lists models. A web page is no list."""
    listed = await looked_at(client, url)
    return isinstance(listed, list) or (isinstance(listed, dict) and bool({"data", "models"} & listed.keys()))


async def looked_at(client: Any, url: str) -> Any:
    """The JSON at a URL; None where there is none. `client` is the SDK's."""
    import httpx2

    try:
        looking = client.get(url, cast_to=httpx2.Response, options={"timeout": LOOK_SECONDS})
        return (await asyncio.wait_for(looking, 2 * LOOK_SECONDS)).json()  # where it comes drop by drop, too
    except Exception:  # of many kinds, from two SDKs; all mean that nothing was found there
        return None


async def refuses_strangers(client: Any, url: str) -> bool:
    """Whether a server is known not to answer a GET with a key that it does not know, if a client can ask with one."""
    ask = getattr(client, "status_of_stranger", None)
    if ask is None:
        return False
    try:
        return await asyncio.wait_for(ask(url), STRANGER_SECONDS) in (401, 403)
    except Exception:  # of as many kinds
        return False
