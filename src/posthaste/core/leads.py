"""Leads: who a request is about, what it adds to what we know, and to which addresses its message may go.

One address belongs to one lead per workspace. The first writer of a name or CRM id wins; what comes later is kept as
an alias.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from posthaste.core.messages import CrmIds, MessageType, Sending
from posthaste.core.names import split_name
from posthaste.core.row import Row, replace

QUICK_SENDS = "Quick Sends"


class Lead(Row, frozen=True):
    """A row of `leads`, its columns in the table's order (the four CRM ids together)."""

    id: str
    workspace_id: str
    list_id: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    email: str | None
    alt_phones: tuple[str | None, str | None, str | None]
    alt_emails: tuple[str | None, str | None, str | None]
    source: str
    contact_owner_email: str | None
    crm: CrmIds
    created_at: int
    updated_at: int

    @property
    def full_name(self) -> str | None:
        return " ".join(part for part in (self.first_name, self.last_name) if part) or None

    @property
    def phones(self) -> list[str]:
        return [one for one in (self.phone, *self.alt_phones) if one]

    @property
    def emails(self) -> list[str]:
        return [one for one in (self.email, *self.alt_emails) if one]

    @property
    def addresses(self) -> list[str]:
        return [one for one in (self.phone, *self.alt_phones, self.email, *self.alt_emails) if one]


class MatchedBy(StrEnum):
    """By what a lead was found, in order of precedence."""

    LEAD_ID = "leadId"
    CRM = "crm"
    PHONE = "phone"
    EMAIL = "email"
    ALTERNATE = "alternate"


@dataclass(frozen=True, slots=True)
class Match:
    """The lead that a request means; `overruled` are others to which some of its addresses belong."""

    lead_id: str
    by: MatchedBy
    overruled: tuple[str, ...] = ()


def find_match(sending: Sending, owners: Mapping[str, str], crm_owners: Mapping[str, str]) -> Match | None:
    """Find the lead by CRM contact, phone, e-mail, then alternates; `owners` maps addresses to leads, `crm_owners` CRM
    ids.
    """
    asked = (
        (MatchedBy.CRM, (sending.crm.ghl_contact_id, sending.crm.hs_contact_id), crm_owners),
        (MatchedBy.PHONE, (sending.phone,), owners),
        (MatchedBy.EMAIL, (sending.email,), owners),
        (MatchedBy.ALTERNATE, (*sending.alt_phones, *sending.alt_emails), owners),
    )
    found = [(by, known[one]) for by, every, known in asked for one in every if one is not None and one in known]
    if not found:
        return None
    by, lead_id = found[0]
    overruled = tuple(dict.fromkeys(other for _, other in found if other != lead_id))
    return Match(lead_id, by, overruled)


def addresses_of(sending: Sending) -> list[str]:
    """Return all addresses that a request names, each once."""
    every = (sending.phone, sending.email, *sending.alt_phones, *sending.alt_emails)
    return list(dict.fromkeys(one for one in every if one))


def make_lead(sending: Sending, lead_id: str, workspace_id: str, list_id: str, now: int) -> Lead:
    """Return the lead that a request for an unknown person makes."""
    first_name, last_name = split_name(sending.name) if sending.name else (None, None)
    return Lead(
        id=lead_id,
        workspace_id=workspace_id,
        list_id=list_id,
        first_name=first_name,
        last_name=last_name,
        phone=sending.phone,
        email=sending.email,
        alt_phones=sending.alt_phones,
        alt_emails=sending.alt_emails,
        source="api",
        contact_owner_email=sending.contact_owner_email,
        crm=sending.crm,
        created_at=now,
        updated_at=now,
    )


def keep_owned(lead: Lead, owners: Mapping[str, str]) -> Lead:
    """Return the lead without the addresses that belong to another lead."""

    def own(address: str | None) -> str | None:
        return address if address is not None and owners.get(address, lead.id) == lead.id else None

    phones, emails = [own(one) for one in lead.alt_phones], [own(one) for one in lead.alt_emails]
    return replace(
        lead,
        phone=own(lead.phone),
        email=own(lead.email),
        alt_phones=(phones[0], phones[1], phones[2]),
        alt_emails=(emails[0], emails[1], emails[2]),
    )


def enrich(lead: Lead, sending: Sending, now: int) -> Lead:
    """Return a known lead with what a request adds: given alternates overwrite, everything else only fills gaps.

    With a `leadId` the recipient of the request is meant for this one send and is not kept.
    """
    keeps_recipient = sending.lead_id is None
    first_name, last_name = split_name(sending.name) if sending.name and keeps_recipient else (None, None)
    has_name = bool(lead.first_name or lead.last_name)
    phones = [new or old for new, old in zip(sending.alt_phones, lead.alt_phones, strict=True)]
    emails = [new or old for new, old in zip(sending.alt_emails, lead.alt_emails, strict=True)]
    enriched = replace(
        lead,
        first_name=lead.first_name if has_name else first_name,
        last_name=lead.last_name if has_name else last_name,
        phone=lead.phone or (sending.phone if keeps_recipient and sending.phone not in phones else None),
        email=lead.email or (sending.email if keeps_recipient and sending.email not in emails else None),
        alt_phones=(phones[0], phones[1], phones[2]),
        alt_emails=(emails[0], emails[1], emails[2]),
        crm=_link(lead.crm, sending.crm),
    )
    return replace(enriched, updated_at=now) if enriched != lead else lead


def _link(old: CrmIds, new: CrmIds) -> CrmIds:
    """Link a CRM contact that the lead has none of yet; the two ids of one CRM stay together."""
    has_ghl, has_hs = old.ghl_contact_id is not None, old.hs_contact_id is not None
    ghl_fits = not has_ghl or new.ghl_contact_id == old.ghl_contact_id
    hs_fits = not has_hs or new.hs_contact_id == old.hs_contact_id
    return CrmIds(
        ghl_contact_id=old.ghl_contact_id or new.ghl_contact_id,
        ghl_location_id=_beside(old.ghl_location_id, new.ghl_location_id, is_kept=has_ghl, fits=ghl_fits),
        hs_contact_id=old.hs_contact_id or new.hs_contact_id,
        hs_portal_id=_beside(old.hs_portal_id, new.hs_portal_id, is_kept=has_hs, fits=hs_fits),
    )


def _beside(old: str | None, new: str | None, *, is_kept: bool, fits: bool) -> str | None:
    """Return the place of a contact in its CRM: the known contact's own if it has one, else what came with the same contact."""
    if not fits:
        return old
    return (old or new) if is_kept else (new or old)


def aliases(lead: Lead, sending: Sending) -> list[tuple[str, str]]:
    """Return the names and CRM ids of a request that the lead does not carry, as (kind, alias)."""
    given = [
        ("name", sending.name, lead.full_name),
        ("ghlContactId", sending.crm.ghl_contact_id, lead.crm.ghl_contact_id),
        ("hsContactId", sending.crm.hs_contact_id, lead.crm.hs_contact_id),
    ]
    return [(kind, new) for kind, new, old in given if new and new.split() != (old or "").split()]


def recipients(sending: Sending, lead: Lead | None) -> tuple[str, ...]:
    """Return the addresses that a message may go to, in the order in which they are tried; empty: none fits its type.

    A recipient in the request comes before the lead's own. With a `leadId` it stands alone: the caller overrides.
    """
    phones = _unique([sending.phone, *(lead.phones if lead else ()), *sending.alt_phones])
    emails = _unique([sending.email, *(lead.emails if lead else ()), *sending.alt_emails])
    if sending.lead_id is not None and (sending.phone or sending.email):
        phones, emails = _unique([sending.phone]), _unique([sending.email])
    match sending.message_type:
        case MessageType.IMESSAGE:
            return tuple(phones + emails)
        case MessageType.SMS:
            return tuple(phones)
        case MessageType.EMAIL:
            return tuple(emails)


def _unique(addresses: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(one for one in addresses if one))
