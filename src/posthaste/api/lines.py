"""The routes of lines: parse, one action, render."""

from dataclasses import dataclass

from posthaste.actions.delete_line import clear_deleted_lines, delete_line
from posthaste.actions.lines import add_line, change_line, channel_of
from posthaste.actions.show import line_views
from posthaste.api.bodies import read_object
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.api.checks import Checks
from posthaste.api.messages import id_in_path
from posthaste.api.parse_line import Setting, parse_line_change, parse_line_query, parse_new_line
from posthaste.api.render_line import render_line, render_line_health
from posthaste.clock import Clock
from posthaste.settings import Settings
from posthaste.store.base import Store

_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class LineRoutes:
    """What the routes of lines need."""

    settings: Settings
    store: Store
    clock: Clock
    setting: Setting
    checks: Checks
    public_url: str

    def verbs(self) -> list[Verb]:
        return [
            Verb("GET", "/api/lines/by-user", self.list, Access.READ),
            Verb("GET", "/api/lines/check-availability", self.check, Access.READ),
            Verb("POST", "/api/lines", self.add, Access.WRITE),
            Verb("PATCH", "/api/lines/{id}", self.change, Access.WRITE),
            Verb("DELETE", "/api/lines/{id}", self.delete, Access.WRITE),
        ]

    async def list(self, call: Call) -> Answer:
        views = await self.store.read(line_views, call.workspace.id)
        now = self.clock.now_ms()
        return Answer(200, {"lines": [render_line(view, now, self.public_url) for view in views]})

    async def add(self, call: Call) -> Answer:
        body = await read_object(call, self.settings.body_max_bytes)
        new = parse_new_line(body.fields, call.workspace, self.setting)
        view = await self.store.write(add_line, self.settings, call.workspace.id, new)
        return Answer(201, {"line": render_line(view, self.clock.now_ms(), self.public_url)})

    async def change(self, call: Call) -> Answer:
        line_id = id_in_path(call)
        body = await read_object(call, self.settings.body_max_bytes)
        kind = self.setting.kinds[await self.store.read(channel_of, call.workspace.id, line_id)]
        change = parse_line_change(body.fields, kind, self.setting.sealer)
        view = await self.store.write(change_line, call.workspace.id, line_id, change)
        return Answer(200, {"line": render_line(view, self.clock.now_ms(), self.public_url)})

    async def delete(self, call: Call) -> Answer:
        """Delete a line, and begin to find others for what waits on it; the janitor does what is left."""
        await self.store.write(delete_line, call.workspace.id, id_in_path(call))
        for _ in range(_ROUNDS):
            if not await self.store.write(clear_deleted_lines):
                break
        return Answer(200, {"success": True})

    async def check(self, call: Call) -> Answer:
        """Ask a line's device now whether it can send."""
        line_id = parse_line_query(call.query())
        return Answer(200, render_line_health(line_id, await self.checks.ping(call.workspace.id, line_id)))
