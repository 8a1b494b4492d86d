"""The page for a person: the phones with their bubbles, a box to answer, pictures and tapbacks, and the devices with a switch.

The page is plain files out of the package, and asks for `/state` once a second; nothing is fetched from anywhere else.
What it shows is bounded, what the world keeps is not.
"""

from functools import cache
from importlib.resources import files
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from posthaste.sandbox.android import Android
from posthaste.sandbox.entries import Attached, Received, Wrote
from posthaste.sandbox.files import UNKNOWN_TYPE
from posthaste.sandbox.instants import iso
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.mail import Mailbox
from posthaste.sandbox.mail_scripts import mail_script_of, scripted_mailboxes
from posthaste.sandbox.numbers import COURSES, script_of, scripted_numbers
from posthaste.sandbox.render import Json
from posthaste.sandbox.sendblue import Sendblue
from posthaste.sandbox.world import World

PHONES_SHOWN = 48
BUBBLES_SHOWN = 40

_TYPES = {"index.html": "text/html", "app.css": "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml"}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}


# What a browser may show inside the page. Everything else is saved, so that nothing that was sent runs as this page.
_PICTURES = {"image/gif", "image/jpeg", "image/png", "image/webp"}
_FILE_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}


async def index(request: Request) -> Response:
    return _asset("index.html")


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    return _asset(name) if name in _TYPES else Response("Not Found", 404, media_type="text/plain")


async def file(request: Request) -> Response:
    """Answer with an attachment by its SHA-256; what is in it never changes."""
    world: World = request.app.state.world
    content = world.files.read(request.path_params["digest"])
    if content is None:
        return Response("Not Found", 404, media_type="text/plain")
    media_type = request.query_params.get("type", "")
    if media_type in _PICTURES:
        return Response(content, media_type=media_type, headers=_FILE_HEADERS)
    return Response(content, media_type=UNKNOWN_TYPE, headers=_FILE_HEADERS | {"Content-Disposition": "attachment"})


async def state(request: Request) -> Response:
    """Answer what is new since a version, or 204."""
    world: World = request.app.state.world
    if request.query_params.get("version") == str(world.version):
        return Response(status_code=204)
    body = {
        "version": world.version,
        "devices": _devices(world),
        "phones": _phones(world),
        "numbers": _first_of_each_script(),
        "mailboxes": scripted_mailboxes(),
    }
    return Response(msgspec.json.encode(body), media_type="application/json")


def _asset(name: str) -> Response:
    return Response(_read(name), media_type=f"{_TYPES[name]}; charset=utf-8", headers=_HEADERS)


@cache
def _read(name: str) -> bytes:
    return (files("posthaste.sandbox") / "assets" / name).read_bytes()


def _devices(world: World) -> list[Json]:
    """Return every device with what a person wants to know of it, and no password."""
    macs = [_device("Mac", mac.settings.phone, mac, _facts_of(mac)) for mac in world.macs.values()]
    androids = [_device("Android phone", one.phone, one, ["Android", "SMS Gate"]) for one in world.androids.values()]
    boxes = [_device("Mail server", box.email, box, ["mail", "SMTP and IMAP"]) for box in world.mailboxes.values()]
    blues = [_device("Sendblue", one.phone, one, ["Sendblue account"]) for one in world.sendblues.values()]
    return [*macs, *androids, *blues, *boxes]


def _device(title: str, line: str, device: Mac | Android | Mailbox | Sendblue, facts: list[str]) -> Json:
    return {"title": title, "line": line, "id": device.id, "isUp": device.is_up, "facts": facts}


def _facts_of(mac: Mac) -> list[str]:
    way = "Private API" if mac.settings.private_api else "AppleScript"
    counts = [_counted(len(mac.rows), "message"), _counted(len(mac.hooks), "webhook")]
    return [f"macOS {mac.settings.macos_version}", way, *counts]


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _phones(world: World) -> list[Json]:
    """Return the phones that were used last, the latest first."""
    items: list[Received | Wrote] = [*world.received, *world.wrote]
    by_number: dict[str, list[Received | Wrote]] = {}
    for item in sorted(items, key=_at):
        by_number.setdefault(item.to if isinstance(item, Received) else item.sender, []).append(item)
    latest = sorted(by_number.items(), key=lambda phone: _at(phone[1][-1]), reverse=True)
    return [_phone(world, number, items) for number, items in latest[:PHONES_SHOWN]]


def _phone(world: World, number: str, items: list[Received | Wrote]) -> Json:
    lines = dict.fromkeys(_line(item) for item in reversed(items))
    return {
        "number": number,
        "script": mail_script_of(number) if "@" in number else script_of(number),
        "lines": [line for line in lines if _takes_answers(world, number, line)],
        "typing": [mac.settings.phone for mac in world.macs.values() if number in mac.typing_to],
        "total": len(items),
        "bubbles": [_bubble(world, item) for item in items[-BUBBLES_SHOWN:]],
    }


def _takes_answers(world: World, number: str, line: str) -> bool:
    if "@" in number and world.mailbox_of(line) is not None:
        return True
    of_line = (world.mac_of_line, world.android_of_line, world.sendblue_of_line)
    return any(find(line) is not None for find in of_line)


def _bubble(world: World, item: Received | Wrote) -> Json:
    return {
        "guid": item.guid,
        "isOwn": isinstance(item, Wrote),
        "line": _line(item),
        "channel": item.channel,
        "subject": item.subject if isinstance(item, Received) else "",
        "text": item.text,
        "attachments": [_attachment(one) for one in item.attachments],
        "tapbacks": _tapbacks(world, item),
        "at": iso(_at(item)),
        "receipt": _receipt(world, item),
    }


def _attachment(one: Attached) -> Json:
    url = f"files/{one.sha256}?{urlencode({'type': one.media_type})}"
    return {"name": one.name, "size": one.size, "url": url, "isPicture": one.media_type in _PICTURES}


def _tapbacks(world: World, item: Received | Wrote) -> list[str]:
    mac = world.mac_of_line(_line(item))
    return list(mac.tapbacks_on(item.guid).values()) if mac else []


def _receipt(world: World, item: Received | Wrote) -> str:
    """Return what the sending Mac knows of a text by now."""
    mac = world.mac_of_line(_line(item))
    row = mac.row_of(item.guid) if mac and isinstance(item, Received) else None
    if row is None:
        return ""
    return "read" if row.read_at else "delivered" if row.delivered_at else "sent"


def _line(item: Received | Wrote) -> str:
    return item.sender if isinstance(item, Received) else item.to


def _at(item: Received | Wrote) -> int:
    return item.received_at if isinstance(item, Received) else item.sent_at


@cache
def _first_of_each_script() -> list[Json]:
    firsts: dict[str, str] = {}
    for number, script in scripted_numbers():
        firsts.setdefault(script, number)
    return [{"number": number, "script": script, "says": COURSES[script_of(number)].says} for script, number in firsts.items()]


ROUTES = [Route("/", index), Route("/assets/{name}", asset), Route("/files/{digest}", file), Route("/state", state)]
