"""A provider of one's own: an authorization key buys tokens that live for half an hour, as at GigaChat."""

from __future__ import annotations

import time
import uuid

from arena_hard.calling.providers import CallError, Connection, Dialect, Reply, Request, Tokens, http_client


class Client:
    """One endpoint: its connections and its token."""

    def __init__(self, connection: Connection) -> None:
        self.base, self.key, self.options = connection.base_url, connection.api_key, connection.options
        self.http = http_client(connection)
        self.tokens = Tokens(self.fetch_token)

    async def fetch_token(self) -> tuple[str, float]:
        headers = {"Authorization": f"Basic {self.key}", "RqUID": str(uuid.uuid4())}
        form = {"scope": self.options["scope"]}
        response = await self.http.post(self.options["token_url"], headers=headers, data=form)
        response.raise_for_status()
        told = response.json()
        return told["access_token"], told["expires_at"] / 1000 - time.time()


class MyAdapter:
    """The four methods of an adapter."""

    def open(self, connection: Connection) -> Client:
        return Client(connection)

    def body(self, request: Request, dialect: Dialect) -> dict[str, object]:
        body = {"model": request.model, "messages": request.messages, "temperature": request.temperature}
        body |= {"max_tokens": request.max_tokens, "stop": request.stop}
        return {key: value for key, value in body.items() if value is not None} | request.extra

    async def send(self, client: Client, body: dict[str, object]) -> Reply:
        token = await client.tokens.get()
        headers = {"Authorization": f"Bearer {token}"}
        response = await client.http.post(f"{client.base}/chat/completions", json=body, headers=headers)
        if response.status_code == 401 and client.tokens.refused(token):
            raise CallError("transient", "the token was refused; the next try has another one")
        response.raise_for_status()
        told = response.json()
        choice = told["choices"][0]
        reason = "content_filter" if choice["finish_reason"] == "blacklist" else choice["finish_reason"]
        return Reply(choice["message"]["content"], reason, told.get("usage"), told.get("model"))

    async def close(self, client: Client) -> None:
        await client.http.aclose()
