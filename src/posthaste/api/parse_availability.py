"""Questions whether people are on iMessage, from their query or JSON object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posthaste.api.fields import ADDRESS_CHARS, Fields, given, not_an_id, own_id, said, text, wrong_type
from posthaste.core.addresses import normalise_email, normalise_phone
from posthaste.core.errors import Refused
from posthaste.core.workspaces import Workspace
from posthaste.ids import is_id

LEADS_AT_MOST = 100
ADDRESSES_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Question:
    """Either one address, or leads by their ids."""

    address: str | None
    lead_ids: tuple[str, ...]


def parse_lead_query(query: Mapping[str, str]) -> str:
    """Return the lead that a query asks about by `id`."""
    lead_id = own_id(query, "id")
    if lead_id is None:
        raise Refused("Lead ID is required", code="MISSING_FIELD")
    return lead_id


def parse_question(fields: Fields, workspace: Workspace) -> Question:
    """Return what a `POST /api/leads/check-availability` asks; an address goes before leads."""
    written = text(fields, "address", most_chars=ADDRESS_CHARS)
    if written is not None:
        return Question(_address(written, workspace.region), ())
    lead_ids = _texts(fields, "leadIds", LEADS_AT_MOST)
    for one in lead_ids:
        if not is_id(one):
            raise not_an_id("leadIds", one)
    if not lead_ids:
        raise Refused("Either address or leadIds is required", code="MISSING_FIELD")
    return Question(None, lead_ids)


def parse_addresses(fields: Fields, workspace: Workspace) -> tuple[str, ...]:
    """Return the addresses of one person, phones first, each once; none is for the caller to answer."""
    phones = [normalise_phone(one, workspace.region, "phones") for one in _texts(fields, "phones", ADDRESSES_AT_MOST)]
    emails = [normalise_email(one, "emails") for one in _texts(fields, "emails", ADDRESSES_AT_MOST)]
    return tuple(dict.fromkeys((*phones, *emails)))


def _address(written: str, region: str) -> str:
    return normalise_email(written, "address") if "@" in written else normalise_phone(written, region, "address")


def _texts(fields: Fields, name: str, most: int) -> tuple[str, ...]:
    """Return an array of texts without its blank ones."""
    value = given(fields, name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise wrong_type(name, "an array", value)
    if len(value) > most:
        raise Refused(f"{name} must have at most {most} entries, got {len(value)}", code="OUT_OF_RANGE")
    return _given(name, value)


def _given(name: str, entries: Sequence[object]) -> tuple[str, ...]:
    for one in entries:
        if one is not None and not isinstance(one, str):
            raise Refused(f"{name} must hold texts, got {said(one)}", code="INVALID_TYPE")
    return tuple(found for one in entries if (found := text({name: one}, name, most_chars=ADDRESS_CHARS)))
