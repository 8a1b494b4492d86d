"""A PostgreSQL store with a workspace and lines, for races between actions in threads of one process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from posthaste.actions.accept import Acceptance, accept
from posthaste.actions.draft import Submission
from posthaste.actions.health import note_health
from posthaste.actions.lines import NewLine, add_line
from posthaste.actions.show import LineView
from posthaste.actions.workspaces import make_workspace
from posthaste.clock import SystemClock
from posthaste.core.errors import PosthasteError
from posthaste.core.messages import Sending
from posthaste.core.workspaces import Workspace
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.opening import open_store


@dataclass
class Stock:
    """Stores on one database, as of several processes, with a workspace and lines whose devices are up."""

    stores: Sequence[Store]
    settings: Settings
    workspace: Workspace
    lines: list[LineView]

    @property
    def store(self) -> Store:
        return self.stores[0]

    async def accept(self, *sendings: Sending, store: Store | None = None) -> list[Acceptance | PosthasteError]:
        submissions = [Submission(self.workspace, one, None, "") for one in sendings]
        return await (store or self.store).write(accept, self.settings, submissions)


@asynccontextmanager
async def stock(url: str, settings: Settings, *, devices: int = 1, stores: int = 1) -> AsyncIterator[Stock]:
    """Open stores and give each device two lines."""
    opened = [await open_store(url, SystemClock(), Ids()) for _ in range(stores)]
    try:
        workspace = await opened[0].write(make_workspace, "Test")
        made = [await _lines(opened[0], settings, workspace, number) for number in range(devices)]
        yield Stock(opened, settings, workspace, [line for lines in made for line in lines])
    finally:
        for store in opened:
            await store.close()


async def _lines(store: Store, settings: Settings, workspace: Workspace, number: int) -> list[LineView]:
    first = await store.write(add_line, settings, workspace.id, _line(f"+1628555000{2 * number}"))
    second = _line(f"+1628555000{2 * number + 1}", first.device.id)
    await store.write(note_health, settings, first.device.id, is_up=True, detail="", options={}, cursor=None)
    return [first, await store.write(add_line, settings, workspace.id, second)]


def _line(phone: str, device_id: str | None = None) -> NewLine:
    return NewLine(
        channel="bluebubbles",
        message_type="imessage",
        phone=phone,
        url="http://127.0.0.1:9",
        secret="s",
        device_id=device_id,
        messages_per_day=100_000,
        new_per_day=100_000,
        device_gap_ms=0,
        contact_gap_ms=0,
        arrival_ms=0,
    )
