"""A conversation as clients see it: who it is with, and how it stands. What is not known is left out."""

from collections.abc import Sequence

from posthaste.actions.show import MessageView
from posthaste.actions.show_conversations import ConversationView
from posthaste.api.render_message import Document, render_message
from posthaste.core.schedule import render_instant
from posthaste.store.reactions import StoredReaction


def render_conversation(view: ConversationView, *, unknown_as_failed: bool) -> Document:
    """Return the document of a conversation; its id is the lead's."""
    lead, last = view.lead, view.last
    message = last.message if last else None
    document: Document = {
        "_id": view.lead_id,
        "leadId": view.lead_id,
        "name": lead.full_name if lead else None,
        "recipientPhone": (lead.phone if lead else None) or (message.recipient_phone if message else None),
        "recipientEmail": (lead.email if lead else None) or (message.recipient_email if message else None),
        "lineId": message.line_id if message else None,
        "lastMessage": render_message(last, unknown_as_failed=unknown_as_failed) if last else None,
        "lastMessageAt": render_instant(message.created_at) if message else None,
        "isTyping": view.is_typing,
    }
    return {name: value for name, value in document.items() if value is not None}


def render_said(view: MessageView, reactions: Sequence[StoredReaction], *, unknown_as_failed: bool) -> Document:
    """Return a message of a conversation, with what people put on it."""
    document = render_message(view, unknown_as_failed=unknown_as_failed)
    document["reactions"] = [_reaction(one) for one in reactions]
    return document


def _reaction(reaction: StoredReaction) -> Document:
    return {"kind": reaction.kind, "address": reaction.address, "at": render_instant(reaction.created_at)}
