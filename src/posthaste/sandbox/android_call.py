"""What every answer of the SMS Gate app has in common: Basic authentication, refusals with a message, a phone that is down.

A route is a plain function from an `AndroidCall` to an answer; `android_face` stands between it and HTTP.
"""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from posthaste.sandbox.android import Android
from posthaste.sandbox.connection import ConnectionDied
from posthaste.sandbox.instants import instant
from posthaste.sandbox.world import World

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Access to SMS Gateway"'}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AndroidCall:
    """One request to one Android phone."""

    world: World
    phone: Android
    request: Request

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    def param(self, name: str) -> str:
        return str(self.request.path_params[name])

    async def body(self, into: type[T]) -> T:
        try:
            return msgspec.json.decode(await self.request.body(), type=into)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise Refusal(400, str(error)) from None


AndroidEndpoint = Callable[[AndroidCall], Awaitable[Response]]


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a defect
    """An answer that is not a success."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.answer = answer({"message": message}, status, headers)


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers=headers, media_type="application/json")


def android_face(endpoint: AndroidEndpoint, *, is_open: bool = False) -> Callable[[Request], Awaitable[Response]]:
    """Make an ASGI endpoint of a route: find the phone, check who asks unless it is open to all, answer refusals."""

    async def respond(request: Request) -> Response:
        world: World = request.app.state.world
        phone = world.androids.get(request.path_params["android"])
        if phone is None:
            return Response(status_code=404)
        _die_with(phone)
        try:
            if not is_open:
                _authorise(phone, request.headers.get("authorization", ""))
            response = await endpoint(AndroidCall(world, phone, request))
        except Refusal as refusal:
            response = refusal.answer
        _die_with(phone)
        return response

    return respond


def instant_asked(call: AndroidCall, name: str, otherwise: int) -> int:
    """Return a time of the query in milliseconds."""
    text = call.query.get(name)
    return otherwise if text is None else read_instant(text, name)


def read_instant(text: str, name: str) -> int:
    """Read an ISO 8601 time, or refuse it."""
    try:
        return instant(text)
    except ValueError:
        raise Refusal(400, f"{name} is not an ISO 8601 time") from None


def number(call: AndroidCall, name: str, otherwise: int, least: int, most: int) -> int:
    """Return a whole number of the query."""
    text = call.query.get(name, "")
    value = int(text) if text.isascii() and text.isdigit() else otherwise
    if not least <= value <= most:
        raise Refusal(400, f"{name} must be between {least} and {most}")
    return value


def require_own_device(call: AndroidCall, device_id: str | None) -> None:
    if device_id is not None and device_id != call.phone.device_id:
        raise Refusal(400, "there is no such device here")


def _die_with(phone: Android) -> None:
    if not phone.is_up:
        raise ConnectionDied


def _authorise(phone: Android, header: str) -> None:
    expected = f"{phone.settings.username}:{phone.settings.password}".encode()
    if not hmac.compare_digest(_credentials(header), expected):
        raise Refusal(401, "Unauthorized", _CHALLENGE)


def _credentials(header: str) -> bytes:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        return b""
