"""The routes by which a caller decides about people: parse, one action, render."""

from dataclasses import dataclass

from posthaste.actions.contacts import block, blocked_page, cancel_for_person, unblock
from posthaste.api.bodies import read_object
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.api.parse_contacts import parse_blocked_query, parse_blocked_search, parse_blocking, parse_person
from posthaste.api.parse_filters import parse_page
from posthaste.api.render_contact import render_blocked, render_withdrawn
from posthaste.api.render_page import render_pagination
from posthaste.settings import Settings
from posthaste.store.base import Store


@dataclass(frozen=True, slots=True)
class ContactRoutes:
    """What the routes of contacts need."""

    settings: Settings
    store: Store

    def verbs(self) -> list[Verb]:
        return [
            Verb("POST", "/api/messages/cancel-for-lead", self.cancel, Access.WRITE),
            Verb("GET", "/api/dnc", self.list, Access.READ),
            Verb("POST", "/api/dnc", self.block, Access.WRITE),
            Verb("DELETE", "/api/dnc", self.unblock, Access.WRITE),
        ]

    async def cancel(self, call: Call) -> Answer:
        body = await read_object(call, self.settings.body_max_bytes)
        person = parse_person(body.fields, call.workspace)
        withdrawn = await self.store.write(cancel_for_person, call.workspace.id, person.lead_id, person.addresses)
        return Answer(200, render_withdrawn(withdrawn))

    async def list(self, call: Call) -> Answer:
        query = call.query()
        search = parse_blocked_search(query)
        page, limit = parse_page(query)
        entries, total = await self.store.read(blocked_page, call.workspace.id, search, page, limit)
        body = {"entries": [render_blocked(one) for one in entries], "pagination": render_pagination(page, limit, total)}
        return Answer(200, body)

    async def block(self, call: Call) -> Answer:
        """Put a person on the list; 201 if the address was not on it yet."""
        body = await read_object(call, self.settings.body_max_bytes)
        blocking = parse_blocking(body.fields, call.workspace)
        entry, is_new = await self.store.write(block, call.workspace.id, blocking.addresses, blocking.reason)
        return Answer(201 if is_new else 200, {"success": True, "entry": render_blocked(entry)})

    async def unblock(self, call: Call) -> Answer:
        await self.store.write(unblock, call.workspace.id, parse_blocked_query(call.query()))
        return Answer(200, {"success": True})
