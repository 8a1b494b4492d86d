"""Whether people are on iMessage, as clients are told; `reason` is there where nobody could say."""

from collections.abc import Sequence

from posthaste.api.render_message import Document
from posthaste.core.leads import Lead
from posthaste.core.reachability import Reachability, Reachable


def render_lead(lead: Lead, found: Reachability) -> Document:
    """Return what is known of one lead."""
    return {
        "success": found.status is not Reachable.ERROR,
        "leadId": lead.id,
        **_standing(found),
        "ghlContactId": lead.crm.ghl_contact_id,
        "ghlLocationId": lead.crm.ghl_location_id,
        "hsPortalId": lead.crm.hs_portal_id,
        "hsContactId": lead.crm.hs_contact_id,
    }


def render_leads(leads: Sequence[Lead], found: Sequence[Reachability]) -> Document:
    results = [{"leadId": lead.id, **_standing(one)} for lead, one in zip(leads, found, strict=True)]
    return {"success": True, "results": results}


def render_address(address: str, found: Reachability) -> Document:
    return {"success": found.status is not Reachable.ERROR, **_standing(found), "address": address}


def render_any(found: Reachability) -> Document:
    """Return what is known of several addresses together; here `reason` always says how it stands."""
    return {"available": found.is_available, "status": found.status, "reason": found.reason}


def _standing(found: Reachability) -> Document:
    standing: Document = {"available": found.is_available, "status": found.status}
    if found.status is Reachable.ERROR:
        standing["reason"] = found.reason
    return standing
