"""Whether this process is alive (`/healthz`) and whether it can do its work (`/readyz`)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from posthaste.actions.keys import find_workspace
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.api.render_error import render_error
from posthaste.core.errors import Unavailable
from posthaste.store.base import Store

_ANSWER_WITHIN_S = 2.0
_NO_DIGEST = ""


@dataclass(frozen=True, slots=True)
class HealthRoutes:
    """What the routes of health need."""

    store: Store
    is_ready: Callable[[], bool]

    def verbs(self) -> list[Verb]:
        return [
            Verb("GET", "/healthz", self.live, Access.OPEN),
            Verb("GET", "/readyz", self.ready, Access.OPEN),
        ]

    async def live(self, call: Call) -> Answer:
        return Answer(200, {"status": "ok"})

    async def ready(self, call: Call) -> Answer:
        if not self.is_ready():
            # Answered rather than raised: who starts a server asks often, and the log need not tell.
            return render_error(Unavailable("Not ready yet", code="NOT_READY"))
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                # Any question will do; this one is a single look into an index.
                await self.store.read(find_workspace, _NO_DIGEST)
        except TimeoutError:
            raise Unavailable("The database does not answer", code="DATABASE_AWAY") from None
        return Answer(200, {"status": "ready"})
