"""The sandbox's own API: make devices, switch them off, write as a person, and count what the phones received.

This is how a test or a person drives the world; nothing here imitates anybody. Every refusal is a 400 with `{"error":
...}`.
"""

import base64
import datetime as dt
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from posthaste.sandbox import android_sending, mail_sending, mail_servers, people, sending
from posthaste.sandbox.android import Android
from posthaste.sandbox.entries import AndroidKept, AndroidTurned, Attached, MacKept, MacTurned, MailboxTurned, Received
from posthaste.sandbox.files import FILE_BYTES_MAX
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.mail import Mailbox
from posthaste.sandbox.mail_scripts import scripted_mailboxes
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


class NewAndroid(msgspec.Struct, frozen=True, rename="camel"):
    phone: str
    username: str
    password: str
    id: str | None = None
    signing_key: str | None = None


class NewMailbox(msgspec.Struct, frozen=True):
    email: str
    password: str
    id: str | None = None


class Kind(msgspec.Struct, frozen=True):
    kind: str = "mac"


class Switch(msgspec.Struct, frozen=True):
    state: Literal["up", "down"]


class NewFile(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    content_base64: str


class Writing(msgspec.Struct, frozen=True, rename="camel"):
    to: str
    text: str = ""
    attachments: list[NewFile] = []
    reply_to: str | None = None


class Reacting(msgspec.Struct, frozen=True):
    to: str
    reaction: str
    guid: str | None = None
    text: str | None = None


class Typing(msgspec.Struct, frozen=True):
    to: str
    typing: bool = True


class Reading(msgspec.Struct, frozen=True):
    to: str


class BadInputError(Exception):
    """What was asked makes no sense; the text says why."""


async def health(world: World, request: Request) -> Response:
    return _answer({"status": "ok"})


async def numbers(world: World, request: Request) -> Response:
    return _answer([{"number": number, "script": script, "says": COURSES[script].says} for number, script in scripted_numbers()])


async def list_devices(world: World, request: Request) -> Response:
    macs = [mac_json(request, mac) for mac in world.macs.values()]
    androids = [android_json(request, android) for android in world.androids.values()]
    return _answer([*macs, *androids, *[mail_servers.described(box) for box in world.mailboxes.values()]])


async def keep_device(world: World, request: Request) -> Response:
    kind = (await _body(request, Kind)).kind
    if kind not in _KEEPERS:
        raise BadInputError(f"kind must be one of {', '.join(_KEEPERS)}, got {kind}")
    return await _KEEPERS[kind](world, request)


async def keep_mac(world: World, request: Request) -> Response:
    asked = await _body(request, NewMac)
    kept = _mac_from(world, asked)
    known = world.macs.get(kept.id)
    if known is None or msgspec.structs.replace(known.settings, at=kept.at) != kept:
        world.record(kept)
    return _answer(mac_json(request, world.macs[kept.id]), 201 if known is None else 200)


async def keep_android(world: World, request: Request) -> Response:
    kept = _android_from(world, await _body(request, NewAndroid))
    known = world.androids.get(kept.id)
    if known is None or msgspec.structs.replace(known.settings, at=kept.at) != kept:
        world.record(kept)
    return _answer(android_json(request, world.androids[kept.id]), 201 if known is None else 200)


async def keep_mailbox(world: World, request: Request) -> Response:
    asked = await _body(request, NewMailbox)
    mailbox_id, email = _device_id(world, asked.id, {**world.macs, **world.androids}), normal(asked.email)
    if "@" not in email:
        raise BadInputError("email must be an e-mail address")
    if not asked.password:
        raise BadInputError("password must not be empty")
    box, is_first = await mail_servers.keep(world, mailbox_id, email, asked.password)
    return _answer(mail_servers.described(box), 201 if is_first else 200)


async def mailboxes(world: World, request: Request) -> Response:
    return _answer(scripted_mailboxes())


async def switch_device(world: World, request: Request) -> Response:
    device_id = request.path_params["id"]
    asked = await _body(request, Switch)
    if device_id in world.macs:
        world.record(MacTurned(device_id, asked.state == "up"))
        return _answer(mac_json(request, world.macs[device_id]))
    if device_id in world.androids:
        world.record(AndroidTurned(device_id, asked.state == "up"))
        return _answer(android_json(request, world.androids[device_id]))
    if device_id in world.mailboxes:
        world.record(MailboxTurned(device_id, asked.state == "up"))
        return _answer(mail_servers.described(world.mailboxes[device_id]))
    raise BadInputError(f"there is no device with id {device_id}")


async def received(world: World, request: Request) -> Response:
    to = request.query_params.get("to")
    after = _instant(request.query_params.get("after"))
    found = [item for item in world.received if after is None or item.received_at > after]
    return _answer([received_json(item) for item in found if not to or item.to == normal(to)])


async def write(world: World, request: Request) -> Response:
    asked = await _body(request, Writing)
    sender = normal(request.path_params["number"])
    mac, android = world.mac_of_line(normal(asked.to)), world.android_of_line(normal(asked.to))
    if not sender:
        raise BadInputError(f"not a number: {request.path_params['number']}")
    box = world.mailbox_of(normal(asked.to)) if "@" in sender else None
    if mac is None and android is None and box is None:
        raise BadInputError(f"no Mac, no Android phone and no mailbox has the address {asked.to}")
    if not asked.text and not asked.attachments:
        raise BadInputError("text must not be empty")
    if box is not None:
        return _write_mail(world, box, sender, asked)
    if mac is None and asked.attachments:
        raise BadInputError("the sandbox has no picture messages")
    if mac is None:
        return _write_sms(world, android, sender, asked.text)
    if not course_of(sender).on_imessage:
        raise BadInputError(f"{sender} is not on iMessage, so it cannot write to a Mac")
    files = tuple([world.keep_file(file.name, _content(file)) for file in asked.attachments])
    row = sending.person_writes(world, mac, sender, asked.text, files, asked.reply_to)
    written = {"guid": row.guid, "from": sender, "to": mac.settings.phone, "text": row.text}
    return _answer(written | _files_json(row.attachments) | {"sentAt": iso(row.created_at)}, 201)


async def react(world: World, request: Request) -> Response:
    asked = await _body(request, Reacting)
    if asked.reaction not in people.REACTIONS:
        raise BadInputError(f"reaction must be one of {', '.join(people.REACTIONS)}")
    person, mac = _person_and_mac(world, request, asked.to)
    on = people.find_message(mac, person, guid=asked.guid, text=asked.text)
    if on is None:
        raise BadInputError(f"there is no such message between {person} and {mac.settings.phone}")
    row = people.react(world, mac, person, on, asked.reaction)
    said = {"guid": row.guid, "from": person, "to": mac.settings.phone, "on": on.guid, "reaction": asked.reaction}
    return _answer(said | {"sentAt": iso(row.created_at)}, 201)


async def show_typing(world: World, request: Request) -> Response:
    asked = await _body(request, Typing)
    person, mac = _person_and_mac(world, request, asked.to)
    people.show_typing(world, mac, person, is_typing=asked.typing)
    return _answer({"from": person, "to": mac.settings.phone, "typing": asked.typing})


async def read_all(world: World, request: Request) -> Response:
    asked = await _body(request, Reading)
    person, mac = _person_and_mac(world, request, asked.to)
    return _answer({"from": person, "to": mac.settings.phone, "read": people.read_all(world, mac, person)})


def _person_and_mac(world: World, request: Request, line: str) -> tuple[str, Mac]:
    person, mac = normal(request.path_params["number"]), world.mac_of_line(normal(line))
    if not person:
        raise BadInputError(f"not a number: {request.path_params['number']}")
    if mac is None:
        raise BadInputError(f"no Mac has the number {line}")
    return person, mac


def _content(file: NewFile) -> bytes:
    try:
        content = base64.b64decode(file.content_base64, validate=True)
    except ValueError:
        raise BadInputError(f"contentBase64 of {file.name} is not base64") from None
    if not file.name or not content:
        raise BadInputError("an attachment needs a name and a content")
    if len(content) > FILE_BYTES_MAX:
        raise BadInputError(f"{file.name} is larger than {FILE_BYTES_MAX} bytes")
    return content


def _write_sms(world: World, android: Android | None, sender: str, text: str) -> Response:
    if android is None or not sender.startswith("+"):
        raise BadInputError(f"{sender} has no phone number, so it cannot write a text message")
    sms = android_sending.person_writes(world, android, sender, text)
    written = {"guid": sms.id, "from": sender, "to": android.phone, "text": sms.text}
    return _answer(written | {"sentAt": iso(sms.at)}, 201)


def _write_mail(world: World, box: Mailbox, sender: str, asked: Writing) -> Response:
    files = [world.keep_file(file.name, _content(file)) for file in asked.attachments]
    wrote = mail_sending.person_writes(world, box, sender, asked.text, files)
    written = {"guid": wrote.guid, "from": sender, "to": box.email, "text": wrote.text}
    return _answer(written | _files_json(wrote.attachments) | {"sentAt": iso(wrote.sent_at)}, 201)


def mac_json(request: Request, mac: Mac) -> Json:
    settings = mac.settings
    return {
        "kind": "mac",
        "id": settings.id,
        "url": f"{str(request.base_url).rstrip('/')}/macs/{settings.id}",
        "phone": settings.phone,
        "password": settings.password,
        "privateApi": settings.private_api,
        "macosVersion": settings.macos_version,
        "state": "up" if mac.is_up else "down",
    }


def android_json(request: Request, android: Android) -> Json:
    settings = android.settings
    return {
        "kind": "android",
        "id": settings.id,
        "url": f"{str(request.base_url).rstrip('/')}/androids/{settings.id}",
        "phone": settings.phone,
        "username": settings.username,
        "password": settings.password,
        "signingKey": settings.signing_key,
        "deviceId": android.device_id,
        "state": "up" if android.is_up else "down",
    }


def received_json(item: Received) -> Json:
    rest = _files_json(item.attachments) | ({"subject": item.subject} if item.channel == mail_sending.CHANNEL else {})
    return {
        "to": item.to,
        "from": item.sender,
        "text": item.text,
        "channel": item.channel,
        "guid": item.guid,
        "receivedAt": iso(item.received_at),
    } | rest


def _files_json(attachments: Sequence[Attached]) -> Json:
    """Return what is told of attachments: nothing where there are none."""
    files = [{"name": one.name, "mediaType": one.media_type, "size": one.size, "sha256": one.sha256} for one in attachments]
    return {"attachments": files} if files else {}


def iso(at: int) -> str:
    seconds, ms = divmod(at, 1000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def _device_id(world: World, given: str | None, others: Mapping[str, object]) -> str:
    device_id = given or world.new_id()
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", device_id):
        raise BadInputError("id must be 1 to 64 letters, digits, dots, dashes or underscores")
    if device_id in others:
        raise BadInputError(f"{device_id} is the id of a device of another kind")
    return device_id


def _android_from(world: World, asked: NewAndroid) -> AndroidKept:
    android_id = _device_id(world, asked.id, world.macs)
    phone = normal(asked.phone)
    if not phone.startswith("+"):
        raise BadInputError("phone must be a number")
    if not asked.username or not asked.password:
        raise BadInputError("username and password must not be empty")
    known = world.androids.get(android_id)
    # The app makes a key of its own when it is installed.
    signing_key = asked.signing_key or (known.settings.signing_key if known else world.new_id())
    return AndroidKept(android_id, phone, asked.username, asked.password, signing_key, world.now_ms())


def _mac_from(world: World, asked: NewMac) -> MacKept:
    mac_id = _device_id(world, asked.id, world.androids)
    phone = normal(asked.phone)
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


_KEEPERS: Mapping[str, Endpoint] = {"mac": keep_mac, "android": keep_android, "mail": keep_mailbox}

ROUTES = [
    Route("/healthz", _own(health)),
    Route("/numbers", _own(numbers)),
    Route("/mailboxes", _own(mailboxes)),
    Route("/received", _own(received)),
    Route("/devices", _own(list_devices), methods=["GET"]),
    Route("/devices", _own(keep_device), methods=["POST"]),
    Route("/devices/{id}", _own(switch_device), methods=["POST"]),
    Route("/phones/{number}/send", _own(write), methods=["POST"]),
    Route("/phones/{number}/react", _own(react), methods=["POST"]),
    Route("/phones/{number}/typing", _own(show_typing), methods=["POST"]),
    Route("/phones/{number}/read", _own(read_all), methods=["POST"]),
]
