"""Read replies as callers see them: one item for each lead that has replied, with what was said around it."""

from collections.abc import Sequence
from dataclasses import dataclass

from posthaste.core.errors import NotFound
from posthaste.core.leads import Lead
from posthaste.core.messages import Message
from posthaste.store import leads, messages, reply_lists
from posthaste.store.transaction import Transaction

EACH = 10


@dataclass(frozen=True, slots=True)
class ReplyFilters:
    """Whose replies; addresses stand for the lead that has them, and everything that is given must be the same lead's."""

    lead_id: str | None = None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyView:
    """The last reply of a lead, the last few before it, and the last messages that went out to it, all newest first."""

    last: Message
    lead: Lead | None
    recent: Sequence[Message]
    parents: Sequence[Message]


def reply_views(tx: Transaction, workspace_id: str, filters: ReplyFilters, page: int, limit: int) -> tuple[list[ReplyView], int]:
    """Return one page of the leads that have replied, the latest first, and how many there are in all."""
    if filters == ReplyFilters():
        ids = reply_lists.page(tx, workspace_id, (page - 1) * limit, limit)
        return views_of_replies(tx, workspace_id, ids), reply_lists.count(tx, workspace_id)
    lead_id = _lead_meant(tx, workspace_id, filters)
    last = reply_lists.last_of(tx, workspace_id, lead_id) if lead_id else None
    if last is None:
        return [], 0
    return views_of_replies(tx, workspace_id, [last] if page == 1 else []), 1


def _lead_meant(tx: Transaction, workspace_id: str, filters: ReplyFilters) -> str | None:
    """Return the one lead that all filters mean; None if nobody has an address, or they mean several."""
    if filters.lead_id is not None:
        lead = leads.by_ids(tx, [filters.lead_id]).get(filters.lead_id)
        if lead is None or lead.workspace_id != workspace_id:
            raise NotFound("Lead not found or access denied", code="LEAD_NOT_FOUND")
    owners = leads.owners(tx, workspace_id, filters.addresses)
    meant = {owners.get(one) for one in filters.addresses}
    if filters.lead_id is not None:
        meant.add(filters.lead_id)
    return meant.pop() if len(meant) == 1 else None


def views_of_replies(tx: Transaction, workspace_id: str, ids: Sequence[str], each: int = EACH) -> list[ReplyView]:
    """Return replies by their ids, in this order, each with up to `each` others and messages of ours."""
    replies = messages.by_ids(tx, ids)
    lead_ids = {one.lead_id for one in replies.values()}
    people = leads.by_ids(tx, lead_ids)
    recent = reply_lists.recent(tx, workspace_id, lead_ids, each)
    sent = reply_lists.sent_to(tx, lead_ids, each)
    around = messages.by_ids(tx, {one for ids in (*recent.values(), *sent.values()) for one in ids})
    return [
        ReplyView(
            replies[one],
            people.get(replies[one].lead_id),
            [around[other] for other in recent.get(replies[one].lead_id, ())],
            [around[other] for other in sent.get(replies[one].lead_id, ())],
        )
        for one in ids
    ]
