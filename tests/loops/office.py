"""An office for tests: a sender with a channel that remembers what it sent, and a shop that files come from.

The store, the sender and the cache are the real ones; only the provider and the web are made up.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fixtures.tiny_files import TINY
from posthaste.actions.accept import Submission, accept
from posthaste.actions.files import StoredFile, upload
from posthaste.actions.health import note_health
from posthaste.actions.lines import NewLine, add_line
from posthaste.actions.show import MessageView, message_view, timeline_of
from posthaste.actions.workspaces import make_workspace
from posthaste.channels.base import Availability, Connection, File, Order, Target
from posthaste.channels.fetch.cache import Cache
from posthaste.channels.fetch.fetcher import Fetched, Write
from posthaste.core import files
from posthaste.core.channels import Kind, Promises
from posthaste.core.messages import MessageType, Sending
from posthaste.core.outcomes import Accepted, Deferred, Outcome, Rejected
from posthaste.ids import Ids
from posthaste.links import Links
from posthaste.loops.attaching import Attaching
from posthaste.loops.leases import Leases
from posthaste.loops.reach import Reach
from posthaste.loops.sender import Sender
from posthaste.settings import Settings
from posthaste.store.inline import InlineStore
from posthaste.vault import Vault

PUBLIC = "https://posthaste.test"
LINKS = Links(Vault(["test"]), PUBLIC)
URL = "https://h.test/photo?secret=1"
PNG = TINY[files.PNG]
ENTRY_BYTES = 4_000_000


@dataclass
class SetClock:
    now: int = 1_773_316_800_000

    def now_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> float:
        return float(self.now)


@dataclass
class Post:
    """A channel that takes everything and remembers what its files held when they were sent."""

    kind: Kind
    sent: list[tuple[str, list[tuple[File, bytes]]]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    prepared: int = 0
    first: Callable[[], Any] = lambda: None

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        self.prepared += 1
        self.first()
        return Target("post", order.address)

    async def send(self, device: Connection, order: Order) -> Outcome:
        self.sent.append((order.text, [(one, one.path.read_bytes()) for one in order.files]))
        self.orders.append(order)
        return Accepted(f"id-{len(self.sent)}-{order.address}")

    async def check(self, device: Connection, address: str) -> Availability:
        return Availability(None, "not asked")

    @property
    def files(self) -> list[File]:
        return [file for _, every in self.sent for file, _ in every]

    @property
    def contents(self) -> list[bytes]:
        return [content for _, every in self.sent for _, content in every]


@dataclass
class Shop:
    """A fetcher: it has what it was given, and counts."""

    stock: dict[str, bytes | Deferred | Rejected] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self, url: str, write: Write) -> Fetched | Deferred | Rejected:
        self.asked.append(url)
        await self.open.wait()
        found = self.stock[url]
        if isinstance(found, Deferred | Rejected):
            write(b"half of it")
            return found
        write(found)
        kind = files.sniff(found)
        assert kind is not None
        return Fetched(len(found), kind, files.name_in_url(url))


@dataclass
class Office:
    """Everything that a message passes through here."""

    store: InlineStore
    settings: Settings
    clock: SetClock
    post: Post
    shop: Shop
    cache: Cache
    sender: Sender
    workspace: Any
    lines: list[str]
    folder: Path

    async def accept(self, *urls: str, to: int = 1, line: int = 0, names: Sequence[str] = (), **changes: Any) -> str:
        asked = Sending(
            **{
                "text": "See this",
                "message_type": MessageType.SMS,
                "phone": f"+1202555{to:04d}",
                "from_line_id": self.lines[line],
                "attachment_urls": urls,
                "attachment_names": tuple(names),
                **changes,
            }
        )
        (result,) = await self.store.write(accept, self.settings, [Submission(self.workspace, asked, None, "body")])
        assert not isinstance(result, Exception), result
        return result.message_id

    async def until(self, *message_ids: str, is_over: Callable[[MessageView], bool] | None = None) -> list[MessageView]:
        """Let the sender run until these messages are neither waiting nor on their way."""
        is_over = is_over or (lambda view: view.message.status not in ("waiting", "sending"))
        woken = asyncio.Event()
        stop = self.store.on_wake("*", lambda _: woken.set())
        running = asyncio.create_task(self.sender.run())
        try:
            async with asyncio.timeout(20):
                while True:
                    woken.clear()
                    views = [await self.store.read(message_view, self.workspace.id, one) for one in message_ids]
                    if all(is_over(view) for view in views):
                        return views
                    await woken.wait()
        finally:
            stop()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def keep(self, content: bytes = PNG, workspace_id: str = "") -> StoredFile:
        kind = files.sniff(content)
        assert kind is not None
        return await self.store.write(upload, self.settings, workspace_id or self.workspace.id, "up.png", kind, content)

    async def story(self, message_id: str) -> list[Any]:
        return [one for one in await self.store.read(timeline_of, self.workspace.id, message_id) if one.code == "file_fetched"]


@asynccontextmanager
async def office(folder: Path, *, has_attachments: bool = True, **changes: Any) -> AsyncIterator[Office]:
    settings, clock = Settings(retry_first_ms=60_000, **changes), SetClock()
    store = InlineStore(clock, Ids())
    promises = Promises(False, False, False, False, has_attachments=has_attachments)
    post = Post(Kind("post", "the post", MessageType.SMS, promises, ()))
    workspace = await store.write(make_workspace, "Test")
    lines = []
    for number in range(2):
        new = NewLine(channel="post", message_type="sms", phone=f"+1646223092{number}", device_gap_ms=0, contact_gap_ms=0)
        view = await store.write(add_line, settings, workspace.id, new)
        await store.write(note_health, settings, view.device.id, is_up=True, detail="", options={}, cursor=None)
        lines.append(view.line.id)
    await store.write(lambda tx: tx.run("UPDATE devices SET max_in_flight = 8"))
    shop = Shop({URL: PNG})
    shop.open.set()
    most_bytes = settings.attachment_cache_max_bytes
    cache = Cache(folder, clock.now_ms, keep_ms=settings.attachment_cache_ms, entry_bytes=ENTRY_BYTES, most_bytes=most_bytes)
    attaching = Attaching(store, shop, cache, LINKS)
    leases = Leases(store, settings, "me")
    sender = Sender(store, settings, clock, {"post": post}, leases, Reach(LINKS.vault, lambda _: ""), LINKS, attaching)
    try:
        yield Office(store, settings, clock, post, shop, cache, sender, workspace, lines, folder)
    finally:
        await store.close()


def run(body: Callable[[Office], Any], folder: Path, **changes: Any) -> None:
    async def main() -> None:
        async with office(folder / "attachments", **changes) as it:
            await body(it)

    asyncio.run(main())
