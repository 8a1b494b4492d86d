"""How a connection dies without an answer.

ASGI has no word for it. Under uvicorn, `DyingHttp` puts a way to close the socket into the scope; anywhere else the
exception `ConnectionDied` leaves the app, and the transport that called it must turn it into a read error, as
`InProcess` does.
"""

from collections.abc import Callable
from typing import cast

import httpx2
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "posthaste.hang-up"


class ConnectionDied(Exception):  # noqa: N818 - it is no error of the sandbox, it is what was asked for
    """The connection is gone; nobody is answered."""


class DyingHttp(HttpToolsProtocol):
    """uvicorn's protocol, with a way for the app to close the socket."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope = cast("Scope", self.scope)
        scope["extensions"] = {EXTENSION: self.transport.abort}


class _NoAnswer(Response):
    """A response that never comes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hang_up: Callable[[], None] | None = scope.get("extensions", {}).get(EXTENSION)
        if hang_up is None:
            raise ConnectionDied
        hang_up()
        # uvicorn would answer 500 for an app that returns in silence, unless it has seen the connection go.
        while (await receive())["type"] != "http.disconnect":
            pass


async def answer_nothing(request: Request, exc: Exception) -> Response:
    """Starlette's way from the exception to the silence."""
    return _NoAnswer()


class InProcess(httpx2.AsyncBaseTransport):
    """Call an app without a socket; a dead connection becomes a read error."""

    def __init__(self, app: ASGIApp) -> None:
        self._asgi = httpx2.ASGITransport(app)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await self._asgi.handle_async_request(request)
        except ConnectionDied:
            raise httpx2.ReadError("the connection died", request=request) from None
