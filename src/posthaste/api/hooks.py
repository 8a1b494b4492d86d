"""Where devices report: the token in the path says which device it is, and is the only secret of the call."""

from dataclasses import dataclass
from typing import Protocol

from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.core.errors import NotFound


class Hooks(Protocol):
    """What takes reports in; it must be quick, since devices wait for the answer and send nothing meanwhile."""

    async def take(self, channel: str, token: str, body: bytes) -> bool:
        """Take one report; false if no device has this token."""
        ...


@dataclass(frozen=True, slots=True)
class HookRoutes:
    """What the routes of devices need."""

    hooks: Hooks
    body_max_bytes: int

    def verbs(self) -> list[Verb]:
        return [Verb("POST", "/hooks/{channel}/{token}", self.take, Access.OPEN)]

    async def take(self, call: Call) -> Answer:
        body = await call.body(self.body_max_bytes)
        if not await self.hooks.take(call.path("channel"), call.path("token"), body):
            raise NotFound
        return Answer(200, {"success": True})
