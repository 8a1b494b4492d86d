"""What the routes of the sandbox's own API have in common: reading a body, answering, times, and refusing.

Every refusal is a 400 with `{"error": ...}`.
"""

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

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


def iso(at: int) -> str:
    """Write milliseconds as an ISO 8601 time."""
    seconds, ms = divmod(at, 1000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def instant(text: str | None) -> int | None:
    """Read milliseconds or an ISO 8601 time; a blank in it was a `+`."""
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        at = dt.datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        raise BadInputError(f"after is neither milliseconds nor an ISO 8601 time: {text}") from None
    aware = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return (aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
