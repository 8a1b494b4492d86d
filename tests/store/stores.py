"""Open each of the three stores on a fresh database, for tests whose bodies are the same for all."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from posthaste.ids import Ids
from posthaste.store.base import Store
from posthaste.store.inline import InlineStore
from posthaste.store.opening import open_store
from posthaste.store.transaction import Transaction

NOON = 1_700_000_000_000

Open = Callable[[], AbstractAsyncContextManager[Store]]


@dataclass
class StoppedClock:
    """A clock that moves only when told, or by `step_ms` at each look at its monotonic side."""

    now: int = NOON
    monotonic: float = 0.0
    step_ms: float = 0.0

    def now_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> float:
        self.monotonic += self.step_ms
        return self.monotonic


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[Store]:
    """Give a store a table of its own, and close it in the end."""
    try:
        await store.write(make_table)
        yield store
    finally:
        await store.close()


def opener(url: str, clock: StoppedClock | None = None) -> Open:
    """Return how to open a database's store, or the inline one for `inline`."""

    @asynccontextmanager
    async def open_it() -> AsyncIterator[Store]:
        chosen = clock or StoppedClock()
        store: Store = (
            InlineStore(chosen, Ids()) if url == "inline" else await open_store(url, chosen, Ids(), database_clock=False)
        )
        async with opened(store) as it:
            yield it

    return open_it


def make_table(tx: Transaction) -> None:
    tx.run("CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT NOT NULL, flag INTEGER NOT NULL DEFAULT 0)")


def add(tx: Transaction, id: int, text: str = "") -> int:
    tx.run("INSERT INTO notes (id, text) VALUES (:id, :text)", {"id": id, "text": text})
    return id


def ids(tx: Transaction) -> list[int]:
    return [id for (id,) in tx.rows("SELECT id FROM notes ORDER BY id")]
