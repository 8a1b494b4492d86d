"""How long an idle server takes from the request to the call of the provider, over the time of an empty request."""

import asyncio

import httpx2
import uvicorn

from bench.channel import KINDS, NO_LINKS, BenchChannel, engine_of
from bench.load import free_port
from bench.world import populate
from posthaste.api.application import build
from posthaste.channels.base import Connection, Order
from posthaste.clock import SystemClock
from posthaste.core.outcomes import Outcome
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store.opening import open_store


class _Noting(BenchChannel):
    """Also notes the monotonic time of the last call."""

    last_ms = 0.0

    async def send(self, device: Connection, order: Order) -> Outcome:
        self.last_ms = self._clock.monotonic_ms()
        return await super().send(device, order)


async def accepted_to_called(url: str, *, calls: int) -> tuple[float, float]:
    """Return the median and the 99th percentile, in ms."""
    clock, ids, settings = SystemClock(), Ids(), Settings()
    store = await open_store(url, clock, ids)
    world = await populate(store, settings, 10)
    channel = _Noting(clock, 0)
    engine = engine_of(store, settings, clock, ids, channel)
    port = free_port()
    app = build(settings, store, clock, ids, engine.receiver, engine.checker, kinds=KINDS, links=NO_LINKS)
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", access_log=False, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    engine.start()
    while not server.started:
        await asyncio.sleep(0.01)
    took = await _measure(clock, channel, f"http://127.0.0.1:{port}", world.api_key, calls)
    server.should_exit = True
    await serving
    await engine.stop()
    await store.close()
    return took[len(took) // 2], took[int(len(took) * 0.99)]


async def _measure(clock: SystemClock, channel: _Noting, url: str, key: str, calls: int) -> list[float]:
    took: list[float] = []
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(trust_env=False, base_url=url, headers=headers) as client:
        for number in range(calls):
            began = clock.monotonic_ms()
            await client.get("/healthz")
            empty_ms = clock.monotonic_ms() - began
            began = clock.monotonic_ms()
            body = {"message": f"idle {number}", "recipientPhone": f"+1{2_100_000_000 + number}"}
            await client.post("/api/messages", json=body)
            took.append(max(0.0, channel.last_ms - began - empty_ms))
            await asyncio.sleep(0.02)
    return sorted(took[5:])
