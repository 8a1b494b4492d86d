"""The store on PostgreSQL: a few threads with a connection each for writing, a few for reading, and a listener.

Any number of processes may work on one database. A process's own wake-ups take the short way inside it; those of
others come through the listener. How a transaction is run, and run again, stands in `postgres_runner`.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from posthaste.clock import Clock
from posthaste.ids import Ids
from posthaste.store.errors import StoreUnavailable
from posthaste.store.jobs import report_to
from posthaste.store.lane import Lane
from posthaste.store.listener import Listener
from posthaste.store.postgres_connection import Connection, connect, connect_writer
from posthaste.store.postgres_runner import READING, WRITING, PostgresRunner
from posthaste.store.transaction import Transaction
from posthaste.store.wakes import Wakes

P = ParamSpec("P")
T = TypeVar("T")

WRITERS = 4
READERS = 2
_LISTENING_WITHIN_S = 15.0


class PostgresStore:
    """A database that this process shares with others."""

    def __init__(
        self, url: str, clock: Clock, ids: Ids, *, writers: int = WRITERS, readers: int = READERS, database_clock: bool = True
    ) -> None:
        self._stopping = threading.Event()
        self._wakes = Wakes(report_to(asyncio.get_running_loop()))

        def runner(begin: str, connect: Callable[[str], Connection]) -> PostgresRunner:
            return PostgresRunner(
                partial(connect, url), clock, ids, begin=begin, database_clock=database_clock, stopping=self._stopping
            )

        self._writers = [runner(WRITING, connect_writer) for _ in range(writers)]
        self._writes = Lane("postgres-writer", self._writers, self._wakes)
        self._reads = Lane("postgres-reader", [runner(READING, connect) for _ in range(readers)], self._wakes)
        self._listener = Listener(url, self._wakes, self._is_ours)

    @classmethod
    async def open(
        cls, url: str, clock: Clock, ids: Ids, *, writers: int = WRITERS, readers: int = READERS, database_clock: bool = True
    ) -> "PostgresStore":
        """Open the store and wait until it hears other processes."""
        store = cls(url, clock, ids, writers=writers, readers=readers, database_clock=database_clock)
        try:
            async with asyncio.timeout(_LISTENING_WITHIN_S):
                await store._listener.begun()
        except BaseException as error:
            await store.close()
            if isinstance(error, TimeoutError):
                raise StoreUnavailable("the database does not let us listen") from error
            raise
        return store

    async def write(self, action: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = await self._writes.put(action, args, kwargs)
        return result

    async def read(self, action: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = await self._reads.put(action, args, kwargs)
        return result

    def on_wake(self, topic: str, call: Callable[[str], None]) -> Callable[[], None]:
        return self._wakes.add(topic, call)

    async def close(self) -> None:
        self._stopping.set()
        await self._listener.stop()
        await self._reads.close()
        await self._writes.close()

    def _is_ours(self, pid: int) -> bool:
        return any(writer.pid == pid for writer in self._writers)
