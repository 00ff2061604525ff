"""The loopback server: one low-level aiohttp handler, so that it is never the bottleneck."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from . import replies, wire_openai
from .asks import Ask, Refused, Reply
from .constraint import FORMS, form_of
from .control import control
from .faults import ERRORS, Fault, FaultSource, Script, fault_from, fault_rates, share
from .limits import Bucket
from .prefix_cache import PrefixCache
from .sending import FOREVER, abort, cut_body, facts_of, request_id, retry_after
from .settings import Settings
from .stats import Stats, Visit
from .wires import AZURE, MODELS_PATHS, OPENAI, Wire, json_response, key_of, masked, wire_of

_PAGE = "<html><head><title>Portal</title></head><body><h1>Please sign in</h1></body></html>"


class Loopback:
    """Answers requests by the settings, and counts them."""

    def __init__(self, settings: Settings) -> None:
        self._first_settings = settings
        self.script = Script()
        self.stats = Stats(settings.keep_requests)
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Take other settings; counts and script stay, buckets and prompt cache begin anew."""
        self.settings = settings
        self.stats.keep(settings.keep_requests)
        self._of_model: dict[str, tuple[Settings, FaultSource]] = {}
        self._buckets: dict[tuple[str | None, str], Bucket] = {}
        self.cache = PrefixCache.of(settings.prefix_cache)

    def reset(self) -> None:
        """Back to the settings of the start, with nothing counted, scripted or cached."""
        self.script.clear()
        self.stats.clear()
        self.configure(self._first_settings)

    # ------------------------------------------------------------------------------- a request

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path.startswith("/_control/"):
            return await control(self, request)
        found = wire_of(path)
        if found is None or request.method != "POST":
            return self._elsewhere(request)
        wire, deployment = found
        raw = await request.content.read()
        key = key_of(request, wire)
        visit = self.stats.arrive(path, key, request.headers, raw, self.settings.early_grace)
        self.stats.in_flight += 1
        self.stats.max_in_flight = max(self.stats.max_in_flight, self.stats.in_flight)
        try:
            return await self._answer(request, visit, wire, deployment)
        finally:
            self.stats.in_flight -= 1

    def _elsewhere(self, request: web.BaseRequest) -> web.Response:
        """The list of models, or a 404."""
        if request.path in MODELS_PATHS and request.method == "GET":
            try:
                self._check_key(key_of(request, OPENAI), self.settings)
            except Refused as refused:
                return json_response(*wire_openai.error(refused, {"masked": masked(key_of(request, OPENAI))}))
            return json_response(200, wire_openai.models(self.settings))
        if request.path == "/props" and self.settings.context_told == "props":
            return json_response(200, {"default_generation_settings": {"n_ctx": self.settings.context_window}})
        body = {"message": f"Invalid URL ({request.method} {request.path})", "type": "invalid_request_error",
                "param": None, "code": None}  # fmt: skip
        return json_response(404, {"error": body})

    async def _answer(self, request: web.BaseRequest, visit: Visit, wire: Wire,
                      deployment: str | None) -> web.StreamResponse:  # fmt: skip
        body, settings = self._opened(visit, deployment)
        try:
            if body is None:
                raise Refused("400", message="We could not parse the JSON body of your request.")
            if wire is AZURE and not request.query.get("api-version"):
                raise Refused("no_api_version")
            await self._fail_before(request, visit)
            reply = await self._completed(visit, wire, body, settings)
            return await self._sent(request, visit, wire, reply, settings)
        except Refused as refused:
            if settings.error_latency:
                await asyncio.sleep(settings.error_latency)
            return self._refused(visit, wire, refused, settings)

    def _opened(self, visit: Visit, deployment: str | None) -> tuple[dict[str, Any] | None, Settings]:
        """The parsed body (None if it is no JSON object) and its model's settings; chooses the fault."""
        try:
            body = json.loads(visit.raw)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            body = None
        elif deployment is not None:
            body["model"] = deployment
        visit.model = str((body or {}).get("model", ""))
        self.stats.counts["model"][visit.model] += 1
        settings, source = self._settings_of(visit.model)
        visit.fault = self.script.pop() if len(self.script) else source.choose(visit.digest, visit.attempt)
        if visit.fault is not None and visit.fault.name != "unsupported_parameter":
            self.stats.counts["faults"][visit.fault.name] += 1
        return body, settings

    def _settings_of(self, model: str) -> tuple[Settings, FaultSource]:
        if model not in self._of_model:
            settings = self.settings.of_model(model)
            source = FaultSource(settings.seed, fault_from(settings.fault), fault_rates(settings.faults))
            self._of_model[model] = settings, source
        return self._of_model[model]

    async def _fail_before(self, request: web.BaseRequest, visit: Visit) -> None:
        """The faults that leave no reply, and the errors. Raises Refused for these."""
        fault = visit.fault
        if fault is None:
            return
        if fault.name == "hang":
            await asyncio.sleep(FOREVER)
        elif fault.name == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault.name == "cut":
            await abort(request)
        elif fault.name in ERRORS and fault.name != "unsupported_parameter":
            raise Refused(fault.name, param=fault.param, retry_after=fault.retry_after, form=fault.form,
                          status=fault.status, message=fault.message)  # fmt: skip

    # -------------------------------------------------------------------------------- a reply

    async def _completed(self, visit: Visit, wire: Wire, body: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
        """The body of the reply, as an object. Raises Refused."""
        self._check_key(visit.key, settings)
        ask = wire.read(body)
        self._check_limits(visit, settings)
        self._check_ask(visit, wire, ask, settings)
        hits = self.cache.look(ask) if self.cache else None
        if settings.latency:
            swing = settings.jitter * (2 * share("jitter", settings.seed, visit.digest, visit.attempt) - 1)
            await asyncio.sleep(settings.latency * (1 + swing))
        reply = replies.compose(ask, settings)
        if self.cache and hits:
            self.cache.store(hits)
            reply.cached_tokens, reply.stored_tokens = hits.cached, hits.stored
        if visit.fault and visit.fault.name == "truncated":
            replies.halve(reply)
        elif visit.fault and visit.fault.name == "content_filter":
            replies.halve(reply)
            reply.finish = "content_filter"
        self._count_tokens(reply)
        fingerprint = settings.system_fingerprint
        return wire.completion(ask, reply, identity=f"{visit.digest.hex()}{visit.attempt}",
                               served=ask.model + settings.served_suffix, fingerprint=fingerprint,
                               field=settings.reasoning)  # fmt: skip

    def _check_key(self, key: str | None, settings: Settings) -> None:
        if settings.keys is not None and key not in settings.keys:
            raise Refused("401")

    def _check_limits(self, visit: Visit, settings: Settings) -> None:
        if settings.max_concurrency is not None and self.stats.in_flight > settings.max_concurrency:
            raise Refused("429", limit=settings.max_concurrency)
        if settings.rpm is None:
            return
        wait = self._bucket(visit, settings).take()
        if wait:
            # In the seconds' form providers send whole numbers, which must not be too short.
            told = math.ceil(wait) if settings.retry_after_form == "seconds" else wait
            raise Refused("429", retry_after=told, limit=int(settings.rpm))

    def _bucket(self, visit: Visit, settings: Settings) -> Bucket:
        name = (visit.key, visit.model)
        if name not in self._buckets:
            self._buckets[name] = Bucket(settings.rpm or 0.0, settings.burst)
        return self._buckets[name]

    def _check_ask(self, visit: Visit, wire: Wire, ask: Ask, settings: Settings) -> None:
        if settings.served_models is not None and ask.model not in settings.served_models:
            raise Refused("404")
        for name in settings.refuses:
            if refusal := wire.refusal(ask, name):
                raise refusal
        form = form_of(ask.body)
        if form and settings.refuses_constraints and form not in settings.constraints:
            raise Refused("unsupported_parameter", param=FORMS[form])
        if settings.logprobs and ask.body.get("top_logprobs", 0) > settings.logprobs:
            told = f"top_logprobs must be less than or equal to {settings.logprobs}"
            raise Refused("400", message=told, param="top_logprobs")
        if visit.fault is not None and visit.fault.name == "unsupported_parameter":
            self._refuse_something(visit, wire, ask, visit.fault)
        if settings.context_window is not None and ask.prompt_tokens > settings.context_window:
            facts: dict[str, Any] = {"window": settings.context_window, "tokens": ask.prompt_tokens}
            raise Refused("context_length", param="messages", **facts)

    def _refuse_something(self, visit: Visit, wire: Wire, ask: Ask, fault: Fault) -> None:
        """Refuse a parameter that the request carries; a request without any is served as if nothing were."""
        for name in (fault.param,) if fault.param else ("max_tokens", "temperature", "system"):
            if refusal := wire.refusal(ask, name):
                self.stats.counts["faults"][fault.name] += 1
                raise refusal
        visit.fault = None

    def _count_tokens(self, reply: Reply) -> None:
        counts = self.stats.counts["tokens"]
        counts["prompt"] += reply.prompt_tokens
        counts["completion"] += reply.completion_tokens
        counts["cached"] += reply.cached_tokens

    # ------------------------------------------------------------------------------- the wire

    async def _sent(self, request: web.BaseRequest, visit: Visit, wire: Wire, body: dict[str, Any],
                    settings: Settings) -> web.StreamResponse:  # fmt: skip
        fault = visit.fault
        name = fault.name if fault else None
        if fault and name == "body":
            payload = fault.body.encode() if isinstance(fault.body, str) else json.dumps(fault.body).encode()
            self.stats.answered(visit, fault.status or 200)
            return web.Response(body=payload, status=fault.status or 200, content_type="application/json")
        if name in ("empty_choices", "null_content", "empty_content"):
            body = wire.emptied(body, name)
        payload = json.dumps(body).encode()
        if name == "cut_body":
            await cut_body(request, payload)
        status = (fault.status if fault else None) or 200
        self.stats.answered(visit, status)
        if name == "html":
            return web.Response(body=_PAGE.encode(), status=status, content_type="text/html")
        if name == "broken_json":
            payload = payload[: len(payload) // 2]
        headers = self._headers(visit, wire, settings)
        return web.Response(body=payload, status=status, headers=headers, content_type="application/json")

    def _headers(self, visit: Visit, wire: Wire, settings: Settings) -> dict[str, str]:
        headers = {wire.request_id_header: request_id(visit)}
        if settings.rpm is not None:
            bucket = self._bucket(visit, settings)
            start = "anthropic-ratelimit-requests-" if wire.name == "anthropic" else "x-ratelimit-"
            end = "" if wire.name == "anthropic" else "-requests"
            headers[f"{start}limit{end}"] = str(int(settings.rpm))
            headers[f"{start}remaining{end}"] = str(bucket.left)
            reset = bucket.full_in
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + reset))
            headers[f"{start}reset{end}"] = stamp if wire.name == "anthropic" else f"{reset:.3f}s"
        return headers

    def _refused(self, visit: Visit, wire: Wire, refused: Refused, settings: Settings) -> web.Response:
        """An error in the wire's own format, with its Retry-After."""
        if visit.fault is None:
            self.stats.counts["refused"][refused.kind] += 1
        headers = self._headers(visit, wire, settings)
        told, waiting = retry_after(refused, settings)
        headers.update(waiting)
        if told is not None:
            self.stats.told_to_wait(visit, told)
        status, body = wire.error(refused, facts_of(visit, refused, told, settings))
        self.stats.answered(visit, status)
        return json_response(status, body, headers)
