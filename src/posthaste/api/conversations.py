"""The routes of conversations: parse, one action, render."""

from dataclasses import dataclass

from posthaste.actions.show_conversations import conversation_views, exchange
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.api.messages import id_in_path
from posthaste.api.parse_conversations import parse_conversation_filters
from posthaste.api.parse_filters import parse_page
from posthaste.api.render_conversation import render_conversation, render_said
from posthaste.api.render_page import render_pagination
from posthaste.settings import Settings
from posthaste.store.base import Store


@dataclass(frozen=True, slots=True)
class ConversationRoutes:
    """What the routes of conversations need."""

    settings: Settings
    store: Store

    def verbs(self) -> list[Verb]:
        return [
            Verb("GET", "/api/conversations", self.list, Access.READ),
            Verb("GET", "/api/conversations/{id}", self.show, Access.READ),
        ]

    async def list(self, call: Call) -> Answer:
        query, is_failed = call.query(), self.settings.unknown_as_failed
        filters = parse_conversation_filters(query)
        page, limit = parse_page(query)
        views, total = await self.store.read(conversation_views, call.workspace.id, filters, page, limit)
        conversations = [render_conversation(view, unknown_as_failed=is_failed) for view in views]
        return Answer(200, {"conversations": conversations, "pagination": render_pagination(page, limit, total)})

    async def show(self, call: Call) -> Answer:
        is_failed = self.settings.unknown_as_failed
        lead_id = id_in_path(call)
        page, limit = parse_page(call.query())
        found = await self.store.read(exchange, call.workspace.id, lead_id, page, limit)
        messages = [
            render_said(one, found.reactions.get(one.message.id, ()), unknown_as_failed=is_failed) for one in found.messages
        ]
        body = {
            "conversation": render_conversation(found.conversation, unknown_as_failed=is_failed),
            "messages": messages,
            "pagination": render_pagination(page, limit, found.total),
        }
        return Answer(200, body)
