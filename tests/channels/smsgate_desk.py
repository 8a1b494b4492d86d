"""A phone of the sandbox with the channel to it, over real sockets, and what it reported; for the cases beside this file."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count

import httpx2
from hearing import Here

from posthaste.channels.base import NOWHERE, Connection, Order, Target, Trace
from posthaste.channels.http import open_client
from posthaste.channels.smsgate.channel import SmsGate
from posthaste.clock import SystemClock
from posthaste.core.outcomes import Outcome
from posthaste.core.signals import Inbound, Receipt, Signal

COUNTER = count()


@dataclass
class Desk:
    """One phone of the sandbox, the channel to it, and what it reported to us."""

    here: Here
    client: httpx2.AsyncClient
    channel: SmsGate
    device: Connection
    phone: str

    async def send(self, address: str, text: str, key: str) -> tuple[Outcome, Trace]:
        order = Order(address, text, "marker", NOWHERE, f"{self.device.device_id}-{key}")
        target = await self.channel.prepare(self.device, order)
        assert isinstance(target, Target)
        outcome = await self.channel.send(self.device, replace(order, target=target))
        return outcome, Trace(address, text, "marker", target, 0, 0, frozenset(), order.key)

    async def on_phone(self, address: str) -> Counter[str]:
        listed = (await self.client.get(f"{self.here.sandbox}/received", params={"to": address})).json()
        mine = [item for item in listed if item["from"] == self.phone]
        assert {item["channel"] for item in mine} <= {"sms"}
        return Counter(item["text"] for item in mine)

    async def person(self, sender: str, text: str) -> None:
        answer = await self.client.post(f"{self.here.sandbox}/phones/{sender}/send", json={"to": self.phone, "text": text})
        assert answer.status_code == 201

    async def turn(self, state: str) -> None:
        await self.client.post(f"{self.here.sandbox}/devices/{self.device.device_id}", json={"state": state})

    async def hears(self, *signals: Signal) -> None:
        """Wait until all of these were reported."""
        await self.here.reports.wait_for(lambda: set(signals) <= {timeless(one) for one in self.heard})

    @property
    def heard(self) -> list[Signal]:
        return self.here.reports.heard[self.device.device_id]


def timeless(signal: Signal) -> Signal:
    match signal:
        case Inbound():
            return replace(signal, external_id="", cursor=0, at=0)
        case Receipt():
            return replace(signal, delivered_at=signal.delivered_at and 1, error=signal.error and "")
        case _:
            raise AssertionError(f"not a signal of this channel: {signal}")


def wrote(desk: Desk, sender: str, text: str) -> Inbound:
    return Inbound("", 0, sender, text, 0, to=desk.phone)


@asynccontextmanager
async def desk(here: Here) -> AsyncIterator[Desk]:
    """Make a phone for one test, and listen to it."""
    number = next(COUNTER)
    phone, device_id = f"+1628557{number:04}", f"android{number}"
    wanted = {"kind": "android", "id": device_id, "phone": phone, "username": "sms", "password": "p+w;d&é"}
    async with open_client() as client:
        made = (await client.post(f"{here.sandbox}/devices", json=wanted)).json()
        channel = SmsGate(client, SystemClock().now_ms)
        secrets = {"password": made["password"], "signingKey": made["signingKey"]}
        device = Connection(device_id, made["url"], secrets, {}, {"username": "sms"}, f"{here.reports.url}/{device_id}")
        health = await channel.ping(device)
        assert health.is_up
        device = replace(device, options=health.options)
        here.reports.devices[device_id] = channel, device
        await channel.listen(device)
        yield Desk(here, client, channel, device, phone)
