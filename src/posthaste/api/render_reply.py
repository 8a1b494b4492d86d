"""A lead that has replied, as clients see it. What is not known of the person is left out."""

from posthaste.actions.show_replies import ReplyView
from posthaste.api.render_message import Document
from posthaste.core.messages import Message
from posthaste.core.schedule import render_instant


def render_reply(view: ReplyView) -> Document:
    """Return one item of the list."""
    last, lead = view.last, view.lead
    document: Document = {
        "leadId": last.lead_id,
        "messageId": last.id,
        "message": last.text,
        "respondedAtUtc": _written_at(last),
        "recipientPhone": (lead.phone if lead else None) or last.recipient_phone,
        "recipientEmail": (lead.email if lead else None) or last.recipient_email,
        "name": lead.full_name if lead else None,
        "recentReplies": [_recent(one) for one in view.recent],
        "parentMessages": [_parent(one) for one in view.parents],
    }
    return {name: value for name, value in document.items() if value is not None}


def _recent(message: Message) -> Document:
    return {"messageId": message.id, "message": message.text, "receivedAtUtc": _written_at(message)}


def _parent(message: Message) -> Document:
    return {
        "messageId": message.id,
        "message": message.text,
        "sentAtUtc": _written_at(message),
        "batchId": message.batch_id,
        "stepIndex": None,
    }


def _written_at(message: Message) -> str:
    return render_instant(message.created_at if message.sent_at is None else message.sent_at)
