"""What happens when an Android phone is told to send a text, and when a person writes one to it.

A send plays out the `Course` of the recipient's number, as it is for text messages: what the person's phone gets, which
states the message goes through, and which of the outcomes below the asking program is told. HTTP is not known here. The
person's copy is always in the journal before any outcome.
"""

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from posthaste.sandbox.android import DELIVERED, FAILED, PENDING, SENT, Android, state_of
from posthaste.sandbox.android_render import delivered_json, event_json, failed_json, received_json, sent_json
from posthaste.sandbox.entries import Received, Sms, SmsIn, SmsPromised, SmsPromiseEnded, SmsTo, Wrote
from posthaste.sandbox.numbers import (
    ANSWER_LATE_MS,
    ARRIVE_LATE_MS,
    DELIVERED_AFTER_MS,
    REPLY_AFTER_MS,
    SMS_SENT_AFTER_MS,
    Answer,
    normal,
    sms_course_of,
)
from posthaste.sandbox.render import Json
from posthaste.sandbox.world import World

CHANNEL = "sms"
# The words of the app.
_TOO_LATE = "TTL expired"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a program wants sent; `id` is its own, or made up for it."""

    id: str
    numbers: Sequence[str]
    text: str
    wants_report: bool
    valid_until: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    sms: Sms


@dataclass(frozen=True, slots=True)
class Refused:
    """The app does not take it; no phone has it."""


@dataclass(frozen=True, slots=True)
class Died:
    """The asking program is told nothing: the connection is gone."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Whatever stands before the phone gave up waiting; the request still reaches it."""


Outcome = Taken | Refused | Died | TimedOut


async def send(world: World, phone: Android, asked: Asked) -> Outcome:
    """Take a text that is to be sent; with several recipients, the first one's number says how it is answered."""
    course = sms_course_of(normal(asked.numbers[0]))
    match course.answer:
        case Answer.ERROR:
            return Refused()
        case Answer.TIMEOUT:
            _promise(world, phone, asked)
            await asyncio.sleep(ANSWER_LATE_MS / 1000)
            return TimedOut()
        case Answer.HANGUP:
            take(world, phone, asked)
            return Died()
        case Answer.OK:
            sms = take(world, phone, asked)
            if course.receipt_first and not sms.is_too_late:
                await _deliver_now(world, phone, sms)
            return Taken(sms)


def take(world: World, phone: Android, asked: Asked) -> Sms:
    """Put a text on the phones that it reaches and into the app's queue, and set off what follows."""
    now = world.now_ms()
    recipients = [SmsTo(number, PENDING) for number in asked.numbers]
    sms = Sms(phone.id, asked.id, asked.text, recipients, {PENDING: now}, asked.wants_report, now, asked.valid_until)
    reached = [normal(number) for number in asked.numbers if not _failure(sms, number)]
    world.record(sms, *(Received(to, phone.phone, asked.text, CHANNEL, asked.id, now) for to in reached))
    _follow(world, phone, sms)
    for to in reached:
        reply = sms_course_of(to).reply
        if reply is not None:
            world.later(REPLY_AFTER_MS, partial(_reply, world, phone, to, reply))
    return sms


def person_writes(world: World, phone: Android, sender: str, text: str) -> SmsIn:
    """Let a person write to an Android phone; while its app does not run, the text is only in the phone's own store."""
    now = world.now_ms()
    sms = SmsIn(phone.id, _id_of(phone, sender, text, now), sender, text, now, phone.is_up)
    world.record(sms, Wrote(sender, phone.phone, text, CHANNEL, sms.id, now))
    if sms.is_seen:
        announce(world, phone, "sms:received", received_json(phone, sms))
    return sms


def look_for_missed(world: World, phone: Android, since: int, until: int, *, tells: bool) -> None:
    """Let the app look through the phone's own store, and tell of what it did not know if it is asked to."""
    for sms in list(phone.came.values()):
        if not sms.is_seen and since <= sms.at <= until:
            world.record(msgspec.structs.replace(sms, is_seen=True))
            if tells:
                announce(world, phone, "sms:received", received_json(phone, sms))


def resume(world: World) -> None:
    """Set off again what was still to come when the world last stopped: requests on their way, and receipts."""
    now = world.now_ms()
    for phone in world.androids.values():
        for promised in list(phone.promises.values()):
            world.later(max(0, promised.due_at - now), partial(_keep_promise, world, promised))
        for sms in phone.messages.values():
            if state_of(sms) in (PENDING, SENT):
                _follow(world, phone, sms)


def announce(world: World, phone: Android, event: str, payload: Json) -> list[asyncio.Event]:
    """Post an event to whoever asked for such, unless the app does not run."""
    if not phone.is_up:
        return []
    hooks = [hook for hook in phone.hooks.values() if hook.event == event]
    return [
        world.android_webhooks.fire(
            hook.url,
            event_json(phone, hook, world.new_id(), payload),
            phone.settings.signing_key,
            lambda: phone.is_up,
        )
        for hook in hooks
    ]


def _promise(world: World, phone: Android, asked: Asked) -> None:
    delay_ms = ANSWER_LATE_MS + ARRIVE_LATE_MS
    numbers, due_at = list(asked.numbers), world.now_ms() + delay_ms
    promised = SmsPromised(phone.id, asked.id, numbers, asked.text, asked.wants_report, due_at, asked.valid_until)
    world.record(promised)
    world.later(delay_ms, partial(_keep_promise, world, promised))


def _keep_promise(world: World, promised: SmsPromised) -> None:
    phone = world.androids[promised.android]
    world.record(SmsPromiseEnded(phone.id, promised.id))
    # The same id may have come a second time and sooner; then this one is refused, and nobody is left to be told.
    if promised.id not in phone.messages:
        asked = Asked(promised.id, promised.numbers, promised.text, promised.wants_report, promised.valid_until)
        take(world, phone, asked)


def _follow(world: World, phone: Android, sms: Sms) -> None:
    for place, recipient in enumerate(sms.recipients):
        course = sms_course_of(normal(recipient.number))
        failure = _failure(sms, recipient.number)
        if failure:
            world.later(SMS_SENT_AFTER_MS, partial(_fail, world, phone, sms.id, place, failure))
            continue
        if course.receipt_first:
            continue
        world.later(SMS_SENT_AFTER_MS, partial(_sent, world, phone, sms.id, place))
        if course.receipts and sms.wants_report:
            world.later(DELIVERED_AFTER_MS, partial(_deliver, world, phone, sms.id, place, course.receipts))


def _failure(sms: Sms, number: str) -> str:
    if sms.is_too_late:
        return _TOO_LATE
    return sms_course_of(normal(number)).failure if normal(number) else "not a phone number"


def _sent(world: World, phone: Android, sms_id: str, place: int) -> None:
    recipient = _move(world, phone, sms_id, place, SENT)
    announce(world, phone, "sms:sent", sent_json(phone, sms_id, recipient, world.now_ms()))


def _deliver(world: World, phone: Android, sms_id: str, place: int, times: int) -> None:
    recipient = _move(world, phone, sms_id, place, DELIVERED)
    for _ in range(times):
        announce(world, phone, "sms:delivered", delivered_json(phone, sms_id, recipient, world.now_ms()))


def _fail(world: World, phone: Android, sms_id: str, place: int, failure: str) -> None:
    recipient = _move(world, phone, sms_id, place, FAILED, failure)
    announce(world, phone, "sms:failed", failed_json(phone, sms_id, recipient, world.now_ms()))


async def _deliver_now(world: World, phone: Android, sms: Sms) -> None:
    """Deliver, and wait until the receipt's webhook was tried, so that it surely overtakes the answer."""
    for place in range(len(sms.recipients)):
        recipient = _move(world, phone, sms.id, place, DELIVERED)
        told = announce(world, phone, "sms:delivered", delivered_json(phone, sms.id, recipient, world.now_ms()))
        await asyncio.gather(*(one.wait() for one in told))


def _move(world: World, phone: Android, sms_id: str, place: int, state: str, error: str | None = None) -> SmsTo:
    """Bring one recipient of a message to a state."""
    sms = phone.messages[sms_id]
    moved = SmsTo(sms.recipients[place].number, state, error)
    recipients = [*sms.recipients[:place], moved, *sms.recipients[place + 1 :]]
    changed = msgspec.structs.replace(sms, recipients=recipients)
    states = {**sms.states, state_of(changed): world.now_ms()}
    world.record(msgspec.structs.replace(changed, states=states))
    return moved


def _reply(world: World, phone: Android, sender: str, text: str) -> None:
    person_writes(world, phone, sender, text)


def _id_of(phone: Android, sender: str, text: str, at: int) -> str:
    # The app's own ids are hashes of 32 bits, written in one way in its inbox and in another in its webhooks.
    number = zlib.crc32(f"{sender}\n{at}\n{text}\n{len(phone.came)}".encode())
    return f"text:{number - 2**32 if number >= 2**31 else number}"
