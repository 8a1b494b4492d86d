"""What a caller decides about a person: nothing more may be sent, it may again, or what waits is taken back."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from posthaste.actions.optout import opt_in, person_behind
from posthaste.actions.withdraw import withdraw, withdraw_messages
from posthaste.core.dispatch import DO_NOT_CONTACT
from posthaste.core.errors import NotFound
from posthaste.core.lifecycle import Step
from posthaste.store import do_not_contact, leads, waiting
from posthaste.store.do_not_contact import Blocked
from posthaste.store.transaction import Transaction

__all__ = ["Blocked", "Withdrawn", "block", "blocked_page", "cancel_for_person", "unblock"]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What was cancelled, and for which lead, if anybody has the address."""

    lead_id: str | None
    message_ids: Sequence[str]


def cancel_for_person(tx: Transaction, workspace_id: str, lead_id: str | None, addresses: Collection[str]) -> Withdrawn:
    """Cancel what was not handed over to a lead, found by its id or an address, or else to an address that nobody has."""
    if lead_id is not None:
        lead = leads.by_ids(tx, [lead_id]).get(lead_id)
        if lead is None or lead.workspace_id != workspace_id:
            raise NotFound("Lead not found or access denied", code="LEAD_NOT_FOUND")
        return Withdrawn(lead_id, sorted(withdraw(tx, workspace_id, lead_id=lead_id)))
    owners = leads.owners(tx, workspace_id, addresses)
    found = next((owners[one] for one in addresses if one in owners), None)
    return Withdrawn(found, sorted(withdraw(tx, workspace_id, lead_id=found, addresses=addresses)))


def block(tx: Transaction, workspace_id: str, addresses: Sequence[str], reason: str | None) -> tuple[Blocked, bool]:
    """Send nothing more to the person behind addresses, and end what waits; return the first's entry and whether it is new."""
    was_there = do_not_contact.by_address(tx, workspace_id, addresses[0]) is not None
    people = [person_behind(tx, workspace_id, address) for address in addresses]
    do_not_contact.add(tx, workspace_id, {one for _, every in people for one in every}, reason)
    open_ids = {one for lead_id, every in people for one in waiting.open_for(tx, workspace_id, lead_id, every)}
    withdraw_messages(tx, open_ids, step=Step.BLOCK, code=DO_NOT_CONTACT, why=reason)
    entry = do_not_contact.by_address(tx, workspace_id, addresses[0])
    assert entry is not None
    return entry, not was_there


def unblock(tx: Transaction, workspace_id: str, entry_id: str) -> None:
    """Let the person of an entry be written to again, at all addresses."""
    entry = do_not_contact.by_id(tx, workspace_id, entry_id)
    if entry is None:
        raise NotFound("Entry not found", code="DNC_ENTRY_NOT_FOUND")
    opt_in(tx, workspace_id, entry.address)


def blocked_page(tx: Transaction, workspace_id: str, search: str | None, page: int, limit: int) -> tuple[list[Blocked], int]:
    """Return one page of the list, newest first, and how many entries there are."""
    entries = do_not_contact.page(tx, workspace_id, search, (page - 1) * limit, limit)
    return entries, do_not_contact.count(tx, workspace_id, search)
