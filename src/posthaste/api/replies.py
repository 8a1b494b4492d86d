"""The route of replies: parse, one action, render."""

from dataclasses import dataclass

from posthaste.actions.show_replies import reply_views
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.api.parse_filters import parse_page
from posthaste.api.parse_replies import parse_reply_filters
from posthaste.api.render_page import pages
from posthaste.api.render_reply import render_reply
from posthaste.store.base import Store


@dataclass(frozen=True, slots=True)
class ReplyRoutes:
    """What the routes of replies need."""

    store: Store

    def verbs(self) -> list[Verb]:
        return [Verb("GET", "/api/replies", self.list, Access.READ)]

    async def list(self, call: Call) -> Answer:
        query = call.query()
        filters = parse_reply_filters(query, call.workspace)
        page, limit = parse_page(query)
        views, total = await self.store.read(reply_views, call.workspace.id, filters, page, limit)
        replies = [render_reply(view) for view in views]
        body = {"replies": replies, "total": total, "page": page, "limit": limit, "totalPages": pages(total, limit)}
        return Answer(200, body)
