"""The sender alone: claim and record with a provider that answers at once, and how late scheduled messages go."""

import random
from collections.abc import Mapping

from bench.channel import BenchChannel, engine_of
from bench.world import World, add_waiting, messages_due, populate, rouse, until_sent
from posthaste.clock import SystemClock
from posthaste.core.row import replace
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store import messages as messages_table
from posthaste.store.opening import open_store
from posthaste.store.transaction import Transaction

_DAY_MS = 86_400_000


async def claim_and_record(url: str, *, lines: int, messages: int, scheduled: int) -> float:
    """Return messages per second from waiting to sent, with `scheduled` others that wait for a later day."""
    clock, ids = SystemClock(), Ids()
    store = await open_store(url, clock, ids)
    settings = Settings()
    world = await populate(store, settings, lines)
    if scheduled:
        await add_waiting(store, world, scheduled, clock.now_ms() + 30 * _DAY_MS)
    await add_waiting(store, world, messages, clock.now_ms())
    channel = BenchChannel(clock, 0)
    engine = engine_of(store, settings, clock, ids, channel)
    began = clock.monotonic_ms()
    await store.write(rouse)
    engine.start()
    await until_sent(store, messages)
    took_ms = clock.monotonic_ms() - began
    await engine.stop()
    await store.close()
    return messages / took_ms * 1000


async def lateness(url: str, *, lines: int, messages: int, over_ms: int) -> tuple[float, float]:
    """Return the median and the 99th percentile of how late, in ms, messages scheduled at random instants are handed over."""
    clock, ids = SystemClock(), Ids()
    store = await open_store(url, clock, ids)
    settings = Settings()
    world = await populate(store, settings, lines)
    start_at = clock.now_ms() + 3_000
    seeded = random.Random(1)
    due: dict[int, int] = {}
    for _ in range(messages):
        at = start_at + seeded.randrange(over_ms)
        due[at] = due.get(at, 0) + 1
    await store.write(_schedule, world, due)
    channel = BenchChannel(clock, 0)
    engine = engine_of(store, settings, clock, ids, channel)
    await store.write(rouse)
    engine.start()
    await until_sent(store, messages)
    await engine.stop()
    late = sorted(called_at - int(text.split()[0]) for called_at, text in channel.called)
    await store.close()
    return float(late[len(late) // 2]), float(late[int(len(late) * 0.99)])


def _schedule(tx: Transaction, world: World, due: Mapping[int, int]) -> None:
    number = 0
    for at, count in sorted(due.items()):
        made = messages_due(tx, world, range(number, number + count), at)
        messages_table.add(tx, [replace(one, text=f"{at} was its time") for one in made])
        number += count
