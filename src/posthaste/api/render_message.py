"""A message as clients see it: the document with exactly the documented keys, of which those that are not set are left
out.
"""

from posthaste.actions.show import MessageView
from posthaste.core.lifecycle import Status
from posthaste.core.messages import Message, MessageType
from posthaste.core.schedule import render_instant
from posthaste.core.segments import segments_of
from posthaste.core.windows import Window

OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"

Document = dict[str, object]


def render_message(view: MessageView, *, unknown_as_failed: bool) -> Document:
    """Return the document of a message."""
    message = view.message
    document: Document = {
        "_id": message.id,
        "message": message.text,
        "messageType": message.message_type,
        "direction": message.direction,
        "status": status_of(view, unknown_as_failed=unknown_as_failed),
        "fromLineId": message.line_id,
    }
    _add(document, _sender(view))
    _add(document, _recipient(message))
    document["leadId"] = message.lead_id
    document["workspaceId"] = message.workspace_id
    _add(document, _timing(view))
    _add(document, _outcome(message, unknown_as_failed=unknown_as_failed))
    _add(document, _links(message))
    _add(document, _extras(message))
    document["createdAt"] = render_instant(message.created_at)
    document["updatedAt"] = render_instant(message.updated_at)
    return document


def status_of(view: MessageView, *, unknown_as_failed: bool) -> str:
    """Return a message's status in the words of the contract: what is stored as waiting has three faces."""
    status = view.message.status
    if status == Status.WAITING:
        return "pending" if view.hold is None else view.hold.status
    if status == Status.UNKNOWN and unknown_as_failed:
        return "failed"
    return status


def reason_of(view: MessageView, *, unknown_as_failed: bool) -> str | None:
    """Return the code of what a message waits for."""
    if view.hold is None or (view.message.status == Status.UNKNOWN and unknown_as_failed):
        return None
    return view.hold.reason


def waits_until(view: MessageView) -> int | None:
    """Return the instant before which a message will not go, as far as it is known."""
    if view.hold is not None and view.hold.until is not None:
        return view.hold.until
    return view.message.scheduled_at


def render_window(window: Window) -> Document:
    """Return the `settings` of a document."""
    found: Document = {"timezone": window.timezone}
    if window.start_minute is not None and window.end_minute is not None:
        found["sendWindowStart"] = _clock(window.start_minute)
        found["sendWindowEnd"] = _clock(window.end_minute)
    if window.days is not None:
        found["allowedDaysOfWeek"] = sorted(window.days)
    return found


def instant_or_none(at: int | None) -> str | None:
    return None if at is None else render_instant(at)


def _add(document: Document, more: Document) -> None:
    for name, value in more.items():
        if value is not None and value != []:
            document[name] = value


def _sender(view: MessageView) -> Document:
    return {"fromLinePhone": view.line.phone, "fromLineEmail": view.line.email}


def _recipient(message: Message) -> Document:
    return {
        "recipientPhone": message.recipient_phone,
        "recipientEmail": message.recipient_email,
        "recipientName": message.recipient_name,
    }


def _timing(view: MessageView) -> Document:
    message = view.message
    return {
        "scheduledDate": instant_or_none(waits_until(view)),
        "validUntil": instant_or_none(message.valid_until),
        "settings": None if message.window is None else render_window(message.window),
    }


def _outcome(message: Message, *, unknown_as_failed: bool) -> Document:
    is_renamed = message.status == Status.UNKNOWN and unknown_as_failed
    return {
        "sentAt": instant_or_none(message.sent_at),
        "deliveredAt": instant_or_none(message.delivered_at),
        "readAt": instant_or_none(message.read_at),
        "externalMessageId": message.external_id,
        "errorMessage": message.error_message,
        "code": OUTCOME_UNKNOWN if is_renamed else message.code,
        "checkedAddresses": list(message.checked_addresses),
    }


def _links(message: Message) -> Document:
    crm = message.crm
    # They pair up by position, so a missing one keeps its place.
    names = [name or "" for _, name in message.attachments] if any(name for _, name in message.attachments) else []
    return {
        "batchId": message.batch_id,
        "sendFallbackSmsOnFailed": True if message.send_fallback else None,
        "fallbackOf": message.fallback_of,
        "fallbackMessageId": message.fallback_message_id,
        "attachmentUrls": [url for url, _ in message.attachments],
        "attachmentNames": names,
        "ghlContactId": crm.ghl_contact_id,
        "ghlLocationId": crm.ghl_location_id,
        "hsContactId": crm.hs_contact_id,
        "hsPortalId": crm.hs_portal_id,
    }


def _extras(message: Message) -> Document:
    """Return what the hosted product's documents do not have."""
    is_sms = message.message_type == MessageType.SMS
    return {
        "replyTo": message.reply_to,
        "subject": message.subject,
        "html": message.html,
        "segments": segments_of(message.text).count if is_sms else None,
    }


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
