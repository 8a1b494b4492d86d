"""What happens while an action waits for a lock on PostgreSQL: what it had read before is no longer so."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from posthaste.actions.accept import accept
from posthaste.actions.claim import Claimed, claim
from posthaste.actions.draft import Submission
from posthaste.actions.hand import Handing, hand
from posthaste.actions.health import note_health
from posthaste.actions.lines import NewLine, add_line
from posthaste.actions.rescue import rescue
from posthaste.actions.workspaces import make_workspace
from posthaste.clock import SystemClock
from posthaste.core.messages import Sending
from posthaste.core.workspaces import Workspace
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store import devices
from posthaste.store.base import Store
from posthaste.store.opening import open_store
from posthaste.store.transaction import Transaction

SETTINGS = Settings(lease_ms=1_000)
_WITHIN_S = 20.0


@dataclass
class Stock:
    """A store with a workspace and a line whose device is up."""

    store: Store
    workspace: Workspace
    device_id: str
    line_id: str


@asynccontextmanager
async def stock(url: str) -> AsyncIterator[Stock]:
    store = await open_store(url, SystemClock(), Ids())
    try:
        workspace = await store.write(make_workspace, "Test")
        new = NewLine(
            channel="bluebubbles", message_type="imessage", phone="+16285550001", url="http://127.0.0.1:9", secret="s",
            device_gap_ms=0, contact_gap_ms=0,
        )  # fmt: skip
        view = await store.write(add_line, SETTINGS, workspace.id, new)
        await store.write(note_health, SETTINGS, view.device.id, is_up=True, detail="", options={}, cursor=None)
        yield Stock(store, workspace, view.device.id, view.line.id)
    finally:
        await store.close()


def sending(text: str, phone: str) -> Sending:
    return Sending(text, phone=phone)


async def accepted(made: Stock, text: str, phone: str) -> None:
    await made.store.write(accept, SETTINGS, [Submission(made.workspace, sending(text, phone), None, "")])


def test_a_hand_over_that_waited_for_its_device_sees_that_the_attempt_was_rescued(postgres_url: str) -> None:
    """The worker is slow, another one takes its message over in the meantime: only one of the two may call the provider."""

    async def main() -> None:
        async with stock(postgres_url) as made:
            await accepted(made, "only once", "+12025550100")
            (slow,) = (await made.store.write(claim, SETTINGS, "slow", 8)).claimed
            holds, go = threading.Event(), threading.Event()
            other = asyncio.create_task(made.store.write(_take_over, made.device_id, slow, holds, go))
            await asyncio.to_thread(holds.wait, _WITHIN_S)
            handing = Handing(slow.attempt.id, "slow", slow.message.address, "{}", "only once")
            late = asyncio.create_task(made.store.write(hand, SETTINGS, [handing]))
            go.set()
            taken_over = await other
            assert taken_over, "the other worker has the message now"
            assert await late == [False]

    asyncio.run(main())


def _take_over(tx: Transaction, device_id: str, slow: Claimed, holds: threading.Event, go: threading.Event) -> bool:
    """Hold the device until the slow worker waits for it, then do what another worker does when a lease has ended."""
    devices.lock(tx, [device_id])
    holds.set()
    assert go.wait(_WITHIN_S)
    _until_somebody_waits(tx)
    tx.run("UPDATE attempts SET lease_until = 0 WHERE id = :id", {"id": slow.attempt.id})
    rescue(tx, SETTINGS, "other", 8)
    return [one.message.id for one in claim(tx, SETTINGS, "other", 8).claimed] == [slow.message.id]


def _until_somebody_waits(tx: Transaction) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not tx.rows("SELECT pid FROM pg_locks WHERE NOT granted"):
        assert time.monotonic() < deadline, "nobody came to wait for the lock"
        tx.rows("SELECT pg_sleep(0.01)")
