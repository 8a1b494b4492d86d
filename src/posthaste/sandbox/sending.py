"""What happens when a Mac is told to send a text, and when a person writes one.

A send plays out the `Course` of the recipient's number: what the phone gets, which webhooks go out and when, and which
of the outcomes below the asking program is told. HTTP is not known here. The phone's copy is always in the journal
before any outcome.
"""

import asyncio
from dataclasses import dataclass
from functools import partial

import msgspec

from posthaste.sandbox.entries import ChatOpened, Promised, Received, Row, Wrote
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.numbers import (
    ANSWER_LATE_MS,
    ARRIVE_LATE_MS,
    DELIVERED_AFTER_MS,
    READ_AFTER_MS,
    REPLY_AFTER_MS,
    Answer,
    Course,
    course_of,
)
from posthaste.sandbox.render import Json, notification_json
from posthaste.sandbox.world import World

CHANNEL = "imessage"


@dataclass(frozen=True, slots=True)
class Sent:
    row: Row


@dataclass(frozen=True, slots=True)
class Failed:
    """The message is in the Mac's database with an error; no phone has it."""

    row: Row


@dataclass(frozen=True, slots=True)
class Died:
    """The asking program is told nothing: the connection is gone."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The server gave up waiting; the send goes on."""


Outcome = Sent | Failed | Died | TimedOut


async def send(world: World, mac: Mac, chat: ChatOpened, text: str, temp_guid: str | None) -> Outcome:
    """Send a text into a conversation; `temp_guid` is the one that the server will match, if any."""
    course = course_of(chat.address)
    match course.answer:
        case Answer.ERROR:
            return _fail(world, mac, chat, text, temp_guid, course)
        case Answer.TIMEOUT:
            _promise(world, mac, chat, text, temp_guid)
            await asyncio.sleep(ANSWER_LATE_MS / 1000)
            return TimedOut()
        case Answer.HANGUP:
            arrive(world, mac, chat, text, world.new_guid(), temp_guid)
            return Died()
        case Answer.OK:
            row = arrive(world, mac, chat, text, world.new_guid(), temp_guid)
            if course.receipt_first:
                await _deliver_now(world, mac, row)
            return Sent(mac.rows[row.rowid - 1])


def arrive(world: World, mac: Mac, chat: ChatOpened, text: str, guid: str, temp_guid: str | None) -> Row:
    """Put a text on the phone and into the Mac's database, and set off what follows from it."""
    now = world.now_ms()
    row = _outgoing(mac, chat, text, guid, now)
    world.record(row, Received(chat.address, mac.settings.phone, text, CHANNEL, guid, now))
    # The server tells of a matched send twice: once with the caller's own guid, once as of any message.
    if temp_guid:
        _notify(world, mac, row, "new-message", temp_guid=temp_guid)
    _notify(world, mac, row, "new-message")
    _follow(world, mac, row)
    return row


def person_writes(world: World, mac: Mac, sender: str, text: str) -> Row:
    """Let a person write to a Mac's number; a Mac that is down finds the text when it wakes."""
    now = world.now_ms()
    chat = world.open_chat(mac, sender)
    row = Row(mac.id, len(mac.rows) + 1, world.new_guid(), chat.guid, sender, text, False, now)
    world.record(row, Wrote(sender, mac.settings.phone, text, CHANNEL, row.guid, now))
    _notify(world, mac, row, "new-message")
    return row


def resume(world: World) -> None:
    """Set off again what was still to come when the world last stopped: promised texts, and receipts."""
    now = world.now_ms()
    for promised in list(world.promises.values()):
        world.later(max(0, promised.due_at - now), partial(_keep_promise, world, promised))
    for mac in world.macs.values():
        for row in mac.rows:
            if row.is_from_me and row.delivered_at is None and not row.error:
                _receipts(world, mac, row, course_of(row.address))


def _outgoing(mac: Mac, chat: ChatOpened, text: str, guid: str, now: int, error: int = 0) -> Row:
    return Row(mac.id, len(mac.rows) + 1, guid, chat.guid, chat.address, text, True, now, error=error)


def _fail(world: World, mac: Mac, chat: ChatOpened, text: str, temp_guid: str | None, course: Course) -> Failed:
    row = _outgoing(mac, chat, text, world.new_guid(), world.now_ms(), course.error)
    world.record(row)
    _notify(world, mac, row, "message-send-error", temp_guid=temp_guid)
    return Failed(row)


def _promise(world: World, mac: Mac, chat: ChatOpened, text: str, temp_guid: str | None) -> None:
    delay_ms = ANSWER_LATE_MS + ARRIVE_LATE_MS
    due_at = world.now_ms() + delay_ms
    promised = Promised(mac.id, chat.guid, chat.address, text, world.new_guid(), temp_guid, due_at)
    world.record(promised)
    world.later(delay_ms, partial(_keep_promise, world, promised))


def _keep_promise(world: World, promised: Promised) -> None:
    mac = world.macs[promised.mac]
    arrive(world, mac, mac.chats[promised.chat_guid], promised.text, promised.guid, promised.temp_guid)
    mac.in_flight.discard(promised.temp_guid or "")


def _follow(world: World, mac: Mac, row: Row) -> None:
    course = course_of(row.address)
    if not course.receipt_first:
        _receipts(world, mac, row, course)
    if course.reply is not None:
        world.later(REPLY_AFTER_MS, partial(_reply, world, mac, row.address, course.reply))


def _receipts(world: World, mac: Mac, row: Row, course: Course) -> None:
    if course.receipts:
        world.later(DELIVERED_AFTER_MS, partial(_deliver, world, mac, row.rowid, course.receipts))
    if course.is_read:
        world.later(READ_AFTER_MS, partial(_read, world, mac, row.rowid))


def _reply(world: World, mac: Mac, sender: str, text: str) -> None:
    person_writes(world, mac, sender, text)


def _deliver(world: World, mac: Mac, rowid: int, times: int) -> None:
    row = msgspec.structs.replace(mac.rows[rowid - 1], delivered_at=world.now_ms())
    world.record(row)
    for _ in range(times):
        _notify(world, mac, row, "updated-message")


def _read(world: World, mac: Mac, rowid: int) -> None:
    row = msgspec.structs.replace(mac.rows[rowid - 1], read_at=world.now_ms())
    world.record(row)
    _notify(world, mac, row, "updated-message")


async def _deliver_now(world: World, mac: Mac, row: Row) -> None:
    """Deliver, and wait until the receipt's webhook was taken, so that it surely overtakes the answer."""
    delivered = msgspec.structs.replace(row, delivered_at=world.now_ms())
    world.record(delivered)
    await asyncio.gather(*_notify(world, mac, delivered, "updated-message"), return_exceptions=True)


def _notify(world: World, mac: Mac, row: Row, event: str, *, temp_guid: str | None = None) -> list[asyncio.Task[None]]:
    payload = notification_json(mac, row, with_chats=event != "updated-message", temp_guid=temp_guid)
    return announce(world, mac, event, payload)


def announce(world: World, mac: Mac, event: str, payload: Json) -> list[asyncio.Task[None]]:
    """Post a webhook to whoever asked for such events, unless the Mac is down."""
    if not mac.is_up:
        return []
    hooks = [hook for hook in mac.hooks.values() if event in hook.events or "*" in hook.events]
    tasks = [world.webhooks.fire(hook.url, event, payload) for hook in hooks]
    return [task for task in tasks if task is not None]
