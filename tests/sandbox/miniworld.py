"""A world in one process for this folder: virtual time, no sockets, and a wall on which webhooks are pinned.

The loop's clock jumps to the next timer whenever everybody waits, so a script of seven seconds costs nothing. The app
under test is the real one; only the transport and the clock are not.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random
from typing import Any, TypeVar

import httpx2
import msgspec

from posthaste.ids import Ids
from posthaste.sandbox.app import build
from posthaste.sandbox.connection import InProcess
from posthaste.sandbox.journal import Journal, MemoryJournal
from posthaste.sandbox.numbers import Script, scripted_numbers
from posthaste.sandbox.sending import resume
from posthaste.sandbox.world import World

T = TypeVar("T")
Json = dict[str, Any]

STARTED_AT = 1_800_000_000_000
LINE = "+16285551000"
PASSWORD = "pass word&"
HOOK = "http://posthaste.example/hook/s3cret"
ORDINARY = "+12025550143"


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting, let the time be over."""

    jumped_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everybody waits and nothing will ever happen")
        if not ready and timeout:
            self.jumped_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.jumped_s


@dataclass(frozen=True, slots=True)
class VirtualClock:
    loop: asyncio.AbstractEventLoop

    def now_ms(self) -> int:
        return STARTED_AT + round(self.loop.time() * 1000)

    def monotonic_ms(self) -> float:
        return self.loop.time() * 1000


@dataclass(frozen=True, slots=True)
class Pinned:
    """A webhook as it came."""

    at_ms: int
    url: str
    event: str
    data: Json


def number(script: Script) -> str:
    """Return the first number of a script."""
    return next(number for number, own in scripted_numbers() if own is script)


@dataclass(slots=True)
class Miniworld:
    world: World
    client: httpx2.AsyncClient
    pinned: list[Pinned] = field(default_factory=list)
    clock: VirtualClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop())

    def elapsed_ms(self) -> int:
        return self.clock.now_ms() - STARTED_AT

    async def mac(self, mac_id: str = "mac", **settings: Any) -> Json:
        """Make a Mac with a webhook for everything."""
        body = {"id": mac_id, "phone": LINE, "password": PASSWORD} | settings
        made: Json = (await self.client.post("/devices", json=body)).json()
        await self.call("POST", "/webhook", {"url": HOOK, "events": ["*"]}, mac=mac_id)
        return made

    async def call(self, method: str, path: str, body: object = None, mac: str = "mac", **query: str) -> httpx2.Response:
        url = f"/macs/{mac}/api/v1{path}"
        return await self.client.request(method, url, params={"password": PASSWORD} | query, json=body)

    async def form(self, path: str, fields: Json, content: bytes | None, name: str = "house.jpg") -> httpx2.Response:
        """Post a form with a file in the field `attachment`, as programs do."""
        files = None if content is None else {"attachment": (name, content)}
        url = f"/macs/mac/api/v1{path}"
        return await self.client.post(url, params={"password": PASSWORD}, data=fields, files=files or {"other": ("x", b"x")})

    async def upload(self, content: bytes, name: str = "house.jpg") -> str:
        path: str = (await self.form("/attachment/upload", {}, content, name)).json()["data"]["path"]
        return path

    async def file(self, to: str, content: bytes = b"house", name: str = "house.jpg", **more: Any) -> httpx2.Response:
        """Send one file into a conversation that exists, by AppleScript unless it says otherwise."""
        chat = self.world.open_chat(self.world.macs["mac"], to)
        asked = {"chatGuid": chat.guid, "name": name, "tempGuid": "temp-1", "method": "apple-script"}
        return await self.form("/message/attachment", asked | more, content, name)

    async def files(self, to: str, *contents: bytes, text: str = "", **more: Any) -> httpx2.Response:
        """Upload files and send them with a text in one message."""
        chat = self.world.open_chat(self.world.macs["mac"], to)
        paths = [await self.upload(content, f"file-{place}.png") for place, content in enumerate(contents)]
        parts = [{"partIndex": place, "attachment": path, "name": f"{place}.png"} for place, path in enumerate(paths)]
        parts += [{"partIndex": len(parts), "text": text}] if text else []
        return await self.call("POST", "/message/multipart", {"chatGuid": chat.guid, "tempGuid": "temp-1", "parts": parts} | more)

    async def person(self, what: str, number: str = ORDINARY, **asked: Any) -> httpx2.Response:
        """Let a person do something with the line."""
        return await self.client.post(f"/phones/{number}/{what}", json={"to": LINE} | asked)

    async def new_chat(self, to: str, text: str = "Hello", **more: Any) -> httpx2.Response:
        return await self.call("POST", "/chat/new", {"addresses": [to], "message": text, "method": "private-api"} | more)

    async def text(self, to: str, text: str = "Hello", **more: Any) -> httpx2.Response:
        """Send into a conversation that exists, opening it behind the scenes."""
        chat = self.world.open_chat(self.world.macs["mac"], to)
        asked = {"chatGuid": chat.guid, "message": text, "tempGuid": "temp-1", "method": "private-api"}
        return await self.call("POST", "/message/text", asked | more)

    async def rows(self, **body: Any) -> list[Json]:
        answer = await self.call("POST", "/message/query", {"sort": "ASC"} | body)
        rows: list[Json] = answer.json()["data"]
        return rows

    async def received(self, **query: str) -> list[Json]:
        found: list[Json] = (await self.client.get("/received", params=query)).json()
        return found

    def events(self, event: str) -> list[Pinned]:
        return [pinned for pinned in self.pinned if pinned.event == event]


def live(story: Callable[[Miniworld], Awaitable[T]], journal: Journal | None = None) -> T:
    """Run a story in a fresh world, or in the one that a journal remembers."""

    async def main() -> T:
        wall: list[Pinned] = []
        clock = VirtualClock(asyncio.get_running_loop())

        async def pin(request: httpx2.Request) -> httpx2.Response:
            body = msgspec.json.decode(await request.aread())
            wall.append(Pinned(clock.now_ms() - STARTED_AT, str(request.url), body["type"], body["data"]))
            return httpx2.Response(200)

        async with httpx2.AsyncClient(transport=httpx2.MockTransport(pin)) as post:
            world = World(clock, Ids(Random(1)), MemoryJournal() if journal is None else journal, post)
            resume(world)
            transport = InProcess(build(world))
            async with httpx2.AsyncClient(transport=transport, base_url="http://sandbox.example") as client:
                try:
                    return await story(Miniworld(world, client, wall))
                finally:
                    await world.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


async def later(ms: int) -> None:
    """Let virtual time go by."""
    await asyncio.sleep(ms / 1000)


def listed(name: str, media_type: str, content: bytes) -> Json:
    """Return a file as `/received` lists it."""
    return {"name": name, "mediaType": media_type, "size": len(content), "sha256": sha256(content).hexdigest()}


def texts(items: Iterable[Json]) -> list[str]:
    return [item["text"] for item in items]


def answer_to(method: str, path: str, body: object = None, *, query: Json | None = None, **mac: object) -> tuple[int, Json]:
    """Return status and body of one request to a Mac that has one conversation."""

    async def story(mini: Miniworld) -> tuple[int, Json]:
        await mini.mac(**mac)
        mini.world.open_chat(mini.world.macs["mac"], ORDINARY)
        answer = await mini.call(method, path, body, **(query or {}))
        return answer.status_code, answer.json()

    return live(story)
