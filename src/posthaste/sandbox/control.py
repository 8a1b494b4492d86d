"""The sandbox's own API: make Macs, switch them off, write as a person, and count what the phones received.

This is how a test or a person drives the world; nothing here imitates anybody. Every refusal is a 400 with `{"error":
...}`.
"""

import datetime as dt
import re
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from posthaste.sandbox import sending
from posthaste.sandbox.entries import MacKept, MacTurned, Received
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.numbers import COURSES, course_of, normal, scripted_numbers
from posthaste.sandbox.render import Json
from posthaste.sandbox.world import World

T = TypeVar("T")
Endpoint = Callable[[World, Request], Awaitable[Response]]


class NewMac(msgspec.Struct, frozen=True, rename="camel"):
    phone: str
    password: str
    id: str | None = None
    private_api: bool = True
    macos_version: str = "15.6"


class Switch(msgspec.Struct, frozen=True):
    state: Literal["up", "down"]


class Writing(msgspec.Struct, frozen=True):
    to: str
    text: str


class BadInputError(Exception):
    """What was asked makes no sense; the text says why."""


async def health(world: World, request: Request) -> Response:
    return _answer({"status": "ok"})


async def numbers(world: World, request: Request) -> Response:
    return _answer([{"number": number, "script": script, "says": COURSES[script].says} for number, script in scripted_numbers()])


async def list_macs(world: World, request: Request) -> Response:
    return _answer([mac_json(request, mac) for mac in world.macs.values()])


async def keep_mac(world: World, request: Request) -> Response:
    asked = await _body(request, NewMac)
    kept = _mac_from(world, asked)
    known = world.macs.get(kept.id)
    if known is None or msgspec.structs.replace(known.settings, at=kept.at) != kept:
        world.record(kept)
    return _answer(mac_json(request, world.macs[kept.id]), 201 if known is None else 200)


async def switch_mac(world: World, request: Request) -> Response:
    mac = world.macs.get(request.path_params["mac"])
    if mac is None:
        raise BadInputError(f"there is no Mac with id {request.path_params['mac']}")
    asked = await _body(request, Switch)
    world.record(MacTurned(mac.id, asked.state == "up"))
    return _answer(mac_json(request, mac))


async def received(world: World, request: Request) -> Response:
    to = request.query_params.get("to")
    after = _instant(request.query_params.get("after"))
    found = [item for item in world.received if after is None or item.received_at > after]
    return _answer([received_json(item) for item in found if not to or item.to == normal(to)])


async def write(world: World, request: Request) -> Response:
    asked = await _body(request, Writing)
    sender = normal(request.path_params["number"])
    mac = world.mac_of_line(normal(asked.to))
    if not sender:
        raise BadInputError(f"not a number: {request.path_params['number']}")
    if mac is None:
        raise BadInputError(f"no Mac has the number {asked.to}")
    if not asked.text:
        raise BadInputError("text must not be empty")
    if not course_of(sender).on_imessage:
        raise BadInputError(f"{sender} is not on iMessage, so it cannot write to a Mac")
    row = sending.person_writes(world, mac, sender, asked.text)
    written = {"guid": row.guid, "from": sender, "to": mac.settings.phone, "text": row.text}
    return _answer(written | {"sentAt": iso(row.created_at)}, 201)


def mac_json(request: Request, mac: Mac) -> Json:
    settings = mac.settings
    return {
        "id": settings.id,
        "url": f"{str(request.base_url).rstrip('/')}/macs/{settings.id}",
        "phone": settings.phone,
        "password": settings.password,
        "privateApi": settings.private_api,
        "macosVersion": settings.macos_version,
        "state": "up" if mac.is_up else "down",
    }


def received_json(item: Received) -> Json:
    return {
        "to": item.to,
        "from": item.sender,
        "text": item.text,
        "channel": item.channel,
        "guid": item.guid,
        "receivedAt": iso(item.received_at),
    }


def iso(at: int) -> str:
    seconds, ms = divmod(at, 1000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def _mac_from(world: World, asked: NewMac) -> MacKept:
    mac_id = asked.id or world.new_id()
    phone = normal(asked.phone)
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", mac_id):
        raise BadInputError("id must be 1 to 64 letters, digits, dots, dashes or underscores")
    if not phone:
        raise BadInputError("phone must be a number or an e-mail address")
    if not asked.password:
        raise BadInputError("password must not be empty")
    if not re.fullmatch(r"\d{2}(\.\d+)*", asked.macos_version):
        raise BadInputError("macosVersion must look like 15.6 or 26.1")
    return MacKept(mac_id, phone, asked.password, asked.private_api, asked.macos_version, world.now_ms())


def _instant(text: str | None) -> int | None:
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


async def _body(request: Request, into: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body(), type=into)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadInputError(str(error)) from None


def _answer(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _own(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request.app.state.world, request)
        except BadInputError as error:
            return _answer({"error": str(error)}, 400)

    return answer


ROUTES = [
    Route("/healthz", _own(health)),
    Route("/numbers", _own(numbers)),
    Route("/received", _own(received)),
    Route("/devices", _own(list_macs), methods=["GET"]),
    Route("/devices", _own(keep_mac), methods=["POST"]),
    Route("/devices/{mac}", _own(switch_mac), methods=["POST"]),
    Route("/phones/{number}/send", _own(write), methods=["POST"]),
]
