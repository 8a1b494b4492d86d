"""A simulated Mac of the sandbox, the channel to it over real sockets, and what it reported to us."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx2

from posthaste.channels.base import NOWHERE, Connection, File, Order, Target, Trace
from posthaste.channels.bluebubbles.channel import BlueBubbles
from posthaste.channels.bluebubbles.meaning import report_of
from posthaste.channels.http import open_client
from posthaste.clock import SystemClock
from posthaste.core.outcomes import Outcome, Refusal
from posthaste.core.signals import Echo, Inbound, Reaction, Receipt, Signal, Typing
from posthaste.sandbox.numbers import scripted_numbers
from posthaste.sandbox.server import spawn

NUMBERS = {script.value: number for number, script in reversed(scripted_numbers())}

Kind = tuple[str, bool]

PRIVATE_15, SCRIPT_15 = ("15.6", True), ("15.6", False)
PRIVATE_26, SCRIPT_26 = ("26.1", True), ("26.1", False)
WORKING = [PRIVATE_15, SCRIPT_15, PRIVATE_26]
DEADLINE_S = 30
_COUNTER = count()


class Reports:
    """Hear what all devices report, each under the last part of its webhook's path."""

    def __init__(self) -> None:
        self.heard: dict[str, list[Signal]] = defaultdict(list)
        self.changed = asyncio.Condition()
        self.url = ""
        self._talks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}/hooks/bluebubbles"

    async def close(self) -> None:
        self._listening.close()
        # The server's own tasks too: a connection may have been accepted and not been handed to us yet.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=DEADLINE_S)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._hear(reader, writer))
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            body = await reader.readexactly(int(head.partition("content-length:")[2].partition("\r")[0]))
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            async with self.changed:
                self.heard[head.split()[1].rpartition("/")[2]] += report_of(body, 0)
                self.changed.notify_all()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@dataclass(frozen=True)
class Here:
    """A sandbox in a process of its own, and the one event loop in which its reports are heard until it has ended."""

    run: Callable[[Coroutine[None, None, None]], None]
    sandbox: str
    reports: Reports


def run_here(folder: Path) -> Iterator[Here]:
    """Run a sandbox in a folder for the tests of one module."""
    with asyncio.Runner() as runner:
        reports = Reports()
        runner.run(reports.open())
        running = spawn(folder)
        yield Here(runner.run, running.url, reports)
        running.stop()
        runner.run(reports.close())


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
        reports = self.here.reports
        async with asyncio.timeout(DEADLINE_S), reports.changed:
            await reports.changed.wait_for(lambda: self._heard() and set(signals) <= self._heard())

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
        await channel.listen(replace(own.device, hook_url=own.hook_url))
        yield own
