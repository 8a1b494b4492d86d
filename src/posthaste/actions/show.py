"""Read messages, their stories and lines, as callers see them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from posthaste.core.errors import NotFound
from posthaste.core.holds import Hold, Reason, explain
from posthaste.core.leads import Lead
from posthaste.core.lifecycle import Status
from posthaste.core.lines import NEVER_AT, Device, Line
from posthaste.core.messages import Message
from posthaste.core.row import Value
from posthaste.core.timeline import Code, Entry, say
from posthaste.store import attempts, devices, leads, lines, message_lists, messages, timeline
from posthaste.store.message_lists import MessageFilters
from posthaste.store.transaction import Transaction

__all__ = [
    "LineView",
    "MessageFilters",
    "MessageView",
    "line_view",
    "line_views",
    "message_view",
    "message_views",
    "timeline_of",
    "view_of",
    "views_of",
]


class MessageView(Value, frozen=True):
    """A message with what its document needs; `hold` says what holds one that waits or whose outcome nobody knows."""

    message: Message
    line: Line
    device: Device
    lead: Lead | None
    hold: Hold | None


@dataclass(frozen=True, slots=True)
class LineView:
    """A line with its device; `next_slot_at` is when it can next send to a new person, None if nobody can say.

    `hook_path` is where the device reports to, behind our address.
    """

    line: Line
    device: Device
    next_slot_at: int | None
    hook_path: str


def message_view(tx: Transaction, workspace_id: str, message_id: str) -> MessageView:
    message = messages.find(tx, workspace_id, message_id)
    if message is None:
        raise NotFound("Message not found", code="MESSAGE_NOT_FOUND")
    return _views(tx, [message])[0]


def views_of(tx: Transaction, message_ids: Collection[str]) -> dict[str, MessageView]:
    """Return messages by their ids, whosever they are: for those that the caller has just accepted or been given."""
    return {view.message.id: view for view in _views(tx, list(messages.by_ids(tx, message_ids).values()))}


def message_views(
    tx: Transaction, workspace_id: str, filters: MessageFilters, page: int, limit: int
) -> tuple[list[MessageView], int]:
    """Return one page of messages, newest first, and how many there are in all."""
    ids = message_lists.page(tx, workspace_id, filters, (page - 1) * limit, limit)
    found = messages.by_ids(tx, ids)
    return _views(tx, [found[one] for one in ids]), message_lists.count(tx, workspace_id, filters)


def _views(tx: Transaction, found: Sequence[Message]) -> list[MessageView]:
    by_line = lines.by_ids(tx, {one.line_id for one in found})
    by_device = devices.by_ids(tx, {line.device_id for line in by_line.values()})
    people = leads.by_ids(tx, {one.lead_id for one in found})
    sending = [one.id for one in found if one.status == Status.SENDING]
    in_doubt = attempts.unanswered(tx, sending) if sending else set[str]()

    def view(message: Message) -> MessageView:
        line, lead = by_line[message.line_id], people.get(message.lead_id)
        return view_of(message, line, by_device[line.device_id], lead, tx.now, is_in_doubt=message.id in in_doubt)

    return [view(one) for one in found]


def view_of(
    message: Message, line: Line, device: Device, lead: Lead | None, now: int, *, is_in_doubt: bool = False
) -> MessageView:
    """Return a message as callers see it; `is_in_doubt`: its provider was called and did not say what became of it."""
    hold = None
    if message.status == Status.WAITING:
        hold = explain(message, line, device, now)
    elif message.status == Status.UNKNOWN or is_in_doubt:
        hold = Hold(message.status, Reason.OUTCOME_UNKNOWN)
    return MessageView(message, line, device, lead, hold)


def timeline_of(tx: Transaction, workspace_id: str, message_id: str) -> list[Entry]:
    """Return a message's story, oldest first; what holds it now stands last."""
    view = message_view(tx, workspace_id, message_id)
    story = timeline.of_message(tx, message_id)
    hold = view.hold
    if hold is None or hold.reason is None or view.message.status != Status.WAITING:
        return story
    facts: dict[str, object] = {"reason": hold.reason, "until": hold.until, "now": True}
    return [*story, Entry(tx.now, Code.HELD, say(Code.HELD, facts), facts)]


def line_views(tx: Transaction, workspace_id: str) -> list[LineView]:
    """Return a workspace's lines in order of creation."""
    found = lines.of_workspace(tx, workspace_id)
    by_device = devices.by_ids(tx, {line.device_id for line in found})
    return [line_view(tx, line, by_device[line.device_id]) for line in found]


def line_view(tx: Transaction, line: Line, device: Device) -> LineView:
    now = tx.now
    line = line.on_day_of(now)
    access = devices.access(tx, [device.id])[device.id]
    can_send = line.is_active and device.is_up and line.new_opens_at < NEVER_AT
    next_slot_at = max(now, device.free_at, line.new_opens_at) if can_send else None
    return LineView(line, device, next_slot_at, f"/hooks/{access.channel}/{access.hook_token}")
