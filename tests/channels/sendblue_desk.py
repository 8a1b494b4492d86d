"""A Sendblue account of the sandbox with the channel to it, over real sockets, and what it reported to us."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count

import httpx2
from sendblue_cases import Depot

from posthaste.channels.base import NOWHERE, Connection, File, Order, Sender, Target, Trace
from posthaste.channels.http import open_client
from posthaste.channels.sendblue.channel import Sendblue
from posthaste.clock import SystemClock
from posthaste.core.hooks import HookCall
from posthaste.core.outcomes import Outcome
from posthaste.core.signals import Echo, Inbound, Receipt, Signal

DEADLINE_S = 30
COUNTER = count()
SECRET = "hush hush"


class Reports:
    """Hear what all accounts report, each under the last part of its webhook's path, as its own device hears it."""

    def __init__(self) -> None:
        self.devices: dict[str, tuple[Sendblue, Connection]] = {}
        self.heard: dict[str, list[Signal]] = defaultdict(list)
        self.refused = 0
        self.url = ""
        self._changed = asyncio.Condition()
        self._talks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}/hooks/sendblue"

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
            method, target, _ = lines[0].split()
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            path, _, query = target.partition("?")
            status, answer = (200, PICTURE) if method == "GET" else (self._take(path, query, headers, body), b"")
            head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + answer)
            async with self._changed:
                self._changed.notify_all()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def _take(self, path: str, query: str, headers: dict[str, str], body: bytes) -> int:
        name = path.rpartition("/")[2]
        channel, device = self.devices[name]
        told = channel.hear(device, HookCall("POST", query, headers, body))
        self.refused += told is None
        self.heard[name] += told.signals if told else ()
        return 401 if told is None else 200


PICTURE = b"\x89PNG\r\n\x1a\n a picture"


@dataclass(frozen=True)
class Here:
    """A sandbox in a process of its own, and the one event loop in which its reports are heard until it has ended."""

    run: Callable[[Coroutine[None, None, None]], None]
    sandbox: str
    reports: Reports


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
