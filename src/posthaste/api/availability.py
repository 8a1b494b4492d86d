"""The routes that ask whether people are on iMessage: parse, ask, render.

They change nothing of the caller's, so they are open to a workspace that takes no writes; what they cost are the day's checks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from posthaste.actions.availability import people
from posthaste.api.bodies import read_object
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.api.checks import Checks
from posthaste.api.parse_availability import parse_addresses, parse_lead_query, parse_question
from posthaste.api.render_availability import render_address, render_any, render_lead, render_leads
from posthaste.core.errors import NotFound, TooManyRequests
from posthaste.core.reachability import Reachability
from posthaste.settings import Settings
from posthaste.store.base import Store

_AGAIN_AFTER_S = 3600
_NO_ADDRESS = {"available": False, "reason": "No phone or email addresses provided"}


@dataclass(frozen=True, slots=True)
class AvailabilityRoutes:
    """What the routes of availability need."""

    settings: Settings
    store: Store
    checks: Checks

    def verbs(self) -> list[Verb]:
        return [
            Verb("GET", "/api/leads/check-availability", self.lead, Access.READ),
            Verb("POST", "/api/leads/check-availability", self.many, Access.READ),
            Verb("POST", "/api/check-availability-rr", self.any, Access.READ),
        ]

    async def lead(self, call: Call) -> Answer:
        lead_id = parse_lead_query(call.query())
        leads = await self.store.read(people, call.workspace.id, [lead_id])
        if not leads:
            raise NotFound("Lead not found", code="LEAD_NOT_FOUND")
        [found] = await self._asked(call, [leads[0].addresses])
        return Answer(200, render_lead(leads[0], found))

    async def many(self, call: Call) -> Answer:
        """Answer for one address, or for many leads; of those that could not be asked each says so for itself."""
        body = await read_object(call, self.settings.body_max_bytes)
        question = parse_question(body.fields, call.workspace)
        if question.address is not None:
            [found] = await self._asked(call, [[question.address]])
            return Answer(200, render_address(question.address, found))
        leads = await self.store.read(people, call.workspace.id, question.lead_ids)
        if not leads:
            raise NotFound("No leads found to check", code="LEAD_NOT_FOUND")
        return Answer(200, render_leads(leads, await self._asked(call, [lead.addresses for lead in leads])))

    async def any(self, call: Call) -> Answer:
        """Answer for several addresses together, asking the workspace's lines in turn."""
        body = await read_object(call, self.settings.body_max_bytes)
        addresses = parse_addresses(body.fields, call.workspace)
        if not addresses:
            return Answer(400, _NO_ADDRESS)
        [found] = await self._asked(call, [addresses])
        return Answer(200, render_any(found))

    async def _asked(self, call: Call, addresses: Sequence[Sequence[str]]) -> Sequence[Reachability]:
        """Ask, and refuse the call if nobody could be asked because the day's checks are used up."""
        found = await self.checks.check(call.workspace.id, addresses)
        if all(one.is_exhausted for one in found):
            raise TooManyRequests(
                "Daily availability check quota exhausted", retry_after_s=_AGAIN_AFTER_S, code="DAILY_CHECKS_EXHAUSTED"
            )
        return found
