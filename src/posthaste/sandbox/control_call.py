"""What the routes of the sandbox's own API have in common: reading a body and times, answering, and refusing.

Every refusal is a 400 with `{"error": ...}`.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from posthaste.sandbox.instants import instant
from posthaste.sandbox.world import World

T = TypeVar("T")
Endpoint = Callable[[World, Request], Awaitable[Response]]


class BadInputError(Exception):
    """What was asked makes no sense; the text says why."""


def own(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Make a route of the own API an endpoint of the app."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request.app.state.world, request)
        except BadInputError as error:
            return answer({"error": str(error)}, 400)

    return answered


async def read_body(request: Request, into: type[T]) -> T:
    """Return the body as a value, or refuse it."""
    try:
        return msgspec.json.decode(await request.body(), type=into)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadInputError(str(error)) from None


def answer(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def url_here(request: Request, path: str) -> str:
    """Return an address of the sandbox as whoever asks reaches it."""
    return f"{str(request.base_url).rstrip('/')}{path}"


def instant_asked(request: Request, name: str) -> int | None:
    """Return a time of the query, which is milliseconds or ISO 8601; None if there is none."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        return int(text) if text.isascii() and text.isdigit() else instant(text)
    except ValueError:
        raise BadInputError(f"{name} is neither milliseconds nor an ISO 8601 time: {text}") from None
