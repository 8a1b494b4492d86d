"""The answer to a `POST /api/messages`: what was made or found, and how the message stands now."""

from typing import assert_never

from posthaste.actions.accept import Acceptance, Skipped
from posthaste.actions.show import MessageView
from posthaste.api.calls import Answer
from posthaste.api.headers import Preference
from posthaste.api.render_message import Document, instant_or_none, reason_of, render_message, status_of, waits_until
from posthaste.core.messages import CrmIds

_DUPLICATE = "Lead was duplicate; message sent using existing lead."
_TOP_LEVEL = {
    "delivered": "sent",
    "queued": "pending",
    "sending": "pending",
    "unknown": "pending",
    "expired": "failed",
    "cancelled": "failed",
    "blocked": "failed",
}
"""The five words of an answer for the statuses of a document; a status that is not here stands for itself."""


def render_sending(acceptance: Acceptance, view: MessageView, preference: Preference, *, unknown_as_failed: bool) -> Answer:
    """Return the answer for an accepted or skipped submission."""
    status = _top_level(status_of(view, unknown_as_failed=unknown_as_failed))
    headers = _headers(acceptance, preference)
    match acceptance.skipped:
        case Skipped() as skipped:
            return Answer(acceptance.http_status, _skipped(skipped, status), headers)
        case None:
            body = _accepted(acceptance, view, status, unknown_as_failed=unknown_as_failed)
            return Answer(acceptance.http_status, body, headers)
        case never:
            assert_never(never)


def _accepted(acceptance: Acceptance, view: MessageView, status: str, *, unknown_as_failed: bool) -> Document:
    body: Document = {"success": status != "failed", "status": status, "leadId": acceptance.lead_id, **_crm(view)}
    if acceptance.is_duplicate:
        body["duplicateOnly"] = True
        body["existingLeadIds"] = [acceptance.lead_id]
        body["leadIds"] = [acceptance.lead_id]
        body["duplicateMessage"] = _DUPLICATE
    reason = reason_of(view, unknown_as_failed=unknown_as_failed)
    if reason is not None:
        body["reason"] = reason
        if view.hold is not None and view.hold.until is not None:
            body["scheduledDate"] = instant_or_none(waits_until(view))
    if status == "failed" and view.message.error_message is not None:
        body["error"] = view.message.error_message
    body["message"] = render_message(view, unknown_as_failed=unknown_as_failed)
    return body


def _skipped(skipped: Skipped, status: str) -> Document:
    return {
        "success": True,
        "status": status,
        "skipped": True,
        "reason": "duplicate_send_recent",
        "originalMessageId": skipped.original_message_id,
        "leadId": skipped.lead_id,
        "secondsSinceOriginal": skipped.seconds_since_original,
    }


def _crm(view: MessageView) -> Document:
    """Return the four CRM ids, the lead's before those that came with this message: the first writer's stay."""
    given = view.message.crm
    known = view.lead.crm if view.lead is not None else CrmIds()
    return {
        "ghlContactId": known.ghl_contact_id or given.ghl_contact_id,
        "ghlLocationId": known.ghl_location_id or given.ghl_location_id,
        "hsPortalId": known.hs_portal_id or given.hs_portal_id,
        "hsContactId": known.hs_contact_id or given.hs_contact_id,
    }


def _top_level(status: str) -> str:
    return _TOP_LEVEL.get(status, status)


def _headers(acceptance: Acceptance, preference: Preference) -> tuple[tuple[bytes, bytes], ...]:
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if acceptance.is_replayed:
        headers += ((b"idempotent-replayed", b"true"),)
    if preference.applied is not None:
        headers += ((b"preference-applied", preference.applied.encode()),)
    return headers
