"""Where devices report: the token in the path says which device it is; some channels prove more by a signature."""

from dataclasses import dataclass
from typing import Protocol

from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.core.errors import NotFound
from posthaste.core.hooks import Heard, HookCall

_CHARS = "latin-1"


class Hooks(Protocol):
    """What takes reports in; it must be quick, since devices wait for the answer and send nothing meanwhile."""

    async def take(self, channel: str, token: str, call: HookCall) -> Heard | None:
        """Take one report; None if no device has this token or the report is not proven to be the device's."""
        ...


@dataclass(frozen=True, slots=True)
class HookRoutes:
    """What the routes of devices need."""

    hooks: Hooks
    body_max_bytes: int

    def verbs(self) -> list[Verb]:
        # Some gateways report with a GET.
        return [Verb(method, "/hooks/{channel}/{token}", self.take, Access.OPEN) for method in ("POST", "GET")]

    async def take(self, call: Call) -> Answer:
        body = await call.body(self.body_max_bytes)
        heard = await self.hooks.take(call.path("channel"), call.path("token"), _as_sent(call, body))
        if heard is None:
            raise NotFound
        return Answer(heard.status, heard.body, (), heard.media_type)


def _as_sent(call: Call, body: bytes) -> HookCall:
    scope = call.scope
    headers = {name.decode(_CHARS): value.decode(_CHARS) for name, value in scope["headers"]}
    return HookCall(scope["method"], scope["query_string"].decode(_CHARS), headers, body)
