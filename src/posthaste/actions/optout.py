"""Opt people out and in again.

Who opts out is put on the do-not-contact list with all addresses, and what was not handed over yet ends, in one
transaction: the hand-over looks at the list under the same locks, so nothing is sent after its commit.
"""

from posthaste.actions.withdraw import withdraw
from posthaste.core.lifecycle import Step
from posthaste.store import do_not_contact, leads
from posthaste.store.transaction import Transaction

OPTED_OUT = "OPTED_OUT"


def opt_out(tx: Transaction, workspace_id: str, address: str, reason: str) -> list[str]:
    """Send nothing more to the person behind an address; return the messages that were cancelled."""
    lead_id, addresses = person_behind(tx, workspace_id, address)
    do_not_contact.add(tx, workspace_id, addresses, reason)
    return withdraw(tx, workspace_id, lead_id=lead_id, addresses=addresses, step=Step.CANCEL, code=OPTED_OUT, why=reason)


def opt_in(tx: Transaction, workspace_id: str, address: str) -> None:
    """Let the person behind an address be written to again."""
    _, addresses = person_behind(tx, workspace_id, address)
    do_not_contact.remove(tx, workspace_id, addresses)


def person_behind(tx: Transaction, workspace_id: str, address: str) -> tuple[str | None, set[str]]:
    """Return the lead that has an address, if anybody has, and all addresses of that person."""
    lead_id = leads.owners(tx, workspace_id, [address]).get(address)
    lead = leads.by_ids(tx, [lead_id]).get(lead_id) if lead_id else None
    return lead_id, {address, *(lead.addresses if lead else ())}
