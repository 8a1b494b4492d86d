"""What happens when a Mac is told to send a message, and when a person writes one.

A send plays out the `Course` of the recipient's number: what the phone gets, which webhooks go out and when, and which
of the outcomes below the asking program is told. HTTP is not known here. The phone's copy is always in the journal
before any outcome.
"""

import asyncio
from dataclasses import dataclass
from functools import partial

import msgspec

from posthaste.sandbox import android_sending, sendblue_sending
from posthaste.sandbox.entries import Attached, ChatOpened, Promised, Received, Row, Wrote
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
class Draft:
    """A message to be sent. `is_matched`: the server will know the send again and tell its `temp_guid` by webhook."""

    text: str
    attachments: tuple[Attached, ...] = ()
    temp_guid: str | None = None
    is_matched: bool = True

    @property
    def told_guid(self) -> str | None:
        return self.temp_guid if self.is_matched else None


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


async def send(world: World, mac: Mac, chat: ChatOpened, draft: Draft) -> Outcome:
    """Send a message into a conversation."""
    course = course_of(chat.address)
    mac.typing_to.discard(chat.address)
    match course.answer:
        case Answer.ERROR:
            return _fail(world, mac, chat, draft, course)
        case Answer.TIMEOUT:
            _promise(world, mac, chat, draft)
            await asyncio.sleep(ANSWER_LATE_MS / 1000)
            return TimedOut()
        case Answer.HANGUP:
            arrive(world, mac, chat, draft, world.new_guid())
            return Died()
        case Answer.OK:
            row = arrive(world, mac, chat, draft, world.new_guid())
            if course.receipt_first:
                await _deliver_now(world, mac, row)
            return Sent(mac.rows[row.rowid - 1])


def arrive(world: World, mac: Mac, chat: ChatOpened, draft: Draft, guid: str) -> Row:
    """Put a message on the phone and into the Mac's database, and set off what follows from it."""
    now = world.now_ms()
    row = _outgoing(mac, chat, draft, guid, now)
    world.record(row, Received(chat.address, mac.settings.phone, draft.text, CHANNEL, guid, now, draft.attachments))
    # The server tells of a matched send twice: once with the caller's own guid, once as of any message.
    if draft.told_guid:
        notify(world, mac, row, "new-message", temp_guid=draft.told_guid)
    notify(world, mac, row, "new-message")
    _follow(world, mac, row)
    return row


def person_writes(
    world: World,
    mac: Mac,
    sender: str,
    text: str,
    attachments: tuple[Attached, ...] = (),
    thread_guid: str | None = None,
) -> Row:
    """Let a person write to a Mac's number; a Mac that is down finds the text when it wakes."""
    now = world.now_ms()
    chat = world.open_chat(mac, sender)
    row = Row(
        mac.id, len(mac.rows) + 1, world.new_guid(), chat.guid, sender, text, False, now,
        attachments=attachments, thread_guid=thread_guid,
    )  # fmt: skip
    world.record(row, Wrote(sender, mac.settings.phone, text, CHANNEL, row.guid, now, attachments))
    notify(world, mac, row, "new-message")
    return row


def resume(world: World) -> None:
    """Set off again what was still to come when the world last stopped: promised texts, and receipts."""
    android_sending.resume(world)
    sendblue_sending.resume(world)
    now = world.now_ms()
    for promised in list(world.promises.values()):
        world.later(max(0, promised.due_at - now), partial(_keep_promise, world, promised))
    for mac in world.macs.values():
        for row in mac.rows:
            if row.is_from_me and row.delivered_at is None and not row.error:
                _receipts(world, mac, row, course_of(row.address))


def _outgoing(mac: Mac, chat: ChatOpened, draft: Draft, guid: str, now: int, error: int = 0) -> Row:
    return Row(
        mac.id, len(mac.rows) + 1, guid, chat.guid, chat.address, draft.text, True, now,
        error=error, attachments=draft.attachments,
    )  # fmt: skip


def _fail(world: World, mac: Mac, chat: ChatOpened, draft: Draft, course: Course) -> Failed:
    row = _outgoing(mac, chat, draft, world.new_guid(), world.now_ms(), course.error)
    world.record(row)
    notify(world, mac, row, "message-send-error", temp_guid=draft.told_guid)
    return Failed(row)


def _promise(world: World, mac: Mac, chat: ChatOpened, draft: Draft) -> None:
    delay_ms = ANSWER_LATE_MS + ARRIVE_LATE_MS
    promised = Promised(
        mac.id, chat.guid, chat.address, draft.text, world.new_guid(), draft.temp_guid, world.now_ms() + delay_ms,
        draft.attachments, draft.is_matched,
    )  # fmt: skip
    world.record(promised)
    world.later(delay_ms, partial(_keep_promise, world, promised))


def _keep_promise(world: World, promised: Promised) -> None:
    mac = world.macs[promised.mac]
    draft = Draft(promised.text, promised.attachments, promised.temp_guid, promised.is_matched)
    arrive(world, mac, mac.chats[promised.chat_guid], draft, promised.guid)
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


def read(world: World, mac: Mac, row: Row) -> None:
    """Let a person have read a message; the receipt says that it was delivered, too."""
    now = world.now_ms()
    seen = msgspec.structs.replace(row, delivered_at=row.delivered_at or now, read_at=now)
    world.record(seen)
    notify(world, mac, seen, "updated-message")


def _deliver(world: World, mac: Mac, rowid: int, times: int) -> None:
    row = msgspec.structs.replace(mac.rows[rowid - 1], delivered_at=world.now_ms())
    world.record(row)
    for _ in range(times):
        notify(world, mac, row, "updated-message")


def _read(world: World, mac: Mac, rowid: int) -> None:
    read(world, mac, mac.rows[rowid - 1])


async def _deliver_now(world: World, mac: Mac, row: Row) -> None:
    """Deliver, and wait until the receipt's webhook was taken, so that it surely overtakes the answer."""
    delivered = msgspec.structs.replace(row, delivered_at=world.now_ms())
    world.record(delivered)
    await asyncio.gather(*notify(world, mac, delivered, "updated-message"), return_exceptions=True)


def notify(world: World, mac: Mac, row: Row, event: str, *, temp_guid: str | None = None) -> list[asyncio.Task[None]]:
    """Tell of a message by webhook."""
    payload = notification_json(mac, row, with_chats=event != "updated-message", temp_guid=temp_guid)
    return announce(world, mac, event, payload)


def announce(world: World, mac: Mac, event: str, payload: Json) -> list[asyncio.Task[None]]:
    """Post a webhook to whoever asked for such events, unless the Mac is down."""
    if not mac.is_up:
        return []
    hooks = [hook for hook in mac.hooks.values() if event in hook.events or "*" in hook.events]
    tasks = [world.webhooks.fire(hook.url, event, payload) for hook in hooks]
    return [task for task in tasks if task is not None]
