"""What every answer of a BlueBubbles server has in common: the envelope, the refusals, the password, the Mac that is
down.

A route is a plain function from a `Call` to an answer; `face` stands between it and HTTP. A refusal is an exception
because it ends the request wherever it is found out, and it carries the exact words that a real server uses.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

import msgspec
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from posthaste.sandbox.connection import ConnectionDied
from posthaste.sandbox.files import FILE_BYTES_MAX
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.render import Json
from posthaste.sandbox.validation import InvalidFieldError, Rule, check
from posthaste.sandbox.world import World


class Fault(StrEnum):
    SERVER = "Server Error"
    DATABASE = "Database Error"
    IMESSAGE = "iMessage Error"
    VALIDATION = "Validation Error"
    AUTHENTICATION = "Authentication Error"
    TIMEOUT = "Gateway Timeout"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form, as it came."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one Mac; a form's fields are its body, its files the uploads."""

    world: World
    mac: Mac
    request: Request
    body: Mapping[str, object]
    uploads: Mapping[str, Upload] = field(default_factory=dict)

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    def param(self, name: str) -> str:
        return str(self.request.path_params[name])


T = TypeVar("T")
Rules = Mapping[str, tuple[Rule, ...]]
Endpoint = Callable[[Call], Awaitable[Response]]

# A file and the fields around it. A real server takes forms of up to a gigabyte, which nobody needs to try here.
_FORM_BYTES_MAX = FILE_BYTES_MAX + 64 * 1024
_TOO_LARGE = f"options.maxFileSize ({FILE_BYTES_MAX} bytes) exceeded"

_encode = msgspec.json.Encoder().encode


class _InMemory(MultiPartParser):
    """A parser that needs no thread and no temporary file: a form is small, and a simulation has only its own time."""

    spool_max_size = _FORM_BYTES_MAX


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a defect
    """An answer that is not a success."""

    def __init__(self, status: int, message: str, fault: Fault, error: str, **data: object) -> None:
        super().__init__(error)
        self.status = status
        self.body: Json = {"status": status, "message": message, "error": {"type": fault, "message": error}} | data


def bad_request(error: str) -> Refusal:
    return Refusal(400, "You've made a bad request! Please check your request params & body", Fault.VALIDATION, error)


def not_found(error: str) -> Refusal:
    return Refusal(404, "The requested resource was not found", Fault.DATABASE, error)


def send_error(error: str, *, message: str = "Message Send Error", **data: object) -> Refusal:
    return Refusal(500, message, Fault.IMESSAGE, error, **data)


def unhandled(error: str) -> Refusal:
    """What a server says of an exception that none of its routes foresaw."""
    return Refusal(500, "An unhandled error has occurred!", Fault.SERVER, error)


def gateway_timeout() -> Refusal:
    return Refusal(504, "The request timed out", Fault.TIMEOUT, "The server did not respond in time")


def success(message: str = "Success", **rest: object) -> Response:
    return _json(200, {"status": 200, "message": message} | rest)


def require_private_api(call: Call) -> None:
    if not call.mac.settings.private_api:
        raise Refusal(
            500,
            "Please make sure you have completed the setup for the Private API, and your helper is connected!",
            Fault.IMESSAGE,
            "iMessage Private API is not enabled!",
        )


def checked(call: Call, rules: Rules, into: type[T]) -> T:
    """Return the body as a value, or refuse it in the server's words."""
    validate(call.body, rules)
    try:
        return msgspec.convert(dict(call.body), into, strict=False)
    except msgspec.ValidationError as error:
        raise unhandled(str(error)) from None


def validate(fields: Mapping[str, object], rules: Rules) -> None:
    try:
        check(fields, rules)
    except InvalidFieldError as error:
        raise bad_request(str(error)) from None


def face(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Make an ASGI endpoint of a route: find the Mac, check the password, put refusals into words."""

    async def answer(request: Request) -> Response:
        world: World = request.app.state.world
        mac = world.macs.get(request.path_params["mac"])
        if mac is None:
            return PlainTextResponse("Not Found", 404)
        _die_with(mac)
        try:
            _authorise(mac, request.query_params)
            response = await endpoint(await _call(world, mac, request))
        except Refusal as refusal:
            response = _json(refusal.status, refusal.body)
        _die_with(mac)
        return response

    return answer


def _die_with(mac: Mac) -> None:
    if not mac.is_up:
        raise ConnectionDied


def _authorise(mac: Mac, query: Mapping[str, str]) -> None:
    given = next((query[name] for name in ("guid", "password", "token") if name in query), None)
    if not given:
        error = "Missing server password!"
    elif given.strip() != mac.settings.password.strip():
        error = "Unauthorized"
    else:
        return
    raise Refusal(401, "You are not authorized to access this resource", Fault.AUTHENTICATION, error)


async def _call(world: World, mac: Mac, request: Request) -> Call:
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        body, uploads = await _form_of(request)
        return Call(world, mac, request, body, uploads)
    return Call(world, mac, request, await _body_of(request))


async def _form_of(request: Request) -> tuple[Mapping[str, object], Mapping[str, Upload]]:
    try:
        form = await _InMemory(request.headers, _bounded(request)).parse()
    except MultiPartException as error:
        raise unhandled(error.message) from None
    named = list(form.multi_items())
    uploads = {name: await _upload(part) for name, part in named if isinstance(part, UploadFile)}
    return {name: part for name, part in named if isinstance(part, str)}, uploads


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > _FORM_BYTES_MAX:
            # The parser closes what it has begun when it meets an exception of its own.
            raise MultiPartException(_TOO_LARGE)
        yield piece


async def _upload(part: UploadFile) -> Upload:
    content = await part.read()
    await part.close()
    if len(content) > FILE_BYTES_MAX:
        raise unhandled(_TOO_LARGE)
    return Upload(part.filename or "", content)


async def _body_of(request: Request) -> Mapping[str, object]:
    if request.method in ("GET", "HEAD"):
        return {}
    raw = await request.body()
    try:
        body = msgspec.json.decode(raw) if raw else {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise unhandled(str(error)) from None
    return body if isinstance(body, dict) else {}


def _json(status: int, body: Json) -> Response:
    return Response(_encode(body), status, media_type="application/json")
