"""Find or make the lead of each draft, so that two simultaneous requests for a new person make one lead.

Addresses are claimed first and read again afterwards: the primary key of `lead_addresses` decides who was first.
Whoever loses finds the winner's lead on the next try.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from posthaste.actions.draft import Draft, standing
from posthaste.core.errors import NotFound, Refused, Unavailable
from posthaste.core.leads import (
    QUICK_SENDS,
    Lead,
    Match,
    MatchedBy,
    addresses_of,
    aliases,
    enrich,
    find_match,
    keep_owned,
    make_lead,
    recipients,
)
from posthaste.store import leads as table
from posthaste.store.transaction import Transaction

_TRIES = 5

NO_RECIPIENT = "Either recipientEmail or recipientPhone is required (in body or on the lead when leadId is provided)."


@dataclass(slots=True)
class _Plan:
    """Which leads the drafts of one workspace mean, before the addresses are claimed; `before` are those that existed."""

    owners: dict[str, str]
    quick_sends: str = ""
    leads: dict[str, Lead] = field(default_factory=dict)
    before: dict[str, Lead] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    aliases: list[tuple[str, str, str, str]] = field(default_factory=list)

    def wanted(self) -> dict[str, str]:
        """Return the addresses that leads of this plan are to get and nobody owns yet."""
        return {
            address: lead.id
            for lead in self.leads.values()
            for address in lead.addresses
            if self.owners.get(address) is None and not self._has_it(lead.id, address)
        }

    def _has_it(self, lead_id: str, address: str) -> bool:
        return lead_id in self.before and address in self.before[lead_id].addresses


def match_leads(tx: Transaction, workspace_id: str, drafts: list[Draft]) -> None:
    """Set lead, match and addresses of each draft, or its error; write leads, addresses and aliases."""
    for _ in range(_TRIES):
        plan = _plan(tx, workspace_id, standing(drafts))
        wanted, owners = plan.wanted(), plan.owners
        if wanted:
            given = table.claim_addresses(tx, workspace_id, wanted)
            owners = owners | {address: wanted[address] for address in given}
            if lost := wanted.keys() - given:
                owners |= table.owners(tx, workspace_id, lost)
        final = {lead_id: keep_owned(lead, owners) for lead_id, lead in plan.leads.items()}
        if _is_won(plan, wanted, owners) and _is_current(tx, workspace_id, plan, final):
            return _write(tx, workspace_id, plan, drafts, final)
        table.unclaim_addresses(tx, workspace_id, wanted)
    for draft in standing(drafts):
        draft.error = Unavailable("The lead of this person is being changed by others; try again")
    return None


def _is_won(plan: _Plan, wanted: dict[str, str], owners: dict[str, str]) -> bool:
    """Tell whether new leads have all their addresses. One that somebody had for a moment and gave back has no owner."""
    return all(
        address in owners and (owners[address] == lead_id or lead_id not in plan.made) for address, lead_id in wanted.items()
    )


def _is_current(tx: Transaction, workspace_id: str, plan: _Plan, final: Mapping[str, Lead]) -> bool:
    """Lock the leads that are to change, and tell whether they and their addresses still are as they were read.

    A lead is written as a whole, and would lose what another call has written meanwhile.
    """
    changing = _changing(plan, final)
    if not changing:
        return True
    carried = {address: one for one in changing for address in final[one].addresses}
    return (
        table.lock(tx, changing) == {one: plan.before[one] for one in changing}
        and table.owners(tx, workspace_id, carried) == carried
    )


def _changing(plan: _Plan, final: Mapping[str, Lead]) -> list[str]:
    return [one for one in sorted(final) if one not in plan.made and final[one] != plan.before[one]]


def _plan(tx: Transaction, workspace_id: str, drafts: list[Draft]) -> _Plan:
    sendings = [draft.sending for draft in drafts]
    every = set(chain.from_iterable(addresses_of(one) for one in sendings))
    crm_ids = {one for s in sendings for one in (s.crm.ghl_contact_id, s.crm.hs_contact_id) if one}
    owners = table.owners(tx, workspace_id, every)
    crm_owners = table.crm_owners(tx, workspace_id, crm_ids) if crm_ids else {}
    known = {s.lead_id for s in sendings if s.lead_id} | set(owners.values()) | set(crm_owners.values())
    loaded = {k: v for k, v in table.by_ids(tx, known).items() if v.workspace_id == workspace_id} if known else {}
    plan = _Plan(owners, leads=dict(loaded), before=loaded)
    owners_so_far = dict(owners)
    for draft in drafts:
        _match(tx, plan, draft, owners_so_far, crm_owners)
    return plan


def _match(tx: Transaction, plan: _Plan, draft: Draft, owners: dict[str, str], crm_owners: dict[str, str]) -> None:
    sending, workspace_id = draft.sending, draft.submission.workspace.id
    if sending.lead_id is not None and sending.lead_id not in plan.leads:
        draft.error = NotFound("Lead not found or access denied", code="LEAD_NOT_FOUND")
        return
    match = Match(sending.lead_id, MatchedBy.LEAD_ID) if sending.lead_id else find_match(sending, owners, crm_owners)
    lead = enrich(plan.leads[match.lead_id], sending, tx.now) if match else None
    draft.match, draft.addresses = match, recipients(sending, lead)
    if not draft.addresses:
        draft.error = Refused(NO_RECIPIENT, code="NO_RECIPIENT")
        return
    if lead is None:
        plan.quick_sends = plan.quick_sends or table.list_named(tx, workspace_id, QUICK_SENDS)
        lead = make_lead(sending, tx.new_id(), workspace_id, plan.quick_sends, tx.now)
        plan.made.add(lead.id)
    else:
        plan.aliases += [(workspace_id, lead.id, kind, alias) for kind, alias in aliases(lead, sending)]
    draft.lead = lead
    plan.leads[draft.lead.id] = draft.lead
    for address in draft.lead.addresses:
        owners.setdefault(address, draft.lead.id)
    for crm_id in (draft.lead.crm.ghl_contact_id, draft.lead.crm.hs_contact_id):
        if crm_id:
            crm_owners.setdefault(crm_id, draft.lead.id)


def _write(tx: Transaction, workspace_id: str, plan: _Plan, drafts: list[Draft], final: Mapping[str, Lead]) -> None:
    changed = [final[one] for one in _changing(plan, final)]
    if plan.made:
        table.add(tx, [final[lead_id] for lead_id in sorted(plan.made)])
    if changed:
        table.save(tx, changed)
    for lead in changed:
        dropped = set(plan.before[lead.id].addresses) - set(lead.addresses)
        if dropped:
            table.release_addresses(tx, workspace_id, sorted(dropped), lead.id)
    if plan.aliases:
        table.add_aliases(tx, plan.aliases)
    for draft in standing(drafts):
        assert draft.lead is not None
        draft.lead = final[draft.lead.id]
