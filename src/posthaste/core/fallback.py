"""When an SMS takes the place of an iMessage, and what it is made of."""

from enum import StrEnum

from posthaste.core.addresses import is_email
from posthaste.core.lifecycle import Status
from posthaste.core.lines import Line
from posthaste.core.messages import Message, MessageType
from posthaste.core.row import replace
from posthaste.core.schedule import due_at
from posthaste.core.workspaces import Fallback


class Skip(StrEnum):
    """Why no SMS takes the place of a message, in words."""

    NO_LINE = "the fallback line is not active"
    NO_PHONE = "the person has no phone number"
    TOO_LATE = "its window does not open again in time"


def falls_back(before: str, after: Message, fallback: Fallback) -> bool:
    """Tell whether a message that has just changed its status gets an SMS in its place.

    Nobody on iMessage: always, where a fallback is configured. Failed: only if the message or the workspace asks for it. An
    `unknown` one may have arrived, and never does.
    """
    is_first = after.direction == "sent" and after.fallback_of is None and after.fallback_message_id is None
    if not fallback.is_configured or not is_first or after.message_type != MessageType.IMESSAGE or after.status == before:
        return False
    if after.status == Status.FALLBACK:
        return True
    return after.status == Status.FAILED and (after.send_fallback or fallback.send_on_failed)


def phone_of(message: Message) -> str | None:
    """Return the number that the SMS goes to: the first of the message's phones."""
    return next((one for one in message.addresses if not is_email(one)), message.recipient_phone)


def fallback_of(
    ended: Message, line: Line, phone: str, message_id: str, lane: int, now: int, stale_after_ms: int
) -> Message | None:
    """Return the SMS that takes the place of a message, under the same window and validity; None if it is too late for it."""
    at = due_at(now, None, ended.window)
    if at is None or (ended.valid_until is not None and at >= ended.valid_until):
        return None
    stale_at = at + stale_after_ms
    return replace(
        ended,
        id=message_id,
        line_id=line.id,
        message_type=MessageType.SMS,
        status=Status.WAITING,
        lane=lane,
        due_at=at,
        hold=None,
        expires_at=stale_at if ended.valid_until is None else min(stale_at, ended.valid_until),
        address=phone,
        addresses=(phone,),
        checked_addresses=(),
        recipient_phone=phone,
        recipient_email=None,
        attempts=0,
        external_id=None,
        code=None,
        error_message=None,
        scheduled_at=None,
        send_fallback=False,
        fallback_of=ended.id,
        fallback_message_id=None,
        sent_at=None,
        delivered_at=None,
        read_at=None,
        created_at=now,
        updated_at=now,
        line_asked=True,
    )
