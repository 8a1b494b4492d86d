"""Run every measurement and print one table. Figures are of this machine and this run; the ratios are what counts.

python -m bench [NAME …]
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx2
import uvloop

from bench.accepting import accepted, accepted_beside, whole_path
from bench.idle import accepted_to_called
from bench.load import free_port, memory_mb, running
from bench.rates import claim_and_record, lateness
from bench.world import add_waiting, populate
from fixtures.postgres_server import PostgresServer
from posthaste.clock import SystemClock
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store.opening import open_store

_MILLION = 1_000_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured, against what it is held."""

    measure: str
    measured: str
    against: str
    target: str
    holds: bool


@contextmanager
def sqlite() -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="posthaste-bench-") as folder:
        yield f"sqlite:///{folder}/posthaste.db", Path(folder)


def accept_sqlite() -> Iterator[Figure]:
    with sqlite() as (url, folder), sqlite() as (bare_url, _):
        yield _accepted("accepted/s, api alone, SQLite FULL", url, bare_url, folder, 0.5)
    with sqlite() as (_, folder), sqlite() as (bare_url, _):
        ours, bare = accepted_beside(folder, bare_url)
    beside = f"ratio {ours / bare:.2f}, no target"
    yield Figure("… sender and sandbox beside it", f"{ours:,.0f}/s", f"bare handler {bare:,.0f}/s", beside, True)


def accept_postgres() -> Iterator[Figure]:
    with postgres() as (url, bare_url), tempfile.TemporaryDirectory() as folder:
        yield _accepted("accepted/s, api alone, PostgreSQL", url, bare_url, Path(folder), 0.35)


def _accepted(name: str, url: str, bare_url: str, folder: Path, least: float) -> Figure:
    ours, bare = accepted(url, bare_url, folder)
    ratio = ours / bare
    return Figure(name, f"{ours:,.0f}/s", f"bare handler {bare:,.0f}/s", f"ratio {ratio:.2f} ≥ {least}", ratio >= least)


def claim_sqlite() -> Iterator[Figure]:
    with sqlite() as (url, _):
        rate = _run(claim_and_record(url, lines=1_000, messages=20_000, scheduled=0))
    yield Figure("claim and record, 1,000 lines, SQLite", f"{rate:,.0f}/s", "", "≥ 3,000/s", rate >= 3_000)
    with sqlite() as (url, _):
        loaded = _run(claim_and_record(url, lines=1_000, messages=20_000, scheduled=_MILLION))
    ratio = loaded / rate
    yield Figure(
        "… with a million scheduled for later", f"{loaded:,.0f}/s", "the line above", f"ratio {ratio:.2f} ≥ 0.7", ratio >= 0.7
    )


def path_sqlite() -> Iterator[Figure]:
    with sqlite() as (url, _):
        yield _path("POST → sent, 1,000 lines, 50 ms, SQLite", url, 1_500)


def path_postgres() -> Iterator[Figure]:
    with postgres() as (url, _):
        yield _path("POST → sent, 1,000 lines, 50 ms, PostgreSQL", url, 1_000)


def _path(name: str, url: str, least: int) -> Figure:
    rate = whole_path(url, lines=1_000, takes_ms=50)
    return Figure(name, f"{rate:,.0f}/s", "", f"≥ {least:,}/s", rate >= least)


def idle() -> Iterator[Figure]:
    with sqlite() as (url, _):
        median, high = _run(accepted_to_called(url, calls=300))
    holds = median <= 15 and high <= 50
    yield Figure(
        "idle: request → provider called",
        f"p50 {median:.1f} ms, p99 {high:.1f} ms",
        "over an empty request",
        "≤ 15, ≤ 50 ms",
        holds,
    )


def scheduled() -> Iterator[Figure]:
    with sqlite() as (url, _):
        median, high = _run(lateness(url, lines=1_000, messages=5_000, over_ms=10_000))
    yield Figure(
        "scheduled sends, 1,000 lines: late by", f"p50 {median:.0f} ms, p99 {high:.0f} ms", "", "p99 ≤ 250 ms", high <= 250
    )


def memory() -> Iterator[Figure]:
    with sqlite() as (url, folder):
        idle_mb = _serving_mb(folder)
        yield Figure("memory of serve, idle", f"{idle_mb:.0f} MB", "", "≤ 120 MB", idle_mb <= 120)
        key = _run(_store_million(url))
        full_mb = _serving_mb(folder, key)
        yield Figure("memory with a million messages", f"{full_mb:.0f} MB", "after lists and posts", "≤ 200 MB", full_mb <= 200)


async def _store_million(url: str) -> str:
    clock = SystemClock()
    store = await open_store(url, clock, Ids())
    world = await populate(store, Settings(), 100)
    await add_waiting(store, world, _MILLION, clock.now_ms() + 30 * 86_400_000)
    await store.close()
    return world.api_key


def _serving_mb(folder: Path, key: str = "") -> float:
    port = free_port()
    serve = ["posthaste", "serve", "--no-sandbox", "--port", str(port), "--data", str(folder), "--log-level", "warning"]
    with running(serve, port) as process:
        with httpx2.Client(trust_env=False, base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for page in range(1, 20) if key else ():
                client.get(f"/api/messages?page={page}&limit=200", headers={"Authorization": f"Bearer {key}"}).raise_for_status()
            client.get("/readyz").raise_for_status()
        return memory_mb(process.pid)


@contextmanager
def postgres() -> Iterator[tuple[str, str]]:
    """Start a durable PostgreSQL server and give two migrated databases on it."""
    server = PostgresServer(durable=True)
    try:
        with server.database() as first, server.database() as second:
            yield first, second
    finally:
        server.stop()


def _run(coroutine: Coroutine[object, object, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


MEASURES: dict[str, Callable[[], Iterator[Figure]]] = {
    "accept-sqlite": accept_sqlite,
    "accept-postgres": accept_postgres,
    "claim": claim_sqlite,
    "path-sqlite": path_sqlite,
    "path-postgres": path_postgres,
    "idle": idle,
    "scheduled": scheduled,
    "memory": memory,
}


def main(names: list[str]) -> None:
    print(f"{'measure':48} {'measured':26} {'against':26} {'target':20} holds")
    for name in names or MEASURES:
        for figure in MEASURES[name]():
            verdict = "yes" if figure.holds else "NO"
            print(f"{figure.measure:48} {figure.measured:26} {figure.against:26} {figure.target:20} {verdict}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
