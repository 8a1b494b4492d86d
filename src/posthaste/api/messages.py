"""The routes of messages: parse, one action, render."""

from dataclasses import dataclass

from posthaste.actions.accept import Submission, check_lines
from posthaste.actions.cancel import cancel
from posthaste.actions.show import message_view, message_views, timeline_of
from posthaste.actions.workspaces import workspace_of
from posthaste.api.batch import Batch
from posthaste.api.bodies import read_object
from posthaste.api.calls import Access, Answer, Call, Verb
from posthaste.api.fields import Fields, not_an_id
from posthaste.api.headers import parse_idempotency_key, parse_preference
from posthaste.api.parse_filters import parse_selection
from posthaste.api.parse_sending import Content, asks_for_fallback, parse_content, parse_sending
from posthaste.api.render_message import render_message
from posthaste.api.render_page import render_pagination
from posthaste.api.render_sending import render_sending
from posthaste.api.render_timeline import render_timeline
from posthaste.api.watch import Watch
from posthaste.core.errors import Refused
from posthaste.core.messages import Sending
from posthaste.ids import is_id
from posthaste.settings import Settings
from posthaste.store.base import Store


@dataclass(frozen=True, slots=True)
class MessageRoutes:
    """What the routes of messages need."""

    settings: Settings
    store: Store
    batch: Batch
    watch: Watch

    def verbs(self) -> list[Verb]:
        return [
            Verb("POST", "/api/messages", self.send, Access.SEND),
            Verb("GET", "/api/messages", self.list, Access.READ),
            Verb("GET", "/api/messages/{id}", self.show, Access.READ),
            Verb("DELETE", "/api/messages/{id}", self.cancel, Access.WRITE),
            Verb("GET", "/api/messages/{id}/timeline", self.tell, Access.READ),
        ]

    async def send(self, call: Call) -> Answer:
        """Accept a message and answer when it has an outcome or a hold, or the time to wait is up."""
        settings = self.settings
        body = await read_object(call, settings.body_max_bytes)
        content = parse_content(body.fields, settings.message_max_chars)
        sending = await self._parsed(call, body.fields, content)
        key = parse_idempotency_key(call.header(b"idempotency-key"))
        wish = parse_preference(call.header(b"prefer"), settings.answer_wait_ms, settings.answer_wait_max_ms)
        submission = Submission(call.workspace, sending, key, body.digest() if key else "")
        taken = await self.batch.ask(submission)
        is_told = taken.acceptance.skipped is not None
        view = taken.view if is_told else await self.watch.until_settled(taken.view, wish.wait_ms)
        return render_sending(taken.acceptance, view, wish, unknown_as_failed=settings.unknown_as_failed)

    async def _parsed(self, call: Call, fields: Fields, content: Content) -> Sending:
        workspace = call.workspace
        if asks_for_fallback(fields) and not workspace.fallback.is_configured:
            # What the key remembers of its workspace may be a moment old.
            workspace = await self.store.read(workspace_of, workspace.id)
        try:
            return parse_sending(fields, content, workspace)
        except Refused:
            # Where several things are wrong, that no line can carry the message is told first.
            await self.store.read(check_lines, call.workspace.id, content.message_type, content.from_line_id)
            raise

    async def list(self, call: Call) -> Answer:
        chosen = parse_selection(call.query())
        views, total = await self.store.read(message_views, call.workspace.id, chosen.filters, chosen.page, chosen.limit)
        is_failed = self.settings.unknown_as_failed
        pagination = render_pagination(chosen.page, chosen.limit, total)
        messages = [render_message(view, unknown_as_failed=is_failed) for view in views]
        return Answer(200, {"messages": messages, "pagination": pagination})

    async def show(self, call: Call) -> Answer:
        view = await self.store.read(message_view, call.workspace.id, id_in_path(call))
        return Answer(200, {"message": render_message(view, unknown_as_failed=self.settings.unknown_as_failed)})

    async def tell(self, call: Call) -> Answer:
        message_id = id_in_path(call)
        entries = await self.store.read(timeline_of, call.workspace.id, message_id)
        return Answer(200, render_timeline(message_id, entries))

    async def cancel(self, call: Call) -> Answer:
        await self.store.write(cancel, call.workspace.id, id_in_path(call))
        return Answer(200, {"success": True, "status": "cancelled"})


def id_in_path(call: Call) -> str:
    """Return the id in a call's path; a malformed one is refused, since nothing ever had it."""
    written = call.path("id")
    if not is_id(written):
        raise not_an_id("id", written)
    return written
