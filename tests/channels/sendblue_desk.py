"""A Sendblue account of the sandbox with the channel to it, over real sockets, and what it reported to us."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count

import httpx2
from hearing import Here
from sendblue_cases import Depot

from posthaste.channels.base import NOWHERE, Connection, File, Order, Sender, Target, Trace
from posthaste.channels.http import open_client
from posthaste.channels.sendblue.channel import Sendblue
from posthaste.clock import SystemClock
from posthaste.core.outcomes import Outcome
from posthaste.core.signals import Echo, Inbound, Receipt, Signal

COUNTER = count()
SECRET = "hush hush"


@dataclass
class Desk:
    """One account of the sandbox, the channel to it, and what it reported to us."""

    here: Here
    client: httpx2.AsyncClient
    channel: Sendblue
    device: Connection
    phone: str

    async def send(self, address: str, text: str, *files: File) -> tuple[Outcome, Trace]:
        marker = f"{self.device.device_id}-{next(COUNTER)}"
        order = Order(address, text, marker, NOWHERE, sender=Sender(self.phone), files=files)
        target = await self.channel.prepare(self.device, order)
        assert isinstance(target, Target)
        outcome = await self.channel.send(self.device, replace(order, target=target))
        handed_at = SystemClock().now_ms()
        return outcome, Trace(
            address, text, marker, target, 0, handed_at, frozenset(), sender=Sender(self.phone), files=len(files)
        )

    async def on_phone(self, address: str) -> Counter[tuple[str, str]]:
        listed = (await self.client.get(f"{self.here.sandbox}/received", params={"to": address})).json()
        return Counter((item["text"], item["channel"]) for item in listed if item["from"] == self.phone)

    async def person(self, sender: str, action: str, **body: object) -> httpx2.Response:
        answer = await self.client.post(f"{self.here.sandbox}/phones/{sender}/{action}", json={"to": self.phone} | body)
        assert answer.is_success, answer.text
        return answer

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
        case Receipt() | Echo():
            return replace(signal, delivered_at=signal.delivered_at and 1, error=signal.error and "")
        case _:
            return signal


@asynccontextmanager
async def desk_at(here: Here) -> AsyncIterator[Desk]:
    """Make an account for one test, and have it report to us."""
    phone = f"+1628557{next(COUNTER):04}"
    wanted = {"kind": "sendblue", "phone": phone, "apiKeyId": "key", "apiSecretKey": "s3cret"}
    async with open_client() as client:
        made = (await client.post(f"{here.sandbox}/devices", json=wanted)).json()
        channel = Sendblue(client, SystemClock().now_ms, Depot())
        config = {"apiKeyId": "key", "baseUrl": made["url"], "fromNumber": phone}
        secrets = {"apiSecretKey": "s3cret", "webhookSecret": SECRET}
        device = Connection(made["id"], "", secrets, {}, config, f"{here.reports.url}/{made['id']}")
        here.reports.devices[made["id"]] = (channel, device)
        assert (await channel.ping(device)).is_up
        await channel.listen(device)
        yield Desk(here, client, channel, device, phone)
