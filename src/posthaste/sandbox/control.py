"""The sandbox's own API: make devices, switch them off, and what people do (`control_phones`).

This is how a test or a person drives the world; nothing here imitates anybody.
"""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from posthaste.sandbox import control_phones, mail_servers
from posthaste.sandbox.android import Android
from posthaste.sandbox.control_call import BadInputError, Endpoint, answer, own, read_body, url_here
from posthaste.sandbox.entries import (
    AndroidKept,
    AndroidTurned,
    MacKept,
    MacTurned,
    MailboxTurned,
    SendblueKept,
    SendblueTurned,
)
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.mail_scripts import scripted_mailboxes
from posthaste.sandbox.numbers import COURSES, normal, scripted_numbers
from posthaste.sandbox.render import Json
from posthaste.sandbox.sendblue import Sendblue
from posthaste.sandbox.world import World


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


class NewSendblue(msgspec.Struct, frozen=True, rename="camel"):
    phone: str
    api_key_id: str
    api_secret_key: str
    id: str | None = None


class Kind(msgspec.Struct, frozen=True):
    kind: str = "mac"


class Switch(msgspec.Struct, frozen=True):
    state: Literal["up", "down"]


async def health(world: World, request: Request) -> Response:
    return answer({"status": "ok"})


async def numbers(world: World, request: Request) -> Response:
    return answer([{"number": number, "script": script, "says": COURSES[script].says} for number, script in scripted_numbers()])


async def list_devices(world: World, request: Request) -> Response:
    macs = [mac_json(request, mac) for mac in world.macs.values()]
    androids = [android_json(request, android) for android in world.androids.values()]
    sendblues = [sendblue_json(request, account) for account in world.sendblues.values()]
    return answer([*macs, *androids, *sendblues, *[mail_servers.described(box) for box in world.mailboxes.values()]])


async def keep_device(world: World, request: Request) -> Response:
    kind = (await read_body(request, Kind)).kind
    if kind not in _KEEPERS:
        raise BadInputError(f"kind must be one of {', '.join(_KEEPERS)}, got {kind}")
    return await _KEEPERS[kind](world, request)


async def keep_mac(world: World, request: Request) -> Response:
    kept = _mac_from(world, await read_body(request, NewMac))
    status = _keep(world, kept, world.macs.get(kept.id))
    return answer(mac_json(request, world.macs[kept.id]), status)


async def keep_android(world: World, request: Request) -> Response:
    kept = _android_from(world, await read_body(request, NewAndroid))
    status = _keep(world, kept, world.androids.get(kept.id))
    return answer(android_json(request, world.androids[kept.id]), status)


async def keep_sendblue(world: World, request: Request) -> Response:
    kept = _sendblue_from(world, await read_body(request, NewSendblue))
    status = _keep(world, kept, world.sendblues.get(kept.id))
    return answer(sendblue_json(request, world.sendblues[kept.id]), status)


async def keep_mailbox(world: World, request: Request) -> Response:
    asked = await read_body(request, NewMailbox)
    mailbox_id, email = _device_id(world, asked.id, {**world.macs, **world.androids, **world.sendblues}), normal(asked.email)
    if "@" not in email:
        raise BadInputError("email must be an e-mail address")
    if not asked.password:
        raise BadInputError("password must not be empty")
    box, is_first = await mail_servers.keep(world, mailbox_id, email, asked.password)
    return answer(mail_servers.described(box), 201 if is_first else 200)


async def mailboxes(world: World, request: Request) -> Response:
    return answer(scripted_mailboxes())


async def switch_device(world: World, request: Request) -> Response:
    device_id = request.path_params["id"]
    asked = await read_body(request, Switch)
    if device_id in world.macs:
        world.record(MacTurned(device_id, asked.state == "up"))
        return answer(mac_json(request, world.macs[device_id]))
    if device_id in world.androids:
        world.record(AndroidTurned(device_id, asked.state == "up"))
        return answer(android_json(request, world.androids[device_id]))
    if device_id in world.sendblues:
        world.record(SendblueTurned(device_id, asked.state == "up"))
        return answer(sendblue_json(request, world.sendblues[device_id]))
    if device_id in world.mailboxes:
        world.record(MailboxTurned(device_id, asked.state == "up"))
        return answer(mail_servers.described(world.mailboxes[device_id]))
    raise BadInputError(f"there is no device with id {device_id}")


def mac_json(request: Request, mac: Mac) -> Json:
    settings = mac.settings
    return {
        "kind": "mac",
        "id": settings.id,
        "url": url_here(request, f"/macs/{settings.id}"),
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
        "url": url_here(request, f"/androids/{settings.id}"),
        "phone": settings.phone,
        "username": settings.username,
        "password": settings.password,
        "signingKey": settings.signing_key,
        "deviceId": android.device_id,
        "state": "up" if android.is_up else "down",
    }


def sendblue_json(request: Request, account: Sendblue) -> Json:
    settings = account.settings
    return {
        "kind": "sendblue",
        "id": settings.id,
        "url": url_here(request, f"/sendblues/{settings.id}"),
        "phone": settings.phone,
        "apiKeyId": settings.api_key_id,
        "apiSecretKey": settings.api_secret_key,
        "state": "up" if account.is_up else "down",
    }


def _keep(world: World, kept: MacKept | AndroidKept | SendblueKept, known: Mac | Android | Sendblue | None) -> int:
    """Record settings that are not a device's already, and return the status to answer with."""
    if known is None or msgspec.structs.replace(known.settings, at=kept.at) != kept:
        world.record(kept)
    return 201 if known is None else 200


def _device_id(world: World, given: str | None, others: Mapping[str, object]) -> str:
    device_id = given or world.new_id()
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", device_id):
        raise BadInputError("id must be 1 to 64 letters, digits, dots, dashes or underscores")
    if device_id in others:
        raise BadInputError(f"{device_id} is the id of a device of another kind")
    return device_id


def _android_from(world: World, asked: NewAndroid) -> AndroidKept:
    android_id = _device_id(world, asked.id, {**world.macs, **world.sendblues, **world.mailboxes})
    phone = normal(asked.phone)
    if not phone.startswith("+"):
        raise BadInputError("phone must be a number")
    if not asked.username or not asked.password:
        raise BadInputError("username and password must not be empty")
    known = world.androids.get(android_id)
    # The app makes a key of its own when it is installed.
    signing_key = asked.signing_key or (known.settings.signing_key if known else world.new_id())
    return AndroidKept(android_id, phone, asked.username, asked.password, signing_key, world.now_ms())


def _sendblue_from(world: World, asked: NewSendblue) -> SendblueKept:
    account_id = _device_id(world, asked.id, {**world.macs, **world.androids, **world.mailboxes})
    phone = normal(asked.phone)
    if not phone.startswith("+"):
        raise BadInputError("phone must be a number")
    if not asked.api_key_id or not asked.api_secret_key:
        raise BadInputError("apiKeyId and apiSecretKey must not be empty")
    return SendblueKept(account_id, phone, asked.api_key_id, asked.api_secret_key, world.now_ms())


def _mac_from(world: World, asked: NewMac) -> MacKept:
    mac_id = _device_id(world, asked.id, {**world.androids, **world.sendblues, **world.mailboxes})
    phone = normal(asked.phone)
    if not phone:
        raise BadInputError("phone must be a number or an e-mail address")
    if not asked.password:
        raise BadInputError("password must not be empty")
    if not re.fullmatch(r"\d{2}(\.\d+)*", asked.macos_version):
        raise BadInputError("macosVersion must look like 15.6 or 26.1")
    return MacKept(mac_id, phone, asked.password, asked.private_api, asked.macos_version, world.now_ms())


_KEEPERS: Mapping[str, Endpoint] = {"mac": keep_mac, "android": keep_android, "sendblue": keep_sendblue, "mail": keep_mailbox}

ROUTES = [
    Route("/healthz", own(health)),
    Route("/numbers", own(numbers)),
    Route("/mailboxes", own(mailboxes)),
    Route("/devices", own(list_devices), methods=["GET"]),
    Route("/devices", own(keep_device), methods=["POST"]),
    Route("/devices/{id}", own(switch_device), methods=["POST"]),
    *control_phones.ROUTES,
]
