"""Decisions about people, from their JSON object or query: whom not to write to, and whose messages to take back."""

from collections.abc import Mapping
from dataclasses import dataclass

from posthaste.api.fields import ADDRESS_CHARS, Fields, own_id, text
from posthaste.api.parse_filters import refuse_nul
from posthaste.core.addresses import normalise_email, normalise_phone
from posthaste.core.errors import Refused
from posthaste.core.workspaces import Workspace
from posthaste.ids import is_id


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody named by a lead's id, or by addresses."""

    lead_id: str | None
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blocking:
    """Whom not to write to, and why."""

    addresses: tuple[str, ...]
    reason: str | None


def parse_person(fields: Fields, workspace: Workspace) -> Person:
    """Return whose messages a `POST /api/messages/cancel-for-lead` means; `leadId` goes before addresses."""
    lead_id = text(fields, "leadId")
    if lead_id is not None and not is_id(lead_id):
        raise Refused("Invalid leadId", code="INVALID_ID")
    addresses = _addresses(fields, "recipientPhone", "recipientEmail", workspace)
    if lead_id is None and not addresses:
        raise Refused("Either leadId, recipientPhone, or recipientEmail is required", code="NO_RECIPIENT")
    return Person(lead_id, addresses)


def parse_blocking(fields: Fields, workspace: Workspace) -> Blocking:
    addresses = _addresses(fields, "phone", "email", workspace)
    if not addresses:
        raise Refused("Either phone or email is required", code="MISSING_FIELD")
    return Blocking(addresses, text(fields, "reason"))


def parse_blocked_search(query: Mapping[str, str]) -> str | None:
    refuse_nul(query)
    return text(query, "search")


def parse_blocked_query(query: Mapping[str, str]) -> str:
    """Return the entry that a query names by `id`."""
    entry_id = own_id(query, "id")
    if entry_id is None:
        raise Refused("id is required", code="MISSING_FIELD")
    return entry_id


def _addresses(fields: Fields, phone_name: str, email_name: str, workspace: Workspace) -> tuple[str, ...]:
    phone = text(fields, phone_name, most_chars=ADDRESS_CHARS)
    email = text(fields, email_name, most_chars=ADDRESS_CHARS)
    found = [normalise_phone(phone, workspace.region, phone_name)] if phone else []
    return (*found, normalise_email(email, email_name)) if email else tuple(found)
