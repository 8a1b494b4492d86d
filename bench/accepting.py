"""Accepted messages per second, against a bare handler in the same run, interleaved; and the whole path from POST to sent."""

import asyncio
import json
import statistics
import time
from pathlib import Path

from bench.load import free_port, posts_per_second, running, until_ready
from bench.world import populate, until_sent
from posthaste.clock import SystemClock
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store.opening import open_store

_SECONDS = 4
_LINES = 10


def accepted(url: str, bare_url: str, folder: Path, rounds: int = 3) -> tuple[float, float]:
    """Return messages accepted per second by `posthaste api` alone, and inserts per second of the bare handler."""
    key = asyncio.run(_populate(url, _LINES))
    port = free_port()
    api = ["posthaste", "api", "--port", str(port), "--data", str(folder), "--database-url", url, "--log-level", "warning"]
    with running(api, port):
        return _against_bare(port, key, bare_url, rounds)


def accepted_beside(folder: Path, bare_url: str, rounds: int = 3) -> tuple[float, float]:
    """Return the same for `posthaste serve` as a newcomer starts it: its sender works off what is accepted, and a sandbox
    of two Macs takes it, on the same two cores.
    """
    port = free_port()
    serve = ["posthaste", "serve", "--port", str(port), "--data", str(folder), "--log-level", "warning"]
    with running(serve, port):
        until_ready(port)
        key = json.loads((folder / "sandbox.json").read_text())["apiKey"]
        return _against_bare(port, key, bare_url, rounds)


def _against_bare(port: int, key: str, bare_url: str, rounds: int) -> tuple[float, float]:
    bare_port = free_port()
    ours: list[float] = []
    bare: list[float] = []
    with running(["bench.bare", bare_url, str(bare_port)], bare_port):
        for number in range(rounds):
            bare.append(posts_per_second(bare_port, "none", number * 1_000_000, _SECONDS)[0])
            ours.append(posts_per_second(port, key, number * 1_000_000, _SECONDS)[0])
    return statistics.median(ours), statistics.median(bare)


async def _populate(url: str, lines: int) -> str:
    store = await open_store(url, SystemClock(), Ids())
    world = await populate(store, Settings(), lines)
    await store.close()
    return world.api_key


def whole_path(url: str, *, lines: int, takes_ms: float, seconds: int = _SECONDS) -> float:
    """Return messages per second from POST to a durable `sent`, in one process."""
    port = free_port()
    with running(["bench.path", url, str(port), str(lines), str(takes_ms)], port) as process:
        assert process.stdout is not None
        key = process.stdout.readline().strip()
        began = time.monotonic()
        _, count = posts_per_second(port, key, 0, seconds)
        asyncio.run(_until_sent(url, count))
        return count / (time.monotonic() - began)


async def _until_sent(url: str, count: int) -> None:
    """Wait until all are sent. wrk leaves its last answers unread, so there may be a few more."""
    store = await open_store(url, SystemClock(), Ids(), migrate=False)
    await until_sent(store, count)
    await store.close()
