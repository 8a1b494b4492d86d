"""A provider in the process: takes everything, after a fixed time, and notes when it was called."""

import asyncio
from collections.abc import Sequence

from posthaste.app import Engine
from posthaste.channels.base import Availability, Connection, Health, Heard, HookCall, News, Order, Target, Trace, Unreachable
from posthaste.channels.fetch.cache import Cache
from posthaste.channels.fetch.fetcher import Write
from posthaste.clock import Clock
from posthaste.core.channels import Kind, Promises
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import Absent, Accepted, Finding, Outcome, Refusal, Rejected
from posthaste.ids import Ids
from posthaste.links import Links
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.vault import Vault

NO_LINKS = Links(Vault(["bench"]), "")


class BenchChannel:
    """Answers after `takes_ms`; `called` holds the time and text of every call."""

    kind = Kind(
        name="bench",
        title="a provider in the process",
        message_type=MessageType.IMESSAGE,
        promises=Promises(
            repeats_safely=False, can_find=True, can_check=False, has_receipts=False, has_attachments=False, has_replies=False
        ),
        fields=(),
    )

    def __init__(self, clock: Clock, takes_ms: float) -> None:
        self._clock, self._takes_s = clock, takes_ms / 1000
        self.called: list[tuple[int, str]] = []

    async def prepare(self, device: Connection, order: Order) -> Target:
        return Target("chat", order.address)

    async def send(self, device: Connection, order: Order) -> Outcome:
        self.called.append((self._clock.now_ms(), order.text))
        if self._takes_s:
            await asyncio.sleep(self._takes_s)
        return Accepted(order.marker)

    async def find(self, device: Connection, trace: Trace) -> Finding:
        return Absent()

    async def check(self, device: Connection, address: str) -> Availability:
        return Availability(None, "not asked")

    async def ping(self, device: Connection) -> Health:
        return Health(True, "up", {})

    async def listen(self, device: Connection) -> None:
        return None

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        return News((), cursor, True)

    def hear(self, device: Connection, call: HookCall) -> Heard:
        return Heard(())

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        raise Unreachable("nothing comes in")

    def forget(self, device_id: str) -> None:
        return None

    async def close(self) -> None:
        return None


KINDS = {BenchChannel.kind.name: BenchChannel.kind}
"""The channels of the benchmark."""


class _NoWeb:
    """Nothing is attached here."""

    async def fetch(self, url: str, write: Write) -> Rejected:
        return Rejected(Refusal.BAD_CONTENT, "nothing is fetched here")


def engine_of(store: Store, settings: Settings, clock: Clock, ids: Ids, channel: BenchChannel) -> Engine:
    """Make the loops over this provider alone."""
    cache = Cache(settings.data / "attachments", clock.now_ms, keep_ms=0, entry_bytes=0, most_bytes=0)
    return Engine(store, settings, clock, ids, {channel.kind.name: channel}, NO_LINKS, _NoWeb(), cache)
