"""A channel and a device for the tests beside this file, and an inbox that can be full."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from smpp_centres import PASSWORD, WITHIN_S, Centre

from posthaste.channels.base import NOWHERE, Connection, Order, Sender, Target
from posthaste.channels.smpp.channel import Smpp
from posthaste.channels.smpp.link import Pauses
from posthaste.core.outcomes import Deferred, Outcome, Rejected
from posthaste.core.signals import Signal

LINE = "+16285551000"
PERSON = "+12025550143"
NOW_MS = 1_800_000_000_000
QUICK = Pauses(first_ms=20, longest_ms=100)
DEFAULTS = {field.name: field.default for field in Smpp.kind.fields if field.default and not field.is_secret}


class Full(Exception):  # noqa: N818 - what an inbox says that takes nothing
    """Nothing can be stored now."""


@dataclass
class Stored:
    """An inbox that keeps what it is given; as often as `refuses` says it takes nothing, and `opens` holds it up."""

    signals: list[Signal] = field(default_factory=list)
    refuses: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    opens: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.opens.set()

    async def put(self, device_id: str, signals: Sequence[Signal]) -> None:
        assert device_id == "device-1"
        await self.opens.wait()
        if self.refuses:
            self.refuses -= 1
            raise Full
        async with self.changed:
            self.signals += signals
            self.changed.notify_all()

    async def has(self, count_of: int) -> Sequence[Signal]:
        """Wait until so many signals came, and return them all."""
        async with asyncio.timeout(WITHIN_S), self.changed:
            await self.changed.wait_for(lambda: len(self.signals) >= count_of)
            return list(self.signals)


@dataclass
class Desk:
    channel: Smpp
    device: Connection
    inbox: Stored
    markers: Any = field(default_factory=lambda: count(1))

    def order(self, text: str, address: str = PERSON, valid_until: int | None = None) -> Order:
        marker = f"marker-{next(self.markers)}"
        return Order(address, text, marker, NOWHERE, sender=Sender(LINE), valid_until=valid_until)

    async def send(self, text: str, address: str = PERSON, valid_until: int | None = None) -> Outcome:
        """Send as the engine does: prepare, then hand over."""
        order = self.order(text, address, valid_until)
        target = await self.channel.prepare(self.device, order)
        if isinstance(target, Deferred | Rejected):
            return target
        assert isinstance(target, Target)
        return await self.channel.send(self.device, replace(order, target=target))

    async def is_up(self) -> None:
        """Make sure that a device that a centre has seen bind is up on our side, too."""
        assert (await self.channel.ping(self.device)).is_up


def device_at(port: int, **config: str) -> Connection:
    settings = DEFAULTS | {"host": "127.0.0.1", "port": str(port), "systemId": "posthaste"} | config
    return Connection("device-1", "", {"password": PASSWORD}, {}, settings)


@asynccontextmanager
async def desk_at(
    centre: Centre, *, inbox: Stored | None = None, pauses: Pauses = QUICK, answer_ms: int = 60_000, **config: str
) -> AsyncIterator[Desk]:
    """Make a channel that is bound to a centre."""
    inbox = inbox or Stored()
    channel = Smpp(inbox, lambda: NOW_MS, pauses=pauses, part_pause_ms=5, answer_timeout_ms=answer_ms)
    desk = Desk(channel, device_at(centre.port, **config), inbox)
    try:
        assert (await channel.ping(desk.device)).is_up
        await centre.bound()
        yield desk
    finally:
        await channel.close()
