"""A world in one process with an Android phone in it: virtual time, no sockets, and a wall on which its webhooks are pinned."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import httpx2
import msgspec
from miniworld import STARTED_AT, VirtualClock, VirtualLoop

from posthaste.ids import Ids
from posthaste.sandbox.android_face import EVENTS
from posthaste.sandbox.app import build
from posthaste.sandbox.connection import InProcess
from posthaste.sandbox.journal import Journal, MemoryJournal
from posthaste.sandbox.sending import resume
from posthaste.sandbox.world import World

T = TypeVar("T")
Json = dict[str, Any]

LINE = "+16285552000"
USERNAME, PASSWORD = "sms", "pass:word&é"
SIGNING_KEY = "a key of its own"
HOOK = "https://posthaste.example/hooks/smsgate/s3cret"
ANDROID: Json = {
    "kind": "android", "id": "android", "phone": LINE, "username": USERNAME, "password": PASSWORD, "signingKey": SIGNING_KEY,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pinned:
    """A webhook as it came."""

    at_ms: int
    event: str
    payload: Json
    body: bytes
    headers: httpx2.Headers


@dataclass(slots=True)
class AndroidWorld:
    world: World
    client: httpx2.AsyncClient
    pinned: list[Pinned] = field(default_factory=list)
    refusals: int = 0

    def elapsed_ms(self) -> int:
        return self.world.now_ms() - STARTED_AT

    async def phone(self, **settings: object) -> Json:
        """Make a phone with a webhook for every event."""
        made: Json = (await self.client.post("/devices", json=ANDROID | settings)).json()
        for event in EVENTS:
            await self.call("POST", "/webhooks", {"id": event, "url": HOOK, "event": event}, phone=made["id"])
        return made

    async def call(self, method: str, path: str, body: object = None, phone: str = "android", **query: str) -> httpx2.Response:
        url = f"/androids/{phone}{path}"
        return await self.client.request(method, url, params=query, json=body, auth=(USERNAME, PASSWORD))

    async def text(self, *to: str, text: str = "Hello", **more: object) -> httpx2.Response:
        asked = {"id": "m-1", "phoneNumbers": list(to), "textMessage": {"text": text}}
        return await self.call("POST", "/messages", asked | more)

    async def state(self, message_id: str = "m-1") -> Json:
        found: Json = (await self.call("GET", f"/messages/{message_id}")).json()
        return found

    async def received(self, **query: str) -> list[Json]:
        found: list[Json] = (await self.client.get("/received", params=query)).json()
        return found

    async def person(self, sender: str, text: str, to: str = LINE) -> httpx2.Response:
        return await self.client.post(f"/phones/{sender}/send", json={"to": to, "text": text})

    async def turn(self, state: str) -> Json:
        turned: Json = (await self.client.post("/devices/android", json={"state": state})).json()
        return turned

    def told(self) -> list[str]:
        return [pinned.event for pinned in self.pinned]


def live(story: Callable[[AndroidWorld], Awaitable[T]], journal: Journal | None = None) -> T:
    """Run a story in a fresh world, or in the one that a journal remembers."""

    async def main() -> T:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(lambda request: pin(request))) as post:
            world = World(VirtualClock(asyncio.get_running_loop()), Ids(Random(1)), journal or MemoryJournal(), post)
            resume(world)
            async with httpx2.AsyncClient(transport=InProcess(build(world)), base_url="http://sandbox.example") as client:
                own = AndroidWorld(world, client)

                async def pin(request: httpx2.Request) -> httpx2.Response:
                    body = await request.aread()
                    told = msgspec.json.decode(body)
                    own.pinned.append(Pinned(own.elapsed_ms(), told["event"], told["payload"], body, request.headers))
                    own.refusals -= 1
                    return httpx2.Response(500 if own.refusals >= 0 else 200)

                try:
                    return await story(own)
                finally:
                    await world.close()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
