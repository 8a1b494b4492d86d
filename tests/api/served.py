"""A house behind a real server on a free loopback port, in a thread of its own, for clients that block."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import uvicorn

from api.house import House, house

_SOON_S = 20


@contextmanager
def served(**changes: Any) -> Iterator[tuple[str, House]]:
    """Serve a house; yield its address and itself, to be read only."""
    told: SimpleQueue[tuple[str, House] | BaseException] = SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        try:
            asyncio.run(_serve(told, stop, changes))
        except BaseException as error:
            told.put(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        first = told.get(timeout=_SOON_S)
        if isinstance(first, BaseException):
            raise first
        yield first
    finally:
        stop.set()
        thread.join(_SOON_S)


async def _serve(told: "SimpleQueue[tuple[str, House] | BaseException]", stop: threading.Event, changes: dict[str, Any]) -> None:
    async with house(**changes) as it:
        config = uvicorn.Config(it.app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.wait({serving}, timeout=0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        told.put((f"http://127.0.0.1:{port}", it))
        await asyncio.to_thread(stop.wait)
        server.should_exit = True
        await serving
