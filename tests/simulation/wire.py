"""The network between us, the devices and the callers: it carries requests to apps in one process, and loses, delays and
doubles them.

A request that has left goes on without its sender: the far side runs in a task of its own. Every send that leaves is
noted with the moment at which it left, since that is what gaps, windows and promises are judged by.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import httpx2
from starlette.types import ASGIApp

from posthaste.sandbox.connection import ConnectionDied
from posthaste.sandbox.entries import AnyEntry, Promised, Received, SmsPromised
from posthaste.sandbox.journal import MemoryJournal

from .faults import Fate, Faults
from .process import Process
from .requests import asked_to_send
from .trace import Trace
from .virtual import VirtualClock, VirtualLoop

OURS, DEVICES = "posthaste.test", "sandbox.test"
_ARRIVING: contextvars.ContextVar["Sent | None"] = contextvars.ContextVar("arriving", default=None)

Arrive = Callable[[], Coroutine[Any, Any, httpx2.Response]]


@dataclass(slots=True)
class Sent:
    """A request to send, as it left us; `guid` is that of the text that came of it.

    `marker` is what it goes by: the attempt's on a Mac, the same for every attempt of a message on an Android phone.
    """

    device_id: str
    marker: str
    text: str
    left_at: int
    guid: str | None = None


class PhoneJournal(MemoryJournal):
    """The world's journal; it tells which request put which text on a phone, now or by a promise."""

    def append(self, *entries: AnyEntry) -> None:
        super().append(*entries)
        sent = _ARRIVING.get()
        for entry in entries:
            if sent is not None and sent.guid is None and isinstance(entry, Received | Promised | SmsPromised):
                sent.guid = entry.id if isinstance(entry, SmsPromised) else entry.guid


class Network:
    """Carries requests to `devices`, and to `door`: the API and the process that now stand behind our address, if any do."""

    def __init__(self, loop: VirtualLoop, clock: VirtualClock, faults: Faults, trace: Trace) -> None:
        self._loop, self._clock, self._faults, self._trace = loop, clock, faults, trace
        self.devices: ASGIApp | None = None
        self.door: tuple[ASGIApp, Process] | None = None
        self.sends: list[Sent] = []
        self.under_way = 0
        self.troubles: dict[str, list[int]] = {}
        self.cut_off: dict[str, None] = {}
        self.longest_delay_ms: dict[str, int] = {}

    def transport(self, process: Process | None) -> "Transport":
        return Transport(self, process)

    async def carry(self, request: httpx2.Request, body: bytes, process: Process | None) -> httpx2.Response:
        if request.url.host == OURS:
            return await self._to_us(request, body)
        return await self._to_device(request, body, process)

    async def _to_us(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        is_hook = request.url.path.startswith("/hooks/")
        fate = self._faults.of_hook() if is_hook else self._faults.of_call()
        name = "hook" if is_hook else f"{request.method} {request.url.path}"
        if fate.twice_after_ms is not None:
            self._aside(self._late(fate.twice_after_ms, request, body))
        return await self._with_fate(request, fate, name, lambda: self._knock(request, body))

    async def _late(self, delay_ms: int, request: httpx2.Request, body: bytes) -> None:
        await asyncio.sleep(delay_ms / 1000)
        try:
            await self._knock(request, body)
        except httpx2.HTTPError:
            return

    async def _knock(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        if self.door is None or not self.door[1].is_alive:
            raise httpx2.ConnectError("nobody listens", request=request)
        app, process = self.door
        answering = process.spawn(answer_of(app, request, body))
        await asyncio.wait([answering])
        if answering.cancelled() or not process.is_alive:
            raise httpx2.ReadError("the process died", request=request)
        return answering.result()

    async def _to_device(self, request: httpx2.Request, body: bytes, process: Process | None) -> httpx2.Response:
        device_id, path = _split(request.url.path)
        if device_id in self.cut_off:
            self.note_trouble(device_id)
            raise httpx2.ConnectError("the device is off", request=request)
        asked = asked_to_send(request, path, body)
        fate = self._faults.of_request(self.longest_delay_ms[device_id], is_send=asked is not None)
        sent = Sent(device_id, *asked, self._clock.now_ms()) if asked else None
        if sent is not None and not fate.refused and fate.page != 521:
            self.sends.append(sent)
        if fate.is_fault or fate.delay_ms or fate.answer_delay_ms:
            self.note_trouble(device_id)

        async def arrive() -> httpx2.Response:
            if sent is not None:
                _ARRIVING.set(sent)
                self._trace.say("device", f"gets {sent.marker[-6:]} ({sent.text!r})")
            assert self.devices is not None
            return await answer_of(self.devices, request, body)

        name = path.split("/iMessage")[0].split("/any")[0]
        return await self._with_fate(request, fate, f"{name} of {process.name if process else 'nobody'}", arrive)

    def note_trouble(self, device_id: str) -> None:
        """Note that a device is hard to reach now: only then may something become unknown."""
        self.troubles.setdefault(device_id, []).append(self._clock.now_ms())

    async def _with_fate(self, request: httpx2.Request, fate: Fate, name: str, arrive: Arrive) -> httpx2.Response:
        if fate.is_fault:
            self._trace.say("network", f"{name}: {_in_words(fate)}")
        if fate.refused:
            raise httpx2.ConnectError("refused", request=request)
        response = None
        if fate.arrives:
            response = await self._beyond(_after(fate.delay_ms, arrive), request, is_awaited=not fate.hangs)
        if fate.hangs:
            await asyncio.Event().wait()
        if fate.answer_delay_ms:
            await asyncio.sleep(fate.answer_delay_ms / 1000)
        if fate.page is not None:
            return httpx2.Response(fate.page, text="<html>a tunnel</html>", request=request)
        if response is None or not fate.answered:
            raise httpx2.ReadError("the connection broke", request=request)
        return response

    async def _beyond(
        self, arriving: Coroutine[Any, Any, httpx2.Response], request: httpx2.Request, *, is_awaited: bool
    ) -> httpx2.Response | None:
        """Let it happen on the far side, whatever becomes of the asker."""
        task = self._aside(arriving)
        if not is_awaited:
            return None
        await asyncio.wait([task])
        try:
            return task.result()
        except ConnectionDied:
            raise httpx2.ReadError("the connection died", request=request) from None

    def _aside(self, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._loop.create_task(coro, context=contextvars.Context())
        self.under_way += 1
        task.add_done_callback(self._is_there)
        return task

    def _is_there(self, task: asyncio.Task[Any]) -> None:
        self.under_way -= 1
        if not task.cancelled():
            task.exception()


def _split(path: str) -> tuple[str, str]:
    """Return the device that a path leads to, and what is asked of it."""
    _, _, device_id, asked = path.split("/", 3)
    return device_id, f"/{asked}".removeprefix("/api/v1")


async def _after(delay_ms: int, arrive: Arrive) -> httpx2.Response:
    if delay_ms:
        await asyncio.sleep(delay_ms / 1000)
    return await arrive()


def _in_words(fate: Fate) -> str:
    words = [
        "refused" if fate.refused else "",
        "never arrives" if not fate.arrives and not fate.refused else "",
        "hangs" if fate.hangs else "",
        f"status {fate.page}" if fate.page else "",
        "the answer is lost" if not fate.answered and fate.arrives and not fate.hangs else "",
        f"comes again {fate.twice_after_ms} ms later" if fate.twice_after_ms is not None else "",
        f"{fate.delay_ms} ms late" if fate.delay_ms else "",
    ]
    return ", ".join(word for word in words if word)


class Transport(httpx2.AsyncBaseTransport):
    """One party's way into the network."""

    def __init__(self, network: Network, process: Process | None) -> None:
        self._network, self._process = network, process

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._process is not None:
            self._process.check()
        body = await request.aread()
        self._network.under_way += 1
        try:
            return await self._network.carry(request, body, self._process)
        finally:
            self._network.under_way -= 1


async def answer_of(app: ASGIApp, request: httpx2.Request, body: bytes) -> httpx2.Response:
    """Ask an ASGI app, and wait for its whole answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, 80),
        "client": ("127.0.0.1", 123),
        "root_path": "",
    }
    events: list[Any] = []
    is_read = False

    async def receive() -> dict[str, Any]:
        nonlocal is_read
        if is_read:
            return {"type": "http.disconnect"}
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        events.append(event)

    await app(scope, receive, send)
    start, *bodies = events
    content = b"".join(event.get("body", b"") for event in bodies)
    return httpx2.Response(start["status"], headers=start["headers"], content=content, request=request)
