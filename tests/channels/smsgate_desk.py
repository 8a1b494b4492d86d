"""A phone of the sandbox with the channel to it, over real sockets, and what it reported; for the cases beside this file."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count

import httpx2

from posthaste.channels.base import NOWHERE, Connection, Order, Target, Trace
from posthaste.channels.http import open_client
from posthaste.channels.smsgate.channel import SmsGate
from posthaste.clock import SystemClock
from posthaste.core.hooks import HookCall
from posthaste.core.outcomes import Outcome
from posthaste.core.signals import Inbound, Receipt, Signal

DEADLINE_S = 30
COUNTER = count()


class Reports:
    """Hear what all phones report, each under the last part of its webhook's path, as its own device hears it."""

    def __init__(self) -> None:
        self.devices: dict[str, tuple[SmsGate, Connection]] = {}
        self.heard: dict[str, list[Signal]] = defaultdict(list)
        self.refused = 0
        self.url = ""
        self._changed = asyncio.Condition()
        self._talks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}/hooks/smsgate"

    async def close(self) -> None:
        self._listening.close()
        # The server's own tasks too: a connection may have been accepted and not been handed to us yet.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=DEADLINE_S)

    async def wait_for(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(seen)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._hear(reader, writer))
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            name = lines[0].split()[1].rpartition("/")[2]
            channel, device = self.devices[name]
            told = channel.hear(device, HookCall("POST", "", headers, body))
            status = b"401 Unauthorized" if told is None else b"200 OK"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            async with self._changed:
                self.refused += told is None
                self.heard[name] += told.signals if told else ()
                self._changed.notify_all()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@dataclass(frozen=True)
class Here:
    """A sandbox in a process of its own, and the one event loop in which its reports are heard until it has ended."""

    run: Callable[[Coroutine[None, None, None]], None]
    sandbox: str
    reports: Reports


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
