"""The routes of the fallback of a workspace: parse, one action, render."""

from dataclasses import dataclass

from posthaste.actions.fallback_config import change_fallback
from posthaste.actions.workspaces import workspace_of
from posthaste.api.bodies import read_object
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.api.parse_fallback import parse_fallback_change
from posthaste.api.render_message import Document
from posthaste.core.workspaces import Fallback
from posthaste.settings import Settings
from posthaste.store.base import Store


@dataclass(frozen=True, slots=True)
class FallbackRoutes:
    """What the routes of the fallback need."""

    settings: Settings
    store: Store

    def verbs(self) -> list[Verb]:
        return [
            Verb("GET", "/api/workspace/fallback-config", self.show, Access.READ),
            Verb("PATCH", "/api/workspace/fallback-config", self.change, Access.WRITE),
        ]

    async def show(self, call: Call) -> Answer:
        # Not the workspace of the key, which may be a moment old: whoever changes it looks at it next.
        workspace = await self.store.read(workspace_of, call.workspace.id)
        return Answer(200, render_fallback(workspace.fallback))

    async def change(self, call: Call) -> Answer:
        body = await read_object(call, self.settings.body_max_bytes)
        change = parse_fallback_change(body.fields)
        return Answer(200, render_fallback(await self.store.write(change_fallback, call.workspace.id, change)))


def render_fallback(fallback: Fallback) -> Document:
    return {
        "enabled": fallback.is_enabled,
        "lineId": fallback.line_id,
        "sendFallbackSmsOnFailed": fallback.send_on_failed,
    }
