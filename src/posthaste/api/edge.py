"""What stands around every route: request ids, keys, limits, and the one place where an error becomes an answer.

It is plain ASGI and one function deep, because layers of middleware cost more than the route itself. What leaves
here is always JSON with a request id, and what goes wrong unexpectedly is logged without the error's own text, which
may hold a body, an address or a token.
"""

import logging
from collections.abc import Mapping

import msgspec
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from posthaste.api.calls import Access, Answer, Call, ClientGone, Verb, headers_of
from posthaste.api.headers import parse_request_id
from posthaste.api.keyring import Keyring
from posthaste.api.quotas import Headers, Quotas, too_many
from posthaste.api.render_error import internal_error, no_such_method, no_such_route, render_error
from posthaste.clock import Clock
from posthaste.core.errors import PosthasteError, ReadOnly, Unavailable
from posthaste.core.workspaces import Workspace
from posthaste.ids import Ids

log = logging.getLogger("posthaste.api")
_encode = msgspec.json.Encoder().encode
NOBODY = Workspace("", "", "US", "UTC", is_sandbox=False, read_only_reason=None, created_at=0)


class Edge:
    """Runs verbs: everything between ASGI and a route."""

    def __init__(self, keyring: Keyring, quotas: Quotas, clock: Clock, ids: Ids, waiting_max: int) -> None:
        self._keyring = keyring
        self._quotas = quotas
        self._clock = clock
        self._ids = ids
        self._waiting_max = waiting_max
        self._in_hand = 0

    async def run(self, verb: Verb | None, refusal: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: with what the verb says, or with the refusal if there is no such verb."""
        given = headers_of(scope)
        request_id = parse_request_id(given.get(b"x-request-id", "")) or self._ids.new(self._clock.now_ms())
        self._in_hand += 1
        try:
            answer = refusal if verb is None else await self._answer(verb, Call(scope, given, receive, request_id, NOBODY))
            body = answer.body if isinstance(answer.body, bytes) else _encode(answer.body)
        except ClientGone:
            return
        finally:
            self._in_hand -= 1
        await _send(answer, body, request_id, scope["method"] == "HEAD", send)

    async def _answer(self, verb: Verb, call: Call) -> Answer:
        try:
            if verb.access is Access.OPEN:
                return await verb.endpoint(call)
            return await self._admitted(verb, call)
        except ClientGone:
            raise
        except Exception as error:
            return self._refused(error, verb, call.request_id)

    async def _admitted(self, verb: Verb, call: Call) -> Answer:
        if self._in_hand > self._waiting_max:
            raise Unavailable("Too many requests are in hand; come back in a moment", code="BUSY")
        call.workspace = await self._keyring.workspace(call.header(b"authorization"), call.header(b"x-api-key"))
        standing = self._quotas.take(call.workspace.id, verb.access)
        if standing is None:
            return await _routed(verb, call)
        if standing.left < 0:
            return _with(render_error(too_many(standing)), standing.headers())
        try:
            answer = await _routed(verb, call)
        except ClientGone:
            raise
        except Exception as error:
            answer = self._refused(error, verb, call.request_id)
        return _with(answer, standing.headers())

    def _refused(self, error: Exception, verb: Verb, request_id: str) -> Answer:
        if isinstance(error, PosthasteError):
            if error.status >= 500:
                log.warning("unavailable request=%s route=%s code=%s", request_id, verb.path, error.code)
            return render_error(error)
        log.error(
            "internal error request=%s route=%s cause=%s at=%s",
            request_id,
            verb.path,
            type(error).__name__,
            _place(error),
        )
        log.debug("internal error request=%s", request_id, exc_info=error)
        return internal_error(request_id)


class Resource:
    """One path with its verbs, as an ASGI application."""

    def __init__(self, edge: Edge, verbs: Mapping[str, Verb]) -> None:
        self._edge = edge
        self._verbs = dict(verbs)
        if "GET" in verbs:
            self._verbs["HEAD"] = verbs["GET"]
        self._refusal = no_such_method(", ".join(sorted(self._verbs)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._edge.run(self._verbs.get(scope["method"]), self._refusal, scope, receive, send)


class Paths(Router):
    """The router; a path without places goes straight to its resource, past the patterns of all others."""

    def __init__(self, resources: Mapping[str, Resource], default: ASGIApp) -> None:
        super().__init__([Route(path, one) for path, one in resources.items()], redirect_slashes=False, default=default)
        self._plain = {path: one for path, one in resources.items() if "{" not in path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        resource = self._plain.get(scope["path"]) if scope["type"] == "http" and not scope.get("root_path") else None
        await (resource(scope, receive, send) if resource else super().__call__(scope, receive, send))


class Nowhere:
    """Every path that is none of ours, as an ASGI application."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._refusal = no_such_route()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        await self._edge.run(None, self._refusal, scope, receive, send)


async def _routed(verb: Verb, call: Call) -> Answer:
    reason = call.workspace.read_only_reason
    if reason is not None and verb.access is not Access.READ:
        raise ReadOnly(reason)
    return await verb.endpoint(call)


def _with(answer: Answer, headers: Headers) -> Answer:
    return Answer(answer.status, answer.body, (*answer.headers, *headers), answer.media_type)


def _place(error: Exception) -> str:
    """Return where an error came from, the innermost frames last, without any value."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return ">".join(frames[-6:])


async def _send(answer: Answer, body: bytes, request_id: str, is_head: bool, send: Send) -> None:
    headers = [
        (b"content-type", answer.media_type),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else body})
