"""A provider in the process: takes everything, after a fixed time, and notes when it was called."""

import asyncio
from collections.abc import Sequence

from posthaste.channels.base import Availability, Connection, Health, News, Order, Promises, Target, Trace
from posthaste.clock import Clock
from posthaste.core.outcomes import Absent, Accepted, Finding, Outcome
from posthaste.core.signals import Signal


class BenchChannel:
    """Answers after `takes_ms`; `called` holds the time and text of every call."""

    promises = Promises(repeats_safely=False, can_find=True, can_check=False, has_receipts=False, has_attachments=False)

    def __init__(self, clock: Clock, takes_ms: float) -> None:
        self._clock, self._takes_s = clock, takes_ms / 1000
        self.called: list[tuple[int, str]] = []

    async def prepare(self, device: Connection, address: str) -> Target:
        return Target("chat", address)

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

    async def listen(self, device: Connection, hook_url: str) -> None:
        return None

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        return News((), cursor, True)

    def parse_hook(self, body: bytes) -> Sequence[Signal]:
        return ()
