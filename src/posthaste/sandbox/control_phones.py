"""The part of the sandbox's own API that is about people: what their phones received, and what they do on them.

A person may write to any device, and with files to all but an Android phone; to react and to read takes a Mac, to be seen
typing a Mac or a Sendblue account.
"""

import base64
from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from posthaste.sandbox import android_sending, mail_sending, people, sendblue_sending, sending
from posthaste.sandbox.android import Android
from posthaste.sandbox.control_call import BadInputError, answer, instant_asked, own, read_body, url_here
from posthaste.sandbox.entries import Attached, Received
from posthaste.sandbox.files import FILE_BYTES_MAX
from posthaste.sandbox.instants import iso
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.mail import Mailbox
from posthaste.sandbox.numbers import course_of, normal
from posthaste.sandbox.render import Json
from posthaste.sandbox.sendblue import Sendblue
from posthaste.sandbox.world import World


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


async def received(world: World, request: Request) -> Response:
    to = request.query_params.get("to")
    after = instant_asked(request, "after")
    found = [item for item in world.received if after is None or item.received_at > after]
    return answer([received_json(item) for item in found if not to or item.to == normal(to)])


async def write(world: World, request: Request) -> Response:
    asked = await read_body(request, Writing)
    sender, line = normal(request.path_params["number"]), normal(asked.to)
    if not sender:
        raise BadInputError(f"not a number: {request.path_params['number']}")
    if not asked.text and not asked.attachments:
        raise BadInputError("text must not be empty")
    if "@" in sender and (box := world.mailbox_of(line)):
        return _write_mail(world, box, sender, asked)
    if mac := world.mac_of_line(line):
        return _write_imessage(world, mac, sender, asked)
    if android := world.android_of_line(line):
        return _write_sms(world, android, sender, asked)
    if account := world.sendblue_of_line(line):
        return _write_to_sendblue(world, request, account, sender, asked)
    if world.mailbox_of(line):
        raise BadInputError(f"{sender} has no e-mail address, so it cannot write an e-mail")
    raise BadInputError(f"no Mac, no Android phone, no Sendblue account and no mailbox has the address {asked.to}")


async def react(world: World, request: Request) -> Response:
    asked = await read_body(request, Reacting)
    if asked.reaction not in people.REACTIONS:
        raise BadInputError(f"reaction must be one of {', '.join(people.REACTIONS)}")
    person, mac = _person_and_mac(world, request, asked.to)
    on = people.find_message(mac, person, guid=asked.guid, text=asked.text)
    if on is None:
        raise BadInputError(f"there is no such message between {person} and {mac.settings.phone}")
    row = people.react(world, mac, person, on, asked.reaction)
    said = {"guid": row.guid, "from": person, "to": mac.settings.phone, "on": on.guid, "reaction": asked.reaction}
    return answer(said | {"sentAt": iso(row.created_at)}, 201)


async def show_typing(world: World, request: Request) -> Response:
    asked = await read_body(request, Typing)
    if account := world.sendblue_of_line(normal(asked.to)):
        person = normal(request.path_params["number"])
        sendblue_sending.show_typing(world, account, person, is_typing=asked.typing)
        return answer({"from": person, "to": account.phone, "typing": asked.typing})
    person, mac = _person_and_mac(world, request, asked.to)
    people.show_typing(world, mac, person, is_typing=asked.typing)
    return answer({"from": person, "to": mac.settings.phone, "typing": asked.typing})


async def read_all(world: World, request: Request) -> Response:
    asked = await read_body(request, Reading)
    person, mac = _person_and_mac(world, request, asked.to)
    return answer({"from": person, "to": mac.settings.phone, "read": people.read_all(world, mac, person)})


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


def _write_imessage(world: World, mac: Mac, sender: str, asked: Writing) -> Response:
    if not course_of(sender).on_imessage:
        raise BadInputError(f"{sender} is not on iMessage, so it cannot write to a Mac")
    files = tuple([world.keep_file(file.name, _content(file)) for file in asked.attachments])
    row = sending.person_writes(world, mac, sender, asked.text, files, asked.reply_to)
    written = {"guid": row.guid, "from": sender, "to": mac.settings.phone, "text": row.text}
    return answer(written | _files_json(row.attachments) | {"sentAt": iso(row.created_at)}, 201)


def _write_sms(world: World, android: Android, sender: str, asked: Writing) -> Response:
    if not sender.startswith("+"):
        raise BadInputError(f"{sender} has no phone number, so it cannot write a text message")
    if asked.attachments:
        raise BadInputError("the sandbox has no picture messages")
    sms = android_sending.person_writes(world, android, sender, asked.text)
    written = {"guid": sms.id, "from": sender, "to": android.phone, "text": sms.text}
    return answer(written | {"sentAt": iso(sms.at)}, 201)


def _write_to_sendblue(world: World, request: Request, account: Sendblue, sender: str, asked: Writing) -> Response:
    if not sender.startswith("+"):
        raise BadInputError(f"{sender} has no phone number, so it cannot write to a Sendblue number")
    if len(asked.attachments) > 1:
        raise BadInputError("Sendblue brings one file a message")
    files = [world.keep_file(file.name, _content(file)) for file in asked.attachments]
    media = files[0] if files else None
    url = url_here(request, f"/files/{media.sha256}?type={media.media_type}") if media else None
    row = sendblue_sending.person_writes(world, account, sender, asked.text, media, url)
    written = {"guid": row.handle, "from": sender, "to": account.phone, "text": row.content}
    return answer(written | _files_json(files) | {"sentAt": iso(row.created_at)}, 201)


def _write_mail(world: World, box: Mailbox, sender: str, asked: Writing) -> Response:
    files = [world.keep_file(file.name, _content(file)) for file in asked.attachments]
    wrote = mail_sending.person_writes(world, box, sender, asked.text, files)
    written = {"guid": wrote.guid, "from": sender, "to": box.email, "text": wrote.text}
    return answer(written | _files_json(wrote.attachments) | {"sentAt": iso(wrote.sent_at)}, 201)


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


ROUTES = [
    Route("/received", own(received)),
    Route("/phones/{number}/send", own(write), methods=["POST"]),
    Route("/phones/{number}/react", own(react), methods=["POST"]),
    Route("/phones/{number}/typing", own(show_typing), methods=["POST"]),
    Route("/phones/{number}/read", own(read_all), methods=["POST"]),
]
