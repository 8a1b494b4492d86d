"""What happens when Sendblue is told to send a text, and when a person writes one to its number.

A send plays out the `Course` of the recipient's number. Who is not on iMessage gets an SMS instead, as Sendblue does by
itself, and nobody is told that a text was read. HTTP is not known here. The phone's copy is always in the journal before
any outcome.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import msgspec

from posthaste.sandbox.entries import Attached, Received, SendbluePromised, SendblueRow, Wrote
from posthaste.sandbox.files import FILE_BYTES_MAX
from posthaste.sandbox.numbers import (
    ANSWER_LATE_MS,
    ARRIVE_LATE_MS,
    DELIVERED_AFTER_MS,
    REPLY_AFTER_MS,
    Answer,
    Course,
    course_of,
    sms_course_of,
)
from posthaste.sandbox.sendblue import Sendblue
from posthaste.sandbox.sendblue_render import typing_json, webhook_json
from posthaste.sandbox.world import World

IMESSAGE, SMS = "iMessage", "SMS"
SENT, DELIVERED, RECEIVED, ERROR = "SENT", "DELIVERED", "RECEIVED", "ERROR"
NOT_TAKEN, FAILED_TO_SEND = 4000, 10001

_CHANNELS = {IMESSAGE: "imessage", SMS: "sms"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program wants sent."""

    number: str
    content: str
    media_url: str | None
    callback: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The program is told of the message, which may have failed."""

    row: SendblueRow


@dataclass(frozen=True, slots=True)
class Died:
    """The asking program is told nothing: the connection is gone."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Whatever stands before Sendblue gave up waiting; the request still reaches it."""


Outcome = Answered | Died | TimedOut


def carrier_of(number: str) -> str:
    return IMESSAGE if course_of(number).on_imessage else SMS


async def send(world: World, account: Sendblue, asked: Asked) -> Outcome:
    """Take a text that is to be sent."""
    course = _course_of(asked.number)
    files = await _files_of(world, asked)
    handle = world.new_guid()
    match course.answer:
        case _ if files is None:
            return Answered(_failed(world, account, asked, handle, NOT_TAKEN))
        case Answer.ERROR:
            return Answered(_failed(world, account, asked, handle, FAILED_TO_SEND))
        case Answer.TIMEOUT:
            _promise(world, account, asked, handle, files)
            await asyncio.sleep(ANSWER_LATE_MS / 1000)
            return TimedOut()
        case Answer.HANGUP:
            arrive(world, account, asked, handle, files)
            return Died()
        case Answer.OK:
            row = arrive(world, account, asked, handle, files)
            if course.receipt_first:
                await _wait(_move(world, account, handle, DELIVERED))
            return Answered(account.rows[row.handle])


def arrive(world: World, account: Sendblue, asked: Asked, handle: str, files: tuple[Attached, ...]) -> SendblueRow:
    """Put a text on the phone and into the account's list, and set off what follows from it."""
    row, now = _row_of(world, account, asked, handle, SENT), world.now_ms()
    course = _course_of(asked.number)
    if course.failure:
        world.record(row)
    else:
        received = Received(asked.number, account.phone, asked.content, _CHANNELS[row.service], handle, now, files)
        world.record(row, received)
    _tell_of(world, account, row)
    _follow(world, account, row, course)
    if course.reply is not None:
        world.later(REPLY_AFTER_MS, partial(_reply, world, account, asked.number, course.reply))
    return row


def person_writes(
    world: World, account: Sendblue, sender: str, text: str, media: Attached | None, media_url: str | None
) -> SendblueRow:
    """Let a person write to the account's number."""
    now = world.now_ms()
    row = SendblueRow(
        account.id, world.new_guid(), sender, text, is_outbound=False, status=RECEIVED, service=carrier_of(sender),
        created_at=now, updated_at=now, media_url=media_url or "",
    )  # fmt: skip
    files = () if media is None else (media,)
    world.record(row, Wrote(sender, account.phone, text, _CHANNELS[row.service], row.handle, now, files))
    _announce(world, account, "receive", webhook_json(account, row))
    return row


def show_typing(world: World, account: Sendblue, person: str, *, is_typing: bool) -> None:
    _announce(world, account, "typing_indicator", typing_json(account, person, world.now_ms(), is_typing=is_typing))


def resume(world: World) -> None:
    """Set off again what was still to come when the world last stopped: requests on their way, and receipts."""
    now = world.now_ms()
    for account in world.sendblues.values():
        for promised in list(account.promises.values()):
            world.later(max(0, promised.due_at - now), partial(_keep_promise, world, promised))
        for row in account.rows.values():
            if row.is_outbound and row.status == SENT:
                _follow(world, account, row, _course_of(row.number))


def _course_of(number: str) -> Course:
    course = course_of(number)
    return course if course.on_imessage else sms_course_of(number)


async def _files_of(world: World, asked: Asked) -> tuple[Attached, ...] | None:
    """Fetch the file that a message brings; None if it cannot be had."""
    if asked.media_url is None:
        return ()
    content = await world.sendblue_webhooks.fetch(asked.media_url, FILE_BYTES_MAX)
    if content is None:
        return None
    name = PurePosixPath(urlsplit(asked.media_url).path).name or "file"
    return (world.keep_file(name, content),)


def _row_of(world: World, account: Sendblue, asked: Asked, handle: str, status: str, error: int = 0) -> SendblueRow:
    now = world.now_ms()
    return SendblueRow(
        account.id, handle, asked.number, asked.content, is_outbound=True, status=status, service=carrier_of(asked.number),
        created_at=now, updated_at=now, media_url=asked.media_url or "", callback=asked.callback, error_code=error,
    )  # fmt: skip


def _failed(world: World, account: Sendblue, asked: Asked, handle: str, error: int) -> SendblueRow:
    row = _row_of(world, account, asked, handle, ERROR, error)
    world.record(row)
    return row


def _promise(world: World, account: Sendblue, asked: Asked, handle: str, files: tuple[Attached, ...]) -> None:
    delay_ms = ANSWER_LATE_MS + ARRIVE_LATE_MS
    promised = SendbluePromised(
        account.id, handle, asked.number, asked.content, asked.media_url, asked.callback, world.now_ms() + delay_ms, files
    )
    world.record(promised)
    world.later(delay_ms, partial(_keep_promise, world, promised))


def _keep_promise(world: World, promised: SendbluePromised) -> None:
    asked = Asked(promised.number, promised.content, promised.media_url, promised.callback)
    arrive(world, world.sendblues[promised.sendblue], asked, promised.handle, promised.attachments)


def _follow(world: World, account: Sendblue, row: SendblueRow, course: Course) -> None:
    if course.failure:
        world.later(DELIVERED_AFTER_MS, partial(_fail, world, account, row.handle))
    elif course.receipts and not course.receipt_first:
        world.later(DELIVERED_AFTER_MS, partial(_deliver, world, account, row.handle, course.receipts))


def _deliver(world: World, account: Sendblue, handle: str, times: int) -> None:
    _move(world, account, handle, DELIVERED)
    for _ in range(times - 1):
        _tell_of(world, account, account.rows[handle])


def _fail(world: World, account: Sendblue, handle: str) -> None:
    _move(world, account, handle, ERROR, FAILED_TO_SEND)


def _move(world: World, account: Sendblue, handle: str, status: str, error: int = 0) -> list[asyncio.Event]:
    """Bring a message to a status, and tell of it."""
    row = msgspec.structs.replace(account.rows[handle], status=status, error_code=error, updated_at=world.now_ms())
    world.record(row)
    return _tell_of(world, account, row)


async def _wait(told: Sequence[asyncio.Event]) -> None:
    await asyncio.gather(*(one.wait() for one in told))


def _tell_of(world: World, account: Sendblue, row: SendblueRow) -> list[asyncio.Event]:
    """Tell of a message's status: whoever asked with the message itself, and the account's webhooks."""
    body = webhook_json(account, row)
    told = [_post(world, account, row.callback, body)] if row.callback and account.is_up else []
    return [*told, *_announce(world, account, "outbound", body)]


def _announce(world: World, account: Sendblue, kind: str, body: object) -> list[asyncio.Event]:
    if not account.is_up:
        return []
    hooks = [hook for hook in account.hooks_of(kind) if hook.numbers is None or account.phone in hook.numbers]
    return [_post(world, account, hook.url, body, hook.secret) for hook in hooks]


def _post(world: World, account: Sendblue, url: str, body: object, secret: str | None = None) -> asyncio.Event:
    return world.sendblue_webhooks.fire(url, body, secret, lambda: account.is_up)


def _reply(world: World, account: Sendblue, sender: str, text: str) -> None:
    person_writes(world, account, sender, text, None, None)
