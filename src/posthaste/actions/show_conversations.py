"""Read conversations as callers see them: one for each lead that a message went to or came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posthaste.actions.show import MessageView, views_of
from posthaste.core.errors import NotFound
from posthaste.core.leads import Lead
from posthaste.store import conversation_lists, leads, reactions
from posthaste.store.conversation_lists import ANYBODY, Search
from posthaste.store.reactions import StoredReaction
from posthaste.store.transaction import Transaction

__all__ = ["ConversationFilters", "ConversationView", "Exchange", "Search", "conversation_views", "exchange"]

#: A person who has begun to write and was not heard of since has put the phone away.
_TYPING_MS = 60_000


@dataclass(frozen=True, slots=True)
class ConversationFilters:
    """Which conversations; `line_id` is the line of the last message."""

    lead_id: str | None = None
    line_id: str | None = None
    search: Search | None = None


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation by its last message, which a lead that was only just made may not have."""

    lead_id: str
    lead: Lead | None
    last: MessageView | None
    is_typing: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """A conversation with one page of its messages, oldest first, how many they are, and what people put on them."""

    conversation: ConversationView
    messages: Sequence[MessageView]
    total: int
    reactions: Mapping[str, Sequence[StoredReaction]]


def conversation_views(
    tx: Transaction, workspace_id: str, filters: ConversationFilters, page: int, limit: int
) -> tuple[list[ConversationView], int]:
    """Return one page of conversations, the latest first, and how many there are in all."""
    ids, total = _page(tx, workspace_id, filters, (page - 1) * limit, limit)
    last = views_of(tx, ids)
    return _views(tx, workspace_id, [last[one] for one in ids]), total


def _page(tx: Transaction, workspace_id: str, filters: ConversationFilters, offset: int, limit: int) -> tuple[list[str], int]:
    line_id, search = filters.line_id, filters.search
    if filters.lead_id is not None:
        last = conversation_lists.last_of(tx, workspace_id, filters.lead_id, search or ANYBODY, line_id)
        return ([last] if last and not offset else []), int(last is not None)
    if search is not None:
        ids = conversation_lists.found(tx, workspace_id, search, line_id, offset, limit)
        return ids, conversation_lists.count_found(tx, workspace_id, search, line_id)
    ids = conversation_lists.page(tx, workspace_id, line_id, offset, limit)
    if line_id is not None:
        return ids, conversation_lists.count_of_line(tx, workspace_id, line_id)
    return ids, conversation_lists.count(tx, workspace_id)


def _views(tx: Transaction, workspace_id: str, last: Sequence[MessageView]) -> list[ConversationView]:
    addresses = {one for view in last for one in _addresses(view)}
    typing = conversation_lists.typing(tx, workspace_id, addresses, tx.now - _TYPING_MS)
    return [ConversationView(view.message.lead_id, view.lead, view, not typing.isdisjoint(_addresses(view))) for view in last]


def _addresses(view: MessageView) -> set[str]:
    return {view.message.address, *(view.lead.addresses if view.lead else ())}


def exchange(tx: Transaction, workspace_id: str, lead_id: str, page: int, limit: int) -> Exchange:
    """Return the conversation with a lead."""
    lead = leads.by_ids(tx, [lead_id]).get(lead_id)
    if lead is None or lead.workspace_id != workspace_id:
        raise NotFound("Conversation not found", code="CONVERSATION_NOT_FOUND")
    last = conversation_lists.last_of(tx, workspace_id, lead_id, ANYBODY, None)
    views = _views(tx, workspace_id, [views_of(tx, [last])[last]]) if last else []
    conversation = views[0] if views else ConversationView(lead_id, lead, None, is_typing=False)
    ids = conversation_lists.messages_of(tx, lead_id, (page - 1) * limit, limit)
    found = views_of(tx, ids)
    total = conversation_lists.count_messages_of(tx, lead_id)
    return Exchange(conversation, [found[one] for one in ids], total, _reactions(tx, ids))


def _reactions(tx: Transaction, message_ids: Sequence[str]) -> dict[str, list[StoredReaction]]:
    found: dict[str, list[StoredReaction]] = {}
    for one in reactions.of_messages(tx, message_ids):
        found.setdefault(one.message_id, []).append(one)
    return found
