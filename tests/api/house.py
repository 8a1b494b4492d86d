"""A whole API in one process for tests: a store, a workspace with lines and a key, the application, and a client.

No loop sends here: `settle` takes what is due, hands it over and records the outcome that the test wants, in the very actions
that a sender would run.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2

from posthaste.actions.claim import claim
from posthaste.actions.hand import Handing, hand
from posthaste.actions.health import note_health
from posthaste.actions.keys import make_key
from posthaste.actions.lines import NewLine, add_line
from posthaste.actions.receive import receive
from posthaste.actions.record import Report, record
from posthaste.actions.show import LineView
from posthaste.actions.workspaces import make_workspace
from posthaste.api.application import build
from posthaste.channels.catalog import KINDS
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.outcomes import Accepted, Outcome
from posthaste.core.reachability import LineHealth, Looked, Reachability, conclude
from posthaste.core.signals import Inbound, Signal
from posthaste.core.workspaces import Workspace
from posthaste.ids import Ids
from posthaste.links import Links
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.inline import InlineStore
from posthaste.store.opening import open_store
from posthaste.store.transaction import Transaction
from posthaste.vault import Vault

NOON = 1_773_316_800_000  # 2026-03-12T12:00:00Z, a Thursday
SETTINGS = Settings(answer_wait_ms=0, line_new_per_day=1000, line_messages_per_day=1000, contact_gap_ms=0, device_gap_ms=0)


@dataclass
class SetClock:
    """A clock that moves only when told."""

    now: int = NOON

    def now_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> float:
        return float(self.now)


@dataclass
class Reports:
    """What devices reported; only the token `known` is one."""

    taken: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def take(self, channel: str, token: str, call: HookCall) -> Heard | None:
        if token != "known":
            return None
        self.taken.append((channel, token, call.body))
        return Heard(())


@dataclass
class Answers:
    """What devices answer when they are asked: addresses that are on iMessage, and what else goes wrong."""

    on_imessage: set[str] = field(default_factory=set)
    why_not: str = ""
    is_exhausted: bool = False
    failures: tuple[str, ...] = ()
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def check(self, workspace_id: str, people: Sequence[Sequence[str]]) -> Sequence[Reachability]:
        self.asked += [tuple(addresses) for addresses in people]
        return [conclude([self._look(one) for one in addresses]) for addresses in people]

    def _look(self, address: str) -> Looked:
        return Looked(address, None if self.why_not else address in self.on_imessage, self.why_not, self.is_exhausted)

    async def ping(self, workspace_id: str, line_id: str) -> LineHealth:
        return LineHealth(self.failures, NOON)


@dataclass
class House:
    """Everything that a test may want to touch."""

    store: Store
    settings: Settings
    clock: SetClock
    reports: Reports
    answers: Answers
    workspace: Workspace
    key: str
    lines: list[LineView]
    app: Any
    client: httpx2.AsyncClient

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def send(self, body: Mapping[str, object], **headers: str) -> httpx2.Response:
        """Post a message; `Prefer="respond-async"` and the like become headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/api/messages", json=body, headers={**self.auth, **named})

    async def get(self, path: str, **query: str) -> httpx2.Response:
        return await self.client.get(path, params=query, headers=self.auth)

    async def count(self, table: str) -> int:
        return await self.store.read(_count, table)

    async def settle(self, outcome: Outcome | None = None) -> int:
        """Send whatever may go now, with this outcome; return how many."""
        claimed = (await self.store.write(claim, self.settings, "test", 64)).claimed
        handings = [Handing(one.attempt.id, "test", one.message.address, "{}", one.message.text) for one in claimed]
        if not handings:
            return 0
        await self.store.write(hand, self.settings, handings)
        reports = [Report(one.attempt, outcome or Accepted(f"guid-{one.message.id}"), 1) for one in claimed]
        await self.store.write(record, self.settings, reports)
        return len(reports)

    async def settle_next(self, outcome: Outcome | None = None) -> None:
        """Wait for the next message to be accepted, and send it."""
        await self.until(lambda: self.settle(outcome))

    async def until(self, is_so: Callable[[], Awaitable[int]]) -> None:
        """Wait until something is true, asking again after every change."""
        woken = asyncio.Event()
        stop = self.store.on_wake("*", lambda _: woken.set())
        try:
            async with asyncio.timeout(10):
                while not await is_so():
                    await woken.wait()
                    woken.clear()
        finally:
            stop()

    async def another(self) -> tuple[Workspace, str]:
        """Return another workspace, with a key."""
        workspace = await self.store.write(make_workspace, "Other")
        return workspace, (await self.store.write(make_key, workspace.id, "other")).key

    async def report(self, signal: Signal, line: int = 0) -> None:
        """Take in what a device reports."""
        device_id = self.lines[line].device.id
        await self.store.write(receive, self.settings, device_id, [signal], "a webhook")

    async def person_writes(self, address: str, text: str, line: int = 0) -> str:
        """Let a person write to a line; return the message's id."""
        guid = f"in-{address}-{self.clock.now}-{text}"
        await self.report(Inbound(guid, self.clock.now, address, text, self.clock.now), line)
        return str(await self.store.read(_id_of, guid))

    async def add_line(self, message_type: str, **changes: Any) -> LineView:
        """Add one more line of any type, that is up."""
        made = await _line(self.store, self.settings, self.workspace, len(self.lines), message_type=message_type, **changes)
        self.lines.append(made)
        return made

    async def restrict(self, reason: str) -> None:
        """Let the workspace take no more writes."""
        await self.store.write(_restrict, self.workspace.id, reason)
        self.clock.now += self.settings.key_cache_ms + 1

    async def revoke_all(self) -> None:
        await self.store.write(_revoke_all)


def _count(tx: Transaction, table: str) -> int:
    row = tx.one(f"SELECT count(*) FROM {table}")
    assert row is not None
    return int(row[0])


def _id_of(tx: Transaction, external_id: str) -> str:
    row = tx.one("SELECT id FROM messages WHERE external_id = :id", {"id": external_id})
    assert row is not None
    return str(row[0])


def _restrict(tx: Transaction, workspace_id: str, reason: str) -> None:
    tx.run("UPDATE workspaces SET read_only_reason = :reason WHERE id = :id", {"reason": reason, "id": workspace_id})


def _revoke_all(tx: Transaction) -> None:
    tx.run("UPDATE api_keys SET revoked_at = :now", {"now": tx.now})


@asynccontextmanager
async def house(
    url: str = "inline",
    *,
    lines: int = 1,
    settings: Settings = SETTINGS,
    is_ready: Callable[[], bool] = lambda: True,
    **changes: Any,
) -> AsyncIterator[House]:
    """Open a house; `changes` are settings."""
    settings = replace(settings, **changes)
    clock, ids = SetClock(), Ids()
    store: Store = InlineStore(clock, ids) if url == "inline" else await open_store(url, clock, ids, database_clock=False)
    try:
        workspace = await store.write(make_workspace, "Test")
        key = (await store.write(make_key, workspace.id, "test")).key
        made = [await _line(store, settings, workspace, number) for number in range(lines)]
        reports, answers = Reports(), Answers()
        app = build(
            settings,
            store,
            clock,
            ids,
            reports,
            answers,
            is_ready=is_ready,
            kinds=KINDS,
            links=Links(Vault(["test"]), "http://posthaste.test"),
        )
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://posthaste.test") as client:
            yield House(store, settings, clock, reports, answers, workspace, key, made, app, client)
    finally:
        await store.close()


async def _line(store: Store, settings: Settings, workspace: Workspace, number: int, **changes: Any) -> LineView:
    fields = {
        "channel": "bluebubbles",
        "message_type": "imessage",
        "url": f"http://127.0.0.1:{9000 + number}",
        "secret": "secret",
        "phone": f"+1646223092{number}",
        "device_gap_ms": 0,
    }
    new = NewLine(**{**fields, **changes})
    line = await store.write(add_line, settings, workspace.id, new)
    await store.write(note_health, settings, line.device.id, is_up=True, detail="", options={}, cursor=None)
    return line


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's body."""
    asyncio.run(main())
