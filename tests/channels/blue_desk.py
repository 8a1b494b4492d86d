"""A simulated Mac of the sandbox, the channel to it over real sockets, and what it reported to us."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import httpx2
from hearing import Here

from posthaste.channels.base import NOWHERE, Connection, File, Order, Target, Trace
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.channels.http import open_client
from posthaste.clock import SystemClock
from posthaste.core.outcomes import Outcome, Refusal
from posthaste.core.signals import Echo, Inbound, Reaction, Receipt, Signal, Typing
from posthaste.sandbox.numbers import scripted_numbers

NUMBERS = {script.value: number for number, script in reversed(scripted_numbers())}

Kind = tuple[str, bool]

PRIVATE_15, SCRIPT_15 = ("15.6", True), ("15.6", False)
PRIVATE_26, SCRIPT_26 = ("26.1", True), ("26.1", False)
WORKING = [PRIVATE_15, SCRIPT_15, PRIVATE_26]
_COUNTER = count()


@dataclass
class Desk:
    """One Mac of the sandbox, the channel to it, and what it reported to us."""

    here: Here
    client: httpx2.AsyncClient
    channel: BlueBubbles
    device: Connection
    phone: str

    @property
    def hook_url(self) -> str:
        return f"{self.here.reports.url}/{self.device.device_id}"

    async def send(self, address: str, text: str, files: Sequence[File] = ()) -> tuple[Outcome, Trace]:
        marker = f"{self.device.device_id}-{address}-{text}-{len(files)}"
        order = Order(address, text, marker, NOWHERE, files=files)
        target = await self.channel.prepare(self.device, order)
        assert isinstance(target, Target)
        cursor = (await self.channel.poll(self.device, 0, [])).cursor
        outcome = await self.channel.send(self.device, replace(order, target=target))
        return outcome, Trace(address, text, marker, target, cursor, 0, frozenset(), files=len(files))

    async def received(self, address: str) -> list[dict[str, Any]]:
        listed = await self.client.get(f"{self.here.sandbox}/received", params={"to": address})
        return [item for item in listed.json() if item["from"] == self.phone]

    async def on_phone(self, address: str) -> Counter[str]:
        return Counter(item["text"] for item in await self.received(address))

    async def person(self, number: str, what: str, **asked: object) -> dict[str, Any]:
        """Let a person do something with this line."""
        answer = await self.client.post(f"{self.here.sandbox}/phones/{number}/{what}", json={"to": self.phone} | asked)
        answer.raise_for_status()
        did: dict[str, Any] = answer.json()
        return did

    async def hears(self, *signals: Signal) -> None:
        """Wait until all of these were reported, and something at least."""
        await self.here.reports.wait_for(lambda: bool(self._heard()) and set(signals) <= self._heard())

    def heard(self) -> Sequence[Signal]:
        """Return what was reported so far, as it came."""
        return tuple(self.here.reports.heard[self.device.device_id])

    def _heard(self) -> set[Signal]:
        return {timeless(signal) for signal in self.heard()}


def timeless(signal: Signal) -> Signal:
    """Return a signal without what differs from run to run."""
    match signal:
        case Inbound():
            files = tuple(replace(file, ref="") for file in signal.files)
            return replace(signal, external_id="", cursor=0, at=0, files=files)
        case Reaction():
            return replace(signal, external_id="", cursor=0, at=0)
        case Typing():
            return signal
        case Echo():
            return replace(signal, cursor=0, delivered_at=None, read_at=None, error=signal.error and "", refusal=Refusal.OTHER)
        case Receipt():
            delivered_at, read_at = signal.delivered_at and 1, signal.read_at and 1
            return replace(signal, delivered_at=delivered_at, read_at=read_at, error=signal.error and "", refusal=Refusal.OTHER)


@asynccontextmanager
async def desk(here: Here, kind: Kind) -> AsyncIterator[Desk]:
    """Make a Mac for one test, learn what it is, and listen to it."""
    macos, private_api = kind
    phone = f"+1628556{next(_COUNTER):04}"
    wanted = {"phone": phone, "password": "p+w;d&é", "privateApi": private_api, "macosVersion": macos}
    async with open_client() as client:
        made = (await client.post(f"{here.sandbox}/devices", json=wanted)).json()
        channel = BlueBubbles(client, SystemClock().now_ms)
        device = Connection(made["id"], made["url"], {"password": made["password"]}, {})
        health = await channel.ping(device)
        assert health.is_up
        own = Desk(here, client, channel, replace(device, options=health.options), phone)
        here.reports.devices[own.device.device_id] = channel, own.device
        await channel.listen(replace(own.device, hook_url=own.hook_url))
        yield own
