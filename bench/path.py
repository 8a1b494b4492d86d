"""The whole path in one process: API and engine over one database, with the provider of `channel.py`.

    python -m bench.path DATABASE_URL PORT LINES TAKES_MS

Prints the API key when it listens, and ends at SIGTERM.
"""

import asyncio
import sys

import uvicorn
import uvloop

from bench.channel import KINDS, NO_LINKS, BenchChannel, engine_of
from bench.world import populate
from posthaste.api.application import build
from posthaste.clock import SystemClock
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store.opening import open_store


async def main(url: str, port: int, lines: int, takes_ms: float) -> None:
    clock, ids, settings = SystemClock(), Ids(), Settings(sends_max=4_096)
    store = await open_store(url, clock, ids)
    world = await populate(store, settings, lines)
    channel = BenchChannel(clock, takes_ms)
    engine = engine_of(store, settings, clock, ids, channel)
    app = build(settings, store, clock, ids, engine.receiver, engine.checker, kinds=KINDS, links=NO_LINKS)
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", access_log=False, log_level="warning"))
    engine.start()
    print(world.api_key, flush=True)
    await server.serve()
    await engine.stop()
    await store.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
