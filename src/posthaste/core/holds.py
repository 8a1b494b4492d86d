"""Why a waiting message waits, and until when: derived when somebody asks, from the same clocks that decide.

Nothing here is stored. A message that waits is `scheduled` (for its date, window or day), `queued` (for a cap, a gap
or a line's health) or `pending` (it may go now).
"""

from enum import StrEnum

from posthaste.core.lines import NEVER_AT, Device, Line
from posthaste.core.messages import Lane, Message
from posthaste.core.row import Value


class Reason(StrEnum):
    """The contract's codes for what holds a message."""

    SCHEDULED = "scheduled"
    OUTSIDE_WINDOW = "outside_window"
    DAILY_LIMIT = "daily_limit"
    NEW_CONVERSATION_LIMIT = "new_conversation_limit"
    DEVICE_GAP = "device_gap"
    CONTACT_GAP = "contact_gap"
    LINE_DOWN = "line_down"
    LINE_INACTIVE = "line_inactive"
    PROVIDER_RETRY = "provider_retry"
    OUTCOME_UNKNOWN = "outcome_unknown"


class Hold(Value, frozen=True):
    """What a caller is told of a waiting message: `reason` is None when it may go now, `until` when nobody can say."""

    status: str
    reason: Reason | None = None
    until: int | None = None


MAY_GO = Hold("pending")


def explain(message: Message, line: Line, device: Device, now: int) -> Hold:
    """Say what holds a waiting message at `now`."""
    own = _held_by_itself(message, now)
    if own is not None:
        return own
    reason, until = _held_by_line(message, line, device, now)
    if reason is None:
        return MAY_GO
    if until == NEVER_AT:
        until = None
    # The line opens at `until`; the message goes no earlier than its own window then says.
    if until is not None and message.window is not None:
        until = message.window.next_open(until)
    return Hold("queued", reason, until)


def _held_by_itself(message: Message, now: int) -> Hold | None:
    if message.due_at > now:
        if message.hold is not None:
            return Hold("queued", Reason(message.hold), message.due_at)
        has_date = message.scheduled_at is not None and message.scheduled_at > now
        return Hold("scheduled", Reason.SCHEDULED if has_date else Reason.OUTSIDE_WINDOW, message.due_at)
    if message.window is not None and not message.window.is_open(now):
        return Hold("scheduled", Reason.OUTSIDE_WINDOW, message.window.next_open(now))
    return None


def _held_by_line(message: Message, line: Line, device: Device, now: int) -> tuple[Reason | None, int | None]:
    if not line.is_active:
        return Reason.LINE_INACTIVE, None
    if not device.is_up:
        return Reason.LINE_DOWN, None
    if line.opens_at > now:
        return Reason.DAILY_LIMIT, line.opens_at
    if message.lane == Lane.NEW and line.new_opens_at > now:
        if line.new_full_until > now:
            return Reason.NEW_CONVERSATION_LIMIT, line.new_opens_at
        if line.new_opens_at >= device.free_at:
            return Reason.CONTACT_GAP, line.new_opens_at  # Of two gaps the longer one says until when.
    if device.free_at > now:
        return Reason.DEVICE_GAP, device.free_at
    return None, None
