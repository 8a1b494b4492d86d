"""A sandbox in a process of its own, and an HTTP server that hears what its devices report, for the desks beside this file."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from posthaste.channels.base import Channel, Connection
from posthaste.core.hooks import HookCall
from posthaste.core.signals import Signal
from posthaste.sandbox.server import spawn

DEADLINE_S = 30
PICTURE = b"\x89PNG\r\n\x1a\n a picture"


class Reports:
    """Hear what all devices report, each under the last part of its webhook's path, as its own channel hears it.

    Whoever only asks is given a picture.
    """

    def __init__(self, kind: str) -> None:
        self.devices: dict[str, tuple[Channel, Connection]] = {}
        self.heard: dict[str, list[Signal]] = defaultdict(list)
        self.refused = 0
        self.url = ""
        self._kind = kind
        self._changed = asyncio.Condition()
        self._talks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}/hooks/{self._kind}"

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
            told = None if method == "GET" else self._told(path, HookCall(method, query, headers, body))
            status, answer = (200, PICTURE) if method == "GET" else (401 if told is None else 200, b"")
            head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + answer)
            async with self._changed:
                self.refused += status == 401
                self.heard[path.rpartition("/")[2]] += told or ()
                self._changed.notify_all()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def _told(self, path: str, call: HookCall) -> Sequence[Signal] | None:
        channel, device = self.devices[path.rpartition("/")[2]]
        told = channel.hear(device, call)
        return told.signals if told else None


@dataclass(frozen=True)
class Here:
    """A sandbox, and the one event loop in which its reports are heard until it has ended."""

    run: Callable[[Coroutine[None, None, None]], None]
    sandbox: str
    reports: Reports


def run_here(folder: Path, kind: str) -> Iterator[Here]:
    """Run a sandbox in a folder for the tests of one module."""
    with asyncio.Runner() as runner:
        reports = Reports(kind)
        runner.run(reports.open())
        running = spawn(folder)
        yield Here(runner.run, running.url, reports)
        running.stop()
        runner.run(reports.close())
