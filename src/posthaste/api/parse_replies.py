"""The query of `GET /api/replies`: whose replies, and which page of them."""

from collections.abc import Mapping

from posthaste.actions.show_replies import ReplyFilters
from posthaste.api.fields import ADDRESS_CHARS, text
from posthaste.api.parse_filters import refuse_nul
from posthaste.core.addresses import normalise_email, normalise_phone
from posthaste.core.errors import NotFound, Refused
from posthaste.core.workspaces import Workspace
from posthaste.ids import is_id


def parse_reply_filters(query: Mapping[str, str], workspace: Workspace) -> ReplyFilters:
    refuse_nul(query)
    lead_id = _id(query, "leadId")
    if _id(query, "campaignId") is not None:
        raise NotFound("Campaign not found", code="CAMPAIGN_NOT_FOUND")  # There are none yet, and so none has replies.
    email = text(query, "recipientEmail", most_chars=ADDRESS_CHARS)
    phone = text({"recipientPhone": _with_plus(query.get("recipientPhone", ""))}, "recipientPhone", most_chars=ADDRESS_CHARS)
    addresses = [normalise_email(email.replace(" ", "+"))] if email else []
    addresses += [normalise_phone(phone, workspace.region)] if phone else []
    return ReplyFilters(lead_id, tuple(addresses))


def _with_plus(phone: str) -> str:
    """Put back the `+` before a number that a client did not encode: in a query it stands for a blank."""
    return f"+{phone[1:]}" if phone[:1] == " " and phone[1:2].isdigit() else phone


def _id(query: Mapping[str, str], name: str) -> str | None:
    found = text(query, name)
    if found is not None and not is_id(found):
        raise Refused(f"Invalid {name}", code="INVALID_ID")
    return found
