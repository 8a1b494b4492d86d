"""Decisions about people as clients see them."""

from posthaste.actions.contacts import Blocked, Withdrawn
from posthaste.api.render_message import Document
from posthaste.core.addresses import is_email
from posthaste.core.schedule import render_instant


def render_withdrawn(withdrawn: Withdrawn) -> Document:
    """Return what was cancelled. The queue is the database, so what was cancelled is what left the queue."""
    count = len(withdrawn.message_ids)
    return {
        "success": True,
        "cancelledCount": count,
        "jobsRemovedFromQueue": count,
        "leadId": withdrawn.lead_id,
        "messageIds": list(withdrawn.message_ids),
    }


def render_blocked(entry: Blocked) -> Document:
    """Return one entry of the do-not-contact list. What is not set is left out."""
    document: Document = {"_id": entry.id, "email" if is_email(entry.address) else "phone": entry.address}
    if entry.reason is not None:
        document["reason"] = entry.reason
    document["createdAt"] = render_instant(entry.created_at)
    return document
